"""Sends back what it gets, while it gets it."""

from edgezero_spin import App, Request, Response, run_app

app = App()


@app.get("/")
async def hello() -> str:
    return "hello from python\n"


@app.post("/echo")
async def echo(request: Request) -> Response:
    return Response(request.stream())


IncomingHandler = run_app(app)
