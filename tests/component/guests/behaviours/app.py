"""What a handler can do with a request and a response, one route each. No stores."""

import os
import sys
from collections.abc import AsyncIterator, Iterator

import attrs

from edgezero_spin import App, Headers, Json, NotFound, Request, Response, Router, run_app

app = App("behaviours", body_limit=1024 * 1024)


@attrs.frozen
class Point:
    x: int
    y: int = attrs.field(default=0, validator=attrs.validators.ge(0))


@app.get("/")
async def hello() -> str:
    return "hello\n"


@app.get("/names/{name}")
async def name(name: str) -> dict[str, str]:
    return {"name": name}


@app.get("/forgotten")
async def forgotten(request: Request) -> str:
    request.bytes()  # type: ignore[unused-coroutine]
    return "done"


@app.get("/files/{*rest}")
async def rest(rest: str) -> str:
    return rest


@app.get("/numbers/{n}")
def number(n: int) -> str:
    return str(n + 1)


@app.get("/headers")
async def headers(headers: Headers) -> list[list[str]]:
    return [[name, value.decode("latin-1")] for name, value in headers.pairs]


@app.get("/request")
async def about(request: Request) -> dict[str, str | None]:
    return {
        "method": request.method,
        "raw_path": request.raw_path.decode("latin-1"),
        "query": request.query_string,
        "scheme": request.scheme,
        "authority": request.authority,
    }


@app.post("/points")
async def point(point: Json[Point]) -> Point:
    return point


@app.post("/length")
async def length(request: Request) -> str:
    return str(len(await request.bytes()))


@app.post("/echo")
async def echo(request: Request) -> AsyncIterator[bytes]:
    return request.stream()


@app.post("/copy")
async def copy(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        yield chunk


@app.post("/ignore")
async def ignore() -> str:
    return "not read\n"


@app.get("/large/{count}")
async def large(count: int) -> bytes:
    return bytes(range(256)) * (count // 256) + b"x" * (count % 256)


@app.get("/stream/{count}/{size}")
async def stream(count: int, size: int) -> Iterator[bytes]:
    return (bytes([65 + i % 26]) * size for i in range(count))


@app.get("/endless")
async def endless() -> Iterator[bytes]:
    def chunks() -> Iterator[bytes]:
        sent = 0
        try:
            while True:
                yield b"." * 65536
                sent += 1
        finally:
            print(f"endless: closed after {sent} chunks", file=sys.stderr)

    return chunks()


@app.get("/twice")
async def twice() -> Response:
    return Response("two cookies\n", headers=[("set-cookie", "a=1"), ("set-cookie", "b=2")])


@app.get("/nothing")
async def nothing() -> None:
    return None


@app.get("/raise")
async def fail() -> str:
    raise KeyError("not for the client")


@app.get("/raise-first")
async def fail_first() -> Iterator[bytes]:
    def chunks() -> Iterator[bytes]:
        raise KeyError("before the first chunk")
        yield b""

    return chunks()


@app.get("/raise-later")
async def fail_later() -> Iterator[bytes]:
    def chunks() -> Iterator[bytes]:
        yield b"the beginning\n"
        raise KeyError("after the first chunk")

    return chunks()


@app.get("/forbidden-header")
async def forbidden_header() -> Response:
    return Response("x", headers={"connection": "close"})


@app.get("/environment/{name}")
async def environment(name: str) -> str | None:
    return os.environ.get(name)


@app.get("/random")
async def numbers() -> list[float]:
    # Imported late on purpose: the app has not touched it while it was built.
    import random

    return [random.random(), random.random()]


@app.get("/random/seeded")
async def seeded_numbers() -> list[float]:
    import random

    random.seed(7)
    return [random.random(), random.random()]


_calls = 0


@app.get("/calls")
async def calls() -> str:
    global _calls
    _calls += 1
    return str(_calls)


# Answers with lengths that are right and wrong, whole and streamed.
answers = Router(prefix="/answers")


@answers.get("/text")
async def short_text() -> str:
    return "hello"


@answers.get("/json")
async def short_value() -> dict[str, int]:
    return {"a": 1}


@answers.get("/bytes")
async def some_bytes() -> Response:
    return Response(b"x" * 200_000)


@answers.get("/large")
async def large_bytes() -> Response:
    return Response(b"x" * 3_000_000)


@answers.get("/missing")
async def missing() -> str:
    raise NotFound("nothing")


@answers.get("/fails")
async def failing() -> str:
    raise ValueError("no")


@answers.get("/nothing")
async def empty() -> Response:
    return Response()


@answers.get("/stream")
async def two_pieces() -> Iterator[bytes]:
    return iter([b"first", b"second"])


@answers.get("/late")
async def late_piece() -> Iterator[bytes]:
    return iter([b"", b"second"])


@answers.get("/wrong/{length}")
async def wrong_length(length: int) -> Response:
    return Response(b"four", headers={"content-length": str(length)})


app.include(answers)

IncomingHandler = run_app(app)
