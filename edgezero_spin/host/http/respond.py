"""The one way from a request to its response, whoever received it.

In: the head of a request, the channel of its body, and a ``ResponseWriter``: an HTTP/1.1
connection, an HTTP/2 stream, an ASGI ``send`` or a program that called ``Host.handle``. Out: one
response through that writer, complete, or broken off where the guest's is. Sockets and framing
are the writer's business; which component answers is the gateway's.

Everything here happens in one event loop. What a guest does on its own thread is announced
through its ``Exchange``; a busy guest that announces nothing is looked at every few
milliseconds (``Linger``).

A body that is still on its way may hold an instance for as long as its client likes, so such
requests have no more than half of the instances. The others wait until their body is there,
or until one of those has ended.

Source: contract spin-host.md, RESP-1 to RESP-9, LIFE-8, HTTP-17, HTTP-18; RFC 9110.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol
from weakref import WeakKeyDictionary

from edgezero_spin.host.exchange.channel import BODY_BUDGET, ByteChannel
from edgezero_spin.host.exchange.exchange import LINGER_S
from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.exchange.loops import call_in
from edgezero_spin.host.execution.executor import InstanceWatch
from edgezero_spin.host.execution.loop_owner import current_loop_owner
from edgezero_spin.host.execution.runner import Runner
from edgezero_spin.host.execution.workers import Overloaded
from edgezero_spin.host.http.gateway import CompleteResponse, ComponentCall, Gateway, RequestHead
from edgezero_spin.host.http.observed import ObservedResponse, observed_request
from edgezero_spin.host.http.responses import OVERLOADED, answer_for, is_bodiless, wire_head
from edgezero_spin.host.observers import Observer, RequestObserver

__all__ = ["COLLECTED_BYTES", "Linger", "RequestHandler", "Responder", "ResponseWriter", "Service"]

logger = logging.getLogger("edgezero_spin.host")

COLLECTED_BYTES = 64 * 1024
"""Bytes that are taken of a body whose request waits for an instance."""


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


class RequestHandler(Protocol):
    """What a server serves: a ``Host`` or a ``Switch``.

    Attributes:
        origin: Set to the URL once the socket accepts connections.
    """

    origin: str | None

    def begin(
        self, head: RequestHead, body: ByteChannel | None, writer: ResponseWriter
    ) -> "Responder | None":
        """Begin to answer a request; ``None`` when that is done already. Called in a loop."""


def _nothing() -> None:
    return None


class Linger:
    """Looks every few milliseconds at what guests of one loop left unannounced."""

    def __init__(self, relieve: Callable[[], None]) -> None:
        """Look at nothing yet.

        Args:
            relieve: Called at each look while anybody waits.
        """
        self._relieve = relieve
        self._loop = asyncio.get_running_loop()
        self._waiting: set[Responder] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, responder: "Responder") -> None:
        """Look at this one too."""
        self._waiting.add(responder)
        if self._timer is None:
            self._timer = self._loop.call_later(LINGER_S, self._look)

    def discard(self, responder: "Responder") -> None:
        """Look at it no more."""
        self._waiting.discard(responder)

    def _look(self) -> None:
        self._timer = None
        if self._waiting:
            self._relieve()
            for responder in list(self._waiting):
                responder.look()
            self._timer = self._loop.call_later(LINGER_S, self._look)


class Service:
    """Answers requests for one application, from any number of loops.

    Attributes:
        gateway: Says what answers.
        runner: Runs what is a component.
        observer: Told of every request; ``None`` where nobody is.
    """

    def __init__(self, gateway: Gateway, runner: Runner, observer: Observer | None = None) -> None:
        """Made by a host."""
        self.gateway = gateway
        self.runner = runner
        self.observer = observer
        self._lingers: WeakKeyDictionary[asyncio.AbstractEventLoop, Linger] = WeakKeyDictionary()
        self._uploads: list[Responder] = []

    def begin(
        self,
        head: RequestHead,
        body: ByteChannel | None,
        writer: ResponseWriter,
        *,
        watch: InstanceWatch | None = None,
        done: Callable[[], None] = _nothing,
    ) -> "Responder | None":
        """Begin to answer a request.

        Args:
            body: Where its bytes come in; ``None`` for none.
            watch: Told when the instance that answers starts and ends.
            done: Called in the loop when nobody works on the response any more.

        Returns:
            What tells of the client; ``None`` when the response is out already.
        """
        admitted = self.gateway.admit(head)
        following = observed = None
        if self.observer is not None:
            following = self._observe(self.observer, head, admitted)
            if following is not None and following.sees_end:
                writer = observed = ObservedResponse(following, writer)
        if isinstance(admitted, CompleteResponse):
            _send_answer(writer, admitted, head.method)
            done()
            return None
        admitted.exchange.body = body
        admitted.exchange.observer = following
        responder = Responder(self, admitted, writer, watch, done)
        told = responder if observed is None else observed.responder(responder)
        responder.start()
        return None if responder.over else told

    def _observe(
        self, observer: Observer, head: RequestHead, admitted: CompleteResponse | ComponentCall
    ) -> RequestObserver | None:
        gateway = self.gateway
        if isinstance(admitted, ComponentCall):
            route = admitted.exchange.route
            component_id: str | None = admitted.component.grants.component_id
        else:
            component_id, route = gateway.matched(head)
        return observer.request_began(
            observed_request(head, gateway.application, component_id, route)
        )

    def linger(self) -> Linger:
        """The one of the running loop."""
        loop = asyncio.get_running_loop()
        linger = self._lingers.get(loop)
        if linger is None:
            linger = self._lingers[loop] = Linger(self.runner.pool.relieve)
        return linger

    def claim_upload(self, responder: "Responder") -> bool:
        """Let a request in whose body is incomplete, unless such ones have half of all places."""
        self._uploads = [known for known in self._uploads if known.is_uploading]
        if len(self._uploads) >= max(1, self.runner.places // 2):
            return False
        self._uploads.append(responder)
        return True


class Responder:
    """One request on its way to its response.

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
        service: Service,
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
            body.on_data = _nothing
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
        _send_answer(self._writer, answer, self.exchange.method)
        self._end()

    def _abort(self, reason: str) -> None:
        if not self.over:
            self.exchange.abandon()
            self._end()
            self._writer.abort(reason)

    def _end(self) -> None:
        self.over = True
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


def _send_answer(writer: ResponseWriter, answer: CompleteResponse, method: str) -> None:
    length = ("content-length", str(len(answer.body)).encode())
    body = b"" if is_bodiless(method, answer.status) else answer.body
    writer.send(answer.status, [*answer.headers, length], body)
