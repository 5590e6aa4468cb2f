"""Observed responses: what goes back to a client, counted for an observer.

In: a request with its ``Observer``, and the ``ResponseWriter`` of its client. Out: a writer that
passes all on, and tells the observer when the response is out, broken off, or nobody waits for it
any more.
"""

import time
from collections.abc import Sequence

from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.http.gateway import RequestHead
from edgezero_spin.host.http.request_handler import Responder, ResponseWriter
from edgezero_spin.host.observers import (
    ObservedRequest,
    RequestObserver,
    RequestOutcome,
)

__all__ = ["CLIENT_LEFT", "ObservedResponse", "observed_request"]

CLIENT_LEFT = 499
"""Status of a request whose client left before it was answered, as web servers log it."""


def observed_request(
    head: RequestHead, application: str, component_id: str | None, route: str | None
) -> ObservedRequest:
    """Return what an observer is told of a request.

    Args:
        head: What is asked.
        application: Name of the application.
        component_id: What answers; ``None`` for the host itself.
        route: The route that matched.
    """
    # What ``ObservedRequest(...)`` does; that is a call more, of a function in Python.
    fields = head.method, head.path, head.query, head.scheme, head.headers, head.client
    return tuple.__new__(ObservedRequest, (*fields, application, component_id, route))


class ObservedResponse:
    """The way back to a client and what tells of it, both passed on."""

    __slots__ = (
        "_began",
        "_observer",
        "_over",
        "_responder",
        "_size",
        "_status",
        "_writer",
        "ready",
    )

    def __init__(self, observer: RequestObserver, writer: ResponseWriter) -> None:
        """Begin with a request.

        Args:
            observer: What follows it.
            writer: Where the response goes.
        """
        self._observer = observer
        self._began = time.perf_counter()
        self._writer = writer
        self.ready = writer.ready
        self._status = 0
        self._size = 0
        self._over = False
        self._responder: Responder | None = None

    def responder(self, responder: Responder | None) -> Responder | None:
        """Return what tells the host of the client in place of this."""
        if responder is None:
            return None
        if not self._over:
            self._responder = responder
        return self

    # ResponseWriter

    def send(self, status: int, headers: Sequence[Pair], body: bytes) -> None:
        """Send a whole response."""
        self._status = status
        self._size = len(body)
        self._writer.send(status, headers, body)
        self._end()

    def start(self, status: int, headers: Sequence[Pair]) -> None:
        """Send the head of a response."""
        self._status = status
        self._writer.start(status, headers)

    def write(self, data: bytes, *, last: bool, trailers: list[Pair] | None = None) -> None:
        """Send a piece of the body."""
        self._size += len(data)
        self._writer.write(data, last=last, trailers=trailers)
        if last:
            self._end()

    def abort(self, reason: str) -> None:
        """Break the response off."""
        self._status = self._status or 500
        self._writer.abort(reason)
        self._end(reason)

    # Responder

    def resume(self) -> None:
        """Go on: the client has caught up with reading."""
        if self._responder is not None:
            self._responder.resume()

    def abandon(self) -> None:
        """Stop: nobody waits for the response any more."""
        self._status = self._status or CLIENT_LEFT
        if self._responder is not None:
            self._responder.abandon()
        self._end("the client left")

    def _end(self, aborted: str | None = None) -> None:
        if not self._over:
            self._over = True
            # Each of both has the other.
            self._responder = None
            seconds = time.perf_counter() - self._began
            observer = self._observer
            observer.ended(
                RequestOutcome(self._status, self._size, seconds, aborted, observer.trace_id)
            )
