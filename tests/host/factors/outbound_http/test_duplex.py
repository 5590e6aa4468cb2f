"""Both ways at once: answers that come before, during and after the request's body."""

import threading

import pytest

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_http.client import HttpClient
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules
from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.outbound import RequestOptions
from edgezero_spin.host.runtime.interface import WitError
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
from tests.host.support import call

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_the_answer_arrives_while_the_request_is_written(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """Head and first chunk are there before the guest writes its second (CONF-50)."""
    peer.answer("one", HEAD + b"3\r\nuno\r\n", "two", b"3\r\ndue\r\n0\r\n\r\n")
    request = request_of("post")
    body = Upload(state, request)
    future = send(client, state, peer.port, request)
    body.write(b"one")
    stream = stream_of(state, settled(state, future))
    assert read(state, stream) == b"uno"
    body.write(b"two")
    assert read(state, stream) == b"due"
    body.finish()
    with pytest.raises(WitError, match="closed"):
        read(state, stream)


def test_megabytes_go_both_ways_at_once(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """An echo that never holds more than a little gets through more than the buffers hold."""
    size = 6_000_000

    def echo(talk: Talk) -> None:
        talk.until("\r\n\r\n")
        rest = talk.received.partition(b"\r\n\r\n")[2]
        talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        left = size
        while left:
            talk.say(rest)
            left -= len(rest)
            rest = talk.connection.recv(65536) if left else b""

    peer.serve(echo)
    data = bytes(range(256)) * 16
    request = request_of("post", **{"content-length": str(size)})
    body = Upload(state, request)
    future = send(client, state, peer.port, request)
    stream = stream_of(state, settled(state, future))
    came = b""
    for at in range(0, size, len(data)):
        body.write(data[: size - at])
        # Less is read than was written, so the echo runs ahead of its reader.
        came += read(state, stream, 2048)
    body.finish()
    while len(came) < size:
        came += read(state, stream)
    whole, rest = divmod(size, len(data))
    assert came == data * whole + data[:rest]


def test_a_refusal_arrives_although_the_body_was_not_read(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """A server that answers 413 and hangs up is heard; the guest's stream is closed."""

    def refuse(talk: Talk) -> None:
        talk.until("\r\n\r\n")
        talk.say(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbig!")

    # Closing with bytes unread resets the connection, as a server in a hurry does.
    peer.serve(refuse)
    request = request_of("post")
    body = Upload(state, request)
    future = send(client, state, peer.port, request)
    with pytest.raises(WitError) as caught:
        for _ in range(10_000):
            body.write(bytes(65536))
    assert caught.value.payload == ("closed", None)
    response = settled(state, future)
    assert (response.status, content(state, response)) == (413, b"big!")


def test_the_rest_of_a_request_follows_an_early_answer(state: InstanceState, peer: Peer) -> None:
    """A whole answer on a connection that stays open does not cut the request short."""
    # The second request has to wait for the one connection.
    client = HttpClient(NetworkRules(http_slots=ConnectionSlots(1)))
    early = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok"
    peer.answer("\r\n\r\n", early, "0\r\n\r\nGET /", b"HTTP/1.1 204 No Content\r\n\r\n")
    try:
        request = request_of("post")
        body = Upload(state, request)
        response = settled(state, send(client, state, peer.port, request))
        assert content(state, response) == b"ok"
        body.write(b"the rest")
        body.finish()
        assert settled(state, send(client, state, peer.port, request_of())).status == 204
    finally:
        client.close()
    assert b"8\r\nthe rest\r\n0\r\n\r\nGET" in peer.received


def test_trailers_go_out_behind_chunks(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """The fields of ``finish`` follow the last chunk (HTTP-18)."""
    peer.answer("x-sum: 7\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n")
    request = request_of("post")
    body = Upload(state, request)
    future = send(client, state, peer.port, request)
    body.write(b"data")
    body.finish(Fields([("x-sum", b"7")]))
    assert settled(state, future).status == 204
    assert peer.received.endswith(b"4\r\ndata\r\n0\r\nx-sum: 7\r\n\r\n")


def test_trailers_have_no_place_behind_a_length(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """A body of stated length ends with its last byte."""
    peer.answer("data", b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    request = request_of("post", **{"content-length": "4"})
    body = Upload(state, request)
    future = send(client, state, peer.port, request)
    body.write(b"data")
    body.finish(Fields([("x-sum", b"7")]))
    assert settled(state, future).status == 204
    assert peer.left.wait(10)
    assert peer.received.endswith(b"data")


def test_trailers_of_an_answer_reach_the_guest(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """They come behind the body, without those that a guest may not see (HTTP-19)."""
    peer.answer("\r\n\r\n", HEAD + b"2\r\nhi\r\n0\r\nX-Sum: 7\r\nConnection: x\r\n\r\n")
    response = settled(state, send(client, state, peer.port, request_of()))
    body = call(state, "wasi:http/types [method]incoming-response.consume", response)
    stream = call(state, "wasi:http/types [method]incoming-body.stream", body)
    assert read(state, stream) == b"hi"
    with pytest.raises(WitError, match="closed"):
        read(state, stream)
    stream.drop(state)
    trailers = call(state, "wasi:http/types [static]incoming-body.finish", body)
    assert trailers.get().value.value.entries == [("x-sum", b"7")]


@pytest.mark.parametrize("read_first", [False, True])
def test_a_body_that_is_finished_early_still_has_trailers(
    client: HttpClient, state: InstanceState, peer: Peer, read_first: bool
) -> None:
    """What was not read is thrown away as it comes, to the end and its trailers (HTTP-19)."""
    finished = threading.Event()

    def answer(talk: Talk) -> None:
        talk.until("\r\n\r\n")
        talk.say(HEAD + b"2\r\nhi\r\n")
        assert finished.wait(10)
        # More than waits anywhere for a reader.
        talk.say(b"100000\r\n%b\r\n" % bytes(0x100000) * 8 + b"0\r\nX-Sum: 7\r\n\r\n")

    peer.serve(answer)
    response = settled(state, send(client, state, peer.port, request_of()))
    body = call(state, "wasi:http/types [method]incoming-response.consume", response)
    if read_first:
        stream = call(state, "wasi:http/types [method]incoming-body.stream", body)
        assert read(state, stream, 1) == b"h"
        stream.drop(state)
    trailers = call(state, "wasi:http/types [static]incoming-body.finish", body)
    assert trailers.get() is None
    finished.set()
    pollable = call(state, "wasi:http/types [method]future-trailers.subscribe", trailers)
    call(state, "wasi:io/poll [method]pollable.block", pollable)
    assert trailers.get().value.value.entries == [("x-sum", b"7")]


def test_a_guest_that_drops_the_trailers_ends_the_exchange(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """Nobody waits for the end any more."""
    peer.answer("\r\n\r\n", HEAD + b"2\r\nhi\r\n")
    response = settled(state, send(client, state, peer.port, request_of()))
    body = call(state, "wasi:http/types [method]incoming-response.consume", response)
    trailers = call(state, "wasi:http/types [static]incoming-body.finish", body)
    assert not peer.left.is_set()
    trailers.drop(state)
    assert peer.left.wait(10)


def test_a_body_that_a_guest_drops_is_seen_as_broken(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """The last chunk never comes, and the guest is told (HTTP-14)."""
    peer.answer("part")
    request = request_of("post")
    body = Upload(state, request)
    future = send(client, state, peer.port, request)
    body.write(b"part")
    assert peer.asked.wait(10)
    body.drop()
    assert settled(state, future) == ("connection-terminated", None)
    assert peer.left.wait(10)
    assert b"0\r\n\r\n" not in peer.received


def test_a_guest_that_drops_the_answer_ends_the_exchange(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """A server that has more to say, but not now, is left all the same."""
    peer.answer("\r\n\r\n", HEAD + b"2\r\nhi\r\n")
    response = settled(state, send(client, state, peer.port, request_of()))
    body = call(state, "wasi:http/types [method]incoming-response.consume", response)
    assert not peer.left.is_set()
    body.drop(state)
    assert peer.left.wait(10)


def test_information_is_no_answer(client: HttpClient, state: InstanceState, peer: Peer) -> None:
    """100 and 103 are passed over."""
    peer.answer(
        "\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    )
    response = settled(state, send(client, state, peer.port, request_of()))
    assert (response.status, response.headers) == (200, [("content-length", b"2")])


def test_a_pause_in_the_answer_is_a_read_timeout(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """The guest's between-bytes timeout counts, and its code is in the error (OUTH-7, HTTP-20)."""
    peer.answer("\r\n\r\n", HEAD + b"2\r\nhi\r\n")
    options = RequestOptions()
    options.between_bytes_timeout = 30_000_000
    stream = stream_of(state, settled(state, send(client, state, peer.port, request_of(), options)))
    with pytest.raises(WitError) as caught:
        while True:
            read(state, stream)
    case, error = caught.value.payload
    assert case == "last-operation-failed"
    assert call(state, "wasi:http/types http-error-code", error) == (
        "connection-read-timeout",
        None,
    )


def test_a_body_in_crumbs_arrives_whole(
    client: HttpClient, state: InstanceState, peer: Peer
) -> None:
    """Thousands of chunks of one byte."""
    crumbs = b"".join(b"1\r\n%c\r\n" % (65 + index % 26) for index in range(20_000))
    peer.answer("\r\n\r\n", HEAD + crumbs + b"0\r\n\r\n")
    body = content(state, settled(state, send(client, state, peer.port, request_of())))
    assert len(body) == 20_000
    assert body.startswith(b"ABCDEFGHIJKLMNOPQRSTUVWXYZABC")
