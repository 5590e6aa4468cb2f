"""Listen on a socket and serve one host: what ``edgezero serve`` and ``up`` run.

The server is uvicorn with httptools, and uvloop where it is installed. It sends no
``Server`` header, bounds what a client can make it hold and for how long, and stops
cleanly: the listener closes, requests in flight get ``drain_s`` seconds, and ``serve``
returns.

Source: contract spin-host.md, OUT-4 to OUT-8, FLAG-1 to FLAG-4, LIFE-10, CONF-0b.
"""

import asyncio
import contextlib
import functools
import importlib.util
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast
from typing import Protocol as Interface

import attrs
import uvicorn
from attrs.validators import ge, gt

from edgezero_spin.host.trigger.asgi import Receive, Scope, Send
from edgezero_spin.host.trigger.leader import Leadership
from edgezero_spin.host.trigger.listening import DEFAULT_LISTEN, ListenError, Listening, bind
from edgezero_spin.host.trigger.protocol import (
    DEFAULT_MAX_HEAD_BYTES,
    HEAD_TIMEOUT_S,
    LEAST_MAX_HEAD_BYTES,
    Protocol,
)
from edgezero_spin.host.trigger.signals import (
    Handling,
    MainThreadSignals,
    loop_signals,
    no_signals,
)

__all__ = [
    "DEFAULT_LISTEN",
    "LEAST_MAX_HEAD_BYTES",
    "Application",
    "ListenError",
    "Listening",
    "Program",
    "ServerSettings",
    "serve",
    "serve_async",
]

Program = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application."""

KEEP_ALIVE_S = 75.0


class Application(Interface):
    """What can be served: a ``Host`` or a ``Switch``.

    Attributes:
        origin: Set to the URL once the socket accepts connections.
    """

    origin: str | None

    def asgi(self) -> Program:
        """Return the program that answers."""


class _Server(uvicorn.Server):
    """uvicorn's server with our start, and signals that mean a clean end, or none."""

    def __init__(
        self, config: uvicorn.Config, started: Callable[[], None], handling: Handling
    ) -> None:
        super().__init__(config)
        self._on_started = started
        self._handling = handling

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        # uvicorn's own raises the signal again once it is done, which would end the
        # process with a signal's status instead of 0 (LIFE-10).
        return self._handling(self.handle_exit)


@attrs.frozen(kw_only=True)
class ServerSettings:
    """How a server treats its clients.

    Attributes:
        find_free_port: Where the port is taken, try the next ones (OUT-8).
        tls: Certificate file and key file.
        drain_s: Seconds that requests in flight get at the end.
        max_head_bytes: Bytes that the head of a request may have; past it the answer is a
            431 (FLAG-3). At least 8192.
        head_timeout_s: Seconds that a client has for the head of a request, and for the
            first byte on a new connection. More than 0.
        keep_alive_s: Seconds that a connection may wait for its next request. More than 0.
    """

    find_free_port: bool = False
    tls: tuple[str, str] | None = None
    drain_s: int = 2
    max_head_bytes: int = attrs.field(
        default=DEFAULT_MAX_HEAD_BYTES, validator=ge(LEAST_MAX_HEAD_BYTES)
    )
    head_timeout_s: float = attrs.field(default=HEAD_TIMEOUT_S, validator=gt(0))
    keep_alive_s: float = attrs.field(default=KEEP_ALIVE_S, validator=gt(0))


def serve(
    host: Application,
    listen: str = DEFAULT_LISTEN,
    *,
    on_listening: Callable[[Listening], None] = lambda listening: None,
    settings: ServerSettings | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        host: What answers. It is not closed here.
        listen: ``address:port``; a name is resolved, port 0 takes a free one.
        on_listening: Called once the socket accepts connections.
        settings: How clients are treated.

    Raises:
        ListenError: The address cannot be used.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        if sys.platform == "win32":
            # There a thread that ends takes the reads with it that it began.
            runner.run(_serve(host, listen, on_listening, settings, None, loop_signals))
            return
        loop = runner.get_loop()
        signals = MainThreadSignals(loop)
        with signals.taken():
            Leadership(loop).run(
                _serve(host, listen, on_listening, settings, None, signals.handling)
            )


async def serve_async(
    host: Application,
    listen: str = DEFAULT_LISTEN,
    *,
    on_listening: Callable[[Listening], None] = lambda listening: None,
    settings: ServerSettings | None = None,
    stop: asyncio.Event | None = None,
    signals: bool = False,
) -> None:
    """As ``serve``, in a running loop, until ``stop`` is set.

    The process's signals are left to the program, which may have other things to end;
    ``signals`` takes SIGINT and SIGTERM for an order to stop.
    """
    handling = loop_signals if signals else no_signals
    await _serve(host, listen, on_listening, settings, stop, handling)


async def _serve(
    host: Application,
    listen: str,
    on_listening: Callable[[Listening], None],
    settings: ServerSettings | None,
    stop: asyncio.Event | None,
    handling: Handling,
) -> None:
    settings = settings or ServerSettings()
    tls = settings.tls
    if tls is not None:
        _check_tls(listen, *tls)
    listener = bind(listen, find_free_port=settings.find_free_port)
    try:
        address, port = listener.getsockname()[:2]
        protocol = functools.partial(
            Protocol,
            max_head_bytes=settings.max_head_bytes,
            head_timeout_s=settings.head_timeout_s,
        )
        config = uvicorn.Config(
            cast("Any", host.asgi()),
            http=cast("Any", protocol),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=cast("Any", settings.keep_alive_s),
            timeout_graceful_shutdown=settings.drain_s,
            ssl_certfile=None if tls is None else tls[0],
            ssl_keyfile=None if tls is None else tls[1],
        )
        where = Listening(address, port, "http" if tls is None else "https")

        def started() -> None:
            host.origin = where.url
            on_listening(where)

        server = _Server(config, started, handling)
        stopper = None if stop is None else asyncio.create_task(_stop_with(server, stop))
        try:
            await server.serve(sockets=[listener])
        finally:
            if stopper is not None:
                stopper.cancel()
    finally:
        listener.close()


def _check_tls(listen: str, certificate: str, key: str) -> None:
    """Refuse files that the server could not use, by name (FLAG-2)."""
    for path in (certificate, key):
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise ListenError(listen, f"cannot read {path}: {error.strerror}") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise ListenError(
            listen,
            f"{certificate} and {key} are no certificate and its key, both in PEM: {reason}",
        ) from error


async def _stop_with(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
