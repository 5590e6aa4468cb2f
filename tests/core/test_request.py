"""What a request says of itself: method, path, query and URL."""

import pytest

from edgezero_spin.core import MemorySource, Request


@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query", "url"),
    [
        ("/", "/", b"/", "", "http://localhost/"),
        ("/a%20b?x=1&y", "/a b", b"/a%20b", "x=1&y", "http://localhost/a%20b?x=1&y"),
        ("/café?q=é", "/café", b"/caf%C3%A9", "q=%C3%A9", "http://localhost/caf%C3%A9?q=%C3%A9"),
        # TV-39, SPN-1
        ("http://example.com/uri", "/uri", b"/uri", "", "http://example.com/uri"),
        ("https://example.com:8443", "/", b"/", "", "https://example.com:8443/"),
        ("https://example.com?x=/", "/", b"/", "x=/", "https://example.com/?x=/"),
        ("/a#fragment", "/a", b"/a", "", "http://localhost/a"),
        ("/go?to=http://x/y", "/go", b"/go", "to=http://x/y", "http://localhost/go?to=http://x/y"),
        ("/%ff", "/\ufffd", b"/%ff", "", "http://localhost/%ff"),
    ],
)
def test_target(target: str, path: str, raw_path: bytes, query: str, url: str) -> None:
    """A target is taken apart, kept as sent, and shown decoded."""
    request = Request.of("GET", target)
    assert request.path == path
    assert request.raw_path == raw_path
    assert request.query_string == query
    assert request.url == url


def test_host_header_stands_in_for_the_authority() -> None:
    """Where the host names no authority, the client's header does."""
    request = Request.of("GET", "/x", {"Host": "example.com"})
    assert request.authority == "example.com"
    assert request.url == "http://example.com/x"
    assert Request.of("GET", "http://a/x", {"host": "b"}).authority == "a"


def test_nothing_is_fetched_before_it_is_asked_for() -> None:
    """Headers and body are calls to the host; making a request makes neither, and each is
    made once.
    """

    class Counting(MemorySource):
        calls = 0

        def headers(self):  # type: ignore[no-untyped-def]
            self.calls += 1
            return super().headers()

    source = Counting("GET", "/", {"a": "b"})
    request = Request(source)
    assert request.path_params == {}
    assert source.calls == 0
    assert request.headers["a"] == "b"
    assert request.headers["A"] == "b"
    assert source.calls == 1


def test_extensions_are_a_requests_own() -> None:
    """Notes on one request do not show on another."""
    one, other = Request.of("GET", "/"), Request.of("GET", "/")
    one.extensions["x"] = 1
    assert other.extensions == {}
    assert repr(one) == "<Request GET />"
