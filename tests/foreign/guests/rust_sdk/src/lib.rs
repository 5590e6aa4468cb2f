//! Handlers of HTTP and Redis on the Rust SDK 3 to 5, which are of WASI 0.2.

use anyhow::{anyhow, Result};
use serde_json::{json, Value};
use spin_sdk::http::{send, Method, Request, Response};
use spin_sdk::key_value::Store;
use spin_sdk::{http_component, llm, mqtt, mysql, pg, redis, redis_component, sqlite, variables};

#[http_component]
async fn answer(request: Request) -> Result<Response> {
    Ok(match request.path() {
        "/hello" => text(200, "hello from Rust\n"),
        "/echo" => Response::builder()
            .header("content-type", "application/octet-stream")
            .body(request.into_body())
            .build(),
        "/seen" => json_of(json!({
            "method": request.method().to_string(),
            "query": format!("?{}", request.query()),
            "tag": header(&request, "x-tag"),
            "route": header(&request, "spin-raw-component-route"),
        })),
        "/visits" => {
            let store = Store::open_default()?;
            let before = store.get("visits")?.map(String::from_utf8).transpose()?;
            let visits = 1 + before.map_or(Ok(0), |text| text.parse::<u64>())?;
            store.set("visits", visits.to_string().as_bytes())?;
            text(200, &visits.to_string())
        }
        "/greeting" => text(200, &variables::get("greeting")?),
        "/forbidden" => text(403, error_of(Store::open("other"))[0].as_str().unwrap_or_default()),
        "/rows" => {
            let database = sqlite::Connection::open_default()?;
            database.execute("CREATE TABLE items (name TEXT, price REAL)", &[])?;
            let values = [sqlite::Value::Text("tea".into()), sqlite::Value::Real(2.5)];
            database.execute("INSERT INTO items VALUES (?, ?)", &values)?;
            let found = database.execute("SELECT * FROM items", &[])?;
            let rows = found.rows().map(|row| {
                json!({"name": row.get::<&str>("name"), "price": row.get::<f64>("price")})
            });
            json_of(rows.collect())
        }
        "/service" => {
            let address = header(&request, "x-address");
            json_of(match address.split_once(':').ok_or(anyhow!("no address"))? {
                ("mqtt", _) => error_of(mqtt::Connection::open(&address, "user", "password", 30)),
                ("mysql", _) => error_of(mysql::Connection::open(&address)),
                ("postgres", _) => error_of(pg::Connection::open(&address)),
                ("redis", _) => error_of(redis::Connection::open(&address)),
                (_, model) => error_of(llm::infer(llm::InferencingModel::Other(model), "Hello?")),
            })
        }
        "/relay" => {
            let target = header(&request, "x-target");
            let relayed = |text: &str| {
                Request::builder().method(Method::Post).uri(&target).body(text.to_owned()).build()
            };
            let sent = (send(relayed("from Rust")), send(relayed("and again")));
            let (first, second): (Result<Response, _>, Result<Response, _>) =
                futures::join!(sent.0, sent.1);
            second?;
            first?
        }
        "/throw" => panic!("thrown on purpose"),
        _ => text(404, "nothing here\n"),
    })
}

#[redis_component]
fn take(message: spin_sdk::redis::Payload) -> Result<()> {
    println!("took {message:?}");
    Store::open_default()?.set("message", &message)?;
    if message == b"bad" {
        return Err(anyhow!("no such order"));
    }
    Ok(())
}

fn text(status: u16, content: &str) -> Response {
    Response::builder().status(status).header("content-type", "text/plain").body(content).build()
}

fn json_of(value: Value) -> Response {
    Response::builder().header("content-type", "application/json").body(value.to_string()).build()
}

fn header(request: &Request, name: &str) -> String {
    request.header(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
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
