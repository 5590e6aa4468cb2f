"""What a registry may do to whoever asks it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.registry.credentials import Credentials
from edgezero_spin.host.registry.repository import Blob, OciRepository
from edgezero_spin.host.registry.session import MAX_DOCUMENT_BYTES, OciSession, RegistryEndpoint
from edgezero_spin.manifest.spin import FetchError
from tests.certificates import make_certificate
from tests.host.registry.oci_server import digest_of, running_registry

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def answering(answer: Answer) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Serve one answer to everything; yield the host, and what was asked with which login."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            """Note and answer."""
            asked.append((self.path, self.headers.get("authorization")))
            try:
                answer(self)
            except ConnectionError:
                self.close_connection = True

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def send(handler: BaseHTTPRequestHandler, status: int, content: bytes = b"", **more: str) -> None:
    """One answer."""
    handler.send_response(status)
    for name, text in more.items():
        handler.send_header(name.replace("_", "-"), text)
    handler.send_header("content-length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def endless(handler: BaseHTTPRequestHandler, status: int, **more: str) -> None:
    """An answer whose body never ends."""
    handler.send_response(status)
    for name, text in more.items():
        handler.send_header(name.replace("_", "-"), text)
    handler.send_header("content-length", str(1 << 50))
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(65536))


def asked_of(host: str, path: str = "x", *, plain: bool = True) -> int:
    """Ask as somebody, and return how many bytes came."""
    endpoint = RegistryEndpoint(host=host, plain=plain, credentials=Credentials("me", "s3cret"))
    with (
        OciSession(endpoint, "acme/shop") as session,
        session.answer("GET", endpoint.url + path, "thing") as response,
    ):
        return sum(map(len, response.iter_raw()))


def test_a_redirect_is_followed_without_its_body() -> None:
    """However long it is."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("there"):
            send(handler, 200, b"here")
        else:
            endless(handler, 307, location="/v2/there")

    with answering(answer) as (host, asked):
        assert asked_of(host) == 4
    assert [path for path, _ in asked] == ["/v2/x", "/v2/there"]


def test_redirects_in_a_circle() -> None:
    """They are left after a few rounds."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 302, location="/v2/x")

    with (
        answering(answer) as (host, asked),
        pytest.raises(FetchError, match="from place to place without end"),
    ):
        asked_of(host)
    assert len(asked) == 10


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://x/y", "http://[", "http://"])
def test_a_redirect_to_nowhere(location: str) -> None:
    """One error, and nothing of this machine is read."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 302, location=location)

    with answering(answer) as (host, _), pytest.raises(FetchError, match=f"the registry {host} "):
        asked_of(host)


@pytest.mark.parametrize("body", [b"", b"[" * 100_000, b'{"errors": []}', b'{"errors": "x"}'])
def test_a_failure_that_says_nothing(body: bytes) -> None:
    """Its status is told."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 500, body)

    with answering(answer) as (host, _), pytest.raises(FetchError, match="answered 500 for thing"):
        asked_of(host)


def test_a_failure_that_never_ends() -> None:
    """No more of it is read than a manifest has."""
    written = 0

    def answer(handler: BaseHTTPRequestHandler) -> None:
        nonlocal written
        handler.send_response(500)
        handler.send_header("content-length", str(1 << 50))
        handler.end_headers()
        while True:
            handler.wfile.write(bytes(65536))
            written += 65536

    with answering(answer) as (host, _), pytest.raises(FetchError, match="answered 500 for thing"):
        asked_of(host)
    # What lies between the two counts as well.
    assert written < 10 * MAX_DOCUMENT_BYTES


@pytest.mark.parametrize(
    "document",
    [
        {"token": "a b"},
        {"token": "a\r\nx: y"},
        {"token": "ä"},
        {"token": ""},
        {"token": 7},
        {"access_token": ["x"]},
        {},
    ],
)
def test_a_token_that_is_none(document: dict[str, Any]) -> None:
    """It is not sent, nor quoted by an error."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.startswith("/token"):
            send(handler, 200, json.dumps(document).encode())
        else:
            realm = f"http://{handler.headers['host']}/token"
            send(handler, 401, www_authenticate=f'Bearer realm="{realm}"')

    with answering(answer) as (host, asked):
        with pytest.raises(FetchError, match="lets nobody read acme/shop") as caught:
            asked_of(host)
        assert "x: y" not in str(caught.value)
    assert [login for path, login in asked if path == "/v2/x"] == [None, None]


def test_the_next_host_learns_nothing() -> None:
    """A redirect takes no login along, and its challenge is not answered."""

    def other(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 401, www_authenticate='Basic realm="x"')

    with answering(other) as (elsewhere, told):

        def answer(handler: BaseHTTPRequestHandler) -> None:
            if handler.headers.get("authorization") is None:
                send(handler, 401, www_authenticate='Basic realm="x"')
            else:
                send(handler, 307, location=f"http://{elsewhere}/blob")

        with (
            answering(answer) as (host, asked),
            pytest.raises(FetchError, match="lets nobody read"),
        ):
            asked_of(host)
    assert [login is None for _, login in asked] == [True, False]
    assert told == [("/blob", None)]


@pytest.mark.parametrize(
    ("challenge", "kind"),
    [
        pytest.param('Bearer realm="{}",service="here"', "Bearer", id="one"),
        pytest.param('Bearer realm="{}",service="here", Basic realm="Here"', "Bearer", id="both"),
        pytest.param('Basic realm="Here", Bearer realm="{}",service="here"', "Bearer", id="turned"),
        pytest.param('bearer Realm="{}" , service=here', "Bearer", id="plain parameter"),
        pytest.param('Bearer realm="{}",service="\\here"', "Bearer", id="escape"),
        pytest.param('Basic realm="a, Bearer b"', "Basic", id="a scheme in a text"),
        pytest.param('Bearer realm="elsewhere", Basic realm="Here"', "Basic", id="no place"),
        pytest.param("Basic", "Basic", id="no realm"),
        pytest.param("Negotiate abc==", None, id="another scheme"),
    ],
)
def test_challenges(challenge: str, kind: str | None) -> None:
    """A registry may offer several schemes; one that gives tokens is preferred (OCI-25)."""
    with running_registry() as registry:
        registry.users = {"me": "s3cret"}
        credentials = Credentials("me", "s3cret")
        endpoint = RegistryEndpoint(host=registry.host, plain=True, credentials=credentials)
        with OciSession(endpoint, "acme/shop") as session:
            given = session.authorization_for(
                challenge.replace("{}", f"http://{registry.host}/token")
            )
    assert given == {None: None, "Basic": credentials.basic, "Bearer": "Bearer a-token"}[kind]


@pytest.mark.parametrize("host", ["[", "a:99999999", "\x00"])
def test_places_that_are_none(host: str) -> None:
    """Of an upload and of the next page, one error says what the registry named."""
    with running_registry() as registry:
        registry.upload_host = host
        registry.packages["acme/shop"] = {}
        registry.headers = {"link": f"<http://{host}/>; rel=next"}
        blob = Blob(media_type="x", digest=digest_of(b"x"), size=1)
        endpoint = RegistryEndpoint(host=registry.host, plain=True)
        with OciRepository(endpoint, "acme/shop") as repository:
            for asked in (repository.tags, lambda: repository.upload(blob, lambda: [b"x"])):
                with pytest.raises(FetchError, match="localhost"):
                    asked()


@pytest.mark.parametrize("host", ["[x", "a:99999999", "a\x00", "a" * 70_000])
def test_hosts_that_are_none(host: str) -> None:
    """What another registry calls the host of a package may be any text."""
    with pytest.raises(FetchError) as caught:
        asked_of(host)
    assert len(str(caught.value)) < 500


def test_uploads_go_nowhere_without_tls(tmp_path: Path) -> None:
    """Where the registry is asked with it."""
    certificate = make_certificate(tmp_path)
    with running_registry(certificate) as registry:
        registry.upload_host = "localhost:1"
        endpoint = RegistryEndpoint(host=registry.host, roots=(certificate.roots.read_text(),))
        blob = Blob(media_type="x", digest=digest_of(b"x"), size=1)
        with (
            OciRepository(endpoint, "acme/shop") as repository,
            pytest.raises(FetchError, match="leads to a place without TLS"),
        ):
            repository.upload(blob, lambda: [b"x"])
