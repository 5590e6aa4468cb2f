"""Whether a request has a body, and how its length is said.

In: a request as the guest made it. Out: its headers and its body as they go out.

A body of unknown length of a GET, HEAD or CONNECT is none: chunks behind such a head are what
some servers refuse and others take for the next request. A method whose content has a meaning
says ``content-length: 0`` when there is none.

Source: RFC 9110, 8.6 and 9.3.1; RFC 9112, 6; hyper does the same, and so does Spin with it.
"""

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.factors.wasi.http import SentRequest

__all__ = ["framed"]

# Content of these has no meaning that HTTP defines.
_SILENT = frozenset({"GET", "HEAD", "DELETE", "CONNECT"})
# And these hardly ever have any.
_BODILESS = frozenset({"GET", "HEAD", "CONNECT"})


def framed(method: str, request: SentRequest) -> tuple[list[Pair], ByteChannel | None]:
    """Return headers and body as they go out.

    A body that does not go out is closed, so that whoever writes it is told.
    """
    headers = request.headers.entries
    body = None if request.body is None else request.body.channel
    if any(name == "content-length" for name, _ in headers):
        return headers, body
    if body is not None and method in _BODILESS:
        body.close()
        body = None
    if body is None and method not in _SILENT:
        headers = [*headers, ("content-length", b"0")]
    return headers, body
