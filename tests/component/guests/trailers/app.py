"""Fields behind bodies: read, sent, relayed and passed on."""

from collections.abc import AsyncIterator

from edgezero_spin import App, Outbound, Request, Response, run_app

app = App()


@app.put("/read")
async def read(request: Request) -> list[list[str]]:
    """The trailers of the request, whatever was read of its body."""
    if request.query_string:
        await request.bytes()
    fields = await request.trailers()
    return [[name, value.decode()] for name, value in fields.pairs]


@app.route("/fixed", methods=["GET", "PUT"])
async def fixed() -> Response:
    return Response("body", trailers={"x-sum": "1", "X-Other": "ä"})


@app.get("/counted/{count}")
async def counted(count: int) -> Response:
    """Trailers that are known at the end of the body."""
    size = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal size
        for number in range(count):
            piece = b"%d\n" % number
            size += len(piece)
            yield piece

    return Response(body(), headers={"trailer": "x-size"}, trailers=lambda: {"x-size": str(size)})


@app.get("/failing")
async def failing() -> Response:
    """Trailers that have no place there."""
    return Response("body", trailers=lambda: {"content-length": "4"})


@app.put("/echo")
async def echo(request: Request) -> Response:
    return Response(request.stream())


@app.put("/through")
async def through(request: Request, outbound: Outbound) -> list[object]:
    """What another service is sent, and what it answers, both with trailers."""
    body = await request.bytes()
    answer = await outbound.send("PUT", request.query_string, body=body, trailers={"x-there": "1"})
    text = await answer.text()
    fields = await answer.trailers()
    return [text, [[name, value.decode()] for name, value in fields.pairs]]


IncomingHandler = run_app(app)
