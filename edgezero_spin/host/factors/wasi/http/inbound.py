"""Requests that came in, and the responses that a guest gives them.

They read from and write to an ``Exchange``; nothing here knows of sockets or event loops.

Source: wasi:http@0.2.0 to 0.2.9; clauses HTTP-1, HTTP-2, HTTP-10, HTTP-11, HTTP-21, RESP-2,
RESP-5.
"""

from edgezero_spin.host.exchange.call import Failure, FailureKind
from edgezero_spin.host.exchange.exchange import Exchange, ResponseHead
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.http.bodies import (
    ReceivedMessage,
    SentMessage,
    consume,
    make_body,
)
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.values import error_text, method_variant
from edgezero_spin.host.runtime.interface import Err, HostFunction, Ok, Trap, WitError

__all__ = ["FUNCTIONS", "IncomingRequest", "OutgoingResponse", "ResponseOutparam"]

LOWEST_STATUS = 100
HIGHEST_STATUS = 999


class IncomingRequest(ReceivedMessage):
    """``incoming-request`` (HTTP-1)."""

    __slots__ = ("exchange",)

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange.body)
        self.exchange = exchange


class OutgoingResponse(SentMessage):
    """``outgoing-response`` (HTTP-10)."""

    __slots__ = ("status",)

    size_error = "HTTP-response-body-size"

    def __init__(self, headers: Fields) -> None:
        super().__init__(headers)
        self.status = 200


class ResponseOutparam:
    """``response-outparam``: the one way to answer an exchange."""

    __slots__ = ("exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange


def _set_status(state: InstanceState, response: OutgoingResponse, status: int) -> None:
    if not LOWEST_STATUS <= status <= HIGHEST_STATUS:
        raise WitError(None)
    response.status = status


def _set_response(state: InstanceState, outparam: ResponseOutparam, response: Ok | Err) -> None:
    exchange = outparam.exchange
    if isinstance(response, Err):
        detail = f"guest failed to produce a response: {error_text(response.value)}"
        exchange.refuse(Failure(FailureKind.NO_RESPONSE, detail))
        return
    answer: OutgoingResponse = response.value
    answer.check_childless("response-outparam.set while headers of the response are alive")
    body = None if answer.body is None else answer.body.channel
    exchange.respond(ResponseHead(answer.status, answer.headers.entries, body))


def _send_informational(
    state: InstanceState, outparam: ResponseOutparam, status: int, headers: Fields
) -> None:
    raise Trap("response-outparam.send-informational is not provided (HTTP-21)")


FUNCTIONS: dict[str, HostFunction] = {
    "[method]incoming-request.method": (
        lambda state, request: method_variant(request.exchange.method)
    ),
    "[method]incoming-request.path-with-query": lambda state, request: request.exchange.target,
    "[method]incoming-request.scheme": lambda state, request: (request.exchange.scheme, None),
    "[method]incoming-request.authority": lambda state, request: request.exchange.authority,
    "[method]incoming-request.headers": (
        lambda state, request: Fields(request.exchange.headers, immutable=True, parent=request)
    ),
    "[method]incoming-request.consume": consume,
    "[static]response-outparam.set": _set_response,
    "[method]response-outparam.send-informational": _send_informational,
    "[constructor]outgoing-response": lambda state, headers: OutgoingResponse(headers),
    "[method]outgoing-response.status-code": lambda state, response: response.status,
    "[method]outgoing-response.set-status-code": _set_status,
    "[method]outgoing-response.headers": lambda state, response: response.headers.view(response),
    "[method]outgoing-response.body": make_body,
}
"""Those of requests in and responses out."""
