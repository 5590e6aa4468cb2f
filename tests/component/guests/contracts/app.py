"""Runs one case of ``tests.contracts`` inside the component, on the host's real stores."""

from edgezero_spin import App, Request, Response, run_app
from tests.contracts.case import DECLARATION
from tests.contracts.table import CASES

app = App(
    "contracts",
    kv=DECLARATION.kv or (),
    config=DECLARATION.config or (),
    secrets=DECLARATION.secrets or (),
)


@app.post("/cases/{name}")
async def run_case(name: str, request: Request) -> Response:
    """204 when the case holds, 409 with what is wrong when it does not."""
    try:
        await CASES[name].run(request.stores)
    except AssertionError as error:
        return Response.text(str(error), 409)
    return Response(status=204)


IncomingHandler = run_app(app)
