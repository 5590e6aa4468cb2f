"""Requests of a component's own: what is allowed, what fails how, and calls between components."""

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.spin.applications import HEAD, component, do, told
from tests.spin.conftest import Both, Serve


class _Peer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        if self.headers.get("transfer-encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        kind, _, rest = self.path.lstrip("/").partition("/")
        if kind == "short":
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello")
            self.close_connection = True
        elif kind == "chunks":
            self.wfile.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")
            self.wfile.write(b"" if rest == "cut" else b"0\r\n\r\n")
            self.close_connection = True
        elif kind == "raw":
            self.wfile.write(bytes.fromhex(rest))
            self.close_connection = True
        elif kind == "silent":
            self.close_connection = True
        elif kind == "status":
            self.send_response(int(rest))
            self.send_header("location", "/head")
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            seen = sorted([name.lower(), value] for name, value in self.headers.items())
            text = json.dumps([self.command, self.path, seen, body.decode("latin-1")]).encode()
            self.send_response(200)
            self.send_header("X-Case", "Kept?")
            self.send_header("set-cookie", "a=1")
            self.send_header("x-more", "x")
            self.send_header("set-cookie", "b=2")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    do_POST = do_PUT = do_DELETE = do_OPTIONS = do_BREW = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""

    def version_string(self) -> str:
        return "peer"

    def date_time_string(self, timestamp: float | None = None) -> str:
        return "now"


@pytest.fixture(scope="module")
def peer() -> Iterator[int]:
    """Port of a server that tells what it was asked, or fails as its path says."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Peer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def closed() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(scope="module")
def both(
    serve: Serve, probe: Path, peer: int, closed: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    """Components with different rights, one of them private."""
    folder = tmp_path_factory.mktemp("outbound")
    every = 'allowed_outbound_hosts = ["*://*:*"]'
    some = [
        f"http://127.0.0.1:{peer}",
        f"http://127.0.0.1:{closed}",
        "http://self",
        "http://back.spin.internal",
        "https://127.0.0.1:{closed}",
        "http://*.invalid",
        "http://no-such-component.spin.internal",
    ]
    listed = json.dumps(some).replace("{closed}", str(closed))
    text = HEAD
    text += component(probe, "every", "/every/...", every)
    text += component(probe, "none", "/none/...", "")
    text += component(probe, "some", "/some/...", f"allowed_outbound_hosts = {listed}")
    text += component(
        probe, "chain", "/chain/...", 'allowed_outbound_hosts = ["http://*.spin.internal"]'
    )
    text += component(probe, "back", None, 'environment = { WHO = "back" }')
    (folder / "spin.toml").write_text(text)
    with serve(folder) as programs:
        yield programs


def fetch(
    method: str,
    scheme: str | None,
    authority: str | None,
    path: str | None = "/",
    pairs: list[list[str]] | None = None,
    body: str = "",
) -> list[tuple[str, str]]:
    return do("fetch", method, scheme, authority, path, pairs or [], body)


EXCHANGES: dict[str, tuple[Any, ...]] = {
    "get": ("GET", "http", "127.0.0.1:{peer}", "/a?b=c"),
    "post": ("POST", "http", "127.0.0.1:{peer}", "/", [["x", "1"], ["X-Two", "2"]], "hello"),
    "with a length": ("POST", "http", "127.0.0.1:{peer}", "/", [["content-length", "5"]], "hello"),
    "delete of nothing": ("DELETE", "http", "127.0.0.1:{peer}", "/"),
    "options": ("OPTIONS", "http", "127.0.0.1:{peer}", "/"),
    "delete with a body": ("DELETE", "http", "127.0.0.1:{peer}", "/", [], "hello"),
    "get with a body": ("GET", "http", "127.0.0.1:{peer}", "/", [], "hello"),
    "another method with a body": ("BREW", "http", "127.0.0.1:{peer}", "/", [], "hello"),
    "another method": ("BREW", "http", "127.0.0.1:{peer}", "/"),
    "no path": ("GET", "http", "127.0.0.1:{peer}", None),
    "only a query": ("GET", "http", "127.0.0.1:{peer}", "?a=b"),
    "odd path": ("GET", "http", "127.0.0.1:{peer}", "/a//b/../%20?x=%zz"),
    "repeated headers": (
        "GET", "http", "127.0.0.1:{peer}", "/", [["b", "1"], ["a", "2"], ["b", "3"]]),
    "user agent": ("GET", "http", "127.0.0.1:{peer}", "/", [["user-agent", "me"], ["te", "x"]]),
    "redirect": ("GET", "http", "127.0.0.1:{peer}", "/status/302"),
    "no content": ("GET", "http", "127.0.0.1:{peer}", "/status/204"),
    "server error": ("GET", "http", "127.0.0.1:{peer}", "/status/503"),
    "short": ("GET", "http", "127.0.0.1:{peer}", "/short"),
    "chunks": ("GET", "http", "127.0.0.1:{peer}", "/chunks"),
    "chunks cut off": ("GET", "http", "127.0.0.1:{peer}", "/chunks/cut"),
    "no answer": ("GET", "http", "127.0.0.1:{peer}", "/silent"),
    "an answer that is none": ("GET", "http", "127.0.0.1:{peer}", "/raw/" + b"what\r\n\r\n".hex()),
    "until the end": (
        "GET", "http", "127.0.0.1:{peer}", "/raw/" + b"HTTP/1.1 200 OK\r\n\r\nall".hex()),
    "old": ("GET", "http", "127.0.0.1:{peer}", "/raw/" + b"HTTP/1.0 200 OK\r\nx: y\r\n\r\na".hex()),
    "header cut off": ("GET", "http", "127.0.0.1:{peer}", "/raw/" + b"HTTP/1.1 200 OK\r\nx".hex()),
    "refused": ("GET", "http", "127.0.0.1:{closed}", "/"),
    "no TLS there": ("GET", "https", "127.0.0.1:{peer}", "/"),
    "TLS refused": ("GET", "https", "127.0.0.1:{closed}", "/"),
    "no such name": ("GET", "http", "nothing.invalid", "/"),
    "not allowed": ("GET", "http", "127.0.0.2:{peer}", "/"),
    "not allowed by name": ("GET", "http", "localhost:{peer}", "/"),
    "not allowed https": ("GET", "https", "example.com", "/"),
    "no scheme": ("GET", None, "127.0.0.1:{peer}", "/"),
    "another scheme": ("GET", "ftp", "127.0.0.1:{peer}", "/"),
    "self.alt": ("GET", "http", "self.alt", "/some/own"),
    "self": ("GET", "http", "self", "/some/own"),
    "chain": ("GET", "http", "back.spin.internal", "/x/y?z"),
    "chain post": ("POST", "http", "back.spin.internal", "/x", [["do", '["length"]']], "hello"),
    "chain by https": ("GET", "https", "back.spin.internal", "/"),
    "chain with a port": ("GET", "http", "back.spin.internal:80", "/"),
    "chain with another port": ("GET", "http", "back.spin.internal:8080", "/"),
    "chain to itself": ("GET", "http", "{at}.spin.internal", "/"),
    "the domain alone": ("GET", "http", "spin.internal", "/"),
    "two labels": ("GET", "http", "a.back.spin.internal", "/"),
}  # fmt: skip


@pytest.mark.parametrize("name", EXCHANGES)
@pytest.mark.parametrize("at", ["every", "some", "none", "chain"])
def test_exchanges(both: Both, peer: int, closed: int, at: str, name: str) -> None:
    """What comes back, or the code of the failure."""  # OUTH-1 to OUTH-17, CHAIN-1 to CHAIN-12
    method, scheme, authority, path, *rest = EXCHANGES[name]
    if authority is not None:
        authority = authority.format(peer=peer, closed=closed, at=at)
    asked = fetch(method, scheme, authority, path, *rest)
    both.same(f"/{at}/", asked)


def test_a_component_that_is_not_there(both: Both) -> None:
    """Spin traps the caller; the embedded host gives it an error code."""  # RESP-12
    asked = fetch("GET", "http", "no-such-component.spin.internal", "/")
    embedded, real = both.ask("/every/", asked)
    assert told(embedded.body) == {"get": {"error": ["ErrorCode_DestinationNotFound"]}}
    assert (real.status, real.body) == (500, b"")


@pytest.mark.parametrize("scheme", ["http", None])
def test_requests_without_an_authority(both: Both, scheme: str | None) -> None:
    """They are for the application itself, but not for Spin 4.1, which takes `self.alt` only."""
    # CHAIN-1
    asked = fetch("GET", scheme, None, "/some/own")
    embedded, real = (told(answer.body) for answer in both.ask("/every/", asked))
    assert (embedded["status"], embedded["body"]["path"]) == (200, "/some/own")
    assert real in (embedded, {"handle": {"error": ["ErrorCode_HttpRequestUriInvalid"]}})


def test_an_empty_path(both: Both, peer: int) -> None:
    """It stands for `/`, but not for Spin 4.1, which takes none that starts with no slash."""
    asked = fetch("GET", "http", f"127.0.0.1:{peer}", "")
    embedded, real = (told(answer.body) for answer in both.ask("/every/", asked))
    assert embedded["body"][1] == "/"
    assert real in (embedded, {"refused": "path"})


@pytest.mark.parametrize("call", [["trap"], ["nothing"], ["refuse", "no"], ["answer", 404, []]])
def test_failing_targets(both: Both, call: list[Any]) -> None:
    """A component that another calls fails as it would for a client."""  # CHAIN-12
    [pair] = do(*call)
    both.same("/chain/", fetch("GET", "http", "back.spin.internal", "/", [list(pair)]))


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_post_of_nothing_says_its_length(both: Both, peer: int, method: str) -> None:
    """RFC 9110, 8.6, asks for it, and some servers insist; Spin leaves it out."""
    said = []
    for answer in both.ask("/every/", fetch(method, "http", f"127.0.0.1:{peer}")):
        _, _, headers, _ = json.loads(answer.body)["body"]
        said.append([value for name, value in headers if name == "content-length"])
    assert said == [["0"], []]
