"""Reading a request body: whole with a limit, or as it comes without one."""

import asyncio
from collections.abc import Iterator

import pytest

from edgezero_spin.core import App, BadRequest, BodyReadError, PayloadTooLarge, Request
from edgezero_spin.core.request import DEFAULT_BODY_LIMIT
from tests.core.asking import ask, error_of, finish


async def collected(request: Request, chunk_bytes: int = 65536) -> list[bytes]:
    """Every chunk of the stream."""
    return [chunk async for chunk in request.stream(chunk_bytes)]


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        # TV-29, BOD-3 as design.md amends it: 413, for what arrives in pieces as well.
        (b"12345", True),
        (b"123456", False),
        ([b"123", b"45"], True),
        ([b"123", b"456"], False),
        (b"", True),
    ],
)
def test_limit_of_a_call(body: bytes | list[bytes], fits: bool) -> None:
    """A body of exactly the limit passes, one byte more is refused."""
    request = Request.of("POST", "/", body=body)
    if fits:
        assert finish(request.bytes(limit=5)) == (body if isinstance(body, bytes) else b"12345")
    else:
        with pytest.raises(PayloadTooLarge, match=r"request body too large.*5 bytes"):
            finish(request.bytes(limit=5))


def test_limit_of_an_app() -> None:
    """The app's limit holds where a call gives none, and the answer is 413."""
    app = App(body_limit=4)

    @app.post("/")
    async def size(request: Request) -> str:
        return str(len(await request.bytes()))

    @app.post("/large")
    async def larger(request: Request) -> str:
        return str(len(await request.bytes(limit=10)))

    assert ask(app, "POST", "/", body=b"1234").body == b"4"
    status, message = error_of(ask(app, "POST", "/", body=b"12345"))
    assert status == 413
    assert "request body too large" in message
    assert ask(app, "POST", "/large", body=b"12345").body == b"5"


def test_the_default_limit_is_16_mib() -> None:
    """Without a word from anyone, 16 MiB pass and one byte more does not."""

    def chunks(extra: int) -> Iterator[bytes]:
        yield from [b"x" * 1048576] * 16
        yield b"x" * extra

    assert DEFAULT_BODY_LIMIT == 16777216
    assert len(finish(Request.of("POST", "/", body=chunks(0)).bytes())) == DEFAULT_BODY_LIMIT
    with pytest.raises(PayloadTooLarge):
        finish(Request.of("POST", "/", body=chunks(1)).bytes())


def test_nothing_is_read_past_the_limit() -> None:
    """A body without end is cut at the limit, not collected."""
    given = 0

    def endless() -> Iterator[bytes]:
        nonlocal given
        while True:
            given += 1000
            yield b"x" * 1000

    with pytest.raises(PayloadTooLarge):
        finish(Request.of("POST", "/", body=endless()).bytes(limit=5000))
    assert given <= 7000


def test_a_body_is_kept_for_the_next_reader() -> None:
    """Bytes, text, JSON and stream can be asked for one after the other."""
    request = Request.of("POST", "/", body=[b'{"a"', b":1}"])
    assert finish(request.json()) == {"a": 1}
    assert finish(request.text()) == '{"a":1}'
    assert finish(request.bytes()) == b'{"a":1}'
    assert finish(collected(request, 4)) == [b'{"a"', b":1}"]
    with pytest.raises(PayloadTooLarge):
        finish(request.bytes(limit=3))


def test_a_stream_has_no_limit_and_comes_once() -> None:
    """Streaming passes any size in pieces; what was streamed cannot be asked for again."""
    # BOD-2, TV-30: what has gone by is not a buffer.
    request = Request.of("POST", "/", body=[b"a" * 10, b"b"])
    request.body_limit = 1
    assert finish(collected(request, 4)) == [b"aaaa", b"aaaa", b"aa", b"b"]
    with pytest.raises(RuntimeError, match="read already"):
        finish(request.json())
    with pytest.raises(RuntimeError, match="read already"):
        finish(collected(request))


def test_a_body_that_breaks_off(capsys: pytest.CaptureFixture[str]) -> None:
    """A transport that fails is a 500 that says so, to every kind of reader."""

    # BOD-3, SPN-7
    def broken() -> Iterator[bytes]:
        yield b"{"
        raise BodyReadError("connection reset")

    app = App()

    @app.post("/")
    async def read(request: Request) -> bytes:
        return await request.bytes()

    status, message = error_of(ask(app, "POST", "/", body=broken()))
    assert (status, "failed to read request body" in message) == (500, True)
    assert "connection reset" in capsys.readouterr().err
    with pytest.raises(BodyReadError):
        finish(collected(Request.of("POST", "/", body=broken())))


def test_text_is_utf8() -> None:
    """A body that is not text is the client's mistake."""
    assert finish(Request.of("POST", "/", body="é".encode()).text()) == "é"
    with pytest.raises(BadRequest, match="not UTF-8"):
        finish(Request.of("POST", "/", body=b"\xe9").text())


def test_a_body_is_mirrored() -> None:
    """What a client sends reaches the handler, byte for byte."""
    # TV-39, SPN-1
    app = App()

    @app.post("/mirror")
    async def mirror(request: Request) -> bytes:
        return b"".join([chunk async for chunk in request.stream()])

    payload = bytes(range(256)) * 1000
    assert ask(app, "POST", "/mirror", body=payload).body == payload
    assert ask(app, "POST", "/mirror", body=b"echo-payload").body == b"echo-payload"


def test_reading_needs_no_event_loop_and_bears_one() -> None:
    """The same reads work under asyncio."""
    request = Request.of("POST", "/", body=b"x")
    assert asyncio.run(collected(request)) == [b"x"]
