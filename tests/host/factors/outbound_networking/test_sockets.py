"""Connecting: names with several addresses, servers that take their time, certificates."""

import errno
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import certifi
import pytest
import trustme

from edgezero_spin.host.errors import DeadlineExceeded
from edgezero_spin.host.factors.outbound_networking import sockets
from edgezero_spin.host.factors.outbound_networking.sockets import connect

NAME = "localhost"


def reached(port: int, *, tls: bool = False, timeout_s: float = 10, **options: Any) -> bytes:
    """Connect, and return the first bytes that the server sends."""
    usual: dict[str, Any] = {"check": lambda: None, "blocked": lambda address: False}
    with connect(NAME, port, tls=tls, timeout_s=timeout_s, **usual | options) as connected:
        return connected.recv(100)


@contextmanager
def greeter(greeting: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server that greets one client and listens to it until it leaves."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with ExitStack() as open_:
            connection = open_.enter_context(listener.accept()[0])
            try:
                if context is not None:
                    connection = open_.enter_context(
                        context.wrap_socket(connection, server_side=True)
                    )
                connection.sendall(greeting)
                while connection.recv(100):
                    pass
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join()
        listener.close()


@contextmanager
def deaf_server() -> Iterator[int]:
    """The port of a server that accepts nothing: its queue of connections is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as waiting:
        place = listener.getsockname()
        for _ in range(3):
            made = waiting.enter_context(socket.socket())
            made.setblocking(False)
            made.connect_ex(place)
        yield place[1]


def names_lead_to(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """Every name has these ports of this machine for its addresses."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *names, **how: found)


def test_an_address_without_a_route_is_none_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system refuses at once, as IPv6 on a machine without it, costs nothing either."""
    real = socket.socket.connect_ex

    def connect_ex(made: socket.socket, place: Any) -> int:
        return errno.ENETUNREACH if place[0] == "192.0.2.1" else real(made, place)

    monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)
    with greeter(b"hello") as port:
        nowhere, here = (
            (socket.AF_INET, 0, 0, "", (ip, port)) for ip in ("192.0.2.1", "127.0.0.1")
        )
        monkeypatch.setattr(socket, "getaddrinfo", lambda *name, **how: [nowhere, here])
        assert reached(port) == b"hello"
    monkeypatch.setattr(socket, "getaddrinfo", lambda *name, **how: [nowhere])
    with pytest.raises(OSError, match="unreachable"):
        reached(port)


def test_the_first_address_that_answers_is_the_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those before it that refuse, or do not answer, cost their share of the time only."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    with greeter(b"hello") as port, deaf_server() as deaf:
        names_lead_to(monkeypatch, nobody, deaf, port, nobody)
        assert reached(port, timeout_s=0.6) == b"hello"


def test_a_server_that_does_not_accept(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up in time, and at once where the instance has none left (LIFE-7)."""

    def stop() -> None:
        raise DeadlineExceeded("over")

    with deaf_server() as port:
        names_lead_to(monkeypatch, port)
        with pytest.raises(TimeoutError):
            reached(port, timeout_s=0.05)
        with pytest.raises(DeadlineExceeded):
            reached(port, timeout_s=60, check=stop)


def test_a_blocked_address_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was checked is what is connected to (NET-41)."""
    names_lead_to(monkeypatch, 1)
    with pytest.raises(OSError, match="the runtime configuration prohibits its address"):
        reached(1, blocked=lambda address: address == "127.0.0.1")


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Signs certificates that the system trusts."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "roots.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    return made


@pytest.mark.parametrize(("name", "trusted"), [(NAME, True), ("elsewhere.example", False)])
def test_a_server_is_who_it_should_be(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, name: str, trusted: bool
) -> None:
    """Its certificate carries the name that was asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    with greeter(b"hello", context) as port:
        names_lead_to(monkeypatch, port)
        if trusted:
            assert reached(port, tls=True) == b"hello"
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                reached(port, tls=True)


def test_roots_of_mozilla_are_trusted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for outbound HTTP: a system without certificates, as small images are, reaches servers."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(str(tmp_path / "mozilla.pem"))
    authority.issue_cert(NAME).configure_cert(context)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setattr(certifi, "where", lambda: str(tmp_path / "mozilla.pem"))
    with greeter(b"hello", context) as port:
        names_lead_to(monkeypatch, port)
        assert reached(port, tls=True) == b"hello"


@pytest.mark.parametrize(("greeting", "error"), [(b"", TimeoutError), (b"-ERR\r\n", ssl.SSLError)])
def test_a_server_without_tls(
    monkeypatch: pytest.MonkeyPatch, greeting: bytes, error: type[OSError]
) -> None:
    """One that says nothing, and one that says something else, end the attempt as well."""
    monkeypatch.setattr(sockets, "PATIENCE_S", 0.01)
    with greeter(greeting) as port:
        names_lead_to(monkeypatch, port)
        with pytest.raises(error):
            reached(port, tls=True, timeout_s=0.05)
