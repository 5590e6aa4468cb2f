"""An app whose requests meet in one instance: timers, tasks, locks, streams, failures."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar

from edgezero_spin import App, Request, Response, run_app

app = App()
arrived = 0
opened = asyncio.Event()
who: ContextVar[str] = ContextVar("who", default="nobody")
log: list[str] = []


@app.get("/")
async def hello() -> str:
    return "hello"


@app.get("/sleep/{ms}")
async def sleep(ms: int) -> str:
    await asyncio.sleep(ms / 1000)
    return f"slept {ms}"


@app.get("/timeout")
async def timeout() -> str:
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(3600)
    except TimeoutError:
        return "timed out"
    return "slept"


@app.get("/group")
async def group() -> list[int]:
    async def one(number: int) -> int:
        await asyncio.sleep(0.01 * (3 - number))
        return number

    async with asyncio.TaskGroup() as tasks:
        made = [tasks.create_task(one(number)) for number in range(3)]
    return [task.result() for task in made]


@app.get("/meet/{count}")
async def meet(count: int) -> str:
    """Answer when ``count`` requests are in this instance at once."""
    global arrived
    arrived += 1
    if arrived >= count:
        opened.set()
    await opened.wait()
    return f"met {count}"


@app.get("/poll/{count}")
async def poll(count: int) -> str:
    """The same, without ever waiting for anything."""
    global arrived
    arrived += 1
    while arrived < count:  # noqa: ASYNC110 - polling is the case
        await asyncio.sleep(0)
    return "polled"


@app.get("/name/{name}")
async def name(name: str) -> str:
    """A variable of the context keeps its value beside other requests."""
    before = who.get()
    who.set(name)
    await asyncio.sleep(0.05)
    return f"{before} {who.get()}"


@app.get("/queue")
async def queue() -> list[int]:
    items: asyncio.Queue[int] = asyncio.Queue(maxsize=1)

    async def fill() -> None:
        for number in range(5):
            await items.put(number)

    filling = asyncio.create_task(fill())
    taken = [await items.get() for _ in range(5)]
    await filling
    return taken


@app.get("/exit")
async def leave() -> str:
    raise SystemExit(3)


@app.get("/left-behind")
async def left_behind() -> str:
    async def late() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    asyncio.create_task(late())  # noqa: RUF006 - that nobody keeps it is the case
    await asyncio.sleep(0)
    return f"cancelled before: {len(log)}"


@app.get("/thread")
async def thread() -> str:
    try:
        await asyncio.to_thread(len, "text")
    except RuntimeError as error:
        return str(error)
    return "a thread ran"


@app.get("/pieces/{count}")
async def pieces(count: int) -> Response:
    async def body() -> AsyncIterator[bytes]:
        for number in range(count):
            yield b"%d\n" % number
            await asyncio.sleep(0)

    return Response(body())


@app.get("/broken")
async def broken() -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"begun"
        await asyncio.sleep(0)
        raise ValueError("no more")

    return Response(body())


@app.put("/size")
async def size(request: Request) -> int:
    return len(await request.bytes())


@app.put("/back")
async def back(request: Request) -> Response:
    return Response(request.stream())


IncomingHandler = run_app(app)
