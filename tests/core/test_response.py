"""What handlers return, and the response that it becomes."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from typing import Any, NamedTuple

import attrs
import pytest

from edgezero_spin.core import App, NotFound, Response
from edgezero_spin.stores import KeyPage
from tests.core.asking import ask, body_of, error_of

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


@attrs.frozen
class Note:
    title: str
    stars: float = 1.0


class Version(NamedTuple):
    major: int
    minor: int


def returning(value: object) -> App:
    """An app whose handler returns the value."""
    app = App()

    @app.get("/")
    async def handler() -> object:
        return value

    return app


@pytest.mark.parametrize(
    ("value", "status", "content_type", "body"),
    [
        # TV-28, HND-2, HND-3
        pytest.param("hello", 200, TEXT, b"hello", id="text"),
        pytest.param("é", 200, TEXT, "é".encode(), id="length counts bytes"),
        pytest.param("", 200, None, b"", id="empty text"),
        pytest.param(b"\0\xff", 200, TEXT, b"\0\xff", id="bytes"),
        pytest.param(bytearray(b"x"), 200, TEXT, b"x", id="bytearray"),
        pytest.param(b"", 200, None, b"", id="empty bytes"),
        pytest.param(None, 204, None, b"", id="nothing"),
        pytest.param(
            KeyPage(["a"], None),
            200,
            JSON,
            b'{"keys":["a"],"cursor":null}',
            id="a page of keys is an object",
        ),
        pytest.param(
            Version(200, 7), 200, JSON, b"[200,7]", id="a named tuple is not a status and body"
        ),
        pytest.param((201, "x"), 201, TEXT, b"x", id="status and text"),
        pytest.param((HTTPStatus.ACCEPTED, None), 202, None, b"", id="status and nothing"),
        pytest.param((201, (202, "x")), 201, TEXT, b"x", id="the outer status wins"),
        # Values serialised as JSON say so: a difference of design.md.
        pytest.param({"b": 1, "a": [None, True]}, 200, JSON, b'{"a":[null,true],"b":1}', id="dict"),
        pytest.param([1.0, "é"], 200, JSON, '[1.0,"é"]'.encode(), id="list"),
        pytest.param(7, 200, JSON, b"7", id="number"),
        pytest.param(False, 200, JSON, b"false", id="boolean"),
        pytest.param((True, 1), 200, JSON, b"[true,1]", id="a boolean is not a status"),
        pytest.param((201, "x", {"x-a": "1"}), 201, TEXT, b"x", id="status, text, headers"),
        pytest.param((1, 2, 3), 200, JSON, b"[1,2,3]", id="three values are not a status"),
        pytest.param(Note("t"), 200, JSON, b'{"title":"t","stars":1.0}', id="attrs"),
        pytest.param((201, Note("t")), 201, JSON, b'{"title":"t","stars":1.0}', id="status, attrs"),
        pytest.param([Note("t")], 200, JSON, b'[{"title":"t","stars":1.0}]', id="list of attrs"),
    ],
)
def test_return_values(value: object, status: int, content_type: str | None, body: bytes) -> None:
    """Each kind of value has its status, and type and length exactly when there is a body."""
    response = ask(returning(value), "GET", "/")
    assert (response.status, body_of(response)) == (status, body)
    assert response.headers.get("content-type") == content_type
    assert response.headers.get("content-length") == (str(len(body)) if body else None)


def test_a_response_is_left_as_it_is() -> None:
    """What a handler built gets no header that it did not ask for."""
    # HND-3, TV-41
    built = Response(b"hello", 201, {"x-edgezero-res": "1"})
    response = ask(returning(built), "GET", "/")
    assert response is built
    assert (response.status, response.body) == (201, b"hello")
    assert response.header_pairs == [("x-edgezero-res", b"1")]
    assert ask(returning(Response(status=204)), "GET", "/").header_pairs == []


def test_a_status_replaces_that_of_a_response() -> None:
    """``(status, Response)`` keeps everything else of the response."""
    response = ask(returning((202, Response(b"x", headers={"a": "b"}))), "GET", "/")
    assert (response.status, response.body, response.headers["a"]) == (202, b"x", "b")


def test_headers_behind_a_status_and_a_body() -> None:
    """They are added, repeats kept, and replace those of the same name."""
    headers = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("content-type", "text/html")]
    response = ask(returning((202, "<p>", headers)), "GET", "/")
    assert (response.status, response.headers["content-type"]) == (202, "text/html")
    assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize("value", [({"a": 1}, 201), ("x", 404, {"x": "y"}), (None, 204)])
def test_a_status_behind_the_body_is_refused(
    value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is never an array of JSON; the log says how to write it."""
    assert ask(returning(value), "GET", "/").status == 500
    assert "after the body; write `return " in capsys.readouterr().err


def test_a_returned_error_is_raised() -> None:
    """An error that is returned answers as one that is raised."""
    # HND-2
    assert error_of(ask(returning(NotFound("note 7")), "GET", "/")) == (404, "not found: note 7")


@pytest.mark.parametrize("value", [object(), (99, "x"), (600, "x"), {1.5: "x"}, {"a": object()}])
def test_what_is_no_answer(value: object, capsys: pytest.CaptureFixture[str]) -> None:
    """A value that cannot be an answer is the service's fault, and standard error says why."""
    assert error_of(ask(returning(value), "GET", "/")) == (500, "internal error")
    assert "Error: " in capsys.readouterr().err


def test_shortcuts() -> None:
    """``Response.text`` and ``Response.json`` label what they hold."""
    assert Response.text("é", 201).header_pairs == [
        ("content-type", TEXT.encode()),
        ("content-length", b"2"),
    ]
    response = Response.json({"a": 1}, 201)
    assert (response.status, json.loads(body_of(response))) == (201, {"a": 1})
    assert response.headers["content-type"] == JSON


@pytest.mark.parametrize("status", [99, 199, 600, -1])
def test_a_status_out_of_range(status: int) -> None:
    """A status that no client understands is refused where it is written."""
    with pytest.raises(ValueError, match="200 to 599"):
        Response(status=status)


@pytest.mark.parametrize("body", [7, {"a": 1}, object()])
def test_a_body_of_the_wrong_type(body: Any) -> None:
    """A value that is not a body is refused where it is written."""
    with pytest.raises(TypeError, match="a body is bytes"):
        Response(body)


def sync_chunks() -> Iterator[bytes]:
    """Two chunks."""
    yield b"chunk-1"
    yield b"chunk-2"


async def async_chunks() -> AsyncIterator[bytes]:
    """Two chunks."""
    yield b"chunk-1"
    yield b"chunk-2"


class AsyncIterable:
    """Has ``__aiter__`` and nothing else."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return async_chunks()


@pytest.mark.parametrize(
    "make",
    [
        sync_chunks,
        async_chunks,
        AsyncIterable,
        lambda: Response(sync_chunks()),
        lambda: Response(async_chunks()),
        lambda: Response([b"chunk-1", b"chunk-2"]),
        lambda: iter([memoryview(b"chunk-1"), b"", bytearray(b"chunk-2")]),
    ],
)
def test_streams(make: Callable[[], object]) -> None:
    """An iterator of bytes, async or not, is sent chunk by chunk, unlabelled."""
    # TV-40, HND-3
    response = ask(returning(make()), "GET", "/")
    assert not isinstance(response.body, bytes)
    assert response.header_pairs == []
    assert body_of(response) == b"chunk-1chunk-2"


def test_head_has_the_headers_and_no_body() -> None:
    """HEAD answers as GET would, body aside; a stream is closed unread."""
    # RTE-9 as design.md amends it
    app = returning("hello")
    closed = []

    @app.get("/stream")
    def stream() -> Iterator[bytes]:
        try:
            yield b"x"
            yield b"y"
        finally:
            closed.append(True)

    response = ask(app, "HEAD", "/")
    assert (response.status, response.body) == (200, b"")
    assert response.headers["content-length"] == "5"
    assert ask(app, "HEAD", "/stream").body == b""
    assert closed == [True]

    @app.get("/clumsy")
    def clumsy() -> Iterator[bytes]:
        try:
            yield b"x"
        finally:
            raise RuntimeError("while closing")

    response = ask(app, "HEAD", "/clumsy")
    assert (response.status, response.body) == (500, b"")
    assert ask(app, "HEAD", "/nothing").body == b""
    assert ask(app, "HEAD", "/nothing").status == 404


def test_a_status_without_body() -> None:
    """204 and 304 carry none, and 204 no length either, whatever a handler gave."""
    response = ask(returning((204, "x")), "GET", "/")
    assert (response.status, response.body) == (204, b"")
    assert "content-length" not in response.headers
    assert ask(returning((304, "x")), "GET", "/").body == b""


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response("<p>"), "text/plain; charset=utf-8"),
        (Response("<p>", content_type="text/html"), "text/html; charset=utf-8"),
        (Response("<p>", content_type="text/html; charset=utf-8"), "text/html; charset=utf-8"),
        (Response("<p>", content_type="application/xhtml+xml"), "application/xhtml+xml"),
        (Response("<p>", headers={"Content-Type": "text/x"}), "text/x"),
        (Response.html("<p>"), "text/html; charset=utf-8"),
        (Response(b"<p>", content_type="text/html"), "text/html"),
        (Response(b"<p>"), None),
        (Response(""), None),
    ],
)
def test_content_types(response: Response, expected: str | None) -> None:
    """Text has a type and says its encoding; of bytes nothing is known."""
    assert response.headers.get("content-type") == expected


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("/notes/7?x=1#top", "/notes/7?x=1#top"),
        ("https://example.com/ü b", "https://example.com/%C3%BC%20b"),
        ("/a\r\nset-cookie: x=1", "/a%0D%0Aset-cookie:%20x=1"),
    ],
)
def test_redirections(url: str, location: str) -> None:
    """The target is one field, whatever is in it."""
    response = Response.redirect(url)
    assert (response.status, response.headers["location"]) == (307, location)
    assert Response.redirect(url, 303, {"x-a": "1"}).headers.keys() == ["x-a", "location"]
    with pytest.raises(ValueError, match="a redirection is"):
        Response.redirect(url, 200)
