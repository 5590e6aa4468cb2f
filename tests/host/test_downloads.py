"""Downloads by digest, from a server in this process."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edgezero_spin.host.downloads import Downloads
from edgezero_spin.manifest.spin import FetchError, PackageSource, UrlSource

WASM = b"\0asm and the rest" * 20_000
DIGEST = f"sha256:{hashlib.sha256(WASM).hexdigest()}"
OTHER = f"sha256:{hashlib.sha256(b'other').hexdigest()}"


class Shop:
    """A server with one component, and the paths that it was asked for."""

    def __init__(self) -> None:
        shop = self
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shop.asked.append(self.path)
                if self.path == "/moved":
                    self.send_response(302)
                    self.send_header("location", "/app.wasm")
                    self.end_headers()
                    return
                if self.path == "/elsewhere":
                    self.send_response(302)
                    self.send_header("location", "file:///etc/passwd")
                    self.end_headers()
                    return
                found = self.path in ("/app.wasm", "/cut")
                self.send_response(200 if found else 404)
                self.send_header("content-length", str(len(WASM) if found else 0))
                self.end_headers()
                if found:
                    self.wfile.write(WASM if self.path == "/app.wasm" else WASM[:1000])

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A server on a free port, reached without a proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    shop = Shop()
    thread = threading.Thread(target=lambda: shop.server.serve_forever(poll_interval=0.01))
    thread.start()
    yield shop
    shop.server.shutdown()
    thread.join()
    shop.server.server_close()


def test_a_component_is_downloaded_once(shop: Shop, tmp_path: Path) -> None:
    """The file has its digest for a name and is reused, by another run too (MAN-33)."""
    source = UrlSource(f"{shop.url}/app.wasm", DIGEST)
    path = Downloads(tmp_path)(source)
    assert (path.read_bytes(), path) == (WASM, tmp_path / "wasm" / DIGEST)
    assert Downloads(tmp_path)(UrlSource(source.url, DIGEST.upper().replace("SHA", "sha"))) == path
    assert shop.asked == ["/app.wasm"]


def test_a_redirect_is_followed(shop: Shop, tmp_path: Path) -> None:
    """Release pages answer with one."""
    assert Downloads(tmp_path)(UrlSource(f"{shop.url}/moved", DIGEST)).read_bytes() == WASM


def test_a_kept_file_that_changed_is_downloaded_again(shop: Shop, tmp_path: Path) -> None:
    """Nobody runs what lies under a digest that it does not have."""
    downloads = Downloads(tmp_path)
    source = UrlSource(f"{shop.url}/app.wasm", DIGEST)
    downloads(source).write_bytes(b"changed")
    assert downloads(source).read_bytes() == WASM


@pytest.mark.parametrize(
    ("path", "digest", "reason"),
    [
        # MAN-31
        pytest.param(
            "/app.wasm",
            OTHER,
            f"invalid content digest; expected {OTHER}, downloaded {DIGEST}",
            id="wrong digest",
        ),
        pytest.param("/none", DIGEST, "the server answered 404 Not Found", id="missing"),
        pytest.param("/cut", DIGEST, "broke off", id="cut short"),
        pytest.param("/elsewhere", DIGEST, "not allowed", id="redirect to a file"),
        pytest.param("/app.wasm", "md5:1", "invalid `digest` 'md5:1'", id="no digest"),
    ],
)
def test_a_failed_download_leaves_nothing(
    shop: Shop, tmp_path: Path, path: str, digest: str, reason: str
) -> None:
    """One error that says why, and an empty folder."""
    with pytest.raises(FetchError) as caught:
        Downloads(tmp_path)(UrlSource(shop.url + path, digest))
    assert reason in str(caught.value)
    assert list(tmp_path.rglob("*.wasm")) == []
    assert [item for item in tmp_path.rglob("*") if item.is_file()] == []


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (UrlSource("file:///etc/passwd", DIGEST), "only http and https"),
        (UrlSource("http://127.0.0.1:1/x", DIGEST), "cannot download: "),
        (PackageSource("a:b", "1.0.0"), "does not read package registries"),
    ],
)
def test_what_cannot_be_downloaded(
    tmp_path: Path, source: UrlSource | PackageSource, reason: str
) -> None:
    """Other schemes, nobody there, and registries."""
    with pytest.raises(FetchError, match=reason):
        Downloads(tmp_path)(source)
