"""Requests, responses and bodies as a guest handles them."""

from typing import Any

import pytest

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.exchange.call import Failure, FailureKind
from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.exchange import ANNOUNCE_AT, Exchange
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.inbound import IncomingRequest, ResponseOutparam
from edgezero_spin.host.factors.wasi.http.outbound import (
    FutureIncomingResponse,
    IncomingResponse,
    OutgoingRequest,
)
from edgezero_spin.host.runtime.interface import Err, Ok
from tests.host.support import call, error_of, instance_state

HTTP = "wasi:http/types "


@pytest.fixture
def state() -> InstanceState:
    """The state of an instance."""
    return instance_state()


def new(state: InstanceState, resource: str, *arguments: object) -> Any:
    """Call a constructor."""
    return call(state, f"{HTTP}[constructor]{resource}", *arguments)


def on(state: InstanceState, method: str, *arguments: object) -> Any:
    """Call a method: ``on(state, "fields.get", fields, "a")``."""
    return call(state, f"{HTTP}[method]{method}", *arguments)


def refused(state: InstanceState, method: str, *arguments: object) -> Any:
    """The err case of a method."""
    return error_of(state, f"{HTTP}[method]{method}", *arguments)


@pytest.mark.parametrize(
    ("method", "variant"),
    [
        ("GET", ("get", None)),
        ("PATCH", ("patch", None)),
        ("CONNECT", ("connect", None)),
        ("PURGE", ("other", "PURGE")),
        ("get", ("other", "get")),
    ],
)
def test_a_request_is_seen_as_it_was_sent(
    state: InstanceState, method: str, variant: tuple[str, str | None]
) -> None:
    """Method, target, authority and headers come through; the scheme is HTTP (HTTP-1)."""
    exchange = Exchange(method, "/a%20b?x=/y", [("a", b"\xff")], authority="example.com")
    request = IncomingRequest(exchange)
    assert on(state, "incoming-request.method", request) == variant
    assert on(state, "incoming-request.path-with-query", request) == "/a%20b?x=/y"
    assert on(state, "incoming-request.scheme", request) == ("HTTP", None)
    assert on(state, "incoming-request.authority", request) == "example.com"
    headers = on(state, "incoming-request.headers", request)
    assert headers.entries == [("a", b"\xff")]
    assert headers.immutable


def test_bodies_and_streams_are_taken_once(state: InstanceState) -> None:
    """The second call of each is refused (HTTP-2)."""
    request = IncomingRequest(Exchange("GET", "/", []))
    body = on(state, "incoming-request.consume", request)
    assert refused(state, "incoming-request.consume", request) is None
    on(state, "incoming-body.stream", body)
    assert refused(state, "incoming-body.stream", body) is None
    response = new(state, "outgoing-response", Fields())
    out = on(state, "outgoing-response.body", response)
    assert refused(state, "outgoing-response.body", response) is None
    on(state, "outgoing-body.write", out)
    assert refused(state, "outgoing-body.write", out) is None


def test_a_request_without_a_body_is_at_its_end(state: InstanceState) -> None:
    """Its stream is closed and its trailers are known to be none."""
    request = IncomingRequest(Exchange("GET", "/", []))
    body = on(state, "incoming-request.consume", request)
    stream = on(state, "incoming-body.stream", body)
    read = "wasi:io/streams [method]input-stream.blocking-read"
    assert error_of(state, read, stream, 10) == ("closed", None)
    stream.drop(state)
    trailers = call(state, HTTP + "[static]incoming-body.finish", body)
    assert on(state, "future-trailers.get", trailers) == Ok(Ok(None))
    assert on(state, "future-trailers.get", trailers) == Err(None)


def test_trailers_come_with_the_end(state: InstanceState) -> None:
    """They are pending until the body ended, also when nobody read it (HTTP-19)."""
    channel = ByteChannel()
    channel.put(b"unread")
    request = IncomingRequest(Exchange("POST", "/", [], body=channel))
    body = on(state, "incoming-request.consume", request)
    future = call(state, HTTP + "[static]incoming-body.finish", body)
    pollable = on(state, "future-trailers.subscribe", future)
    assert on(state, "future-trailers.get", future) is None
    assert not pollable.ready()
    channel.end([("t", b"1")])
    assert pollable.ready()
    answer = on(state, "future-trailers.get", future)
    assert answer.value.value.entries == [("t", b"1")]


def test_trailers_of_a_broken_body_are_its_error(state: InstanceState) -> None:
    """A client that left before the end is told apart from one without trailers."""
    channel = ByteChannel()
    request = IncomingRequest(Exchange("POST", "/", [], body=channel))
    future = call(
        state,
        HTTP + "[static]incoming-body.finish",
        on(state, "incoming-request.consume", request),
    )
    channel.fail(("connection-terminated", None))
    answer = on(state, "future-trailers.get", future)
    assert answer == Ok(Err(("connection-terminated", None)))


@pytest.mark.parametrize("direction", ["incoming", "outgoing"])
def test_a_body_is_not_finished_under_its_stream(state: InstanceState, direction: str) -> None:
    """Finishing while the stream lives traps; after the drop it does not (HTTP-16)."""
    if direction == "incoming":
        body = on(state, "incoming-request.consume", IncomingRequest(Exchange("GET", "/", [])))
        stream = on(state, "incoming-body.stream", body)
        arguments: tuple[object, ...] = (body,)
    else:
        body = on(state, "outgoing-response.body", new(state, "outgoing-response", Fields()))
        stream = on(state, "outgoing-body.write", body)
        arguments = (body, None)
    with pytest.raises(Trap, match="while its stream is alive"):
        call(state, f"{HTTP}[static]{direction}-body.finish", *arguments)
    stream.drop(state)
    call(state, f"{HTTP}[static]{direction}-body.finish", *arguments)


def test_headers_of_a_response_cannot_change_any_more(state: InstanceState) -> None:
    """The handle that made a response is immutable from then on (HTTP-10)."""
    headers = Fields([("a", b"1")])
    response = new(state, "outgoing-response", headers)
    assert on(state, "outgoing-response.status-code", response) == 200
    assert refused(state, "fields.append", headers, "b", b"2") == ("immutable", None)
    assert on(state, "outgoing-response.headers", response).entries == [("a", b"1")]


@pytest.mark.parametrize(("status", "valid"), [(100, True), (599, True), (999, True), (99, False)])
def test_a_status_has_three_digits(state: InstanceState, status: int, valid: bool) -> None:
    """Other numbers are refused and change nothing (HTTP-11)."""
    response = new(state, "outgoing-response", Fields())
    if valid:
        on(state, "outgoing-response.set-status-code", response, status)
    else:
        assert refused(state, "outgoing-response.set-status-code", response, status) is None
    assert response.status == (status if valid else 200)


@pytest.mark.parametrize(
    ("values", "valid"),
    [
        ([b"5"], True),
        ([b"5", b"5"], True),
        ([b"5", b"6"], False),
        ([b"-1"], False),
        ([b"5 "], False),
        ([b""], False),
        ([b"9" * 30], False),
    ],
)
def test_a_content_length_is_a_number(
    state: InstanceState, values: list[bytes], valid: bool
) -> None:
    """A body cannot be opened under a length that is none (HTTP-12)."""
    headers = Fields([("content-length", value) for value in values])
    response = new(state, "outgoing-response", headers)
    if valid:
        assert on(state, "outgoing-response.body", response).length == 5
    else:
        assert refused(state, "outgoing-response.body", response) is None


def sized_body(state: InstanceState, length: int) -> Any:
    """A response body under a content-length."""
    headers = Fields([("content-length", str(length).encode())])
    return on(state, "outgoing-response.body", new(state, "outgoing-response", headers))


def test_a_body_longer_than_promised_is_refused(state: InstanceState) -> None:
    """The write that goes over fails with the bytes attempted in total (HTTP-13)."""
    body = sized_body(state, 5)
    stream = on(state, "outgoing-body.write", body)
    write = "wasi:io/streams [method]output-stream.write"
    call(state, write, stream, b"abc")
    case, error = error_of(state, write, stream, b"defg")
    code = ("HTTP-response-body-size", 7)
    assert (case, call(state, HTTP + "http-error-code", error)) == ("last-operation-failed", code)
    stream.drop(state)
    assert error_of(state, HTTP + "[static]outgoing-body.finish", body, None) == code
    # The client gets what it was promised.
    assert (body.channel.ended, body.channel.failure) == (True, None)
    assert body.channel.take_all() == b"abcde"


def test_a_body_shorter_than_promised_is_aborted(state: InstanceState) -> None:
    """Finish fails with the actual total, and the peer sees no clean end (HTTP-14)."""
    body = sized_body(state, 5)
    stream = on(state, "outgoing-body.write", body)
    call(state, "wasi:io/streams [method]output-stream.write", stream, b"abc")
    stream.drop(state)
    finish = HTTP + "[static]outgoing-body.finish"
    assert error_of(state, finish, body, None) == ("HTTP-response-body-size", 3)
    assert body.channel.ended
    assert body.channel.failure is not None


def test_a_dropped_body_is_aborted_and_a_finished_one_is_not(state: InstanceState) -> None:
    """Only finish makes a body whole (HTTP-14); its trailers travel with the end (HTTP-18)."""
    finished, dropped = (
        on(state, "outgoing-response.body", new(state, "outgoing-response", Fields()))
        for _ in range(2)
    )
    call(state, HTTP + "[static]outgoing-body.finish", finished, Fields([("t", b"1")]))
    finished.drop(state)
    dropped.drop(state)
    assert (finished.channel.failure, finished.channel.trailers) == (None, [("t", b"1")])
    assert dropped.channel.failure is not None


def test_a_small_response_is_announced_once(state: InstanceState) -> None:
    """Head, bytes and end of a small response wake the server one time."""
    exchange = Exchange("GET", "/", [])
    announced: list[bool] = []
    exchange.announce = lambda: announced.append(exchange.response is not None)
    response = new(state, "outgoing-response", Fields())
    body = on(state, "outgoing-response.body", response)
    call(state, HTTP + "[static]response-outparam.set", ResponseOutparam(exchange), Ok(response))
    stream = on(state, "outgoing-body.write", body)
    call(state, "wasi:io/streams [method]output-stream.blocking-write-and-flush", stream, b"hi")
    assert announced == []
    stream.drop(state)
    call(state, HTTP + "[static]outgoing-body.finish", body, None)
    exchange.finish(Failure(FailureKind.UNFINISHED, "done"))
    assert announced == [True]


def test_a_large_response_is_announced_before_its_end(state: InstanceState) -> None:
    """Bytes past a threshold do not wait for the end."""
    exchange = Exchange("GET", "/", [])
    announced: list[int] = []
    exchange.announce = lambda: announced.append(1)
    response = new(state, "outgoing-response", Fields())
    body = on(state, "outgoing-response.body", response)
    stream = on(state, "outgoing-body.write", body)
    call(state, HTTP + "[static]response-outparam.set", ResponseOutparam(exchange), Ok(response))
    call(state, "wasi:io/streams [method]output-stream.write", stream, b"x" * ANNOUNCE_AT)
    assert announced == [1]


def test_a_client_that_left_before_the_answer_closes_its_body(state: InstanceState) -> None:
    """The guest learns at its first write that nobody reads (LIFE-8)."""
    exchange = Exchange("GET", "/", [], body=ByteChannel())
    exchange.abandon()
    response = new(state, "outgoing-response", Fields())
    body = on(state, "outgoing-response.body", response)
    stream = on(state, "outgoing-body.write", body)
    call(state, HTTP + "[static]response-outparam.set", ResponseOutparam(exchange), Ok(response))
    check = "wasi:io/streams [method]output-stream.check-write"
    assert error_of(state, check, stream) == ("closed", None)
    assert exchange.body is not None
    assert exchange.body.failure == ("connection-terminated", None)


def test_an_error_code_is_a_refusal(state: InstanceState) -> None:
    """What the guest sets instead of a response is kept for the log (RESP-5)."""
    exchange = Exchange("GET", "/", [])
    code = ("internal-error", "broken")
    call(state, HTTP + "[static]response-outparam.set", ResponseOutparam(exchange), Err(code))
    assert exchange.failure == Failure(
        FailureKind.NO_RESPONSE, "guest failed to produce a response: internal-error(broken)"
    )


def test_send_informational_traps(state: InstanceState) -> None:
    """As in the reference (HTTP-21)."""
    outparam = ResponseOutparam(Exchange("GET", "/", []))
    with pytest.raises(Trap):
        on(state, "response-outparam.send-informational", outparam, 103, Fields())


@pytest.mark.parametrize(
    ("setter", "good", "bad"),
    [
        ("set-method", [("get", None), ("other", "GET")], [("other", "a b"), ("other", "")]),
        (
            "set-scheme",
            [None, ("HTTP", None), ("other", ""), ("other", "1a"), ("other", "ftp")],
            [("other", "a b"), ("other", "a:"), ("other", "a" * 65)],
        ),
        (
            "set-authority",
            [None, "example.com", "example.com:80", "[::1]:8080", "u:p@h"],
            ["", "a b", "a/b", "a:b", "[::1", "%41"],
        ),
        (
            "set-path-with-query",
            [None, "", "/", "/a?b=c", "*", "?x", "/ä"],
            ["/a b", "/a\r\nHost: x", "a", "*a", "http://elsewhere/", "elsewhere:80"],
        ),
    ],
)
def test_parts_of_an_outgoing_request_are_checked(
    state: InstanceState, setter: str, good: list[object], bad: list[object]
) -> None:
    """What cannot stand in a request is refused and changes nothing (HTTP-11)."""
    request = new(state, "outgoing-request", Fields())
    getter = f"outgoing-request.{setter.removeprefix('set-')}"
    for value in good:
        on(state, f"outgoing-request.{setter}", request, value)
        assert on(state, getter, request) == value
    for value in bad:
        assert refused(state, f"outgoing-request.{setter}", request, value) is None
        assert on(state, getter, request) == good[-1]


def test_a_fragment_is_never_sent(state: InstanceState) -> None:
    """It is accepted as a part of the path and left away (HTTP-11)."""
    request = new(state, "outgoing-request", Fields())
    on(state, "outgoing-request.set-path-with-query", request, "/a?b#c")
    assert on(state, "outgoing-request.path-with-query", request) == "/a?b"


def test_an_outgoing_request_starts_empty(state: InstanceState) -> None:
    """Defaults are GET and nothing else (HTTP-10)."""
    request = new(state, "outgoing-request", Fields([("a", b"1")]))
    assert on(state, "outgoing-request.method", request) == ("get", None)
    for part in ("scheme", "authority", "path-with-query"):
        assert on(state, f"outgoing-request.{part}", request) is None
    assert on(state, "outgoing-request.headers", request).immutable


def test_options_hold_times(state: InstanceState) -> None:
    """Each timeout is kept by itself."""
    options = new(state, "request-options")
    names = ("connect-timeout", "first-byte-timeout", "between-bytes-timeout")
    for number, name in enumerate(names):
        assert on(state, f"request-options.{name}", options) is None
        on(state, f"request-options.set-{name}", options, number)
    assert [on(state, f"request-options.{name}", options) for name in names] == [0, 1, 2]


def test_a_future_response_is_taken_once(state: InstanceState) -> None:
    """Pending, then the answer, then an error (OUTH-16)."""
    future = FutureIncomingResponse(state)
    get = "future-incoming-response.get"
    pollable = on(state, "future-incoming-response.subscribe", future)
    assert (on(state, get, future), pollable.ready()) == (None, False)
    response = IncomingResponse(204, [("a", b"1")], None)
    future.resolve(response)
    assert pollable.ready()
    assert on(state, get, future) == Ok(Ok(response))
    assert on(state, get, future) == Err(None)
    assert on(state, "incoming-response.status", response) == 204
    assert on(state, "incoming-response.headers", response).entries == [("a", b"1")]


def test_a_future_that_is_dropped_gives_up(state: InstanceState) -> None:
    """Nobody will read the answer, so its exchange is told."""
    told: list[str] = []
    future = FutureIncomingResponse(state)
    future.abandon = lambda: told.append("abandoned")
    future.drop(state)
    assert told == ["abandoned"]


@pytest.mark.parametrize(
    ("parts", "outcome"),
    [
        pytest.param({"scheme": ("other", "ftp")}, "HTTP-protocol-error", id="OUTH-1"),
        pytest.param({"path": None, "authority": "a"}, "HTTP-protocol-error", id="no path"),
        pytest.param({"authority": "a:99999"}, "HTTP-request-URI-invalid", id="port"),
    ],
)
def test_requests_that_make_no_sense_fail_at_once(
    state: InstanceState, parts: dict[str, Any], outcome: str
) -> None:
    """What cannot be a URL that anybody reaches is refused by ``handle`` itself."""
    request = OutgoingRequest(Fields())
    request.path = "/"
    for name, value in parts.items():
        setattr(request, name, value)
    handle = "wasi:http/outgoing-handler handle"
    assert error_of(state, handle, request, None) == (outcome, None)
