"""The app of ``notes_app`` as a component and a way to its bindings."""

from base64 import b64decode, b64encode
from typing import Any

import attrs
from notes_app import make_app  # type: ignore[import-not-found]

from edgezero_spin import App, Json, Kv, run_app

app: App = make_app()


@attrs.frozen
class Call:
    operation: str
    key: str = ""
    value: str = ""


@app.post("/backend")
async def backend(call: Json[Call], kv: Kv) -> dict[str, Any]:
    """One call of a KeyValueBackend, so that the contract reaches the bindings."""
    store = kv["notes"]
    if call.operation == "get":
        value = await store.get_bytes(call.key)
        return {"value": None if value is None else b64encode(value).decode()}
    if call.operation == "set":
        await store.put_bytes(call.key, b64decode(call.value))
    elif call.operation == "delete":
        await store.delete(call.key)
    elif call.operation == "exists":
        return {"value": await store.exists(call.key)}
    else:
        return {"value": [key async for key in store.iter_keys()]}
    return {"value": None}


IncomingHandler = run_app(app)
