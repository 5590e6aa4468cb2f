"""Files as responses: validators, conditional requests, ranges."""

import email.utils
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.core import App, Response
from edgezero_spin.core.http_dates import http_date, parse_http_date
from edgezero_spin.core.media_types import media_type_of
from tests.core.asking import ask, body_of, error_of

DATA = bytes(range(256)) * 700
SECONDS = 1_700_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of some chunks, and of a known time."""
    path = tmp_path / "data.bin"
    path.write_bytes(DATA)
    os.utime(path, (SECONDS, SECONDS + 0.5))
    return path


def get(file: Path, method: str = "GET", **headers: str) -> Response:
    """The answer of a handler that sends a file."""
    app = App()
    app.route("/", ["GET", "POST"])(lambda: Response.file(file))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(app, method, "/", headers=named)


def test_the_whole_file(file: Path) -> None:
    """Head and body describe one file; HEAD has the head of GET."""
    response = get(file)
    assert (response.status, body_of(response)) == (200, DATA)
    assert dict(response.headers.items()) == {
        "content-type": "application/octet-stream",
        "content-length": str(len(DATA)),
        "accept-ranges": "bytes",
        "etag": response.headers["etag"],
        "last-modified": email.utils.formatdate(SECONDS, usegmt=True),
    }
    head = get(file, "HEAD")
    assert (head.headers, head.body) == (response.headers, b"")


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=5-", (5, len(DATA))),
        ("bytes=-5", (len(DATA) - 5, len(DATA))),
        (f"bytes=-{len(DATA) + 9}", (0, len(DATA))),
        ("bytes=70000-140000", (70000, 140001)),
        (f"bytes=9-{len(DATA) + 9}", (9, len(DATA))),
    ],
)
def test_ranges(file: Path, asked: str, sent: tuple[int, int]) -> None:
    """A part is sent, and the head says which."""
    response = get(file, range=asked)
    start, end = sent
    assert response.status == 206
    assert body_of(response) == DATA[start:end]
    assert response.headers["content-length"] == str(end - start)
    assert response.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"


@pytest.mark.parametrize(
    "asked",
    ["bytes=5-4", "bytes=-", "bytes=a-b", "lines=0-1", "bytes=0-1,3-4", "bytes=" + "9" * 99],
)
def test_ranges_that_mean_nothing(file: Path, asked: str) -> None:
    """The whole file is sent."""
    response = get(file, range=asked)
    assert (response.status, response.headers["content-length"]) == (200, str(len(DATA)))


@pytest.mark.parametrize("asked", [f"bytes={len(DATA)}-", "bytes=999999999-", "bytes=-0"])
def test_ranges_behind_the_end(file: Path, asked: str) -> None:
    """They are 416, with the size that the file has."""
    response = get(file, range=asked)
    assert error_of(response) == (416, f"the body has {len(DATA)} bytes")
    assert response.headers["content-range"] == f"bytes */{len(DATA)}"


def test_tags_in_several_fields(file: Path) -> None:
    """A list that a proxy took apart is the same list."""  # RFC 9110, 5.3
    app = App()
    app.get("/")(lambda: Response.file(file))
    tag = get(file).headers["etag"]
    asked = [("if-none-match", '"x"'), ("if-none-match", tag)]
    assert ask(app, "GET", "/", headers=asked).status == 304


def test_conditional_requests(file: Path) -> None:
    """Who has the file gets 304; a tag counts before a time, and only for GET and HEAD."""
    whole = get(file)
    tag, modified = whole.headers["etag"], whole.headers["last-modified"]
    for headers in (
        {"if_none_match": f'"x", W/{tag}'},
        {"if_none_match": "*"},
        {"if_modified_since": modified},
        {"if_modified_since": email.utils.formatdate(SECONDS + 9, usegmt=True)},
        {"if_none_match": tag, "range": "bytes=0-1"},
    ):
        response = get(file, **headers)
        assert (response.status, response.body) == (304, b""), headers
        assert response.headers.keys() == ["etag", "last-modified"]
    for headers in (
        {"if_none_match": '"x"', "if_modified_since": modified},
        {"if_modified_since": email.utils.formatdate(SECONDS - 9, usegmt=True)},
        {"if_modified_since": "yesterday"},
    ):
        assert get(file, **headers).status == 200, headers
    assert get(file, "POST", if_none_match=tag, range="bytes=0-1").status == 200


def test_downloads_go_on_where_they_stopped(file: Path) -> None:
    """A range of a file that has changed meanwhile is not sent."""
    whole = get(file)
    for condition, status in (
        (whole.headers["etag"], 206),
        (whole.headers["last-modified"], 206),
        (f"W/{whole.headers['etag']}", 200),
        ('"other"', 200),
        (email.utils.formatdate(SECONDS - 1, usegmt=True), 200),
    ):
        assert get(file, range="bytes=1-", if_range=condition).status == status, condition


def test_a_time_that_packages_have_says_nothing(file: Path) -> None:
    """Two files of 1980 with one length have two tags, and no time is told."""
    os.utime(file, (315532800, 315532800))
    first = get(file)
    other = file.with_name("other.bin")
    other.write_bytes(DATA[::-1])
    os.utime(other, (315532800, 315532800))
    assert "last-modified" not in first.headers
    assert first.headers["etag"] != get(other).headers["etag"]
    assert get(file, if_none_match=first.headers["etag"]).status == 304
    assert get(file, if_modified_since=email.utils.formatdate(usegmt=True)).status == 200


def test_a_file_that_is_not_there(file: Path) -> None:
    """The handler's own mistake is a 500; a folder is not a file."""
    with pytest.raises(FileNotFoundError):
        Response.file(file.parent / "missing")
    with pytest.raises(IsADirectoryError, match="a folder cannot be sent"):
        Response.file(file.parent)


def test_names_to_save_under(file: Path) -> None:
    """Names of any characters reach the browser, and end no field."""
    response = Response.file(file, filename='ü "x"\r\n.pdf', content_type="application/pdf")
    assert response.headers["content-disposition"] == (
        "attachment; filename=\"_ _x___.pdf\"; filename*=UTF-8''%C3%BC%20%22x%22%0D%0A.pdf"
    )
    assert response.headers["content-type"] == "application/pdf"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/index.HTML", "text/html; charset=utf-8"),
        ("x.tar.gz", "application/gzip"),
        (".css", "application/octet-stream"),
        ("README", "application/octet-stream"),
    ],
)
def test_media_types(name: str, expected: str) -> None:
    """The end of the name decides, in any case."""
    assert media_type_of(name) == expected


@given(st.integers(min_value=-60_000_000_000, max_value=250_000_000_000))
def test_dates(seconds: int) -> None:
    """What is written is what the standard library writes, and is read back."""
    text = http_date(seconds)
    assert parse_http_date(text) == seconds
    if seconds >= 0:
        assert text == email.utils.formatdate(seconds, usegmt=True)


def test_a_file_that_shrinks_breaks_off(file: Path) -> None:
    """The client is not told that a part is the whole."""
    response = Response.file(file)
    file.write_bytes(DATA[:70000])
    with pytest.raises(OSError, match="has become shorter"):
        body_of(response)
