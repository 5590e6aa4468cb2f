"""The seam between servers and what answers: request handlers, responders, response writers.

In: the head of a request, the channel of its body, and the way back to its client: an HTTP/1.1
connection, an HTTP/2 stream, an ASGI ``send`` or a program that called ``Host.handle``. Out: one
response through that writer, complete, or broken off. Sockets and framing are the writer's
business.
"""

from collections.abc import Sequence
from typing import Protocol

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.http.gateway import RequestHead

__all__ = ["RequestHandler", "Responder", "ResponseWriter"]


class ResponseWriter(Protocol):
    """The way back to one client. All methods are called in the loop that called ``begin``."""

    def ready(self) -> bool:
        """Whether the client keeps up with reading; ``Responder.resume`` follows a ``False``."""

    def send(self, status: int, headers: Sequence[Pair], body: bytes) -> None:
        """Send a whole response; nothing follows."""

    def start(self, status: int, headers: Sequence[Pair]) -> None:
        """Send the head of a response whose body follows piece by piece."""

    def write(self, data: bytes, *, last: bool, trailers: list[Pair] | None = None) -> None:
        """Send a piece of the body; trailers come with the last, where they have a place."""

    def abort(self, reason: str) -> None:
        """Break the response off after ``start``, so that nobody takes it for whole."""


class Responder(Protocol):
    """Works on one response. All methods are called in the loop that called ``begin``."""

    def resume(self) -> None:
        """Go on: the client has caught up with reading."""

    def abandon(self) -> None:
        """Stop: nobody waits for the response any more."""


class RequestHandler(Protocol):
    """What a server serves: a ``Host`` or a ``Switch``.

    Attributes:
        origin: Set to the URL once the socket accepts connections.
    """

    origin: str | None

    def begin(
        self, head: RequestHead, body: ByteChannel | None, writer: ResponseWriter
    ) -> Responder | None:
        """Begin to answer a request; ``None`` when that is done already. Called in a loop."""
