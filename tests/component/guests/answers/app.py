"""Answers of every kind, whole and streamed, with lengths that are right and wrong."""

from collections.abc import Iterator

from edgezero_spin import App, NotFound, Response, run_app

app = App("answers")


@app.get("/text")
async def text() -> str:
    return "hello"


@app.get("/json")
async def value() -> dict[str, int]:
    return {"a": 1}


@app.get("/bytes")
async def raw() -> Response:
    return Response(b"x" * 200_000)


@app.get("/large")
async def large() -> Response:
    return Response(b"x" * 3_000_000)


@app.get("/missing")
async def missing() -> str:
    raise NotFound("nothing")


@app.get("/fails")
async def fails() -> str:
    raise ValueError("no")


@app.get("/nothing")
async def nothing() -> Response:
    return Response()


@app.get("/stream")
async def stream() -> Iterator[bytes]:
    return iter([b"first", b"second"])


@app.get("/late")
async def late() -> Iterator[bytes]:
    return iter([b"", b"second"])


@app.get("/wrong/{length}")
async def wrong(length: int) -> Response:
    return Response(b"four", headers={"content-length": str(length)})


IncomingHandler = run_app(app)
