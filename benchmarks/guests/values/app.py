"""Writes a value of 1 MiB to a store and reads it back."""

from edgezero_spin import App, Kv, run_app

SIZE = 1024 * 1024

app = App(kv=["default"])


@app.get("/")
async def both(kv: Kv) -> str:
    store = kv["default"]
    await store.put_bytes("value", bytes(SIZE))
    value = await store.get_bytes("value")
    return str(0 if value is None else len(value))


IncomingHandler = run_app(app)
