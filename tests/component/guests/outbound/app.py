"""Requests that go out, handlers that suspend, and fields behind bodies.

One app for three subjects, because each app is a build of its own.
"""

import asyncio
import gc
import random
import time
from collections.abc import AsyncIterator

from edgezero_spin import App, Headers, Outbound, OutboundError, Request, Response, run_app

app = App("outbound")

tasks: list[asyncio.Task[None]] = []


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


@app.get("/garbage")
async def garbage(headers: Headers, outbound: Outbound) -> str:
    """Answers in reference cycles, begun and not, and one that an error leaves behind."""

    class Holder:
        pass

    for begin in (False, True):
        holder = Holder()
        holder.itself = holder  # type: ignore[attr-defined]
        holder.answer = await outbound.send("GET", headers["x-target"])  # type: ignore[attr-defined]
        if begin:
            stream = holder.answer.stream()  # type: ignore[attr-defined]
            await anext(stream)
            holder.stream = stream  # type: ignore[attr-defined]
            del stream
        del holder
        gc.collect()
    try:
        answer = await outbound.send("GET", headers["x-target"])
        async for _ in answer.stream():
            raise ValueError(answer)
    except ValueError as error:
        error.itself = error  # type: ignore[attr-defined]
    gc.collect()
    return "alive"


@app.get("/together/{count}")
async def together(count: int, headers: Headers, outbound: Outbound) -> dict[str, object]:
    """Sends requests that are answered once all of them are there, beside a ticking task."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    async def ask(number: int) -> str:
        body = str(number) if number % 2 else None
        answer = await outbound.send("POST", headers["x-target"], body=body or b"")
        return await answer.text()

    ticking = asyncio.create_task(tick())
    answers = await asyncio.gather(*(ask(number) for number in range(count)))
    ticking.cancel()
    return {"answers": answers, "ticked": ticks > 0}


@app.get("/give-up")
async def give_up(headers: Headers, outbound: Outbound) -> str:
    """Waits for an answer and for a body that never come, and for neither of them long."""
    target = headers["x-target"]
    said = []
    try:
        async with asyncio.timeout(0.02):
            await outbound.send("GET", f"{target}/never")
    except TimeoutError:
        said.append("no answer")
    answer = await outbound.send("GET", f"{target}/endless")
    try:
        async with asyncio.timeout(0.02):
            await answer.bytes()
    except TimeoutError:
        said.append("no end")
    asyncio.create_task(outbound.send("GET", f"{target}/never"))  # noqa: RUF006 - left behind
    await asyncio.sleep(0)
    return ", ".join(said)


@app.get("/sleep/{ms}")
async def sleep(ms: int) -> str:
    started = time.monotonic()
    await asyncio.sleep(ms / 1000)
    return str(time.monotonic() - started)


@app.get("/sleeps")
async def sleeps() -> list[int]:
    async def after(ms: int) -> int:
        await asyncio.sleep(ms / 1000)
        return ms

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(after(ms)) for ms in (30, 10, 20)]
    return [task.result() for task in tasks]


@app.get("/timeout")
async def timeout() -> str:
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)
    except TimeoutError:
        return "timed out"
    return "slept"


@app.get("/ticks/{count}")
async def ticks(count: int) -> AsyncIterator[bytes]:
    async def chunks() -> AsyncIterator[bytes]:
        for i in range(count):
            await asyncio.sleep(0.001)
            yield f"{i}\n".encode()

    return chunks()


@app.get("/stuck")
async def stuck() -> str:
    await asyncio.get_running_loop().create_future()
    return "never"


@app.get("/left-behind")
async def left_behind() -> str:
    tasks.append(asyncio.create_task(asyncio.sleep(60)))
    return "answered"


@app.get("/random")
async def numbers() -> list[float]:
    return [random.random(), random.random()]


@app.get("/plain")
async def plain() -> str:
    return "no suspension"


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
