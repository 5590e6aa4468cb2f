"""The server of one application: its socket, its triggers and its end on a signal.

HTTP/1.1 on httptools, on uvloop where it is installed. It sends no ``Server`` header, bounds
what a client can make it hold and for how long, and stops cleanly: the listener closes,
requests in flight get ``drain_s`` seconds, and ``serve`` returns. A second signal does not wait
for them. Triggers of other kinds listen meanwhile; an application without HTTP triggers has no
socket.

Source: contract spin-host.md, OUT-4 to OUT-8, FLAG-1 to FLAG-4, LIFE-10, CONF-0b.
"""

import asyncio
import contextlib
import importlib.util
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol, runtime_checkable

import attrs

from edgezero_spin.host.execution.loop_owner import LoopOwner
from edgezero_spin.host.execution.signals import (
    Handling,
    MainThreadSignals,
    loop_signals,
    no_signals,
)
from edgezero_spin.host.http.accepting import Acceptor, taking
from edgezero_spin.host.http.connections import Connections
from edgezero_spin.host.http.http1_connection import Http1Connection
from edgezero_spin.host.http.listening import (
    BACKLOG,
    DEFAULT_LISTEN,
    ListenError,
    Listening,
    bind,
    server_context,
)
from edgezero_spin.host.http.request_handler import RequestHandler
from edgezero_spin.host.http.settings import ServerSettings
from edgezero_spin.host.triggers.trigger import ApplicationFailedError

__all__ = [
    "DEFAULT_LISTEN",
    "ListenError",
    "Listening",
    "RequestHandler",
    "ServerSettings",
    "TriggerRunner",
    "serve",
    "serve_async",
]


Drain = Callable[[float, asyncio.Event], Awaitable[None]]
"""``(timeout_s, hurried)``: waits so long for what ends beside the requests in flight, and no
longer than until the event is set."""


async def _nothing_to_drain(timeout_s: float, hurried: asyncio.Event) -> None:
    return None


@runtime_checkable
class TriggerRunner(Protocol):
    """What listens for events beside a server: a ``Host`` or a ``Switch``."""

    @property
    def takes_requests(self) -> bool:
        """Whether there is something to serve on a socket."""

    @property
    def listens(self) -> bool:
        """Whether there is something to listen for."""

    async def run_triggers(self, say: Callable[[str], None]) -> bool:
        """Listen until cancelled; see ``Host.run_triggers``."""

    async def drain_events(self, timeout_s: float, hurried: asyncio.Event | None) -> None:
        """Wait for the events under way; see ``Host.drain_events``."""


def serve(
    host: RequestHandler,
    listen: str | Acceptor = DEFAULT_LISTEN,
    *,
    on_listening: Callable[[Listening], None] = lambda listening: None,
    on_stopping: Callable[[], None] = lambda: None,
    drain: Drain = _nothing_to_drain,
    settings: ServerSettings | None = None,
    say: Callable[[str], None] = lambda line: None,
    events: bool = True,
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, which ``nohup`` ignores.

    Args:
        host: What answers, and listens for events: a ``Host`` or a ``Switch``. It is not closed
            here.
        listen: ``address:port``; a name is resolved, port 0 takes a free one. Or what accepts
            connections; it is closed at the end.
        on_listening: Called once the socket accepts connections.
        on_stopping: Called when it accepts none any more, before requests in flight have ended.
        drain: Awaited after that, beside them.
        settings: How clients are treated.
        say: Told where triggers listen, line by line.
        events: Whether the triggers that listen for events do; ``False`` where another process
            has them.

    Raises:
        ListenError: The address cannot be used.
        TriggerFailedError: Every trigger has ended, and one of them failed.
    """
    settings = settings or ServerSettings()
    serving = _Serving(host, listen, on_listening, on_stopping, settings, say, drain, events)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        if sys.platform == "win32":
            # There a thread that ends takes the reads with it that it began.
            runner.run(serving.run(None, loop_signals))
            return
        loop = runner.get_loop()
        signals = MainThreadSignals(loop)
        with signals.taken():
            LoopOwner(loop).run(serving.run(None, signals.handling))


async def serve_async(
    host: RequestHandler,
    listen: str | socket.socket = DEFAULT_LISTEN,
    *,
    on_listening: Callable[[Listening], None] = lambda listening: None,
    on_stopping: Callable[[], None] = lambda: None,
    settings: ServerSettings | None = None,
    say: Callable[[str], None] = lambda line: None,
    stop: asyncio.Event | None = None,
    signals: bool = False,
) -> None:
    """As ``serve``, in a running loop, until ``stop`` is set.

    ``listen`` may be a socket that listens already; it is closed at the end.

    The process's signals are left to the program, which may have other things to end;
    ``signals`` takes those that end ``serve`` for an order to stop.
    """
    handling = loop_signals if signals else no_signals
    settings = settings or ServerSettings()
    await _Serving(host, listen, on_listening, on_stopping, settings, say).run(stop, handling)


@attrs.frozen
class _Serving:
    """What is served, and how."""

    host: RequestHandler
    listen: str | socket.socket | Acceptor
    on_listening: Callable[[Listening], None]
    on_stopping: Callable[[], None]
    settings: ServerSettings
    say: Callable[[str], None]
    drain: Drain = _nothing_to_drain
    events: bool = True

    @property
    def triggers(self) -> TriggerRunner | None:
        return self.host if isinstance(self.host, TriggerRunner) else None

    async def run(self, stop: asyncio.Event | None, handling: Handling) -> None:
        stop = stop or asyncio.Event()
        hurried = asyncio.Event()

        def signalled(number: int, frame: object) -> None:
            (hurried if stop.is_set() else stop).set()

        triggers = self.triggers
        serves = triggers is None or triggers.takes_requests
        with contextlib.ExitStack() as open_:
            listener = open_.enter_context(self._listener()) if serves else None
            open_.enter_context(handling(signalled))
            requests = None if listener is None else await self._begin_requests(listener)
            events = self._begin_events(triggers)

            def ended(done: asyncio.Task[bool]) -> None:
                if _is_over(done, serves):
                    stop.set()

            if events is not None:
                events.add_done_callback(ended)
            try:
                await stop.wait()
            finally:
                over = events is not None and events.done()
                if events is not None:
                    # At once: whoever takes over begins to listen when requests go there.
                    events.cancel()
                    await asyncio.wait({events})
                await asyncio.gather(
                    self._end_requests(requests, hurried),
                    self._end_events(triggers, hurried),
                    self.drain(self.settings.drain_s, hurried),
                )
            if over and events is not None and _is_over(events, serves):
                events.result()

    @contextlib.contextmanager
    def _listener(self) -> Iterator[socket.socket | Acceptor]:
        listener: socket.socket | Acceptor
        if isinstance(self.listen, str):
            listener = bind(self.listen, find_free_port=self.settings.find_free_port)
        else:
            listener = self.listen
        with contextlib.closing(listener):
            yield listener

    async def _begin_requests(
        self, listener: socket.socket | Acceptor
    ) -> tuple[asyncio.Server | Acceptor, Connections]:
        tls = self.settings.tls
        context = None if tls is None else server_context(str(self.listen), *tls)
        scheme = "http" if context is None else "https"
        connections = Connections(self.host, self.settings, scheme)

        def protocol() -> Http1Connection:
            return Http1Connection(connections)

        server: asyncio.Server | Acceptor
        if isinstance(listener, socket.socket):
            address, port = listener.getsockname()[:2]
            server = await asyncio.get_running_loop().create_server(
                protocol, sock=listener, ssl=context, backlog=BACKLOG
            )
        else:
            server, (address, port) = listener, listener.address
            server.begin(taking(protocol, context))
        where = Listening(address, port, scheme)
        self.host.origin = where.url
        self.on_listening(where)
        return server, connections

    async def _end_requests(
        self, requests: tuple[asyncio.Server | Acceptor, Connections] | None, hurried: asyncio.Event
    ) -> None:
        if requests is not None:
            server, connections = requests
            server.close()
            self.on_stopping()
            await connections.drain(hurried)

    def _begin_events(self, triggers: TriggerRunner | None) -> asyncio.Task[bool] | None:
        if triggers is None or not triggers.listens or not self.events:
            return None
        return asyncio.create_task(triggers.run_triggers(self.say))

    async def _end_events(self, triggers: TriggerRunner | None, hurried: asyncio.Event) -> None:
        if triggers is not None:
            await triggers.drain_events(self.settings.drain_s, hurried)


def _is_over(events: asyncio.Task[bool], serves: bool) -> bool:
    """Whether nothing is left to do, now that no trigger listens any more."""
    if events.cancelled():
        return False
    error = events.exception()
    if error is None:
        return events.result() or not serves
    return isinstance(error, ApplicationFailedError) or not serves


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
