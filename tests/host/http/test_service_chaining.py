"""Requests from a guest to its own application: without a socket, and through the listener."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from edgezero_spin.host import Host, HostSettings, HttpRequest
from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.execution.guest import GuestComponent
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.factors.outbound_http import client as http_client
from edgezero_spin.host.factors.outbound_http.client import HttpClient
from edgezero_spin.host.factors.outbound_http.interface import Destination, OutboundHosts
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.outbound import FutureIncomingResponse, OutgoingRequest
from edgezero_spin.host.http.service_chaining import OutboundSender
from edgezero_spin.host.http.trigger import HttpEntry
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.runtime.interface import Err, Ok, WitError
from tests.host.support import Capture, HostLog, call, instance_state, script_host
from tests.host.wire import serving

HTTP = "wasi:http/types "


@pytest.fixture
def host(shared_engine: Engine) -> Iterator[Host]:
    """A host whose one component can only be called from within."""
    triggers = (HttpEntry(id="private", route=None, component="script"),)
    logs = Logs(None, echo_to=Capture())
    with script_host(shared_engine, *triggers, logs=logs) as made:
        yield made


def caller(host: Host, *entries: str) -> InstanceState:
    """The state of an instance that may send to these destinations."""
    outbound = OutboundHosts(entries, component_ids=["script"], sender=host._sender)
    return instance_state(outbound=outbound)


def request_to(authority: str | None, path: str) -> OutgoingRequest:
    """A plain request."""
    request = OutgoingRequest(Fields([("x-mine", b"1")]))
    request.method = ("post", None)
    request.scheme = ("HTTP", None)
    request.authority = authority
    request.path = path
    return request


def answer(state: InstanceState, request: OutgoingRequest, body: bytes | None = None) -> Any:
    """Send, write the body, wait as a guest does; return the response or the error code."""
    out = None if body is None else call(state, HTTP + "[method]outgoing-request.body", request)
    future = call(state, "wasi:http/outgoing-handler handle", request, None)
    if body is not None:
        stream = call(state, HTTP + "[method]outgoing-body.write", out)
        write = "wasi:io/streams [method]output-stream.blocking-write-and-flush"
        for start in range(0, len(body), 4096):
            call(state, write, stream, body[start : start + 4096])
        stream.drop(state)
        call(state, HTTP + "[static]outgoing-body.finish", out, None)
    pollable = call(state, HTTP + "[method]future-incoming-response.subscribe", future)
    call(state, "wasi:io/poll [method]pollable.block", pollable)
    return call(state, HTTP + "[method]future-incoming-response.get", future).value.value


def content(state: InstanceState, response: Any) -> bytes | object:
    """Read a body to its end, or return the error that it ends with."""
    body = call(state, HTTP + "[method]incoming-response.consume", response)
    stream = call(state, HTTP + "[method]incoming-body.stream", body)
    parts: list[bytes] = []
    while True:
        try:
            part = call(state, "wasi:io/streams [method]input-stream.blocking-read", stream, 65536)
        except WitError as error:
            return b"".join(parts) if error.payload == ("closed", None) else error.payload[0]
        parts.append(bytes(part))


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        pytest.param("/h", 200, b"hello", id="answer"),
        pytest.param("/q", 200, b"hello", id="late body"),
        pytest.param("/t", 500, b"", id="trap"),  # CHAIN-12
        pytest.param("/r", 500, b"", id="mute"),
        pytest.param("/T", 200, "last-operation-failed", id="late trap"),
    ],
)
def test_a_component_is_called_without_a_socket(
    host: Host, path: str, status: int, body: object
) -> None:
    """A private component answers its siblings as it would a client (CHAIN-4, CHAIN-7)."""
    state = caller(host, "http://script.spin.internal")
    response = answer(state, request_to("script.spin.internal", path))
    assert (response.status, content(state, response)) == (status, body)


@pytest.mark.parametrize("path", ["/h", "/c", "/n", "/t", "/r"])
@pytest.mark.parametrize("size", [0, 1, 5_000_000])
@pytest.mark.parametrize("length", [False, True])
def test_a_body_that_the_component_does_not_read_is_written_all_the_same(
    host: Host, path: str, size: int, length: bool
) -> None:
    """Also after the answer is there, however the race goes; wrong lengths stay wrong."""
    # CHAIN-4, CHAIN-12
    state = caller(host, "http://script.spin.internal")
    request = request_to("script.spin.internal", path)
    if length:
        request.headers.entries.append(("content-length", b"%d" % size))
    body = call(state, HTTP + "[method]outgoing-request.body", request)
    future = call(state, "wasi:http/outgoing-handler handle", request, None)
    pollable = call(state, HTTP + "[method]future-incoming-response.subscribe", future)
    call(state, "wasi:io/poll [method]pollable.block", pollable)
    stream = call(state, HTTP + "[method]outgoing-body.write", body)
    write = "wasi:io/streams [method]output-stream.blocking-write-and-flush"
    for start in range(0, size, 4096):
        call(state, write, stream, bytes(min(4096, size - start)))
    stream.drop(state)
    call(state, HTTP + "[static]outgoing-body.finish", body, None)
    response = call(state, HTTP + "[method]future-incoming-response.get", future).value.value
    assert response.status in (200, 201, 500)


def test_a_request_to_nobody_is_refused_in_its_answer(host: Host) -> None:
    """Its body is written as if somebody read it; the code comes with the answer."""
    state = caller(host, "http://*.spin.internal", "http://nobody.spin.internal")
    request = request_to("nobody.spin.internal", "/")
    assert answer(state, request, bytes(100_000)) == ("destination-not-found", None)


def test_a_private_component_is_not_found_from_outside(host: Host) -> None:
    """Whatever the path, its own name included (ROUTE-9)."""

    async def statuses() -> list[int]:
        targets = ("/", "/h", "/private", "/script")
        return [(await host.handle(HttpRequest(target=target))).status for target in targets]

    assert asyncio.run(statuses()) == [404] * 4
    assert host.routes == ()


def test_headers_that_are_no_text_are_the_callers_fault(host: Host) -> None:
    """A component hears of them what a client would (HDR-14, CHAIN-12)."""
    state = caller(host, "http://*.spin.internal")
    request = request_to("script.spin.internal", "/h")
    request.headers.entries.append(("x-odd", b"\xff"))
    response = answer(state, request)
    assert (response.status, content(state, response)) == (500, b"")


def test_bodies_pass_between_components(host: Host) -> None:
    """What one guest writes another reads and sends back, method and all (CONF-40)."""
    state = caller(host, "http://*.spin.internal")
    written = bytes(range(256)) * 3000
    out = request_to("script.spin.internal:80", "/E")
    response = answer(state, out, b"small")
    assert content(state, response) == b"small"
    response = answer(state, request_to("script.spin.internal", "/E"), written)
    assert content(state, response) == written


def test_what_a_called_component_sees(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its headers are those of a call from within (CHAIN-9, CHAIN-10)."""
    seen: list[Exchange] = []
    start = host._runner.start

    def spy(component: GuestComponent, exchange: Exchange, *rest: Any, **options: Any) -> None:
        seen.append(exchange)
        start(component, exchange, *rest, **options)

    monkeypatch.setattr(host._runner, "start", spy)
    state = caller(host, "http://script.spin.internal")
    answer(state, request_to("script.spin.internal", "/h/x?y=1"))
    [exchange] = seen
    assert (exchange.method, exchange.target) == ("POST", "/h/x?y=1")
    assert (exchange.scheme, exchange.authority) == ("HTTP", "script.spin.internal")
    assert exchange.headers == [
        ("x-mine", b"1"),
        ("spin-path-info", b"/h/x"),
        ("spin-full-url", b"http://localhost/h/x?y=1"),
        ("spin-matched-route", b"/..."),
        ("spin-base-path", b"/"),
        ("spin-raw-component-route", b"/..."),
        ("spin-component-route", b""),
        ("spin-client-addr", b"0.0.0.0:0"),
    ]


@pytest.mark.parametrize(
    ("entries", "authority", "code"),
    [
        # RESP-12, as our host rule has it.
        (["http://*:*"], "nobody.spin.internal", "destination-not-found"),
        (["http://other.spin.internal"], "script.spin.internal", "HTTP-request-denied"),
        # OUTH-5
        (["http://self"], None, "HTTP-request-URI-invalid"),
        (["http://self"], "self.alt", "HTTP-request-URI-invalid"),
    ],
)
def test_calls_that_reach_nobody(
    host: Host, entries: list[str], authority: str | None, code: str
) -> None:
    """An unknown component, a missing grant and a missing listener have their codes."""
    assert answer(caller(host, *entries), request_to(authority, "/h")) == (code, None)


def test_a_full_host_still_serves_calls_from_within(shared_engine: Engine) -> None:
    """A guest that waits for a sibling does not wait for its own place."""
    settings = HostSettings(cache_dir=None, max_instances=1, max_queued=0)
    with script_host(shared_engine, settings=settings) as host:
        host._pool._running = 1
        try:
            state = caller(host, "http://script.spin.internal")
            assert answer(state, request_to("script.spin.internal", "/h")).status == 200
        finally:
            host._pool._running -= 1


def test_requests_to_itself_leave_a_place_for_their_answers(shared_engine: Engine) -> None:
    """The instance that would be the last to wait is refused; else none would be answered."""

    def ask(host: Host) -> list[Any]:
        first, second = (caller(host, "http://self") for _ in range(2))
        endless = call(first, "wasi:http/outgoing-handler handle", request_to(None, "/s"), None)
        refused = answer(second, request_to(None, "/h"))
        another = answer(first, request_to(None, "/c"))
        endless.drop(first)
        return [refused, another.status, answer(second, request_to(None, "/c")).status]

    async def run(host: Host) -> list[Any]:
        async with serving(host):
            return await asyncio.to_thread(ask, host)

    settings = HostSettings(cache_dir=None, max_instances=2)
    with HostLog() as log, script_host(shared_engine, settings=settings) as host:
        assert asyncio.run(run(host)) == [("connection-limit-reached", None), 201, 201]
    assert b"allow more instances" in log.content


def test_guests_that_send_at_once_share_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one would be nobody's to close, with its thread and its connections."""
    made: list[HttpClient] = []
    both = threading.Barrier(2)

    class Slow(HttpClient):
        def __init__(self, rules: NetworkRules | None = None) -> None:
            with suppress(threading.BrokenBarrierError):
                both.wait(0.1)
            super().__init__(rules)
            made.append(self)

    monkeypatch.setattr(http_client, "HttpClient", Slow)
    sender = OutboundSender()
    nowhere = Destination("http", "nowhere.invalid", "nowhere.invalid")

    def send() -> None:
        request = request_to("nowhere.invalid", "/")
        sender.send(nowhere, request, None, FutureIncomingResponse(instance_state()))

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sender.close()
    assert len(made) == 1


def test_a_closed_sender_refuses() -> None:
    """Also when nobody sent anything before."""
    sender = OutboundSender()
    sender.close()
    future = FutureIncomingResponse(instance_state())
    sender.send(Destination("http", "h", "h"), request_to("h", "/"), None, future)
    assert future.get() == Ok(Err(("connection-terminated", None)))


@pytest.mark.parametrize("authority", [None, "self.alt:1"])
def test_a_request_to_itself_goes_through_the_listener(
    shared_engine: Engine, authority: str | None
) -> None:
    """It is routed like any other request (CHAIN-1)."""

    async def run(host: Host) -> tuple[int, object]:
        async with serving(host):
            state = caller(host, "http://self")

            def ask() -> tuple[int, object]:
                response = answer(state, request_to(authority, "/c"))
                assert not isinstance(response, Err)
                return response.status, content(state, response)

            return await asyncio.to_thread(ask)

    with script_host(shared_engine) as host:
        assert asyncio.run(run(host)) == (201, b"hello")
