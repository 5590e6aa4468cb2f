//! A handler of WASI 0.3 on the crate `wasip3` alone: a task writes after the response began.

use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};

struct Handler;
wasip3::http::service::export!(Handler);

impl Guest for Handler {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let (mut body, read) = wit_stream::new();
        let (trailers, read_trailers) = wit_future::new(|| Ok(None));
        wasip3::spawn_local(async move {
            body.write_all(format!("asked for {path}").into_bytes()).await;
            drop(body);
            let _ = trailers.write(Ok(None)).await;
        });
        Ok(Response::new(Fields::new(), Some(read), read_trailers).0)
    }
}
