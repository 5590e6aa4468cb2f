"""An app that lists a store, whatever its size."""

from edgezero_spin import App, KeyValueLimitError, Kv, run_app

app = App(kv=["default"])


@app.get("/")
async def hello() -> str:
    return "hello"


@app.get("/keys/{*prefix}")
async def keys(prefix: str, kv: Kv) -> dict[str, object]:
    """The keys below a prefix, or why there are too many."""
    found = []
    try:
        async for key in kv.default.iter_keys(prefix):
            found.append(key)
    except KeyValueLimitError as error:
        return {"found": len(found), "error": str(error)}
    return {"found": len(found)}


IncomingHandler = run_app(app)
