"""Downloads by digest, from a server in this process."""

import asyncio
import hashlib
import os
import socket
import ssl
import threading
from pathlib import Path

import pytest

from edgezero_spin.host import Host, HostSettings, HttpRequest
from edgezero_spin.host.registry.downloads import Downloads
from edgezero_spin.manifest import InvalidManifestError
from edgezero_spin.manifest.spin import FetchError, UrlSource
from tests.certificates import make_certificate
from tests.host.registry.shop import DIGEST, WASM, Shop

OTHER = f"sha256:{hashlib.sha256(b'other').hexdigest()}"


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


def test_a_download_that_breaks_off_within_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no TLS any more is an end as any other."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.roots))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)

    def answer() -> None:
        plain, _ = listener.accept()
        # The socket is written to once more behind the back of TLS.
        with (
            socket.socket(fileno=os.dup(plain.fileno())) as below,
            context.wrap_socket(plain, server_side=True) as secured,
        ):
            secured.recv(65536)
            secured.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")
            below.sendall(b"no record of TLS")
            below.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        source = UrlSource(f"https://127.0.0.1:{listener.getsockname()[1]}/x", DIGEST)
        with pytest.raises(FetchError, match="the download broke off"):
            Downloads(tmp_path)(source)
        thread.join()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (UrlSource("file:///etc/passwd", DIGEST), "only http and https"),
        (UrlSource("http://127.0.0.1:1/x", DIGEST), "cannot download: "),
    ],
)
def test_what_cannot_be_downloaded(tmp_path: Path, source: UrlSource, reason: str) -> None:
    """Other schemes, and nobody there."""
    with pytest.raises(FetchError, match=reason):
        Downloads(tmp_path)(source)


MANIFEST = """
spin_manifest_version = 2
[application]
name = "far"
[[trigger.http]]
route = "/..."
component = "far"
[component.far]
source = { url = "URL", digest = "DIGEST" }
"""


@pytest.mark.parametrize("digest", [DIGEST, OTHER], ids=["right", "wrong"])
def test_an_application_whose_component_is_elsewhere(
    shop: Shop, tmp_path: Path, digest: str
) -> None:
    """It runs from the cache, also when the server is gone; a wrong digest is one error."""
    manifest = tmp_path / "spin.toml"
    text = MANIFEST.replace("URL", f"{shop.url}/app.wasm").replace("DIGEST", digest)
    manifest.write_text(text)
    settings = HostSettings(cache_dir=None, pooling=False)

    def run() -> int:
        cache = tmp_path / "cache"
        with Host.from_manifest(manifest, settings=settings, downloads_dir=cache) as host:
            return asyncio.run(host.handle(HttpRequest(target="/n"))).status

    if digest == OTHER:
        with pytest.raises(InvalidManifestError) as caught:
            run()
        [problem] = caught.value.problems
        assert problem.key == "component.far.source"
        assert f"expected {OTHER}, downloaded {DIGEST}" in problem.reason
        assert list((tmp_path / "cache/wasm").iterdir()) == []
        return
    assert run() == 200
    shop.close()
    assert run() == 200
