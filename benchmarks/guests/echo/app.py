"""Sends back what it gets, while it gets it."""

from collections.abc import AsyncIterator

from edgezero_spin import App, Request, Response, run_app

app = App()


@app.get("/")
async def hello() -> str:
    return "hello from python\n"


@app.post("/echo")
async def echo(request: Request) -> Response:
    return Response(request.stream())


@app.post("/copy")
async def copy(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        yield chunk


@app.get("/busy")
async def busy() -> str:
    return str(sum(number * number for number in range(100_000)))


IncomingHandler = run_app(app)
