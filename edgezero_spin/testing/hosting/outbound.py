"""Requests that a component sends: answered by the script, or by the application itself.

A script comes first. What it leaves out and is meant for the application (``self.alt``, or
``ID.spin.internal``) goes there without a socket; everything else is refused.

Source: contract spin-host.md, CHAIN-1 to CHAIN-12, TEST-15, TEST-16, TEST-31.
"""

from collections.abc import Callable
from typing import Any

from edgezero_spin.core.headers import Headers
from edgezero_spin.host.exchange.call import GuestCall
from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.execution.executor import InstanceWatch, RequestStarter
from edgezero_spin.host.execution.workers import Overloaded
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_http.interface import Destination
from edgezero_spin.host.factors.wasi.http.outbound import (
    FutureIncomingResponse,
    IncomingResponse,
    RequestOptions,
    SendableRequest,
)
from edgezero_spin.host.factors.wasi.http.values import method_text
from edgezero_spin.host.http.gateway import CompleteResponse, RequestHead
from edgezero_spin.host.http.responses import answer_for, is_bodiless, wire_head
from edgezero_spin.host.http.service_chaining import OutboundSender
from edgezero_spin.host.load.application import Application
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.testing.hosting.context import CURRENT, GuestContext, current_client
from edgezero_spin.testing.outbound import CHAIN_DOMAIN, MAX_DEPTH, SentRequest
from edgezero_spin.testing.requests import DEFAULT_AUTHORITY

__all__ = ["Sender"]

PEER = ("127.0.0.1", 0)
"""Who sends requests to the application itself, as its components see it."""


class _ChainRunner:
    """Runs a component that another one calls, for the same test as its caller."""

    def __init__(self, runner: RequestStarter) -> None:
        self._inner = runner

    @property
    def places(self) -> int:
        """As the host has them."""
        return self._inner.places

    def start(
        self,
        component: Any,
        call: GuestCall,
        watch: InstanceWatch | None = None,
        *,
        nested: bool = False,
    ) -> None:
        caller = CURRENT.context
        if caller is None:
            self._inner.start(component, call, watch, nested=nested)
            return
        called = caller.call()
        try:
            self._inner.start(component, call, _ChainWatch(called), nested=nested)
        except Overloaded:
            called.ended(0)
            raise


class _ChainWatch:
    """Gives a called instance its caller's client, and its caller the bill."""

    def __init__(self, context: GuestContext) -> None:
        self._context = context

    def started(self, state: InstanceState) -> None:
        state.context = CURRENT.context = self._context

    def ended(self, instance: Instance | None, error: BaseException | None) -> None:
        CURRENT.context = None
        self._context.ended(0 if instance is None else instance.fuel_used or 0)


class Sender:
    """Sends what components may send, for the test of whoever asks; an ``HttpSender``."""

    def __init__(self) -> None:
        """Know no component yet; ``connect`` comes before the first request."""
        self._chain = OutboundSender()
        self._application: Application | None = None
        self._runner: RequestStarter | None = None

    def connect(self, application: Application, runner: RequestStarter) -> None:
        """Say what can be called without a script."""
        self._application = application
        self._runner = _ChainRunner(runner)
        self._chain.connect(application.components, self._runner)

    def send(
        self,
        destination: Destination,
        request: SendableRequest,
        options: RequestOptions | None,
        future: FutureIncomingResponse,
    ) -> None:
        """Start an exchange. Called on a guest's thread."""
        url = f"{destination.scheme}://{destination.authority or 'self'}{request.path or '/'}"
        _, _, domain = destination.host.partition(".")
        own = destination.is_self or domain == CHAIN_DOMAIN
        if not own or current_client().http.answers(method_text(request.method), url):
            _send_to_script(url, request, options, future)
            return
        context = CURRENT.context
        if context is not None and context.depth + 1 >= MAX_DEPTH:
            request.ignore_body()
            future.reject(("connection-limit-reached", None))
        elif destination.is_self:
            self._send_to_itself(request, future)
        else:
            self._chain.send(destination, request, options, future)

    def _send_to_itself(self, request: SendableRequest, future: FutureIncomingResponse) -> None:
        """Route a request as if it had come in from outside (CHAIN-1)."""
        application, runner = self._application, self._runner
        if application is None or runner is None:
            raise RuntimeError("a component sent a request before its application was loaded")
        method = method_text(request.method)
        path, mark, query = (request.path or "/").partition("?")
        headers = [
            (name.encode("ascii"), value)
            for name, value in request.headers.entries
            if name != "host"
        ]
        admitted = application.gateway.admit(
            RequestHead(
                method,
                path if path.startswith("/") else f"/{path}",
                query if mark else None,
                [(b"host", DEFAULT_AUTHORITY.encode()), *headers],
                client=PEER,
            )
        )
        if isinstance(admitted, CompleteResponse):
            request.ignore_body()
            future.resolve(_whole(admitted, method))
            return
        exchange = admitted.exchange
        if request.body is not None:
            exchange.body = request.body.channel
            request.discard_unread()
        exchange.eager = True
        exchange.announce = lambda: _deliver(exchange, method, future)
        future.abandon = exchange.abandon
        try:
            runner.start(admitted.component, exchange, nested=True)
        except Overloaded:
            request.ignore_body()
            future.resolve(_whole(CompleteResponse(503), method))


def _deliver(exchange: Exchange, method: str, future: FutureIncomingResponse) -> None:
    """Pass an answer on as a client of the application would get it."""
    if future.ready():
        return
    head = exchange.response
    if head is None:
        if exchange.failure is not None:
            future.resolve(_whole(answer_for(exchange), method))
        return
    wire = wire_head(head, method)
    if wire is None:
        exchange.abandon()
        future.resolve(_whole(CompleteResponse(500), method))
        return
    status, headers = wire
    body = head.body
    if body is not None and is_bodiless(method, status):
        body.close()
        body = None
    future.resolve(IncomingResponse(status, headers, body))


def _whole(answer: CompleteResponse, method: str) -> IncomingResponse:
    length = ("content-length", b"%d" % len(answer.body))
    content = b"" if method == "HEAD" else answer.body
    return IncomingResponse(answer.status, [*answer.headers, length], _channel(content))


def _channel(content: bytes) -> ByteChannel:
    channel = ByteChannel()
    channel.put(content)
    channel.end()
    return channel


def _send_to_script(
    url: str,
    request: SendableRequest,
    options: RequestOptions | None,
    future: FutureIncomingResponse,
) -> None:
    script = current_client().http
    method = method_text(request.method)
    headers = Headers.received(request.headers.entries)

    nanoseconds = None if options is None else options.first_byte_timeout
    timeout_s = None if nanoseconds is None else nanoseconds / 1e9

    def answer(content: bytes) -> None:
        found = script.answer(SentRequest(method, url, headers, content, timeout_s))
        if found.error is None:
            channel = _channel(found.content)
            future.resolve(IncomingResponse(found.status, list(found.headers.pairs), channel))
        else:
            code = found.code
            future.reject((code, None if code == found.error else found.error))

    if request.body is None:
        answer(b"")
    else:
        _collect(request.body.channel, answer)


def _collect(channel: ByteChannel, then: Callable[[bytes], None]) -> None:
    """Read a body that the guest is about to write, and go on when it has ended."""
    parts: list[bytes] = []
    done = False

    def more() -> None:
        nonlocal done
        if done:
            return
        while piece := channel.take_all():
            parts.append(piece)
        if channel.ended:
            done = True
            then(b"".join(parts))

    channel.on_data = more
    more()
