"""Outbound requests against a real server, and the failures that a guest has to tell apart."""

import socket

import pytest

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_http.client import HttpClient
from edgezero_spin.host.factors.wasi.http.outbound import RequestOptions
from edgezero_spin.host.runtime.interface import WitError
from tests.host.factors.outbound_http.asking import Peer, Upload, content, request_of, send, settled
from tests.host.support import call


def test_a_request_goes_out_as_the_guest_made_it(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """Nothing but Host is added, and the target is not rewritten (OUTH-15, OUTH-17)."""
    peer.answer(
        "\r\n\r\n", b"HTTP/1.1 204 No Content\r\nX-A: 1\r\nX-A: 2\r\nConnection: close\r\n\r\n"
    )
    future = send(client, state, peer.port, request_of("get", "/a%20b/../c?x=%2f", **{"x-b": "3"}))
    response = settled(state, future)
    assert (response.status, response.headers) == (204, [("x-a", b"1"), ("x-a", b"2")])
    assert content(state, response) == b""
    assert peer.received == (
        f"GET /a%20b/../c?x=%2f HTTP/1.1\r\nHost: 127.0.0.1:{peer.port}\r\nx-b: 3\r\n\r\n".encode()
    )


@pytest.mark.parametrize(
    ("path", "target"),
    [("/ä?b=ü%2f", "/%C3%A4?b=%C3%BC%2f"), ("?x", "/?x"), ("*", "*"), (None, "/")],
)
def test_a_path_is_sent_as_it_can_be(
    client: HttpClient, state: InstanceState, peer: Peer, path: str | None, target: str
) -> None:
    """What a guest may set reaches the server, in ASCII and behind a slash (HTTP-11)."""
    peer.answer("\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n")
    assert settled(state, send(client, state, peer.port, request_of("get", path))).status == 204
    assert peer.received.startswith(f"GET {target} HTTP/1.1\r\n".encode())


def test_redirects_and_compression_are_the_guests_business(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """A redirect and an encoded body arrive as they were sent (OUTH-17)."""
    peer.answer(
        "\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Encoding: gzip\r\n"
        b"Content-Length: 4\r\n\r\n\x1f\x8b\x00\x01",
    )
    response = settled(state, send(client, state, peer.port, request_of()))
    assert response.status == 302
    assert content(state, response) == b"\x1f\x8b\x00\x01"


@pytest.mark.parametrize(
    ("headers", "framing", "sent"),
    [
        ({}, "transfer-encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
        ({"content-length": "5"}, "content-length: 5", b"hello"),
    ],
)
def test_a_body_is_streamed_out(
    client: HttpClient,
    state: InstanceState,
    peer: Peer,
    headers: dict[str, str],
    framing: str,
    sent: bytes,
) -> None:
    """The head leaves before the body is written; framing follows the guest's length."""
    peer.answer("\r\n\r\n", "hello", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    request = request_of("post", "/", **headers)
    body = Upload(state, request)
    future = send(client, state, peer.port, request)
    body.write(b"hello")
    body.finish()
    assert content(state, settled(state, future)) == b"ok"
    head, _, rest = peer.received.partition(b"\r\n\r\n")
    assert framing in head.decode().lower()
    assert sent.startswith(rest)


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize(
    ("method", "untaken", "taken_framing"),
    [
        ("get", b"", b""),
        ("head", b"", b""),
        ("connect", b"", b""),
        ("delete", b"", b"transfer-encoding: chunked\r\n"),
        ("post", b"content-length: 0\r\n", b"transfer-encoding: chunked\r\n"),
        ("put", b"content-length: 0\r\n", b"transfer-encoding: chunked\r\n"),
        ("patch", b"content-length: 0\r\n", b"transfer-encoding: chunked\r\n"),
        ("options", b"", b"transfer-encoding: chunked\r\n"),
        ("brew", b"", b"transfer-encoding: chunked\r\n"),
    ],
)
def test_without_a_body_there_is_no_framing(
    client: HttpClient,
    state: InstanceState,
    peer: Peer,
    method: str,
    untaken: bytes,
    taken_framing: bytes,
    taken: bool,
) -> None:
    """No chunk behind a GET, HEAD or CONNECT, which a server could take for a request."""
    # RFC 9110, 8.6
    peer.answer("\r\n\r\n", b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    request = request_of(method, "/")
    body = Upload(state, request) if taken else None
    future = send(client, state, peer.port, request)
    if body is not None:
        body.finish()
    assert settled(state, future).status == 204
    framing = taken_framing if taken else untaken
    head, _, rest = peer.received.lower().partition(b"\r\n\r\n")
    host = b"\r\nhost: 127.0.0.1:%d\r\n" % peer.port
    assert (head + b"\r\n").endswith(host + framing)
    assert rest in ((b"", b"0\r\n\r\n") if b"chunked" in framing else (b"",))


def test_what_is_written_behind_a_get_goes_nowhere(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """As under Spin; the guest that writes it does not fail, whatever comes first."""
    peer.answer("\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n")
    request = request_of("get", "/")
    body = Upload(state, request)
    future = send(client, state, peer.port, request)
    response = settled(state, future)
    for _ in range(20):
        body.write(b"x" * 4096)
    body.finish()
    assert response.status == 204
    assert peer.received.endswith(b"\r\n\r\n")


def test_a_get_may_have_a_body_of_a_known_length(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """The guest's content-length is what says so."""
    peer.answer("\r\n\r\n", "hello", b"HTTP/1.1 204 No Content\r\n\r\n")
    request = request_of("get", "/", **{"content-length": "5"})
    body = Upload(state, request)
    future = send(client, state, peer.port, request)
    body.write(b"hello")
    body.finish()
    assert settled(state, future).status == 204
    assert peer.received.endswith(b"content-length: 5\r\n\r\nhello")


def test_a_large_body_comes_in_with_back_pressure(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """Megabytes arrive whole through a channel that holds one."""
    size = 8_000_000
    peer.answer(
        "\r\n\r\n", f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode(), bytes(size)
    )
    response = settled(state, send(client, state, peer.port, request_of()))
    channel = response.channel
    assert len(content(state, response)) == size
    assert channel.limit < size


def test_a_body_that_breaks_off_is_no_end(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """A response shorter than its length is a failure of the stream (HTTP-20)."""
    peer.answer("\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    response = settled(state, send(client, state, peer.port, request_of()))
    body = call(state, "wasi:http/types [method]incoming-response.consume", response)
    stream = call(state, "wasi:http/types [method]incoming-body.stream", body)
    read = "wasi:io/streams [method]input-stream.blocking-read"
    assert bytes(call(state, read, stream, 3)) == b"abc"
    peer.close()
    client.close()
    with pytest.raises(WitError) as caught:
        call(state, read, stream, 100)
    assert caught.value.payload[0] == "last-operation-failed"


def test_a_guest_that_drops_its_future_ends_the_exchange(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """The connection is closed when nobody waits for the answer."""
    peer.answer("\r\n\r\n")
    future = send(client, state, peer.port, request_of())
    assert peer.asked.wait(10)
    future.drop(state)
    assert peer.left.wait(10)


def free_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_nobody_there_is_connection_refused(
    client: HttpClient, state: InstanceState, host: str
) -> None:
    """A closed port has its own code (OUTH-7)."""
    assert settled(state, send(client, state, free_port(), request_of(), host=host)) == (
        "connection-refused",
        None,
    )


def test_an_unknown_name_is_a_dns_error(client: HttpClient, state: InstanceState) -> None:
    """A name without an address has its own code (OUTH-6)."""
    future = send(client, state, 80, request_of(), host="no-such-host.invalid")
    assert settled(state, future) == (
        "DNS-error",
        {"rcode": "address not available", "info-code": 0},
    )


def test_what_is_no_http_is_a_protocol_error(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """Garbage instead of a response has its own code (OUTH-10)."""
    peer.answer("\r\n\r\n", b"\0\1\2 garbage\r\n\r\n")
    assert settled(state, send(client, state, peer.port, request_of())) == (
        "HTTP-protocol-error",
        None,
    )


def test_a_silent_server_is_a_read_timeout(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """The guest's own first-byte timeout counts (OUTH-7, OUTH-14)."""
    peer.answer("\r\n\r\n")
    options = RequestOptions()
    options.first_byte_timeout = 30_000_000
    assert settled(state, send(client, state, peer.port, request_of(), options)) == (
        "connection-read-timeout",
        None,
    )


def test_a_closed_client_refuses(state: InstanceState, peer: Peer) -> None:
    """After close a request fails at once."""
    client = HttpClient()
    client.close()
    assert settled(state, send(client, state, peer.port, request_of())) == (
        "connection-terminated",
        None,
    )


def test_close_ends_what_is_under_way(state: InstanceState, peer: Peer) -> None:
    """A waiting guest gets an error instead of waiting for ever."""
    client = HttpClient()
    peer.answer("\r\n\r\n")
    future = send(client, state, peer.port, request_of())
    assert peer.asked.wait(10)
    client.close()
    assert settled(state, future) == ("connection-terminated", None)
