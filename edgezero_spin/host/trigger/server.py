"""Listen on a socket and serve one host: what ``edgezero serve`` and ``up`` run.

The server is uvicorn with httptools, and uvloop where it is installed. It sends no
``Server`` header, bounds what a client can make it hold, and stops cleanly: SIGINT or
SIGTERM closes the listener, gives requests in flight ``drain_s`` seconds, and ``serve``
returns.

Source: contract spin-host.md, OUT-4 to OUT-8, FLAG-1, FLAG-4, LIFE-10, CONF-0b.
"""

import asyncio
import contextlib
import errno
import importlib.util
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, cast

import attrs
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from edgezero_spin.errors import HostError
from edgezero_spin.host.trigger.asgi import WIRE, Receive, Scope, Send

__all__ = [
    "DEFAULT_LISTEN",
    "Application",
    "ListenError",
    "Listening",
    "Program",
    "bind",
    "serve",
    "serve_async",
]

Program = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application."""

DEFAULT_LISTEN = "127.0.0.1:3000"
"""Address and port of ``spin up`` (FLAG-1)."""

MAX_HEADER_BYTES = 256 * 1024
MAX_HEADERS = 1024
FREE_PORT_TRIES = 10
BACKLOG = 2048
KEEP_ALIVE_S = 75


class ListenError(HostError):
    """The address to listen on cannot be used.

    Raised before the first request.

    Attributes:
        address: As asked for.
        problem: What is wrong with it.
    """

    def __init__(self, address: str, problem: str) -> None:
        super().__init__(address, problem)
        self.address = address
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


@attrs.frozen
class Listening:
    """Where a server listens.

    Attributes:
        host: The address.
        port: The port, the one that was found where 0 was asked for.
        scheme: ``http`` or ``https``.
    """

    host: str
    port: int
    scheme: str = "http"

    @property
    def url(self) -> str:
        """``http://127.0.0.1:3000``."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{name}:{self.port}"


class Application(Protocol):
    """What can be served: a ``Host`` or a ``Switch``.

    Attributes:
        origin: Set to the URL once the socket accepts connections.
    """

    origin: str | None

    def asgi(self) -> Program:
        """Return the program that answers."""


class _Wire:
    """What ASGI has no words for: trailers of one request and of its response."""

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self.received: list[tuple[bytes, bytes]] = []
        self._protocol = protocol
        self.cycle: RequestResponseCycle | None = None

    def end_with(self, trailers: list[tuple[str, bytes]]) -> bool:
        """End a chunked response with trailers; ``False`` when it is not chunked (HTTP-18)."""
        cycle = self.cycle
        if cycle is None or not cycle.chunked_encoding or cycle.disconnected:
            return False
        lines = [name.encode("ascii") + b": " + value + b"\r\n" for name, value in trailers]
        transport = self._protocol.transport
        transport.write(b"".join([b"0\r\n", *lines, b"\r\n"]))
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            transport.close()
        cycle.on_response()
        return True


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds on a request's head, and with trailers.

    uvicorn adds trailers to the headers, where a client could put what it likes behind
    everybody's back; here they stay apart.
    """

    _header_bytes = 0
    _wire: _Wire | None = None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = 0
        self._wire = None

    def on_headers_complete(self) -> None:
        self._wire = wire = _Wire(self)
        # The task that serves the request starts after this call.
        cast("dict[str, Any]", self.scope)[WIRE] = wire
        super().on_headers_complete()
        wire.cycle = self.cycle

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        if self._wire is not None:
            self._wire.received.append((name.lower(), value))
        elif len(self.headers) >= MAX_HEADERS:
            raise ValueError("too many headers")
        else:
            super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES:
            # httptools turns it into a parser error, and uvicorn answers 400 and closes.
            raise ValueError("request head too large")


class _Server(uvicorn.Server):
    """uvicorn's server with our start, and signals that mean a clean end."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own raises the signal again once it is done, which would end the
        # process with a signal's status instead of 0 (LIFE-10).
        loop = asyncio.get_running_loop()
        handled = []
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, self.handle_exit, number, None)
            except (NotImplementedError, RuntimeError, ValueError):
                # Not in the main thread, or not on this system: whoever called stops us.
                continue
            handled.append(number)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)


def serve(
    host: Application,
    listen: str = DEFAULT_LISTEN,
    *,
    on_listening: Callable[[Listening], None] = lambda listening: None,
    find_free_port: bool = False,
    tls: tuple[str, str] | None = None,
    drain_s: int = 2,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        host: What answers. It is not closed here.
        listen: ``address:port``; a name is resolved, port 0 takes a free one.
        on_listening: Called once the socket accepts connections.
        find_free_port: Where the port is taken, try the next ones (OUT-8).
        tls: Certificate file and key file.
        drain_s: Seconds that requests in flight get at the end.

    Raises:
        ListenError: The address cannot be used.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(
            serve_async(
                host,
                listen,
                on_listening=on_listening,
                find_free_port=find_free_port,
                tls=tls,
                drain_s=drain_s,
            )
        )


async def serve_async(
    host: Application,
    listen: str = DEFAULT_LISTEN,
    *,
    on_listening: Callable[[Listening], None] = lambda listening: None,
    find_free_port: bool = False,
    tls: tuple[str, str] | None = None,
    drain_s: int = 2,
    stop: asyncio.Event | None = None,
) -> None:
    """As ``serve``, in a running loop; ``stop`` ends it too."""
    if tls is not None:
        _check_tls(listen, *tls)
    listener = bind(listen, find_free_port=find_free_port)
    try:
        address, port = listener.getsockname()[:2]
        config = uvicorn.Config(
            cast("Any", host.asgi()),
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=drain_s,
            ssl_certfile=None if tls is None else tls[0],
            ssl_keyfile=None if tls is None else tls[1],
        )
        where = Listening(address, port, "http" if tls is None else "https")

        def started() -> None:
            host.origin = where.url
            on_listening(where)

        server = _Server(config, started)
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


def bind(listen: str, *, find_free_port: bool = False) -> socket.socket:
    """Return a listening socket.

    Raises:
        ListenError: The address is malformed, unknown or taken.
    """
    name, port = _split(listen)
    tries = FREE_PORT_TRIES if find_free_port and port else 1
    family, address = _resolve(listen, name, port)
    for candidate in range(port, port + tries):
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, candidate))
            listener.listen(BACKLOG)
        except OverflowError as error:
            listener.close()
            raise ListenError(listen, f"{listen}: the port is above 65535") from error
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise ListenError(
                    listen, f"cannot listen on {listen}: {error.strerror or error}"
                ) from error
        else:
            listener.setblocking(False)
            return listener
    if tries > 1:
        raise ListenError(
            listen, f"Couldn't find a free port in the range {port}-{port + tries - 1}."
        )
    raise ListenError(
        listen,
        f"{listen} is already in use. To have Spin search for a free port, use the "
        f"--find-free-port option.",
    )


def _split(listen: str) -> tuple[str, int]:
    name, colon, port = listen.rpartition(":")
    if not colon or not name or not port.isascii() or not port.isdigit():
        raise ListenError(listen, f"{listen!r} is not an address and a port, like {DEFAULT_LISTEN}")
    return name.removeprefix("[").removesuffix("]"), int(port)


def _resolve(listen: str, name: str, port: int) -> tuple[int, str]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ListenError(listen, f"cannot listen on {listen}: {error.strerror}") from error
    # A name that stands for both families means the older one first (FLAG-1).
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    family, _, _, _, address = found[0]
    return family, str(address[0])


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
