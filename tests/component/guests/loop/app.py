"""Handlers that suspend: the component carries an event loop."""

import asyncio
import random
import time
from collections.abc import AsyncIterator

from edgezero_spin import App, run_app

app = App("loop")

tasks: list[asyncio.Task[None]] = []


@app.get("/sleep/{ms}")
async def sleep(ms: int) -> str:
    started = time.monotonic()
    await asyncio.sleep(ms / 1000)
    return str(time.monotonic() - started)


@app.get("/together")
async def together() -> list[int]:
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


IncomingHandler = run_app(app)
