"""HTTP client for guests' requests.

One event loop on a thread of its own carries all outbound exchanges of a host; it starts
with the first of them. Bodies stream both ways at once through the guests' channels, with
back-pressure. Nothing is added to a request but ``Host`` and its framing; redirects are not
followed, nothing is decompressed, no proxy is asked (OUTH-15, OUTH-17).

Source: contract spin-host.md, OUTH-6 to OUTH-18.
"""

import asyncio
import concurrent.futures
import contextlib
import re
import ssl
import threading
from collections.abc import Coroutine
from typing import Any

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.factors.outbound_http.connections import (
    ConnectionTarget,
    HttpConnectionPool,
)
from edgezero_spin.host.factors.outbound_http.exchange import (
    HttpExchange,
    NetworkRequest,
    Timeouts,
    wire_pairs,
)
from edgezero_spin.host.factors.outbound_http.interface import Destination
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules
from edgezero_spin.host.factors.outbound_networking.tls import default_tls
from edgezero_spin.host.factors.wasi.http import (
    FutureIncomingResponse,
    RequestOptions,
    SendableRequest,
    method_text,
)
from edgezero_spin.manifest.spin.host_names import parse_host_name

__all__ = ["HttpClient"]

DEFAULT_TIMEOUT_S = 600.0
CLOSE_TIMEOUT_S = 2.0
LOOKUPS_AT_ONCE = 64

DEFAULT_PORTS = {"http": 80, "https": 443}

_PAST_ASCII = re.compile(rb"[\x80-\xff]")

# Some servers insist on a length (411).
_EXPECTS_CONTENT = frozenset({"POST", "PUT", "PATCH"})
# These hardly ever have any; chunks behind such a head are what some servers refuse, and others
# take for the next request.
_BODILESS = frozenset({"GET", "HEAD", "CONNECT"})


class HttpClient:
    """The outbound side of one host. ``close`` ends what is under way."""

    def __init__(self, rules: NetworkRules | None = None) -> None:
        """Start nothing yet.

        Args:
            rules: What the operator lets connections do; ``None`` for the usual.
        """
        self._rules = rules or NetworkRules()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pool = HttpConnectionPool(self._rules)
        self._default_tls: ssl.SSLContext | None = None
        self._tasks: set[concurrent.futures.Future[None]] = set()
        self._closed = False

    def send(
        self,
        destination: Destination,
        request: SendableRequest,
        options: RequestOptions | None,
        future: FutureIncomingResponse,
    ) -> None:
        """Start an exchange; ``future`` gets its outcome. Called on a guest's thread."""
        task = self._start(self._exchange(destination, request, options, future))
        if task is None:
            _give_up(request, future)
            return
        future.abandon = task.cancel  # type: ignore[assignment]
        # One that is cancelled before its first step has no chance to say so itself.
        task.add_done_callback(lambda _: _give_up(request, future))

    def _start(self, work: Coroutine[Any, Any, None]) -> "concurrent.futures.Future[None] | None":
        with self._lock:
            if self._closed:
                work.close()
                return None
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                # Python's own takes as few as five: so many slow names would stop all others.
                self._loop.set_default_executor(
                    concurrent.futures.ThreadPoolExecutor(LOOKUPS_AT_ONCE, "edgezero-lookup")
                )
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="edgezero-outbound", daemon=True
                )
                self._thread.start()
            task = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _exchange(
        self,
        destination: Destination,
        request: SendableRequest,
        options: RequestOptions | None,
        future: FutureIncomingResponse,
    ) -> None:
        # What was compared with the manifest is what is connected to.
        host = str(parse_host_name(destination.host))
        method = method_text(request.method)
        headers, body = _framed(method, request)
        outgoing = NetworkRequest(
            method=method.encode(),
            target=_target(request.path or "/"),
            headers=wire_pairs([("Host", (destination.authority or "").encode()), *headers]),
            body=body,
            place=ConnectionTarget(
                host,
                DEFAULT_PORTS[destination.scheme] if destination.port is None else destination.port,
                self._tls(future.component_id, host) if destination.scheme == "https" else None,
            ),
            timeouts=_timeouts(options),
        )
        await HttpExchange(outgoing, self._pool, future).run()

    def _tls(self, component_id: str, host: str) -> ssl.SSLContext:
        """Whom this component trusts at this host, and who it says it is (NET-44)."""
        own = self._rules.tls.get((component_id, host))
        if own is not None:
            return own
        # Made at the first request that needs it: reading the root certificates takes time.
        if self._default_tls is None:
            self._default_tls = default_tls()
        return self._default_tls

    def close(self) -> None:
        """Cancel every exchange and end the thread. Twice is harmless."""
        with self._lock:
            self._closed = True
            loop, self._loop = self._loop, None
            tasks = list(self._tasks)
        if loop is None or self._thread is None:
            return
        for task in tasks:
            task.cancel()
        closing = asyncio.run_coroutine_threadsafe(self._shut(), loop)
        with contextlib.suppress(concurrent.futures.TimeoutError):
            closing.result(CLOSE_TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(CLOSE_TIMEOUT_S)
        if not self._thread.is_alive():
            loop.close()

    async def _shut(self) -> None:
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        await asyncio.gather(*others, return_exceptions=True)
        self._pool.close()
        await asyncio.get_running_loop().shutdown_default_executor()


def _give_up(request: SendableRequest, future: FutureIncomingResponse) -> None:
    """Reject a request that got no answer."""
    if not future.ready():
        request.drop_body()
        future.reject(("connection-terminated", None))


def _target(path: str) -> bytes:
    """A path and query as they are sent: letters past ASCII are percent-encoded (RFC 3987)."""
    path = f"/{path}" if path.startswith("?") else path
    return _PAST_ASCII.sub(lambda found: b"%%%02X" % found[0][0], path.encode())


def _timeouts(options: RequestOptions | None) -> Timeouts:
    options = options or RequestOptions()
    return Timeouts(
        *(
            DEFAULT_TIMEOUT_S if nanoseconds is None else nanoseconds / 1e9
            for nanoseconds in (
                options.connect_timeout,
                options.first_byte_timeout,
                options.between_bytes_timeout,
            )
        )
    )


def _framed(method: str, request: SendableRequest) -> tuple[list[Pair], ByteChannel | None]:
    """Return headers and body as they go out.

    Whoever writes a body that does not go out is not told, as under Spin.

    Source: RFC 9110, 8.6 and 9.3.1; RFC 9112, 6. hyper, and with it Spin, leaves bodies out in the
    same cases, and says ``content-length: 0`` in all.
    """
    headers = request.headers.entries
    body = None if request.body is None else request.body.channel
    if any(name == "content-length" for name, _ in headers):
        return headers, body
    if request.body is not None and method in _BODILESS:
        request.ignore_body()
        body = None
    if body is None and method in _EXPECTS_CONTENT:
        headers = [*headers, ("content-length", b"0")]
    return headers, body
