"""The app of ``notes_app`` as a component, with the clock and the dice of its host."""

import random
import time

from notes_app import make_app  # type: ignore[import-not-found]

from edgezero_spin import App, run_app

app: App = make_app()


@app.get("/now")
async def now() -> str:
    return str(time.time())


@app.get("/random")
async def dice() -> str:
    return random.SystemRandom().randbytes(8).hex()


IncomingHandler = run_app(app)
