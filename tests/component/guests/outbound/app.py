"""Sends requests: to the URL in a header, as a proxy and as a client."""

import asyncio
import gc

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


IncomingHandler = run_app(app)
