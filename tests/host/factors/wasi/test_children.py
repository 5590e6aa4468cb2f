"""Resources with children: none can be dropped or passed on before them."""

from collections.abc import Callable
from typing import Any

import pytest

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.http.bodies import IncomingBody, OutgoingBody
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.inbound import (
    IncomingRequest,
    OutgoingResponse,
    ResponseOutparam,
)
from edgezero_spin.host.factors.wasi.http.outbound import (
    FutureIncomingResponse,
    IncomingResponse,
    OutgoingRequest,
)
from edgezero_spin.host.runtime.interface import Ok
from tests.host.support import call, instance_state

TYPES = "wasi:http/types "
STREAMS = "wasi:io/streams "

Make = Callable[[InstanceState], Any]


def incoming_body(state: InstanceState) -> IncomingBody:
    """A body that has not come in yet."""
    return IncomingBody(state, ByteChannel())


def outgoing_body(state: InstanceState) -> OutgoingBody:
    """A body of a response."""
    return OutgoingBody(state, None, "HTTP-response-body-size")


def trailers(state: InstanceState) -> Any:
    """The trailers of a body that has not come in yet."""
    return call(state, f"{TYPES}[static]incoming-body.finish", incoming_body(state))


def socket(kind: str) -> Make:
    """A socket of a kind."""
    return lambda state: call(
        state, f"wasi:sockets/{kind}-create-socket create-{kind}-socket", "ipv4"
    )


FAMILIES = [
    pytest.param(
        lambda state: IncomingRequest(Exchange("GET", "/", [])),
        f"{TYPES}[method]incoming-request.headers",
        id="headers of an incoming request",
    ),
    pytest.param(
        lambda state: OutgoingRequest(Fields()),
        f"{TYPES}[method]outgoing-request.headers",
        id="headers of an outgoing request",
    ),
    pytest.param(
        lambda state: IncomingResponse(200, [], None),
        f"{TYPES}[method]incoming-response.headers",
        id="headers of an incoming response",
    ),
    pytest.param(
        lambda state: OutgoingResponse(Fields()),
        f"{TYPES}[method]outgoing-response.headers",
        id="headers of an outgoing response",
    ),
    pytest.param(
        incoming_body, f"{TYPES}[method]incoming-body.stream", id="stream of an incoming body"
    ),
    pytest.param(
        outgoing_body, f"{TYPES}[method]outgoing-body.write", id="stream of an outgoing body"
    ),
    pytest.param(
        lambda state: incoming_body(state).stream(),
        f"{STREAMS}[method]input-stream.subscribe",
        id="pollable of an input stream",
    ),
    pytest.param(
        lambda state: outgoing_body(state).write(),
        f"{STREAMS}[method]output-stream.subscribe",
        id="pollable of an output stream",
    ),
    pytest.param(
        lambda state: call(state, "wasi:cli/stdin get-stdin"),
        f"{STREAMS}[method]input-stream.subscribe",
        id="pollable of stdin",
    ),
    pytest.param(
        lambda state: call(state, "wasi:cli/stdout get-stdout"),
        f"{STREAMS}[method]output-stream.subscribe",
        id="pollable of stdout",
    ),
    pytest.param(
        FutureIncomingResponse,
        f"{TYPES}[method]future-incoming-response.subscribe",
        id="pollable of a future response",
    ),
    pytest.param(
        trailers, f"{TYPES}[method]future-trailers.subscribe", id="pollable of future trailers"
    ),
    pytest.param(
        socket("tcp"), "wasi:sockets/tcp [method]tcp-socket.subscribe", id="pollable of tcp"
    ),
    pytest.param(
        socket("udp"), "wasi:sockets/udp [method]udp-socket.subscribe", id="pollable of udp"
    ),
]


@pytest.mark.parametrize(("make", "function"), FAMILIES)
def test_a_parent_waits_for_its_children(make: Make, function: str) -> None:
    """With a child alive it cannot go; once the child is dropped it can."""  # HTTP-16
    state = instance_state()
    parent = make(state)
    parent.check_childless("drop")
    child = call(state, function, parent)
    with pytest.raises(Trap, match="the resource has children"):
        parent.check_childless("drop")
    child.drop(state)
    parent.check_childless("drop")


SEVERAL = [row for row in FAMILIES if str(row.values[1]).endswith((".subscribe", ".headers"))]


@pytest.mark.parametrize(("make", "function"), SEVERAL)
def test_dropping_one_of_several_pollables_is_not_enough(make: Make, function: str) -> None:
    """Each child counts."""
    state = instance_state()
    parent = make(state)
    first, second = call(state, function, parent), call(state, function, parent)
    first.drop(state)
    with pytest.raises(Trap):
        parent.check_childless("drop")
    second.drop(state)
    parent.check_childless("drop")


def test_a_request_is_not_sent_while_its_headers_are_alive() -> None:
    """Sending consumes it, as dropping it would."""
    state = instance_state()
    request = OutgoingRequest(Fields())
    headers = call(state, f"{TYPES}[method]outgoing-request.headers", request)
    request.path = "/"
    with pytest.raises(Trap, match=r"outgoing-handler\.handle"):
        call(state, "wasi:http/outgoing-handler handle", request, None)
    headers.drop(state)
    call(state, "wasi:http/outgoing-handler handle", request, None)


def test_a_response_is_not_given_while_its_headers_are_alive() -> None:
    """Giving it consumes it, as dropping it would."""
    state = instance_state()
    response = OutgoingResponse(Fields())
    headers = call(state, f"{TYPES}[method]outgoing-response.headers", response)
    outparam = ResponseOutparam(Exchange("GET", "/", []))
    with pytest.raises(Trap, match=r"response-outparam\.set"):
        call(state, f"{TYPES}[static]response-outparam.set", outparam, Ok(response))
    headers.drop(state)
    call(state, f"{TYPES}[static]response-outparam.set", outparam, Ok(response))


def test_headers_that_are_passed_on_are_no_child_any_more() -> None:
    """A proxy may make its response of the very headers that it received."""
    state = instance_state()
    request = IncomingRequest(Exchange("GET", "/", [("a", b"1")]))
    headers = call(state, f"{TYPES}[method]incoming-request.headers", request)
    response = call(state, f"{TYPES}[constructor]outgoing-response", headers)
    request.check_childless("drop")
    assert response.headers.entries == [("a", b"1")]


def test_timers_and_clones_have_no_parent() -> None:
    """They live as long as they like."""
    state = instance_state()
    request = IncomingRequest(Exchange("GET", "/", []))
    headers = call(state, f"{TYPES}[method]incoming-request.headers", request)
    copy = call(state, f"{TYPES}[method]fields.clone", headers)
    headers.drop(state)
    request.check_childless("drop")
    copy.drop(state)
    call(state, "wasi:clocks/monotonic-clock subscribe-duration", 1).drop(state)
