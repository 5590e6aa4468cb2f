"""Responses to clients, for what a guest answered or failed to answer.

In: an exchange or the head that a guest set. Out: status and headers as they go out, whatever
server sends them.

Source: contract spin-host.md, RESP-1 to RESP-6; RFC 9110.
"""

import logging

from edgezero_spin.host.exchange.call import FailureKind
from edgezero_spin.host.exchange.exchange import Exchange, ResponseHead
from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.http.gateway import CompleteResponse

__all__ = ["OVERLOADED", "SERVER_ERROR", "answer_for", "is_bodiless", "wire_head"]

logger = logging.getLogger("edgezero_spin.host")

SERVER_ERROR = CompleteResponse(500)
OVERLOADED = CompleteResponse(503)

LOWEST_FINAL_STATUS = 200
HIGHEST_STATUS = 999
BODILESS = (204, 304)

_NO_BYTES = ("content-length", b"0")


def answer_for(exchange: Exchange) -> CompleteResponse:
    """What the client gets when a guest gave no answer (RESP-4 to RESP-6)."""
    failure = exchange.failure
    busy = failure is not None and failure.kind is FailureKind.BUSY
    return OVERLOADED if busy else SERVER_ERROR


def is_bodiless(method: str, status: int) -> bool:
    """Whether a response has no body on the wire, whatever its guest wrote (RFC 9110)."""
    return method == "HEAD" or status in BODILESS


def wire_head(head: ResponseHead, method: str) -> tuple[int, list[Pair]] | None:
    """Status and headers as they go out, or ``None`` when they cannot (RESP-1, RESP-2).

    Args:
        head: What the guest set.
        method: Of the request; a HEAD response may state the length of a body it lacks.
    """
    status = head.status
    if not LOWEST_FINAL_STATUS <= status <= HIGHEST_STATUS:
        logger.error("a response with the status %d cannot be sent", status)
        return None
    headers = head.headers
    lengths = [value for name, value in headers if name == "content-length"]
    if status in BODILESS:
        return status, _without_length(headers) if lengths else headers
    empty = head.body is None and method != "HEAD"
    if not lengths:
        return status, [*headers, _NO_BYTES] if empty else headers
    length = b"0" if empty else lengths[0]
    if not empty and (not length.isdigit() or len(set(lengths)) > 1):
        logger.error("a response has a content-length that is not a number")
        return None
    if len(lengths) > 1 or length != lengths[0]:
        # At the place of the first.
        place = [name for name, _ in headers].index("content-length")
        headers = _without_length(headers)
        headers.insert(place, ("content-length", length))
    return status, headers


def _without_length(headers: list[Pair]) -> list[Pair]:
    return [pair for pair in headers if pair[0] != "content-length"]
