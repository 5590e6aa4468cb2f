"""https, with certificates of the tests' own."""

import ssl
from pathlib import Path

import pytest
import trustme

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_http.client import HttpClient
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules, read_network_rules
from edgezero_spin.host.runtime.interface import WitError
from edgezero_spin.manifest.runtime_config import load_runtime_config
from tests.host.factors.outbound_http.asking import (
    Peer,
    Talk,
    Upload,
    content,
    read,
    request_of,
    send,
    settled,
    stream_of,
)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Signs the certificates."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system trusts the authority (OUTH-18)."""
    file = tmp_path / "roots.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


def server_of(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """What a server shows whose certificate is for ``name``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def echo(talk: Talk) -> None:
    """Send back what comes in, at once."""
    talk.until("\r\n\r\n")
    talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n")
    talk.say(talk.received.partition(b"\r\n\r\n")[2])
    while data := talk.connection.recv(65536):
        talk.say(data)


@pytest.mark.usefixtures("trusted")
def test_megabytes_go_both_ways_at_once(
    client: HttpClient, state: InstanceState, authority: trustme.CA
) -> None:
    """TLS holds neither direction back."""
    peer = Peer(server_of(authority, "localhost"))
    peer.serve(echo)
    request = request_of("post", **{"content-length": "2000000"})
    body = Upload(state, request)
    future = send(client, state, peer.port, request, host="localhost", scheme="https")
    stream = stream_of(state, settled(state, future))
    came = 0
    for _ in range(500):
        body.write(bytes(4000))
        came += len(read(state, stream, 2000))
    body.finish()
    while came < 2_000_000:
        came += len(read(state, stream))
    peer.close()


@pytest.mark.usefixtures("trusted")
def test_a_connection_is_kept(
    client: HttpClient, state: InstanceState, authority: trustme.CA
) -> None:
    """Session tickets, which a server sends when it likes, do not make it stale."""
    peer = Peer(server_of(authority, "127.0.0.1"))
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    peer.answer("GET /1 ", answer, "GET /2 ", answer)
    for path in ("/1", "/2"):
        future = send(client, state, peer.port, request_of("get", path), scheme="https")
        assert content(state, settled(state, future)) == b"ok"
    assert len(peer.talks) == 1
    peer.close()


@pytest.mark.parametrize("name", ["localhost", "other.example"])
def test_who_is_not_trusted_gets_nothing(
    client: HttpClient,
    state: InstanceState,
    authority: trustme.CA,
    request: pytest.FixtureRequest,
    name: str,
) -> None:
    """An unknown authority or another's name is a failure of TLS (OUTH-10)."""
    if name != "localhost":
        request.getfixturevalue("trusted")
    peer = Peer(server_of(authority, name))
    peer.serve(lambda talk: talk.drain())
    future = send(client, state, peer.port, request_of(), host="localhost", scheme="https")
    assert settled(state, future) == ("TLS-protocol-error", None)
    assert peer.received == b""
    peer.close()


def test_what_is_no_tls_is_a_tls_error(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """A server that speaks in the clear on this port (OUTH-10)."""
    peer.serve(lambda talk: talk.say(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    future = send(client, state, peer.port, request_of(), scheme="https")
    assert settled(state, future) == ("TLS-protocol-error", None)


@pytest.mark.usefixtures("trusted")
def test_an_end_without_goodbye_is_no_end(
    client: HttpClient, state: InstanceState, authority: trustme.CA
) -> None:
    """A body that only the connection's end delimits could have been cut short (RFC 9112, 9.8)."""

    def cut(talk: Talk) -> None:
        talk.until("\r\n\r\n")
        talk.say(b"HTTP/1.1 200 OK\r\n\r\nhalf")

    peer = Peer(server_of(authority, "localhost"))
    peer.serve(cut)
    future = send(client, state, peer.port, request_of(), host="localhost", scheme="https")
    stream = stream_of(state, settled(state, future))
    with pytest.raises(WitError) as caught:
        while True:
            read(state, stream)
    assert caught.value.payload[0] == "last-operation-failed"
    peer.close()


def rules_for(component: str, authority: trustme.CA, folder: Path, more: str = "") -> NetworkRules:
    """Rules that let one component trust the authority at `localhost`."""
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    mine = authority.issue_cert("client.example")
    mine.cert_chain_pems[0].write_to_path(str(folder / "mine.pem"))
    mine.private_key_pem.write_to_path(str(folder / "mine.key"))
    path = folder / "runtime-config.toml"
    path.write_text(
        f'[[client_tls]]\ncomponent_ids = ["{component}"]\nhosts = ["localhost"]\n'
        f'ca_roots_file = "ca.pem"\n{more}'
    )
    return read_network_rules(load_runtime_config(path))


@pytest.mark.parametrize(
    ("component", "host", "outcome"),
    [
        # The sending instance is of the component `test`.
        pytest.param("test", "localhost", b"ok", id="as configured"),
        pytest.param("other", "localhost", ("TLS-protocol-error", None), id="another component"),
        pytest.param("test", "127.0.0.1", ("TLS-protocol-error", None), id="another host"),
    ],
)
def test_roots_of_a_component_and_a_host(
    state: InstanceState,
    authority: trustme.CA,
    tmp_path: Path,
    component: str,
    host: str,
    outcome: object,
) -> None:
    """What one component trusts at one host is no other's business (NET-44)."""
    client = HttpClient(rules_for(component, authority, tmp_path))
    peer = Peer(server_of(authority, host))
    peer.answer("\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    answer = settled(state, send(client, state, peer.port, request_of(), host=host, scheme="https"))
    assert (answer if isinstance(answer, tuple) else content(state, answer)) == outcome
    client.close()
    peer.close()


@pytest.mark.parametrize("shown", [True, False])
def test_a_certificate_of_ours(
    state: InstanceState, authority: trustme.CA, tmp_path: Path, shown: bool
) -> None:
    """A server that wants to know its client sees the configured name (NET-44)."""
    files = 'client_cert_file = "mine.pem"\nclient_private_key_file = "mine.key"'
    client = HttpClient(rules_for("test", authority, tmp_path, files if shown else ""))
    context = server_of(authority, "localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    peer = Peer(context)
    names: list[object] = []

    def tell(talk: Talk) -> None:
        names.append(talk.connection.getpeercert()["subjectAltName"])  # type: ignore[attr-defined]
        talk.until("\r\n\r\n")
        talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    peer.serve(tell)
    answer = settled(
        state, send(client, state, peer.port, request_of(), host="localhost", scheme="https")
    )
    if shown:
        assert content(state, answer) == b"ok"
        assert names == [(("DNS", "client.example"),)]
    else:
        assert answer == ("TLS-protocol-error", None)
        assert names == []
    client.close()
    peer.close()
