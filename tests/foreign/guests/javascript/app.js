import { Store } from "fermyon:spin/key-value@2.0.0";
import { get as variable } from "fermyon:spin/variables@2.0.0";

const text = new TextEncoder();
const string = new TextDecoder();

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const url = new URL(request.url);
  switch (url.pathname) {
    case "/hello":
      return new Response("hello from JavaScript\n", { headers: { "content-type": "text/plain" } });
    case "/echo":
      return new Response(request.body, { headers: { "content-type": "application/octet-stream" } });
    case "/seen":
      return Response.json({
        method: request.method,
        query: url.search,
        host: url.host,
        tag: request.headers.get("x-tag"),
        route: request.headers.get("spin-raw-component-route"),
      });
    case "/visits": {
      const store = Store.open("default");
      const before = store.get("visits");
      const visits = 1 + (before === undefined ? 0 : Number(string.decode(before)));
      store.set("visits", text.encode(String(visits)));
      return new Response(String(visits));
    }
    case "/greeting":
      return new Response(variable("greeting"));
    case "/forbidden":
      try {
        Store.open("other");
      } catch (error) {
        return new Response(error.payload.tag, { status: 403 });
      }
      return new Response("opened");
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
