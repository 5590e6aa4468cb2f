"""Which connection a request goes out on."""

import contextlib
import itertools
import random
import socket
import threading
from typing import Any

import pytest

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_http import connections
from edgezero_spin.host.factors.outbound_http.client import HttpClient
from edgezero_spin.host.factors.outbound_networking.blocked import parse_blocked
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules
from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots
from edgezero_spin.host.factors.wasi.http.outbound import IncomingResponse, RequestOptions
from edgezero_spin.host.runtime.interface import WitError
from tests.host.factors.outbound_http.asking import (
    Peer,
    Talk,
    Upload,
    content,
    request_of,
    send,
    settled,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def get(client: HttpClient, state: InstanceState, peer: Peer) -> bytes:
    """Ask and read to the end."""
    return content(state, settled(state, send(client, state, peer.port, request_of())))


def hurried(connect_timeout_s: float) -> RequestOptions:
    """Options of a guest that does not wait long for a connection."""
    options = RequestOptions()
    options.connect_timeout = int(connect_timeout_s * 1e9)
    return options


def one(talk: Talk) -> None:
    """Answer one request and hang up."""
    talk.until("\r\n\r\n")
    talk.say(OK)


def many(talk: Talk) -> None:
    """Answer one request after the other."""
    for count in itertools.count(1):
        while talk.received.count(b"\r\n\r\n") < count:
            data = talk.connection.recv(65536)
            if not data:
                return
            talk.received += data
        talk.say(OK)


def test_a_connection_serves_one_request_after_the_other(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """What was read to its end leaves the connection for the next."""
    peer.serve(many)
    assert [get(client, state, peer) for _ in range(3)] == [b"ok"] * 3
    assert len(peer.talks) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), id="said so"),
        pytest.param(OK.replace(b"1.1", b"1.0"), id="HTTP/1.0"),
        # What came too much would be the answer to the next request.
        pytest.param(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfake", id="too much"),
    ],
)
def test_a_connection_that_cannot_be_trusted_serves_once(
    client: HttpClient, state: InstanceState, peer: Peer, answer: bytes
) -> None:
    """The next request gets a connection of its own."""

    def first(talk: Talk) -> None:
        talk.until("\r\n\r\n")
        talk.say(answer)
        talk.drain()

    peer.serve(first, one)
    assert [get(client, state, peer) for _ in range(2)] == [b"ok"] * 2
    assert len(peer.talks) == 2


def test_a_connection_that_the_server_closed_is_replaced(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """A request does not fail because a server had enough of waiting."""
    peer.serve(one, one, one)
    assert [get(client, state, peer) for _ in range(3)] == [b"ok"] * 3


def hang_up_on_the_second(talk: Talk) -> None:
    """Answer one request, and close when another is there."""
    talk.until("\r\n\r\n")
    talk.say(OK)
    talk.received = b""
    talk.until("\r\n\r\n")


def test_a_request_that_meets_a_closing_server_is_repeated(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """Nothing was heard and twice is as good as once (RFC 9110, 9.2.2)."""
    peer.serve(hang_up_on_the_second, one)
    assert [get(client, state, peer) for _ in range(2)] == [b"ok"] * 2


def test_a_request_that_may_have_had_an_effect_is_not_repeated(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """A POST may have been served before the connection ended."""
    peer.serve(hang_up_on_the_second, one)
    assert get(client, state, peer) == b"ok"
    request = request_of("post")
    Upload(state, request).finish()
    assert settled(state, send(client, state, peer.port, request)) == ("HTTP-protocol-error", None)
    assert len(peer.talks) == 1


def test_a_request_waits_for_a_connection_to_be_free(state: InstanceState, peer: Peer) -> None:
    """With one connection the second exchange begins when the first has ended."""
    client = HttpClient(NetworkRules(http_slots=ConnectionSlots(1)))
    peer.serve(many)
    try:
        request = request_of("post", **{"content-length": "1"})
        body = Upload(state, request)
        first = send(client, state, peer.port, request)
        assert peer.met.wait(10)
        second = send(client, state, peer.port, request_of())
        assert not second.ready()
        body.write(b"x")
        body.finish()
        assert content(state, settled(state, first)) == b"ok"
        assert content(state, settled(state, second)) == b"ok"
    finally:
        client.close()


@pytest.mark.parametrize("most", [0, 1])
def test_no_connection_within_the_time_is_the_limit_reached(
    state: InstanceState, peer: Peer, most: int
) -> None:
    """The wait counts as connecting; with none at all there is none (OUTH-10, NET-40)."""
    slots = ConnectionSlots(most)
    assert slots.claim() is bool(most)
    client = HttpClient(NetworkRules(http_slots=slots))
    try:
        future = send(client, state, peer.port, request_of(), hurried(0.05))
        assert settled(state, future) == ("connection-limit-reached", None)
    finally:
        client.close()


def test_an_idle_connection_gives_way_to_another_place(state: InstanceState, peer: Peer) -> None:
    """A slot that only waits for use does not hold back who needs one."""
    slots = ConnectionSlots(1)
    client = HttpClient(NetworkRules(http_slots=slots))
    other = Peer()
    peer.serve(many)
    other.serve(many)
    try:
        assert get(client, state, peer) == b"ok"
        assert get(client, state, other) == b"ok"
    finally:
        client.close()
        other.close()
    assert slots.claim()


def test_a_connection_that_nobody_uses_is_closed(
    state: InstanceState, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for a while, and then its place is free without anybody asking for it."""
    monkeypatch.setattr(connections, "IDLE_S", 0.05)
    slots = ConnectionSlots(1)
    freed = threading.Event()
    client = HttpClient(NetworkRules(http_slots=slots))
    peer.answer("\r\n\r\n", OK)
    with slots.waiter(freed.set):
        assert content(state, settled(state, send(client, state, peer.port, request_of()))) == b"ok"
        assert peer.left.wait(10)
        assert freed.wait(10)
    assert slots.claim()
    client.close()


def test_a_server_that_does_not_accept_is_a_connect_timeout(
    client: HttpClient, state: InstanceState
) -> None:
    """A full queue of connections leaves the next one without an answer (OUTH-7)."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(3):
            made = socket.socket()
            made.setblocking(False)
            made.connect_ex(("127.0.0.1", port))
            waiting.append(made)
        future = send(client, state, port, request_of(), hurried(0.1))
        assert settled(state, future) == ("connection-timeout", None)
        for made in waiting:
            made.close()


def test_a_name_with_several_addresses_finds_the_one_that_answers(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """`localhost` may stand for an address where nobody listens."""
    peer.serve(one)
    future = send(client, state, peer.port, request_of(), host="localhost")
    assert content(state, settled(state, future)) == b"ok"


def test_names_that_are_slow_to_find_hold_up_no_others(
    client: HttpClient, state: InstanceState, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their lookups block threads, of which there are enough."""
    found = threading.Event()
    lookup = socket.getaddrinfo

    def slow(host: str, *rest: Any, **more: Any) -> Any:
        if host == "slow.example":
            found.wait(10)
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return lookup(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    stuck = [send(client, state, 1, request_of(), host="slow.example") for _ in range(40)]
    peer.serve(one)
    quick = send(client, state, peer.port, request_of(), host="localhost")
    assert content(state, settled(state, quick)) == b"ok"
    assert not any(future.ready() for future in stuck)
    found.set()
    assert {settled(state, future)[0] for future in stuck} == {"DNS-error"}


def client_without(*networks: str) -> HttpClient:
    """A client that must not reach these networks."""
    return HttpClient(NetworkRules(blocked=parse_blocked(networks)))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f000001", "127.1"])
def test_a_blocked_address_is_not_connected_to(state: InstanceState, peer: Peer, host: str) -> None:
    """However it is written; the peer hears nothing (OUTH-10, NET-41)."""
    client = client_without("127.0.0.0/8", "::1/128")
    future = send(client, state, peer.port, request_of(), host=host)
    assert settled(state, future) == ("destination-IP-prohibited", None)
    client.close()


def test_what_was_checked_is_what_is_connected_to(
    state: InstanceState, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers something else the second time is not asked again."""
    lookups: list[str] = []

    def getaddrinfo(host: str, port: int, *rest: object, **more: object) -> list[object]:
        lookups.append(host)
        addresses = ("127.0.0.2", "127.0.0.1") if len(lookups) == 1 else ("127.0.0.2",)
        stream = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*stream, (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    client = client_without("127.0.0.2/32")
    peer.serve(one)
    future = send(client, state, peer.port, request_of(), host="rebinding.example")
    assert content(state, settled(state, future)) == b"ok"
    future = send(client, state, peer.port, request_of(), host="rebinding.example")
    assert settled(state, future) == ("destination-IP-prohibited", None)
    assert lookups == ["rebinding.example"] * 2
    client.close()


def test_connections_are_not_kept_where_the_operator_says_so(
    state: InstanceState, peer: Peer
) -> None:
    """Each request has its own (NET-40)."""
    client = HttpClient(NetworkRules(pooling=False))
    peer.serve(one, one)
    assert [get(client, state, peer) for _ in range(2)] == [b"ok"] * 2
    assert len(peer.talks) == 2
    client.close()


def test_the_total_counts_for_http_too(state: InstanceState, peer: Peer) -> None:
    """A request waits for what another kind of connection holds (NET-41)."""
    total = ConnectionSlots(1)
    redis = ConnectionSlots(None, total)
    client = HttpClient(NetworkRules(http_slots=ConnectionSlots(None, total)))
    peer.serve(one)
    assert redis.claim()
    future = send(client, state, peer.port, request_of())
    assert settled(state, send(client, state, peer.port, request_of(), hurried(0.02))) == (
        "connection-limit-reached",
        None,
    )
    assert not future.ready()
    redis.release()
    assert content(state, settled(state, future)) == b"ok"
    client.close()


def test_no_slot_is_lost_however_exchanges_end(state: InstanceState, peer: Peer) -> None:
    """Dropped futures, answers and bodies, and servers that hang up: all slots come back."""
    slots = ConnectionSlots(3)
    client = HttpClient(NetworkRules(http_slots=slots))
    chance = random.Random(20)

    def moody(talk: Talk) -> None:
        talk.connection.settimeout(0.2)
        with contextlib.suppress(OSError, AssertionError):
            while chance.random() < 0.8:
                talk.received = b""
                talk.until("\r\n\r\n")
                mood = chance.random()
                if mood < 0.5:
                    talk.say(OK)
                elif mood < 0.7:
                    talk.say(OK[:-1])
                    return
                elif mood < 0.8:
                    talk.say(b"nonsense\r\n\r\n")

    for _ in range(4):
        peer.serve(*[moody] * 40)
    for _ in range(120):
        request = request_of("post" if chance.random() < 0.5 else "get")
        body = Upload(state, request) if request.method[0] == "post" else None
        options = hurried(0.2)
        options.first_byte_timeout = options.between_bytes_timeout = 50_000_000
        future = send(client, state, peer.port, request, options)
        step = chance.random()
        if step < 0.2:
            future.drop(state)
        if body is not None:
            (body.drop if chance.random() < 0.3 else body.finish)()
        if step >= 0.2:
            answer = settled(state, future)
            if isinstance(answer, IncomingResponse):
                with contextlib.suppress(WitError, AssertionError):
                    if chance.random() < 0.5:
                        content(state, answer)
                answer.drop(state)
    client.close()
    assert [slots.claim() for _ in range(4)] == [True, True, True, False]
