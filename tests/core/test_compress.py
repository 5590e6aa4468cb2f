"""Compression: what is compressed, for whom, and what stays as it is."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin import compress
from edgezero_spin.core import App, Response
from edgezero_spin.core.compress import accepts_gzip
from edgezero_spin.core.streaming import BodyStream
from tests.core.asking import ask, body_of, finish

TEXT = "compress me " * 100


def answer(handler: Callable[[], Any], accept: str | None = "gzip", **asked: Any) -> Response:
    """The response of a handler behind the layer."""
    app = App()
    app.middleware(compress())
    app.get("/")(handler)
    headers = asked.pop("headers", {})
    if accept is not None:
        headers["accept-encoding"] = accept
    return ask(app, asked.pop("method", "GET"), "/", headers=headers)


def test_a_large_text_is_compressed() -> None:
    """Length, coding and vary say so, and a strong tag becomes a weak one."""
    response = answer(lambda: Response(TEXT, headers={"etag": '"1"', "vary": "origin"}))
    body = body_of(response)
    assert gzip.decompress(body).decode() == TEXT
    assert dict(response.headers.items()) | {"vary": ""} == {
        "etag": 'W/"1"',
        "vary": "",
        "content-type": "text/plain; charset=utf-8",
        "content-encoding": "gzip",
        "content-length": str(len(body)),
    }
    assert response.headers.get_all("vary") == ["origin", "accept-encoding"]


def test_head_has_the_head_of_get() -> None:
    """A client that asks for the length is told the one that it would get."""
    assert answer(lambda: TEXT, method="HEAD").headers == answer(lambda: TEXT).headers


@pytest.mark.parametrize("accept", [None, "", "br, deflate", "gzip;q=0", "*;q=0.0", "identity"])
def test_clients_that_take_no_gzip(accept: str | None) -> None:
    """They get the text as it is, which a cache must not give to others."""
    response = answer(lambda: TEXT, accept)
    assert body_of(response).decode() == TEXT
    assert response.headers["vary"] == "accept-encoding"
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize(
    ("fields", "accepted"),
    [
        (["br, GZIP ; q=0.5"], True),
        (["br", "x-gzip"], True),
        (["*"], True),
        (["*;q=1, gzip;q=0"], False),
        (["gzip;q=0.001"], True),
        ([], False),
    ],
)
def test_what_accept_encoding_says(fields: list[str], accepted: bool) -> None:
    """Weights, wildcards and several fields are read as RFC 9110 has them."""
    assert accepts_gzip(fields) is accepted


@pytest.mark.parametrize(
    "response",
    [
        Response(TEXT[:499]),
        Response(TEXT, headers={"content-encoding": "br"}),
        Response(TEXT, content_type="image/png"),
        Response(TEXT, content_type="video/mp4"),
        Response(TEXT, content_type="text/event-stream"),
        Response(TEXT, headers={"cache-control": "public, no-transform"}),
        Response(TEXT, headers=[("cache-control", "public"), ("cache-control", "no-transform")]),
        Response(TEXT, status=206),
        Response(iter([b"x"]), headers={"content-length": "1"}),
    ],
    ids=[
        "small",
        "encoded",
        "image",
        "video",
        "events",
        "no-transform",
        "two fields",
        "part",
        "small stream",
    ],
)
def test_what_is_left_alone(response: Response) -> None:
    """It leaves as the handler made it."""
    before = response.headers.items()
    answered = answer(lambda: response)
    assert answered.headers.items() == before


def test_pictures_that_are_text() -> None:
    """SVG is compressed like any text."""
    assert (
        "content-encoding" in answer(lambda: Response(TEXT, content_type="image/svg+xml")).headers
    )


def test_pieces_of_a_stream_leave_at_once() -> None:
    """Each can be read before the next one is made."""
    made = []

    def chunks() -> Iterator[bytes]:
        for number in range(3):
            made.append(number)
            yield b"%d" % number * 10

    response = answer(lambda: Response(chunks(), content_type="text/plain"))
    assert "content-length" not in response.headers
    assert isinstance(response.body, BodyStream)
    reader = zlib.decompressobj(31)
    read = []
    for number in range(3):
        read.append(reader.decompress(finish(anext(response.body))))
        assert made == list(range(number + 1))
    assert read == [b"0000000000", b"1111111111", b"2222222222"]
    assert reader.decompress(body_of(response)) == b""
    assert reader.eof


@given(st.lists(st.binary(max_size=2000)))
def test_streams_come_back(chunks: list[bytes]) -> None:
    """Whatever the pieces are, a client reads the same bytes."""
    response = answer(lambda: Response(iter(chunks)))
    assert gzip.decompress(body_of(response)) == b"".join(chunks)


def test_the_source_of_a_stream_is_closed() -> None:
    """A client that leaves ends the handler's generator."""
    ended = []

    def chunks() -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            ended.append(True)

    response = answer(lambda: Response(chunks()))
    assert isinstance(response.body, BodyStream)
    finish(response.body.aclose())
    assert ended == [True]


def test_files(tmp_path: Path) -> None:
    """A whole file is compressed, a range is not, and a client that has it gets 304."""
    file = tmp_path / "a.txt"
    file.write_text(TEXT)
    whole = answer(lambda: Response.file(file))
    assert gzip.decompress(body_of(whole)).decode() == TEXT
    assert "accept-ranges" not in whole.headers
    tag = whole.headers["etag"]
    assert answer(lambda: Response.file(file), headers={"if-none-match": tag}).status == 304
    part = answer(lambda: Response.file(file), headers={"range": "bytes=0-7"})
    assert (part.status, body_of(part)) == (206, b"compress")


def test_levels() -> None:
    """A level that zlib lacks is an error when the app is composed."""
    with pytest.raises(ValueError, match="compresslevel is 1 to 9"):
        compress(compresslevel=0)
