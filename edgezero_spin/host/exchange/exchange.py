"""One request and its response, between the event loop and a guest's thread.

The guest's side (``factors.wasi.http``) reads the request and calls ``respond`` or
``refuse``; the server's side waits for ``changed`` and then looks at ``response`` and its
body. A body travels through a ``ByteChannel``.

Waking an event loop from another thread costs more than most handlers do, so a response
is announced when it is complete, when ``ANNOUNCE_AT`` bytes wait or when the guest goes to
sleep, which makes one wake-up for a small one. What a busy guest leaves unannounced is
picked up by the server's ``LINGER_S`` timer.
"""

from collections.abc import Callable

import attrs

from edgezero_spin.host.exchange.call import Failure, GuestCall
from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.fields import Pair

__all__ = ["ANNOUNCE_AT", "LINGER_S", "Exchange", "ResponseHead"]

ANNOUNCE_AT = 16 * 1024
"""Bytes of a body that wait before the server is told of them."""

LINGER_S = 0.005
"""Seconds that bytes may wait unannounced while the guest computes."""


def _nothing() -> None:
    return None


# Not frozen: one is made at each request, which would take four times as long.
@attrs.define
class ResponseHead:
    """What precedes a response's body.

    Attributes:
        status: 200 to 999.
        headers: Lower-case names and values, in the guest's order.
        body: ``None`` when the guest did not take the body (RESP-2).
    """

    status: int
    headers: list[Pair]
    body: ByteChannel | None


class Exchange(GuestCall):
    """A request on its way through one instance.

    Attributes:
        method: As sent, ``GET``.
        target: Path and query as sent; ``None`` for none.
        scheme: ``HTTP`` or ``HTTPS``, as the guest sees it (HTTP-1).
        authority: The ``Host`` header's value or the target's authority.
        headers: What the guest sees, in order, names in lower case.
        body: The request body; ``None`` when it is empty.
        response: Set once the guest answered.
        eager: Announce the head at once, whatever becomes of the body.
        announce: Tells the server's side to look; the server sets it.
        unannounced: Something changed that the server was not told of.
        route: The route that matched, for whoever observes; ``None`` for none.
    """

    __slots__ = (
        "announce",
        "authority",
        "body",
        "eager",
        "headers",
        "method",
        "response",
        "route",
        "scheme",
        "target",
        "unannounced",
    )

    def __init__(
        self,
        method: str,
        target: str | None,
        headers: list[Pair],
        *,
        scheme: str = "HTTP",
        authority: str | None = None,
        body: ByteChannel | None = None,
    ) -> None:
        # As ``GuestCall`` does, without another call.
        self.what = "request"
        self.failure = self.observer = None
        self.returned = self.abandoned = False
        self.on_abandon = _nothing
        self.method = method
        self.target = target
        self.headers = headers
        self.scheme = scheme
        self.authority = authority
        self.body = body
        self.response: ResponseHead | None = None
        self.eager = False
        self.unannounced = False
        self.route: str | None = None
        self.announce: Callable[[], None] = _nothing

    @property
    def answered(self) -> bool:
        """Whether the head of a response is there."""
        return self.response is not None

    @property
    def whole(self) -> bool:
        """Whether the body of the response has not failed."""
        body = None if self.response is None else self.response.body
        return body is None or body.failure is None

    def respond(self, head: ResponseHead) -> None:
        """Answer. The body, if there is one, follows through its channel."""
        body = head.body
        if body is not None:
            body.on_data = self._body_changed
        self.response = head
        if body is None:
            self.announce()
        else:
            self._body_changed()
            if self.abandoned:
                body.close()

    def _body_changed(self) -> None:
        response = self.response
        body = None if response is None else response.body
        if body is not None and (self.eager or body.ended or body.size >= ANNOUNCE_AT):
            if body.ended:
                # Nothing follows, and without a circle both are freed with the last request.
                body.on_data = _nothing
            self.unannounced = False
            self.announce()
        else:
            self.unannounced = True

    def flush(self) -> None:
        """Announce what is still unannounced."""
        if self.unannounced:
            self.unannounced = False
            self.announce()

    def refuse(self, failure: Failure) -> None:
        """Say that there will be no response; without effect after ``respond``."""
        if self.response is None and self.failure is None:
            self.failure = failure
            if self.observer is not None:
                self.observer.failed(failure.detail)
            self.announce()

    def abandon(self) -> None:
        """Close the client's side: what the guest writes from now on is refused (LIFE-8)."""
        self.abandoned = True
        if self.body is not None:
            self.body.fail(("connection-terminated", None))
        if self.response is not None and self.response.body is not None:
            self.response.body.close()
        self.on_abandon()

    def finish(self, failure: Failure) -> None:
        """Close the guest's side: an unanswered request is refused with ``failure``.

        A body that was not finished fails, so that nobody takes it for whole (RESP-9).
        """
        self.returned = True
        response = self.response
        if response is None:
            self.refuse(failure)
        elif response.body is not None:
            if self.observer is not None and not response.body.ended:
                self.observer.failed(failure.detail)
            response.body.fail(failure)
        if self.body is not None:
            self.body.close()
        self.flush()

    def leave(self) -> None:
        """Leave as the server's side: from now on nothing is announced."""
        self.announce = _nothing
