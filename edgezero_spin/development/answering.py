"""Requests of the embedded host's server, answered by an app in this process.

In: the head of a request, the channel of its body and a ``ResponseWriter``. Out: the app's response
through that writer. A failure that is the app's own fault shows its traceback to a browser. Events
of its triggers come in beside them.
"""

import asyncio
import functools
import logging
import math
from collections.abc import Callable
from typing import cast

import attrs

from edgezero_spin.core.app import App
from edgezero_spin.core.errors import BodyReadError
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response
from edgezero_spin.core.streaming import BodyStream
from edgezero_spin.development.application import NativeApplication, Placed
from edgezero_spin.development.events import AppReceivers
from edgezero_spin.development.observed import FOLLOWING
from edgezero_spin.development.outbound import NetworkTransport
from edgezero_spin.development.pages import exception_response, failure_response, wants_html
from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.http.gateway import CompleteResponse, RequestHead
from edgezero_spin.host.http.observed import ObservedResponse, observed_request
from edgezero_spin.host.http.request_handler import Responder, ResponseWriter
from edgezero_spin.host.http.responses import is_bodiless
from edgezero_spin.host.observers import Observer
from edgezero_spin.host.triggers.dispatching import Dispatcher
from edgezero_spin.host.triggers.trigger import ReconnectPolicy

__all__ = ["AppHandler", "FailureHandler"]

logger = logging.getLogger("edgezero_spin.dev")

_Pair = tuple[str, bytes]


class AppHandler:
    """A ``RequestHandler`` and ``TriggerRunner`` for one app.

    Attributes:
        origin: The URL of the server.
        native: The app.
    """

    def __init__(self, native: NativeApplication, observer: Observer | None = None) -> None:
        """Answer for one app.

        Args:
            native: The app.
            observer: Told of its requests and events.
        """
        self.origin: str | None = None
        self.native = native
        self._observer = observer
        self._transports: dict[str, NetworkTransport] = {}
        self._dispatcher = Dispatcher(
            native.triggers,
            AppReceivers(native, self._transport),
            ReconnectPolicy(timeout_s=math.inf),
            application=native.gateway.application,
            observer=observer,
        )

    def begin(
        self, head: RequestHead, body: ByteChannel | None, writer: ResponseWriter
    ) -> Responder | None:
        """Begin to answer a request; ``None`` when that is done already."""
        following = None
        if self._observer is not None:
            gateway = self.native.gateway
            component_id, route = gateway.matched(head)
            following = self._observer.request_began(
                observed_request(head, gateway.application, component_id, route)
            )
        if following is None:
            return self._begin(head, body, writer)
        observed = ObservedResponse(following, writer)
        # The task that answers begins with what is set now.
        token = FOLLOWING.set(following)
        try:
            return observed.responder(self._begin(head, body, observed))
        finally:
            FOLLOWING.reset(token)

    def _begin(
        self, head: RequestHead, body: ByteChannel | None, writer: ResponseWriter
    ) -> Responder | None:
        admitted = self.native.gateway.admit(head)
        if isinstance(admitted, CompleteResponse):
            _send(writer, head.method, admitted.status, list(admitted.headers), admitted.body)
            return None
        id = cast("Placed", admitted.component).id
        component = self.native.components.get(id)
        if component is None:
            own = self.native.place.component_id
            text = f"`edgezero dev` serves {own!r} alone; `edgezero watch` serves {id!r}, too\n"
            _send(writer, head.method, 501, [("content-type", b"text/plain")], text.encode())
            return None
        admitted.exchange.body = body
        request = Request(_Source(admitted.exchange))
        request._transport = self._transport(id)
        request._stores = functools.partial(component.open_stores, self.native.app)
        return _started(_Answering(self.native.app, request, admitted.exchange, writer))

    @property
    def takes_requests(self) -> bool:
        """Always: what has no route says so."""
        return True

    @property
    def listens(self) -> bool:
        """Whether there is something to listen for."""
        return any(trigger.listeners for trigger in self.native.triggers)

    async def run_triggers(self, say: Callable[[str], None]) -> bool:
        """Listen for events until cancelled; see ``Host.run_triggers``."""
        return await self._dispatcher.run(say)

    async def drain_events(self, timeout_s: float, hurried: asyncio.Event | None = None) -> None:
        """Wait for the events under way; see ``Host.drain_events``."""
        await self._dispatcher.drain(timeout_s, hurried)

    async def begun(self) -> None:
        """Wait until every listener listens, or has said why it does not yet."""
        if self.listens:
            await self._dispatcher.begun.wait()

    async def aclose(self) -> None:
        """Close the connections of requests that the app sent."""
        for transport in self._transports.values():
            await transport.aclose()

    def _transport(self, component_id: str) -> NetworkTransport:
        if component_id not in self._transports:
            outbound = self.native.components[component_id].outbound
            self._transports[component_id] = NetworkTransport(outbound, self.origin or "")
        return self._transports[component_id]


@attrs.define(eq=False)
class FailureHandler:
    """A ``RequestHandler`` for an app that cannot be loaded.

    Args:
        title: What is shown, in one line.
        text: What is behind it.
        observer: Told of requests.

    Attributes:
        origin: The URL of the server.
    """

    _title: str
    _text: str
    _observer: Observer | None = None
    origin: str | None = attrs.field(default=None, init=False)

    def begin(
        self, head: RequestHead, body: ByteChannel | None, writer: ResponseWriter
    ) -> Responder | None:
        """Answer with the failure."""
        if self._observer is not None:
            following = self._observer.request_began(observed_request(head, "", None, None))
            if following is not None:
                writer = ObservedResponse(following, writer)
        accepts = b",".join(value for name, value in head.headers if name.lower() == b"accept")
        response = failure_response(
            self._title, self._text, html=wants_html(accepts.decode("latin-1")), reload=True
        )
        content = response.body if isinstance(response.body, bytes) else b""
        _send(writer, head.method, 500, response.header_pairs, content)
        return None

    async def aclose(self) -> None:
        """Nothing is open."""


def _started(answering: "_Answering") -> Responder:
    answering.task = asyncio.get_running_loop().create_task(answering.run())
    return answering


@attrs.define(eq=False)
class _Answering:
    """One request on its way to its response; a ``Responder``."""

    _app: App
    _request: Request
    _exchange: Exchange
    _writer: ResponseWriter
    _caught_up: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    task: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    def resume(self) -> None:
        """Go on: the client has caught up with reading."""
        self._caught_up.set()

    def abandon(self) -> None:
        """Stop: nobody waits for the response any more."""
        if self.task is not None:
            self.task.cancel()

    async def run(self) -> None:
        """Answer."""
        request = self._request
        response = await self._app.handle(request)
        error = request.error
        following = FOLLOWING.get()
        if error is not None and following is not None:
            following.failed(f"{type(error).__name__}: {error}")
        if response.status == 500 and error is not None and not isinstance(error, EdgeZeroError):
            accepts = request.headers.get("accept") or ""
            if wants_html(accepts):
                response = exception_response(error)
        await self._reply(response)
        work = request.background_work()
        if work is not None:
            await work

    async def _reply(self, response: Response) -> None:
        body = response.body
        headers = list(response.header_pairs)
        method = self._exchange.method
        if not isinstance(body, BodyStream):
            _send(self._writer, method, response.status, headers, body)
            return
        self._writer.start(response.status, headers)
        trailers = None
        try:
            async for piece in body:
                while not self._writer.ready():
                    self._caught_up.clear()
                    await self._caught_up.wait()
                self._writer.write(bytes(piece), last=False)
            if body.trailers is not None:
                trailers = body.trailers()
        except Exception as error:
            logger.exception("a streamed body broke off")
            self._writer.abort(f"{type(error).__name__}: {error}")
            return
        finally:
            await body.aclose()
        self._writer.write(b"", last=True, trailers=trailers)


class _Source:
    """A ``RequestSource`` over an exchange; its body comes in through a channel."""

    def __init__(self, exchange: Exchange) -> None:
        path, mark, query = (exchange.target or "/").partition("?")
        self.method = exchange.method
        self.raw_path = path.encode("utf-8", "surrogateescape")
        self.query = query.encode("utf-8", "surrogateescape") if mark else None
        self.scheme: str | None = exchange.scheme.lower()
        self.authority = exchange.authority
        self._headers = exchange.headers
        self._body = exchange.body
        self._data = asyncio.Event()
        if self._body is not None:
            self._body.on_data = self._data.set

    def headers(self) -> list[_Pair]:
        """Every field in order."""
        return self._headers

    async def read(self, limit: int) -> bytes:
        """The next bytes of the body; ``b""`` at its end."""
        body = self._body
        while body is not None:
            self._data.clear()
            piece = bytes(body.take(limit))
            if piece:
                return piece
            if body.ended:
                if body.failure is not None:
                    raise BodyReadError("the request body broke off")
                return b""
            await self._data.wait()
        return b""

    async def trailers(self) -> list[_Pair]:
        """The fields behind a body that was read to its end."""
        return [] if self._body is None else self._body.trailers or []


def _send(
    writer: ResponseWriter, method: str, status: int, headers: list[_Pair], body: bytes
) -> None:
    """Send a whole response with its length."""
    kept = [pair for pair in headers if pair[0] != "content-length"]
    if is_bodiless(method, status):
        writer.send(status, headers if method == "HEAD" else kept, b"")
    else:
        writer.send(status, [*kept, ("content-length", b"%d" % len(body))], body)
