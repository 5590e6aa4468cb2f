"""Bodies that are made while they are sent: their first chunk, their failures, their end."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from edgezero_spin.core import App, BodyStream, NotFound, Request, Response
from tests.core.asking import ask, body_of, error_of, finish


def test_a_failure_before_the_first_chunk_is_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """A generator that fails at once becomes the JSON error, as a handler would."""
    app = App()

    @app.get("/refuses")
    async def refuses() -> AsyncIterator[bytes]:
        raise NotFound("export")
        yield b""

    @app.get("/breaks")
    def breaks() -> Iterator[bytes]:
        raise RuntimeError("secret detail")
        yield b""

    # An async generator function is not awaited, only iterated.
    assert error_of(ask(app, "GET", "/refuses")) == (404, "not found: export")
    assert error_of(ask(app, "GET", "/breaks")) == (500, "internal error")
    assert "secret detail" in capsys.readouterr().err


def test_a_failure_after_the_first_chunk_reaches_the_runner() -> None:
    """Once something may have been sent, the failure is the runner's to act upon."""
    app = App()

    @app.get("/")
    def breaks() -> Iterator[bytes]:
        yield b"begun"
        raise RuntimeError("cut")

    response = ask(app, "GET", "/")
    assert response.status == 200
    stream = response.body
    assert isinstance(stream, BodyStream)
    assert finish(anext_of(stream)) == b"begun"
    with pytest.raises(RuntimeError, match="cut"):
        finish(anext_of(stream))
    with pytest.raises(StopAsyncIteration):
        finish(anext_of(stream))


async def anext_of(stream: BodyStream) -> bytes:
    """The next chunk."""
    return await anext(stream)


def test_an_empty_chunk_commits_the_head() -> None:
    """``yield b""`` is a first chunk, so nothing after it is waited for."""
    app = App()
    reached = []

    @app.get("/")
    def slow() -> Iterator[bytes]:
        yield b""
        reached.append(True)
        yield b"late"

    response = ask(app, "GET", "/")
    assert reached == []
    assert body_of(response) == b"late"


def test_an_empty_stream() -> None:
    """An iterator without chunks is an empty body and no failure."""
    app = App()
    app.get("/")(lambda: iter([]))
    assert body_of(ask(app, "GET", "/")) == b""


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("taken", [0, 1])
def test_closing_ends_the_generator(asynchronous: bool, taken: int) -> None:
    """A runner that stops early runs the generator's ``finally``, once, however often it closes."""
    ended = []

    def chunks() -> Iterator[bytes]:
        try:
            yield b"1"
            yield b"2"
        finally:
            ended.append(True)

    async def async_chunks() -> AsyncIterator[bytes]:
        try:
            yield b"1"
            yield b"2"
        finally:
            ended.append(True)

    stream = BodyStream(async_chunks() if asynchronous else chunks())
    finish(stream.prime())
    for _ in range(taken):
        assert finish(anext_of(stream)) == b"1"
    finish(stream.aclose())
    finish(stream.aclose())
    assert ended == [True]
    with pytest.raises(StopAsyncIteration):
        finish(anext_of(stream))


def test_priming_keeps_the_first_chunk() -> None:
    """Priming, once or twice, neither loses nor repeats a chunk."""
    stream = BodyStream([b"1", b"2"])
    finish(stream.prime())
    finish(stream.prime())
    assert body_of(Response(stream)) == b"12"


@pytest.mark.parametrize("chunk", ["text", 7, None])
def test_a_chunk_that_is_not_bytes(chunk: Any) -> None:
    """Text in a stream is a mistake that is named, not encoded by guess."""
    with pytest.raises(TypeError, match=f"gives bytes, got {type(chunk).__name__}"):
        finish(BodyStream([chunk]).prime())


def test_a_stream_may_wait() -> None:
    """With an event loop under it, a stream that suspends is followed to its end."""
    app = App()

    @app.get("/")
    async def ticks() -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            for n in range(3):
                await asyncio.sleep(0)
                yield b"%d" % n

        await asyncio.sleep(0)
        return Response(chunks())

    async def collect() -> bytes:
        response = await app.handle(Request.of("GET", "/"))
        assert isinstance(response.body, BodyStream)
        return b"".join([chunk async for chunk in response.body])

    assert asyncio.run(collect()) == b"012"
