"""Sends requests: to the URL in a header, as a proxy and as a client."""

from edgezero_spin import App, Headers, Outbound, OutboundError, Request, Response, run_app

app = App("outbound")


@app.route("/forward", methods=["GET", "POST", "PUT"])
async def forward(request: Request, headers: Headers, outbound: Outbound) -> Response:
    return await outbound.forward(request, headers["x-target"])


@app.get("/send")
async def send(headers: Headers, outbound: Outbound) -> dict[str, object]:
    try:
        answer = await outbound.send("POST", headers["x-target"], body=b"Hello, world!")
    except OutboundError as error:
        return {"code": error.code}
    return {"status": answer.status, "body": await answer.text()}


@app.get("/unread")
async def unread(headers: Headers, outbound: Outbound) -> int:
    return (await outbound.send("GET", headers["x-target"])).status


IncomingHandler = run_app(app)
