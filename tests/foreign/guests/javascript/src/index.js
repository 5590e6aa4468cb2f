import { Kv, Llm, Mqtt, Mysql, Postgres, Redis, Sqlite, Variables } from "@fermyon/spin-sdk";

const string = new TextDecoder();

const services = {
  "mqtt:": (address) => Mqtt.open(address, "user", "password", 30n),
  "mysql:": Mysql.open,
  "postgres:": Postgres.open,
  "redis:": Redis.open,
  "llm:": (address) => Llm.infer(address.slice("llm:".length), "Hello?"),
};

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const url = new URL(request.url);
  switch (url.pathname) {
    case "/hello":
      return new Response("hello from JavaScript\n", { headers: { "content-type": "text/plain" } });
    case "/echo":
      return new Response(request.body, { headers: { "content-type": "application/octet-stream" } });
    case "/seen":
      return json({
        method: request.method,
        query: url.search,
        host: url.host,
        tag: request.headers.get("x-tag"),
        route: request.headers.get("spin-raw-component-route"),
      });
    case "/visits": {
      const store = Kv.openDefault();
      const before = store.get("visits");
      const visits = 1 + (before ? Number(string.decode(before)) : 0);
      store.set("visits", String(visits));
      return new Response(String(visits));
    }
    case "/greeting":
      return new Response(Variables.get("greeting"));
    case "/forbidden": {
      const error = errorOf(() => Kv.open("other"));
      return new Response(error.tag, { status: 403 });
    }
    case "/rows": {
      const database = Sqlite.openDefault();
      database.execute("CREATE TABLE items (name TEXT, price REAL)", []);
      database.execute("INSERT INTO items VALUES (?, ?)", ["tea", 2.5]);
      return json(database.execute("SELECT * FROM items", []).rows);
    }
    case "/service": {
      const address = request.headers.get("x-address");
      const error = errorOf(() => services[new URL(address).protocol](address));
      return json([error.tag, error.val ?? null]);
    }
    case "/relay": {
      const reply = await fetch(request.headers.get("x-target"), { method: "POST", body: "from JavaScript" });
      return new Response(reply.body, { status: reply.status });
    }
    case "/throw":
      throw new Error("thrown on purpose");
    default:
      return new Response("nothing here\n", { status: 404 });
  }
}

// The engine of @fermyon/spin-sdk 2.0.0 has no Response.json.
function json(value) {
  return new Response(JSON.stringify(value), { headers: { "content-type": "application/json" } });
}

function errorOf(call) {
  try {
    call();
  } catch (error) {
    return error.payload;
  }
  return { tag: "nothing went wrong" };
}
