"""Listen on a socket and serve one application: what ``edgezero serve`` and ``up`` run.

HTTP/1.1 on httptools, on uvloop where it is installed. It sends no ``Server`` header, bounds
what a client can make it hold and for how long, and stops cleanly: the listener closes,
requests in flight get ``drain_s`` seconds, and ``serve`` returns. A second signal does not wait
for them.

Source: contract spin-host.md, OUT-4 to OUT-8, FLAG-1 to FLAG-4, LIFE-10, CONF-0b.
"""

import asyncio
import contextlib
import importlib.util
import socket
import sys
from collections.abc import Callable

from edgezero_spin.host.execution.loop_owner import LoopOwner
from edgezero_spin.host.execution.signals import (
    Handling,
    MainThreadSignals,
    loop_signals,
    no_signals,
)
from edgezero_spin.host.http.connections import Connections
from edgezero_spin.host.http.http1_connection import Http1Connection
from edgezero_spin.host.http.listening import BACKLOG, DEFAULT_LISTEN, ListenError, Listening, bind
from edgezero_spin.host.http.respond import RequestHandler
from edgezero_spin.host.http.settings import ServerSettings
from edgezero_spin.host.http.tls import server_context

__all__ = [
    "DEFAULT_LISTEN",
    "ListenError",
    "Listening",
    "RequestHandler",
    "ServerSettings",
    "serve",
    "serve_async",
]


def serve(
    host: RequestHandler,
    listen: str = DEFAULT_LISTEN,
    *,
    on_listening: Callable[[Listening], None] = lambda listening: None,
    settings: ServerSettings | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        host: What answers: a ``Host`` or a ``Switch``. It is not closed here.
        listen: ``address:port``; a name is resolved, port 0 takes a free one.
        on_listening: Called once the socket accepts connections.
        settings: How clients are treated.

    Raises:
        ListenError: The address cannot be used.
    """
    settings = settings or ServerSettings()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        if sys.platform == "win32":
            # There a thread that ends takes the reads with it that it began.
            runner.run(_serve(host, listen, on_listening, settings, None, loop_signals))
            return
        loop = runner.get_loop()
        signals = MainThreadSignals(loop)
        with signals.taken():
            LoopOwner(loop).run(
                _serve(host, listen, on_listening, settings, None, signals.handling)
            )


async def serve_async(
    host: RequestHandler,
    listen: str | socket.socket = DEFAULT_LISTEN,
    *,
    on_listening: Callable[[Listening], None] = lambda listening: None,
    settings: ServerSettings | None = None,
    stop: asyncio.Event | None = None,
    signals: bool = False,
) -> None:
    """As ``serve``, in a running loop, until ``stop`` is set.

    ``listen`` may be a socket that listens already; it is closed at the end.

    The process's signals are left to the program, which may have other things to end;
    ``signals`` takes SIGINT and SIGTERM for an order to stop.
    """
    handling = loop_signals if signals else no_signals
    await _serve(host, listen, on_listening, settings or ServerSettings(), stop, handling)


async def _serve(
    host: RequestHandler,
    listen: str | socket.socket,
    on_listening: Callable[[Listening], None],
    settings: ServerSettings,
    stop: asyncio.Event | None,
    handling: Handling,
) -> None:
    context = None if settings.tls is None else server_context(str(listen), *settings.tls)
    if isinstance(listen, socket.socket):
        listener = listen
    else:
        listener = bind(listen, find_free_port=settings.find_free_port)
    stop = stop or asyncio.Event()
    hurried = asyncio.Event()

    def signalled(number: int, frame: object) -> None:
        (hurried if stop.is_set() else stop).set()

    with contextlib.closing(listener), handling(signalled):
        address, port = listener.getsockname()[:2]
        where = Listening(address, port, "http" if context is None else "https")
        connections = Connections(host, settings, where.scheme)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Http1Connection(connections), sock=listener, ssl=context, backlog=BACKLOG
        )
        host.origin = where.url
        on_listening(where)
        try:
            await stop.wait()
        finally:
            server.close()
            await connections.drain(hurried)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
