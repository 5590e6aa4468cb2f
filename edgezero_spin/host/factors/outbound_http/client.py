"""HTTP client for guests' requests.

One event loop on a thread of its own carries all outbound exchanges of a host; it starts
with the first of them. Bodies stream both ways at once through the guests' channels, with
back-pressure. Nothing is added to a request but ``Host`` and its framing; redirects are not
followed, nothing is decompressed, no proxy is asked (OUTH-15, OUTH-17).

Source: contract spin-host.md, OUTH-6 to OUTH-18.
"""

import asyncio
import re
import ssl
from concurrent.futures import ThreadPoolExecutor

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.exchange.loops import LoopThread
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
from edgezero_spin.host.factors.tls import default_tls
from edgezero_spin.host.factors.wasi.http.outbound import (
    FutureIncomingResponse,
    RequestOptions,
    SendableRequest,
)
from edgezero_spin.host.factors.wasi.http.values import method_text
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
        self._loop = LoopThread("edgezero-outbound", begin=_with_lookups, end=self._shut)
        self._pool = HttpConnectionPool(self._rules)
        self._default_tls: ssl.SSLContext | None = None

    def send(
        self,
        destination: Destination,
        request: SendableRequest,
        options: RequestOptions | None,
        future: FutureIncomingResponse,
    ) -> None:
        """Start an exchange; ``future`` gets its outcome. Called on a guest's thread."""
        task = self._loop.submit(self._exchange(destination, request, options, future))
        if task is None:
            _give_up(request, future)
            return
        future.abandon = task.cancel  # type: ignore[assignment]
        # One that is cancelled before its first step has no chance to say so itself.
        task.add_done_callback(lambda _: _give_up(request, future))

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
        self._loop.close(CLOSE_TIMEOUT_S)

    async def _shut(self) -> None:
        self._pool.close()
        await asyncio.get_running_loop().shutdown_default_executor()


def _with_lookups(loop: asyncio.AbstractEventLoop) -> None:
    # Python's own takes as few as five: so many slow names would stop all others.
    loop.set_default_executor(ThreadPoolExecutor(LOOKUPS_AT_ONCE, "edgezero-lookup"))


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
