"""The app of ``notes_app`` as a component, and a handler that sends requests out."""

import random
import time

from notes_app import make_app  # type: ignore[import-not-found]

from edgezero_spin import App, Request, run_app

try:
    from wit_world.imports import outgoing_handler, types
except ImportError:
    # Natively there are no bindings; the build looks at the app there first.
    outgoing_handler = types = None

app: App = make_app()
app.outbound_http = True

METHODS = {"GET": "Method_Get", "POST": "Method_Post"}


@app.post("/fetch/{method}/{scheme}/{host}/{*path}")
async def fetch(
    request: Request, method: str, scheme: str, host: str, path: str
) -> tuple[int, str]:
    body = await request.bytes()
    sent = types.OutgoingRequest(types.Fields.from_list([("x-sent", b"1")]))
    sent.set_method(getattr(types, METHODS[method])())
    sent.set_scheme(types.Scheme_Https() if scheme == "https" else types.Scheme_Http())
    sent.set_authority(host)
    sent.set_path_with_query(f"/{path}")
    out = sent.body() if body else None
    future = outgoing_handler.handle(sent, None)
    if out is not None:
        stream = out.write()
        stream.blocking_write_and_flush(body)
        stream.__exit__(None, None, None)
        types.OutgoingBody.finish(out, None)
    pollable = future.subscribe()
    pollable.block()
    pollable.__exit__(None, None, None)
    outcome = future.get().value
    if type(outcome).__name__ == "Err":
        code = outcome.value
        return 502, f"{type(code).__name__}: {getattr(code, 'value', None)}"
    response = outcome.value
    incoming = response.consume()
    source = incoming.stream()
    content = source.blocking_read(65536)
    source.__exit__(None, None, None)
    incoming.__exit__(None, None, None)
    return response.status(), content.decode()


@app.get("/now")
async def now() -> str:
    return str(time.time())


@app.get("/random")
async def dice() -> str:
    return random.SystemRandom().randbytes(8).hex()


IncomingHandler = run_app(app)
