//! Handlers of HTTP and Redis on the Rust SDK 6 and 7, which are of WASI 0.3.

use anyhow::{anyhow, Result};
use bytes::Bytes;
use futures::SinkExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::BodyExt;
use serde_json::{json, Value};
use spin_sdk::http::body::IncomingBodyExt;
use spin_sdk::http::{send, FullBody, Request};
use spin_sdk::key_value::Store;
use spin_sdk::{http_service, llm, mqtt, mysql, pg, redis, redis_subscriber, sqlite, variables};

type Body = UnsyncBoxBody<Bytes, anyhow::Error>;
type Response = hyperium::Response<Body>;

#[http_service]
async fn handle(request: Request) -> Result<Response> {
    answer(request).await
}

async fn answer(request: Request) -> Result<Response> {
    Ok(match request.uri().path() {
        "/hello" => text(200, "hello from Rust\n"),
        "/echo" => hyperium::Response::builder()
            .header("content-type", "application/octet-stream")
            .body(request.into_body().map_err(anyhow::Error::from).boxed_unsync())?,
        "/lines" => {
            let (mut lines, body) = spin_sdk::http::body::stream::<String>();
            spin_sdk::wasip3::spawn(async move {
                for line in 0..3 {
                    lines.send(format!("line {line}\n")).await.unwrap();
                }
            });
            hyperium::Response::new(body.boxed_unsync())
        }
        "/seen" => json_of(json!({
            "method": request.method().to_string(),
            "query": format!("?{}", request.uri().query().unwrap_or_default()),
            "tag": header(&request, "x-tag"),
            "route": header(&request, "spin-raw-component-route"),
        })),
        "/visits" => {
            let store = Store::open_default().await?;
            let before = store.get("visits").await?.map(String::from_utf8).transpose()?;
            let visits = 1 + before.map_or(Ok(0), |text| text.parse::<u64>())?;
            store.set("visits", visits.to_string()).await?;
            text(200, &visits.to_string())
        }
        "/keys" => json_of(json!(Store::open_default().await?.get_keys().await.collect().await?)),
        "/greeting" => text(200, &variables::get("greeting").await?),
        "/forbidden" => {
            text(403, error_of(Store::open("other").await)[0].as_str().unwrap_or_default())
        }
        "/rows" => {
            let database = sqlite::Connection::open_default().await?;
            for (statement, values) in [
                ("CREATE TABLE items (name TEXT, price REAL)", vec![]),
                ("INSERT INTO items VALUES (?, ?)", vec![sqlite::Value::Text("tea".into()), sqlite::Value::Real(2.5)]),
            ] {
                database.execute(statement, values).await?.result().await?;
            }
            let mut found = database.execute("SELECT * FROM items", vec![]).await?;
            let mut rows = vec![];
            while let Some(row) = found.next().await {
                rows.push(json!({"name": row.get::<&str>(0), "price": row.get::<f64>(1)}));
            }
            found.result().await?;
            json_of(json!(rows))
        }
        "/service" => {
            let address = header(&request, "x-address");
            json_of(match address.split_once(':').ok_or(anyhow!("no address"))? {
                ("mqtt", _) => {
                    error_of(mqtt::Connection::open(&address, "user", "password", 30).await)
                }
                #[cfg(feature = "blocking-mysql")]
                ("mysql", _) => error_of(mysql::Connection::open(&address)),
                #[cfg(not(feature = "blocking-mysql"))]
                ("mysql", _) => error_of(mysql::Connection::open(&address).await),
                ("postgres", _) => error_of(pg::Connection::open(&address).await),
                ("redis", _) => error_of(redis::Connection::open(&address).await),
                (_, model) => error_of(llm::infer(llm::InferencingModel::Other(model), "Hello?")),
            })
        }
        "/relay" => {
            let target = header(&request, "x-target");
            let relayed = |text: &'static str| {
                hyperium::Request::post(&target).body(FullBody::new(Bytes::from(text)))
            };
            let sent = (send(relayed("from Rust")?), send(relayed("and again")?));
            let (first, second) = futures::join!(sent.0, sent.1);
            second?.into_body().bytes().await?;
            first?.map(|body| body.map_err(anyhow::Error::from).boxed_unsync())
        }
        "/throw" => panic!("thrown on purpose"),
        _ => text(404, "nothing here\n"),
    })
}

#[redis_subscriber]
async fn take(message: spin_sdk::redis::Payload) -> Result<()> {
    println!("took {message:?}");
    Store::open_default().await?.set("message", &message).await?;
    if message == b"bad" {
        return Err(anyhow!("no such order"));
    }
    Ok(())
}

fn body_of(content: String) -> Body {
    FullBody::new(Bytes::from(content)).map_err(anyhow::Error::from).boxed_unsync()
}

fn text(status: u16, content: &str) -> Response {
    let response = hyperium::Response::builder().status(status).header("content-type", "text/plain");
    response.body(body_of(content.to_owned())).unwrap()
}

fn json_of(value: Value) -> Response {
    let response = hyperium::Response::builder().header("content-type", "application/json");
    response.body(body_of(value.to_string())).unwrap()
}

fn header(request: &Request, name: &str) -> String {
    let value = request.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// Case and message of an error, as WIT spells them.
fn error_of<T, E: std::fmt::Debug>(result: Result<T, E>) -> Value {
    let Err(error) = result else { return json!(["nothing went wrong", null]) };
    let shown = format!("{error:?}");
    let shown = shown.rsplit("Error::").next().unwrap_or_default();
    let (case, message) = shown.split_once('(').unwrap_or((shown, ""));
    let mut kebab = String::new();
    for letter in case.chars() {
        if letter.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    json!([kebab, serde_json::from_str::<Value>(message.trim_end_matches(')')).ok()])
}
