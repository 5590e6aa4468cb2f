"""Bodies in one piece, for guests that take a request whole and answer in one go.

Source: contract spin-host.md, WAGI-3, RESP-11.
"""

import logging

from edgezero_spin.host.errors import GuestTrapped
from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.exchange import Exchange, ResponseHead
from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.factors.instance import InstanceState

__all__ = ["read_request", "respond"]

logger = logging.getLogger("edgezero_spin.host")


def read_request(
    state: InstanceState, exchange: Exchange, most_bytes: int, component_id: str
) -> bytes | None:
    """Wait for the whole body of a request. Called on a guest's thread.

    Args:
        state: Whose deadline holds.
        most_bytes: How long it may be; one that is longer is answered with 413.
        component_id: Whose it is, for the log.

    Returns:
        The body, ``None`` when it is too long.

    Raises:
        GuestTrapped: The client left before the end, or the time is up.
    """
    channel = exchange.body
    if channel is None:
        return b""
    channel.on_data = state.wake
    content = bytearray()
    while True:
        ended = channel.ended
        content += channel.take_all()
        if len(content) > most_bytes:
            logger.warning(
                "%s: a request body of more than %d bytes was refused", component_id, most_bytes
            )
            respond(exchange, 413, [], b"")
            return None
        if ended:
            if channel.failure is not None:
                raise GuestTrapped("the request broke off before its end")
            return bytes(content)
        state.wait(channel.readable)


def respond(exchange: Exchange, status: int, headers: list[Pair], content: bytes) -> None:
    """Answer with a body that is there already, and its length.

    Args:
        headers: Names in lower case, without a length.
        content: All bytes of the body.
    """
    if exchange.method == "HEAD" and not content:
        # What a GET request would have got has a length, but not this one (RFC 9110, 8.6).
        exchange.respond(ResponseHead(status, headers, None))
        return
    body = ByteChannel()
    body.put(content)
    body.end()
    length = ("content-length", str(len(content)).encode())
    exchange.respond(ResponseHead(status, [*headers, length], body))
