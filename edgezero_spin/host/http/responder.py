"""The way of one request to its response: a guest is started, and what it writes is passed on.

In: a call of a component and a ``ResponseWriter``. Out: one response through that writer, complete,
or broken off where the guest's is. Everything here happens in one event loop, into which a guest on
its own thread announces what it did.

A request whose body is still on its way waits where the ``Service`` does not let it in yet: until
its body is there, or until another such request has ended.

Source: contract spin-host.md, RESP-1 to RESP-9, LIFE-8, HTTP-17, HTTP-18; RFC 9110.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edgezero_spin.host.exchange.channel import BODY_BUDGET, ByteChannel
from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.exchange.loops import call_in
from edgezero_spin.host.execution.executor import InstanceWatch
from edgezero_spin.host.execution.loop_owner import current_loop_owner
from edgezero_spin.host.execution.workers import Overloaded
from edgezero_spin.host.http.gateway import CompleteResponse, ComponentCall
from edgezero_spin.host.http.request_handler import ResponseWriter
from edgezero_spin.host.http.responses import OVERLOADED, answer_for, is_bodiless, wire_head

if TYPE_CHECKING:
    from edgezero_spin.host.http.service import Service

__all__ = ["COLLECTED_BYTES", "ComponentResponder", "send_answer"]

logger = logging.getLogger("edgezero_spin.host")

COLLECTED_BYTES = 64 * 1024
"""Bytes that are taken of a body whose request waits for an instance."""


class ComponentResponder:
    """One request on its way to its response; a ``Responder``.

    Attributes:
        exchange: As the guest sees it.
        over: Nobody works on the response any more.
    """

    __slots__ = (
        "__weakref__",
        "_announced",
        "_body",
        "_call",
        "_done",
        "_left",
        "_linger",
        "_loop",
        "_owner",
        "_service",
        "_started",
        "_watch",
        "_writer",
        "exchange",
        "over",
    )

    def __init__(
        self,
        service: "Service",
        call: ComponentCall,
        writer: ResponseWriter,
        watch: InstanceWatch | None,
        done: Callable[[], None],
    ) -> None:
        """Made by ``Service.begin``."""
        self.exchange = call.exchange
        self.over = False
        self._service = service
        self._call = call
        self._writer = writer
        self._watch = watch
        self._done = done
        self._linger = service.linger()
        self._loop = asyncio.get_running_loop()
        self._owner = current_loop_owner()
        self._announced = False
        self._started = False
        self._body: ByteChannel | None = None
        self._left: int | None = None

    @property
    def is_uploading(self) -> bool:
        """Whether a guest has the request while its body is still on its way."""
        body = self.exchange.body
        return body is not None and not body.ended and not self.exchange.returned

    def start(self) -> None:
        """Start the guest, now or when its body is there."""
        body = self.exchange.body
        if body is None or self._may_start(body):
            self._start()
            return
        body.limit = COLLECTED_BYTES
        body.on_data = self._start_with_body
        self._linger.add(self)

    def _may_start(self, body: ByteChannel) -> bool:
        return body.ended or self._service.claim_upload(self)

    def _start_with_body(self) -> None:
        body = self.exchange.body
        if body is not None and not self._started and not self.over and self._may_start(body):
            body.on_data = lambda: None
            body.limit = BODY_BUDGET
            self._start()
            body.on_space()

    def _start(self) -> None:
        self._started = True
        exchange = self.exchange
        exchange.announce = self._announce
        self._linger.add(self)
        try:
            if self._watch is None:
                self._service.runner.start(self._call.component, exchange)
            else:
                self._service.runner.start(self._call.component, exchange, self._watch)
        except Overloaded:
            self._answer(OVERLOADED)

    def look(self) -> None:
        """Look at what was not announced."""
        if self._started:
            self.exchange.flush()
        else:
            self._start_with_body()

    def resume(self) -> None:
        """Go on: the client has caught up with reading."""
        if not self.over:
            self._advance()

    def abandon(self) -> None:
        """Stop: nobody waits for the response any more (LIFE-8)."""
        if not self.over:
            self.exchange.abandon()
            self._end()

    def _announce(self) -> None:
        # On the guest's thread. One call into the loop is enough for all that happens
        # before the loop gets round to it.
        if not self._announced:
            self._announced = True
            if self._owner is None:
                call_in(self._loop, self._wake)
            else:
                self._owner.post(self._wake)

    def _wake(self) -> None:
        self._announced = False
        if not self.over:
            self._advance()

    def _advance(self) -> None:
        try:
            if self._body is None:
                self._begin()
            if self._body is not None:
                self._relay(self._body)
        except Exception:
            logger.exception("a response could not be sent")
            self._abort("the response could not be sent")

    def _begin(self) -> None:
        exchange = self.exchange
        head = exchange.response
        if head is None:
            if exchange.failure is not None:
                self._answer(answer_for(exchange))
            return
        sendable = wire_head(head, exchange.method)
        if sendable is None:
            exchange.abandon()
            self._answer(answer_for(exchange))
            return
        status, headers = sendable
        body = head.body
        if body is None or is_bodiless(exchange.method, status):
            if body is not None:
                body.close()
            self._writer.send(status, headers, b"")
            self._end()
            return
        length = _length_of(headers)
        if self._writer.ready() and _is_whole(body, length):
            self._writer.send(status, headers, body.take_all())
            self._end()
            return
        self._left = length
        self._body = body
        self._writer.start(status, headers)

    def _relay(self, body: ByteChannel) -> None:
        """Pass on what the guest wrote, as far as the client keeps up."""
        while not self.over and self._writer.ready():
            ended = body.ended
            data = body.take_all()
            broken = body.failure is not None
            if not data and not ended:
                return
            if data and self._left is not None:
                self._left -= len(data)
                if self._left < 0:
                    self._abort("the response body is longer than its content-length")
                    return
            if not broken and ended:
                if self._left:
                    self._write_before_abort(data)
                    self._abort("the response body is shorter than its content-length")
                    return
                self._writer.write(data, last=True, trailers=body.trailers)
                self._end()
            elif data:
                # What came before a break still goes out.
                self._writer.write(data, last=False)
            else:
                self._abort(str(body.failure))

    def _write_before_abort(self, data: bytes) -> None:
        if data:
            self._writer.write(data, last=False)

    def _answer(self, answer: CompleteResponse) -> None:
        send_answer(self._writer, answer, self.exchange.method)
        self._end()

    def _abort(self, reason: str) -> None:
        if not self.over:
            self.exchange.abandon()
            self._end()
            self._writer.abort(reason)

    def _end(self) -> None:
        self.over = True
        self.exchange.leave()
        self._linger.discard(self)
        self._done()


def _is_whole(body: ByteChannel, length: int | None) -> bool:
    """Whether all of a body is there, of the right length, and nothing behind it."""
    return (
        body.ended
        and body.failure is None
        and body.trailers is None
        and (length is None or length == body.size)
    )


def _length_of(headers: Sequence[Pair]) -> int | None:
    for name, value in headers:
        if name == "content-length":
            return int(value)
    return None


def send_answer(writer: ResponseWriter, answer: CompleteResponse, method: str) -> None:
    """Send what the host itself answers, without its body where the method has none."""
    length = ("content-length", str(len(answer.body)).encode())
    body = b"" if is_bodiless(method, answer.status) else answer.body
    writer.send(answer.status, [*answer.headers, length], body)
