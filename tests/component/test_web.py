"""A web application as a component: groups, forms, files, events, and work after the response.

What each piece does in detail is tested natively in ``tests/core``; here it runs on the bundled
interpreter, over real sockets.
"""

import gzip
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edgezero_spin.host import Host
from edgezero_spin.project.world import Wasi
from tests.component.conftest import GUESTS, Build
from tests.component.servers import listening, manifest

GRANTS = """
key_value_stores = ["default"]
environment = { EDGEZERO__STORES__KV__NOTES__NAME = "default" }
allowed_outbound_hosts = ["http://127.0.0.1:*"]
files = [{ source = "assets", destination = "/assets" }]
"""
STYLE = (GUESTS / "web" / "static" / "app.css").read_text()


@pytest.fixture(scope="module", params=["0.2", "0.3"])
def wasi(request: pytest.FixtureRequest) -> Wasi:
    """Both generations."""
    generation: Wasi = request.param
    return generation


@pytest.fixture(scope="module")
def client(
    build: Build, wasi: Wasi, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of the guest ``web`` on the embedded host, with files mounted at ``/assets``."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "assets").mkdir()
    (folder / "assets" / "a.txt").write_text("0123456789")
    path = manifest(build("web", wasi), folder, GRANTS)
    with (
        Host.from_manifest(path) as host,
        listening(host) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as opened,
    ):
        yield opened


def test_pages_and_links(client: httpx.Client) -> None:
    """HTML is compressed on its way, and links lead to their routes."""
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["x-frame-options"] == "DENY"
    link = f"{client.base_url}/members/a%2Fb"
    assert f"'{link}'" in answer.text
    assert client.get(link).status_code == 401
    assert client.get(link, headers={"authorization": "let-me-in"}).text == "a/b"
    assert client.get("/old").headers["location"] == "/"


def test_cookies(client: httpx.Client) -> None:
    """What was set comes back as it was."""
    set_cookie = client.post("/session").headers["set-cookie"]
    pair, *attributes = set_cookie.split("; Path=")
    assert attributes == ["/; Secure; HttpOnly; SameSite=Lax"]
    assert client.get("/session", headers={"cookie": pair}).json() == {"session": 'a "b"; c'}


def test_forms_in_parts(client: httpx.Client) -> None:
    """httpx writes them as clients do; parts larger than the body limit stream."""
    answer = client.post(
        "/profiles", data={"name": "Zoë", "news": "on"}, files={"photo": ("ü.png", b"1234")}
    )
    assert answer.json() == {"name": "Zoë", "news": True, "size": 4}
    assert client.post("/profiles", data={"name": "a", "photo": "p"}).status_code == 400
    large = b"\r\n--" * 500_000
    too_large = client.post("/profiles", data={"name": "a"}, files={"photo": large})
    assert too_large.status_code == 413
    assert client.post("/import", files={"f": large, "g": b""}).json() == {"f": len(large), "g": 0}


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/static/app.css", 200, STYLE),
        ("/static/", 404, None),
        ("/static/%2e%2e/app.py", 404, None),
        ("/mounted/a.txt", 200, "0123456789"),
        ("/mounted/../0/app.py", 404, None),
        ("/mounted/missing", 404, None),
    ],
)
def test_static_files(client: httpx.Client, path: str, status: int, text: str | None) -> None:
    """Those of the snapshot and those of a mount are sent, and no others."""
    answer = client.get(httpx.URL(str(client.base_url), raw_path=path.encode()))
    assert answer.status_code == status
    if text is not None:
        assert answer.text == text
        tag = {"if-none-match": answer.headers["etag"]}
        assert client.get(path, headers=tag).status_code == 304
        part = client.get(path, headers={"range": "bytes=2-4"})
        assert (part.status_code, part.text) == (206, text[2:5])
        head = client.head(path)
        assert head.headers["content-length"] == str(len(text))
        assert (client.get(path, headers={"range": "bytes=99-"}).status_code) == 416


def test_streams_are_compressed_piece_by_piece(client: httpx.Client) -> None:
    """A client reads all of it."""
    answer = client.get("/lines")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text == "".join(f"line {number}\n" for number in range(200))
    raw = client.get("/lines", headers={"accept-encoding": "identity"})
    assert raw.text == answer.text


def test_events(client: httpx.Client) -> None:
    """They come as they happen, with comments between them."""
    with client.stream("GET", "/ticks") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert "content-encoding" not in answer.headers
        blocks = "".join(answer.iter_text()).split("\n\n")
    events = [block for block in blocks if block not in (":", "")]
    assert events == [
        f'event: tick\nid: {number}\nretry: 100\ndata: {{"n":{number}}}' for number in range(3)
    ]
    assert blocks.count(":") > 3


class _Gate(http.server.BaseHTTPRequestHandler):
    """Answers when the response that the background task belongs to has been read."""

    opened = threading.Event()
    answered = threading.Event()

    def do_GET(self) -> None:
        self.opened.wait(30)
        self.send_response(200)
        self.send_header("content-length", "4")
        self.end_headers()
        self.wfile.write(b"open")
        self.answered.set()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_work_after_the_response(client: httpx.Client) -> None:
    """The response arrives while the work waits; a failure before it is no hindrance."""
    _Gate.opened.clear()
    _Gate.answered.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Gate) as gate:
        thread = threading.Thread(target=gate.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{gate.server_address[1]}/"
            assert client.post("/later", content=url.encode()).text == "sent"
            assert client.get("/told").status_code == 204
            _Gate.opened.set()
            assert _Gate.answered.wait(30)
            while client.get("/told").status_code == 204:
                pass
        finally:
            gate.shutdown()
            thread.join()
    assert client.get("/told").text == "open"


def test_work_after_a_response_that_broke_off_is_not_done(
    build: Build, wasi: Wasi, tmp_path: Path
) -> None:
    """The log has the error of the body, and no word of work that nobody waits for."""
    (tmp_path / "assets").mkdir()
    path = manifest(build("web", wasi), tmp_path, GRANTS)
    logs = tmp_path / "logs"
    with (
        Host.from_manifest(path, log_dir=logs) as host,
        listening(host) as port,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        httpx.get(f"http://127.0.0.1:{port}/broken", timeout=30)
    [log] = logs.glob("*_stderr.txt")
    said = log.read_text()
    assert "ValueError: in the middle" in said
    assert "in the background" not in said
    assert "never awaited" not in said


def test_ids_go_both_ways(client: httpx.Client) -> None:
    """That of the client returns, and without one there is a new one."""
    assert client.get("/told", headers={"x-request-id": "abc"}).headers["x-request-id"] == "abc"
    ids = {client.get("/told").headers["x-request-id"] for _ in range(2)}
    assert {len(id) for id in ids} == {32} and len(ids) == 2


def test_a_browser_reads_what_gzip_reads(client: httpx.Client) -> None:
    """The bytes on the wire are one gzip member."""
    with client.stream("GET", "/lines", headers={"accept-encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert gzip.decompress(raw).startswith(b"line 0\n")
