"""The outbound call of Spin 1, against a real server."""

from collections.abc import Iterator
from typing import Any

import pytest

from edgezero_spin.host.compat import spin_1_http as legacy_http
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules
from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots
from edgezero_spin.host.http.service_chaining import OutboundSender
from tests.host.factors.outbound_http.asking import Peer, Talk
from tests.host.support import call, error_of, instance_state

SEND = "fermyon:spin/http send-request"


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A server to talk to."""
    made = Peer()
    yield made
    made.close()


@pytest.fixture
def sender() -> Iterator[OutboundSender]:
    """What sends, closed at the end."""
    made = OutboundSender()
    yield made
    made.close()


def state_of(sender: OutboundSender, *entries: str) -> InstanceState:
    """An instance that may send to these destinations."""
    return instance_state(outbound=OutboundHosts(entries, sender=sender))


def request(uri: str, method: str = "get", body: bytes | None = None, **headers: str) -> Any:
    """The record as a guest gives it."""
    return {
        "method": method,
        "uri": uri,
        "headers": list(headers.items()),
        "params": [],
        "body": body,
    }


def test_request_and_answer_travel_whole(sender: OutboundSender, peer: Peer) -> None:
    """Headers and bodies as they are; the host derives Host and length (OUTH-17, OUTH-20)."""
    peer.answer(
        "hello",
        b"HTTP/1.1 302 Found\r\nLocation: /x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    )
    state = state_of(sender, "http://127.0.0.1:*")
    url = f"http://127.0.0.1:{peer.port}/a?b=c#d"
    answer = call(state, SEND, request(url, "post", b"hello", **{"X-A": "1", "Host": "forged"}))
    assert answer == {"status": 302, "headers": [("location", "/x")], "body": b"abcde"}
    assert (
        peer.received
        == (
            f"POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:{peer.port}\r\nx-a: 1\r\ncontent-length: 5"
            "\r\n\r\nhello"
        ).encode()
    )


def test_a_path_is_for_the_application_itself(sender: OutboundSender, peer: Peer) -> None:
    """It goes to the listener, if the manifest allows it (OUTH-5)."""
    peer.answer("\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n")
    state = state_of(sender, "http://self")
    assert error_of(state, SEND, request("/x")) == "invalid-url"
    sender.origin = f"http://127.0.0.1:{peer.port}"
    assert call(state, SEND, request("/x"))["status"] == 204
    assert peer.received.startswith(b"GET /x HTTP/1.1\r\n")
    assert error_of(state_of(sender), SEND, request("/x")) == "destination-not-allowed"


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("http://elsewhere.example/", "destination-not-allowed"),
        ("example.com", "invalid-url"),
        ("ftp://127.0.0.1/", "invalid-url"),
        ("http://", "invalid-url"),
        ("http://127.0.0.1:{port}/a b", "invalid-url"),
        ("http://127.0.0.1:1/", "runtime-error"),
    ],
)
def test_what_cannot_be_sent(sender: OutboundSender, peer: Peer, uri: str, error: str) -> None:
    """Each fault has the error of its kind (OUTH-20)."""
    state = state_of(sender, "http://127.0.0.1:*")
    assert error_of(state, SEND, request(uri.format(port=peer.port))) == error
    assert peer.talks == []


def test_a_header_that_is_none_is_an_error(sender: OutboundSender, peer: Peer) -> None:
    """Nothing is sent."""
    state = state_of(sender, "http://127.0.0.1:*")
    url = f"http://127.0.0.1:{peer.port}/"
    asked = {**request(url), "headers": [("a b", "c")]}
    assert error_of(state, SEND, asked) == "runtime-error"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", id="broken off"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + bytes(1001), id="large"),
    ],
)
def test_an_answer_that_is_not_whole(
    sender: OutboundSender, peer: Peer, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """Broken off, or more than is held for a guest (OUTH-20)."""
    monkeypatch.setattr(legacy_http, "MAX_ANSWER_BYTES", 1000)

    def play(talk: Talk) -> None:
        talk.until("\r\n\r\n")
        talk.say(answer)

    peer.serve(play)
    state = state_of(sender, "http://127.0.0.1:*")
    assert error_of(state, SEND, request(f"http://127.0.0.1:{peer.port}/")) == "runtime-error"


def test_no_connection_left_is_too_many_requests(peer: Peer) -> None:
    """The operator's limit has its own error (OUTH-20, NET-40)."""
    sender = OutboundSender(NetworkRules(http_slots=ConnectionSlots(0)))
    state = state_of(sender, "http://127.0.0.1:*")
    url = f"http://127.0.0.1:{peer.port}/"
    assert error_of(state, SEND, request(url)) == "too-many-requests"
    sender.close()
