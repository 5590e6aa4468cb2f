"""The app of ``notes_app`` as a component and a way to its bindings."""

from base64 import b64decode, b64encode
from typing import Any

import attrs
from notes_app import make_app  # type: ignore[import-not-found]

from edgezero_spin import App, Config, Json, Kv, run_app
from edgezero_spin.stores import ConfigStoreError
from edgezero_spin.stores.backend import SecretNameInvalid

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


@app.post("/value")
async def value(call: Json[Call], config: Config) -> dict[str, Any]:
    """One look-up of configuration by the facade, or of a variable by the bindings."""
    try:
        if call.operation == "config":
            return {"value": await config.default.get(call.key)}
        return {"value": _variable(call.key)}
    except (ConfigStoreError, SecretNameInvalid) as error:
        return {"error": type(error).__name__, "message": error.message}


def _variable(name: str) -> Any:
    # The bindings are in a component only, and this module is also imported natively.
    from edgezero_spin.guest.wasi02.stores import platform

    return platform(app.declaration).secrets().get(name)


IncomingHandler = run_app(app)
