"""Answer a request that has no body, for our own server and without ASGI in between.

In: a request's ``Wire``. Out: in most cases its whole response in one piece, written as soon
as the guest is done, without a task, a scope or messages. Whatever has to wait in between (a
body that streams, a client that is slow to read) goes on as a coroutine that speaks ASGI.

Source: contract spin-host.md, RESP-1 to RESP-9; the rules are those of ``trigger.asgi``.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import attrs

from edgezero_spin.host.exchange import ResponseHead
from edgezero_spin.host.trigger.delivery import Delivery, Linger
from edgezero_spin.host.trigger.gateway import Answer, Gateway
from edgezero_spin.host.trigger.http import InstanceRunner
from edgezero_spin.host.trigger.responses import OVERLOADED, answer_for, is_bodiless, wire_head
from edgezero_spin.host.trigger.wire import Wire
from edgezero_spin.host.workers import Overloaded

__all__ = ["Direct"]

Relay = Callable[[Delivery, Wire], Coroutine[Any, Any, None]]


@attrs.frozen(eq=False)
class Direct:
    """An application, for requests without a body.

    Attributes:
        gateway: Says what answers.
        runner: Runs what is a component.
        linger: Returns the running loop's.
        relay: Sends the response of a delivery piece by piece.
    """

    gateway: Gateway
    runner: InstanceRunner
    linger: Callable[[], Linger]
    relay: Relay

    def begin(self, wire: Wire, done: Callable[[], None]) -> None:
        """Begin to answer. Called in the loop.

        Args:
            wire: The request; it has a ``head``.
            done: Called in the loop when nobody works on the response any more.
        """
        try:
            delivery = self._start(wire)
        except Exception as error:
            wire.fail(error)
            delivery = None
        if delivery is None:
            done()
        else:
            wire.give_up = delivery.exchange.abandon
            delivery.when_changed(lambda: self._go_on(delivery, wire, done))

    def _start(self, wire: Wire) -> Delivery | None:
        """Start a component, or answer for good."""
        if wire.head is None:
            raise TypeError("a request with a scope is answered by ASGI")
        admitted = self.gateway.admit(wire.head)
        if isinstance(admitted, Answer):
            _answer(wire, admitted)
            return None
        delivery = Delivery(admitted.exchange, self.linger())
        try:
            self.runner.start(admitted.component, admitted.exchange)
        except Overloaded:
            _answer(wire, OVERLOADED)
            return None
        return delivery

    def _go_on(self, delivery: Delivery, wire: Wire, done: Callable[[], None]) -> None:
        """Send a response that is complete; have the others sent."""
        exchange = delivery.exchange
        head = exchange.response
        if wire.over:
            exchange.abandon()
            done()
            return
        if wire.congested or (head is not None and not _is_whole(head)):
            wire.proceed(self._relay(delivery, wire, done))
            return
        try:
            sent = None if head is None else wire_head(head, exchange.method)
            if head is None or sent is None:
                _answer(wire, answer_for(exchange))
            else:
                wire.answer(*sent, _body_of(head, bodiless=is_bodiless(exchange.method, sent[0])))
        except Exception as error:
            wire.fail(error)
        done()

    async def _relay(self, delivery: Delivery, wire: Wire, done: Callable[[], None]) -> None:
        try:
            await self.relay(delivery, wire)
        finally:
            done()


def _is_whole(head: ResponseHead) -> bool:
    """Whether all of a response is there, and nothing behind its body."""
    body = head.body
    return body is None or (body.ended and body.failure is None and body.trailers is None)


def _body_of(head: ResponseHead, *, bodiless: bool) -> bytes:
    if head.body is None:
        return b""
    if bodiless:
        head.body.close()
        return b""
    return head.body.take_all()


def _answer(wire: Wire, answer: Answer) -> None:
    length = ("content-length", str(len(answer.body)).encode())
    wire.answer(answer.status, [*answer.headers, length], answer.body)
