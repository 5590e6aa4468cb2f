"""The smallest app: one route, 18 bytes."""

from edgezero_spin import App, run_app

app = App()


@app.get("/")
async def hello() -> str:
    return "hello from python\n"


IncomingHandler = run_app(app)
