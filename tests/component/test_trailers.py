"""Fields behind bodies, in this process, in both generations of WASI and over real HTTP."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edgezero_spin.host import Host
from edgezero_spin.host.http.listening import Listening
from edgezero_spin.testing import BrokenBodyError, Client, ComponentClient, TestClient
from edgezero_spin.testing.app_modules import import_app
from tests.component.conftest import GUESTS, Build
from tests.component.servers import manifest
from tests.conformance.serving import serving
from tests.host.http.http2_client import Http2Client

GRANTS = 'allowed_outbound_hosts = ["http://self"]'
SUM = {"x-sum": "7", "x-other": "ä"}


@pytest.fixture(scope="module", params=["0.2", "0.3"])
def component(build: Build, request: pytest.FixtureRequest) -> Path:
    """The guest ``outbound`` for either generation."""
    return build("outbound", wasi=request.param)


@pytest.fixture(scope="module", params=["native", "0.2", "0.3"])
def client(request: pytest.FixtureRequest, build: Build) -> Iterator[Client]:
    """The app in this process, and as a component of either generation."""
    with ExitStack() as stack:
        if request.param == "native":
            yield stack.enter_context(TestClient(import_app("app:app", GUESTS / "outbound")))
        else:
            component = build("outbound", wasi=request.param)
            yield stack.enter_context(ComponentClient(component))


@pytest.mark.parametrize("target", ["/read", "/read?all"])
@pytest.mark.parametrize("content", [b"", b"body", b"x" * 300_000])
def test_a_handler_reads_trailers(client: Client, target: str, content: bytes) -> None:
    """Whatever it read of the body before."""
    answer = client.put(target, content=content, trailers=SUM)
    assert answer.json() == [["x-sum", "7"], ["x-other", "ä"]]
    assert client.put(target, content=content).json() == []


def test_a_handler_sends_trailers(client: Client) -> None:
    """Known from the start or at the end; the head names them, and says no length."""
    fixed = client.get("/fixed")
    assert (fixed.text, fixed.headers["trailer"]) == ("body", "x-sum, x-other")
    assert "content-length" not in fixed.headers
    assert list(fixed.trailers.pairs) == [("x-sum", b"1"), ("x-other", "ä".encode())]
    counted = client.get("/counted/1000")
    assert counted.trailers["x-size"] == str(len(counted.content)) == "3890"
    assert list(client.get("/nowhere").trailers.pairs) == []


def test_trailers_that_have_no_place_behind_a_body(client: Client) -> None:
    """Nobody takes such a body for whole."""
    with pytest.raises(BrokenBodyError):
        client.get("/failing")


@pytest.fixture(scope="module")
def port(component: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The component on a socket."""
    path = manifest(component, tmp_path_factory.mktemp("app"), GRANTS)
    with Host.from_manifest(path) as host, serving(host) as opened:
        yield opened


def exchange(port: int, request: bytes) -> tuple[bytes, bytes]:
    """Send a request as it stands; return head and body of the answer, as they stand."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as peer:
        peer.sendall(request)
        found = b""
        while piece := peer.recv(65536):
            found += piece
    head, _, body = found.partition(b"\r\n\r\n")
    return head.lower(), body


HEAD = b"Host: a\r\nConnection: close\r\nTE: trailers\r\n"
UPLOAD = HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 7\r\n\r\n"


def test_trailers_over_http_1_1(port: int) -> None:
    """They come and go behind chunks."""
    head, body = exchange(port, b"GET /fixed HTTP/1.1\r\n" + HEAD + b"\r\n")
    assert b"trailer: x-sum, x-other" in head
    assert body == b"4\r\nbody\r\n0\r\nx-sum: 1\r\nx-other: \xc3\xa4\r\n\r\n"
    _, body = exchange(port, b"PUT /read HTTP/1.1\r\n" + UPLOAD)
    assert body == b'[["x-sum","7"]]'


def test_a_client_of_http_1_0_gets_none(port: int) -> None:
    """There are no chunks, so the end of the connection is the end of the body."""
    _, body = exchange(port, b"GET /fixed HTTP/1.0\r\nHost: a\r\n\r\n")
    assert body == b"body"


def test_trailers_of_a_body_that_is_passed_on(port: int, component: Path) -> None:
    """With WASI 0.3 the host passes them on with it; with 0.2 a handler has to."""
    _, body = exchange(port, b"PUT /echo HTTP/1.1\r\n" + UPLOAD)
    assert body in (b"4\r\nbody\r\n0\r\nx-sum: 7\r\n\r\n", b"4\r\nbody\r\n0\r\n\r\n")
    assert (b"x-sum" in body) == ("0.3" in component.name)


def test_trailers_over_http_2(port: int) -> None:
    """The same as frames."""

    async def run() -> None:
        where = Listening("127.0.0.1", port)
        async with Http2Client.connected(where) as peer:
            answer = await peer.answer(peer.begin("/fixed"))
            assert answer.body == b"body"
            assert answer.trailers == [(b"x-sum", b"1"), (b"x-other", "ä".encode())]
            id = peer.begin("/read", "PUT", ends=False)
            peer.send(id, b"body")
            peer.frames.send_headers(id, [(b"x-sum", b"7")], end_stream=True)
            peer.flush()
            assert (await peer.answer(id)).body == b'[["x-sum","7"]]'

    asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        pytest.param("/read", b'["[[\\"x-there\\",\\"1\\"]]",[]]', id="sent"),
        pytest.param("/fixed", '["body",[["x-sum","1"],["x-other","ä"]]]'.encode(), id="answered"),
    ],
)
def test_trailers_of_requests_that_go_out(port: int, path: str, answer: bytes) -> None:
    """A handler sends them behind the body of a request and reads those of the answer."""
    target = f"/through?http://self{path}".encode()
    _, body = exchange(port, b"PUT " + target + b" HTTP/1.1\r\n" + UPLOAD)
    assert body == answer


@pytest.mark.parametrize("path", ["/read", "/fixed"])
def test_trailers_of_native_requests_that_go_out(path: str) -> None:
    """An app in this process sends and reads them likewise."""
    with TestClient(import_app("app:app", GUESTS / "outbound")) as client:
        text, fields = client.put(f"/through?http://self{path}", content=b"body").json()
    assert (text, fields) == (
        ('[["x-there","1"]]', [])
        if path == "/read"
        else ("body", [["x-sum", "1"], ["x-other", "ä"]])
    )
