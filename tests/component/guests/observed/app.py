"""Uses a store, a secret and the network, and prints."""

from edgezero_spin import App, Kv, Outbound, Response, Secrets, run_app

app = App(kv=["cache"], secrets=["default"])


@app.get("/stores")
async def stores(kv: Kv, secrets: Secrets) -> str:
    """Write, read, and look at a secret."""
    await kv["cache"].put("greeting", "hello")
    print("stored")
    found = await kv["cache"].get("greeting", str)
    return f"{found} {len(await secrets['default'].require_str('token'))}"


@app.get("/sends/{port}")
async def sends(port: int, outbound: Outbound) -> str:
    """Ask another server."""
    url = f"http://127.0.0.1:{port}/there"
    return await (await outbound.send("GET", url, headers={"traceparent": "mine"})).text()


@app.get("/chains")
async def chains(outbound: Outbound) -> str:
    """Ask a component of the same application."""
    return await (await outbound.send("GET", "http://guest.spin.internal/stores")).text()


@app.get("/large")
async def large(kv: Kv) -> Response:
    """Hand over bytes by themselves, within a list, and as a body."""
    await kv["cache"].put_bytes("large", bytes(65536))
    return Response(bytes(65536), headers=[("x-large", "x" * 8192)])


IncomingHandler = run_app(app)
