"""Framing of request bodies: a length, chunks, or no body.

In: a request as the guest made it. Out: its headers and its body as they go out.

A body of unknown length of a GET, HEAD or CONNECT is none: chunks behind such a head are what
some servers refuse and others take for the next request. A method that is expected to have
content says ``content-length: 0`` when it has none; some servers insist on that (411).

Source: RFC 9110, 8.6 and 9.3.1; RFC 9112, 6. hyper, and with it Spin, leaves bodies out in the
same cases, and ``content-length: 0`` in all.
"""

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.factors.wasi.http import SendableRequest

__all__ = ["framed"]

_EXPECTS_CONTENT = frozenset({"POST", "PUT", "PATCH"})
# These hardly ever have any.
_BODILESS = frozenset({"GET", "HEAD", "CONNECT"})


def framed(method: str, request: SendableRequest) -> tuple[list[Pair], ByteChannel | None]:
    """Return headers and body as they go out.

    Whoever writes a body that does not go out is not told, as under Spin.
    """
    headers = request.headers.entries
    body = None if request.body is None else request.body.channel
    if any(name == "content-length" for name, _ in headers):
        return headers, body
    if request.body is not None and method in _BODILESS:
        request.ignore_body()
        body = None
    if body is None and method in _EXPECTS_CONTENT:
        headers = [*headers, ("content-length", b"0")]
    return headers, body
