"""Server-sent events: their bytes, and when they leave."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.core import App, Event, NotFound, Response
from edgezero_spin.core.streaming import BodyStream
from tests.core.asking import ask, body_of, error_of


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Event("a"), b"data: a\n\n"),
        (Event(), b"data: \n\n"),
        (Event("a\nb\r\nc\rd\n"), b"data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        (Event({"b": 1, "a": [None]}), b'data: {"a":[null],"b":1}\n\n'),
        (
            Event("x", event="note", id="7", retry=500),
            b"event: note\nid: 7\nretry: 500\ndata: x\n\n",
        ),
        (Event("x", id=""), b"id: \ndata: x\n\n"),
    ],
)
def test_encoding(event: Event, expected: bytes) -> None:
    """Each line of the data is a line of the event."""
    assert event.encode() == expected


@pytest.mark.parametrize(
    "options", [{"event": "a\nb"}, {"id": "a\rdata: b"}, {"id": "\0"}, {"retry": -1}]
)
def test_what_is_refused(options: dict[str, Any]) -> None:
    """A line end in a name or id would begin another field."""
    with pytest.raises(ValueError, match=r"retry|one line"):
        Event("x", **options)


@given(st.lists(st.text()))
def test_a_browser_reads_what_was_sent(texts: list[str]) -> None:
    """The rules of HTML give the same texts, up to the kind of line end."""
    stream = b"".join(Event(text).encode() for text in texts).decode()
    read, lines = [], list[str]()
    for line in stream.split("\n")[:-1]:
        if line:
            lines.append(line.removeprefix("data:").removeprefix(" "))
        else:
            read.append("\n".join(lines))
            lines = []
    assert read == [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]


def test_without_an_event_loop() -> None:
    """Events of an iterator leave as they come, in a component without asyncio too."""
    app = App()

    @app.get("/")
    def handler() -> Response:
        def events() -> Iterator[object]:
            yield "a"
            yield {"b": 1}
            yield Event("c", id="3")

        return Response.events(events())

    response = ask(app, "GET", "/")
    assert body_of(response) == b'data: a\n\ndata: {"b":1}\n\nid: 3\ndata: c\n\n'
    assert dict(response.headers.items()) == {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
    }


def test_an_error_before_the_first_event_is_a_response() -> None:
    """The page is told, with or without an event loop."""
    app = App()

    async def events() -> AsyncIterator[str]:
        raise NotFound("topic")
        yield ""

    app.get("/")(lambda: Response.events(events()))
    assert error_of(ask(app, "GET", "/"))[0] == 404

    async def with_a_loop() -> Response:
        from edgezero_spin.core import Request

        return await app.handle(Request.of("GET", "/"))

    assert asyncio.run(with_a_loop()).status == 404


def test_a_quiet_stream_is_kept_alive() -> None:
    """The head leaves at once, comments follow while nothing happens, and no event is lost."""

    async def run() -> list[bytes]:
        released = asyncio.Event()

        async def events() -> AsyncIterator[str]:
            await released.wait()
            yield "late"

        body = Response.events(events(), keep_alive_s=0.001).body
        assert isinstance(body, BodyStream)
        chunks = [await anext(body), await anext(body)]
        released.set()
        chunks += [chunk async for chunk in body]
        return chunks

    chunks = asyncio.run(run())
    assert chunks[:2] == [b":\n\n", b":\n\n"]
    assert [chunk for chunk in chunks if chunk != b":\n\n"] == [b"data: late\n\n"]


@pytest.mark.parametrize("waiting", [True, False])
def test_a_client_that_leaves_ends_the_source(waiting: bool) -> None:
    """Its ``finally`` runs, also while it waits for something."""
    ended = []

    async def run() -> None:
        async def events() -> AsyncIterator[str]:
            try:
                yield "first"
                if waiting:
                    await asyncio.Event().wait()
                yield "second"
            finally:
                ended.append(True)

        body = Response.events(events(), keep_alive_s=0.001 if waiting else 0).body
        assert isinstance(body, BodyStream)
        await anext(body)
        if waiting:
            assert await anext(body) == b":\n\n"
        await body.aclose()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())
    assert ended == [True]
