"""Send guests' requests to the network.

One event loop on a thread of its own carries all outbound exchanges of a host; it starts
with the first of them. Bodies stream both ways through the guests' channels with
back-pressure. Nothing is added to a request but ``Host`` and its framing; redirects are
not followed, nothing is decompressed, no proxy is asked (OUTH-15, OUTH-17).

Source: contract spin-host.md, OUTH-6 to OUTH-17.
"""

import asyncio
import concurrent.futures
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import attrs
import httpx

from edgezero_spin.host.capabilities.http_fields import FORBIDDEN
from edgezero_spin.host.capabilities.outbound_http import Destination
from edgezero_spin.host.capabilities.wasi_http import (
    FutureIncomingResponse,
    IncomingResponse,
    OutgoingRequest,
    RequestOptions,
    method_text,
)
from edgezero_spin.host.channel import ByteChannel
from edgezero_spin.host.trigger.delivery import Upload, call_in

__all__ = [
    "BodyAborted",
    "HttpClient",
    "error_code",
]

DEFAULT_TIMEOUT_S = 600.0
MAX_CONNECTIONS = 256
CLOSE_TIMEOUT_S = 2.0

ErrorCode = tuple[str, Any]


@attrs.frozen
class _Timeouts:
    """Seconds (OUTH-14)."""

    connect: float
    first_byte: float
    between_bytes: float

    @classmethod
    def of(cls, options: RequestOptions | None) -> "_Timeouts":
        options = options or RequestOptions()
        return cls(
            *(
                DEFAULT_TIMEOUT_S if nanoseconds is None else nanoseconds / 1e9
                for nanoseconds in (
                    options.connect_timeout,
                    options.first_byte_timeout,
                    options.between_bytes_timeout,
                )
            )
        )


class BodyAborted(Exception):  # noqa: N818 - internal: ends a request whose body broke off
    """A guest left the body of its request unfinished."""


class HttpClient:
    """The outbound side of one host. ``close`` ends what is under way."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._transport: httpx.AsyncHTTPTransport | None = None
        self._tasks: set[concurrent.futures.Future[None]] = set()
        self._closed = False

    def send(
        self,
        destination: Destination,
        request: OutgoingRequest,
        options: RequestOptions | None,
        future: FutureIncomingResponse,
    ) -> None:
        """Start an exchange; ``future`` gets its outcome. Called on a guest's thread."""
        authority = destination.authority or ""
        path = request.path or "/"
        if not path.startswith("/"):
            path = f"/{path}" if path.startswith("?") else path
        headers = [("Host", authority.encode()), *request.headers.entries]
        body = None if request.body is None else request.body.channel
        task = self._start(
            self._exchange(
                method_text(request.method),
                f"{destination.scheme}://{authority}",
                path.encode(),
                headers,
                body,
                _Timeouts.of(options),
                future,
            )
        )
        if task is None:
            future.reject(("connection-terminated", None))
        else:
            future.abandon = task.cancel  # type: ignore[assignment]

    def _start(self, work: Coroutine[Any, Any, None]) -> "concurrent.futures.Future[None] | None":
        with self._lock:
            if self._closed:
                work.close()
                return None
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
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
        method: str,
        origin: str,
        path: bytes,
        headers: list[tuple[str, bytes]],
        body: ByteChannel | None,
        timeouts: _Timeouts,
        future: FutureIncomingResponse,
    ) -> None:
        limits = {
            "connect": timeouts.connect,
            "read": timeouts.first_byte,
            "write": timeouts.between_bytes,
            "pool": timeouts.connect,
        }
        try:
            request = httpx.Request(
                method,
                origin,
                headers=[(name.encode("ascii"), value) for name, value in headers],
                content=None if body is None else _pieces_of(body),
                extensions={"timeout": limits, "target": path},
            )
            response = await self._sender().handle_async_request(request)
        except (Exception, asyncio.CancelledError) as error:
            if body is not None:
                body.close()
            future.reject(error_code(error))
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        limits["read"] = timeouts.between_bytes
        upload = Upload()
        seen = [
            (name.decode("ascii", "replace").lower(), value) for name, value in response.headers.raw
        ]
        shown = [pair for pair in seen if pair[0] not in FORBIDDEN]
        future.resolve(IncomingResponse(response.status_code, shown, upload.channel))
        await _receive(response, upload)

    def _sender(self) -> httpx.AsyncHTTPTransport:
        # Made in the loop, at the first request: reading the root certificates takes time.
        if self._transport is None:
            self._transport = httpx.AsyncHTTPTransport(
                trust_env=False,
                limits=httpx.Limits(max_connections=MAX_CONNECTIONS, keepalive_expiry=30),
            )
        return self._transport

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
        if self._transport is not None:
            await self._transport.aclose()


async def _pieces_of(body: ByteChannel) -> AsyncIterator[bytes]:
    """Yield what a guest writes, until it finishes its body."""
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    body.on_data = lambda: call_in(loop, changed.set)
    while True:
        changed.clear()
        ended = body.ended
        data = body.take_all()
        if data:
            yield data
        elif body.failure is not None:
            raise BodyAborted(str(body.failure))
        elif ended:
            return
        else:
            await changed.wait()


async def _receive(response: httpx.Response, upload: Upload) -> None:
    """Pass a response body on to the guest; leave when the guest does."""
    channel = upload.channel
    failure: ErrorCode = ("connection-terminated", None)
    try:
        stream = response.stream
        if isinstance(stream, httpx.AsyncByteStream):
            async for piece in stream:
                await upload.put(piece)
                if channel.closed:
                    break
        channel.end()
    except Exception as error:
        failure = error_code(error)
    finally:
        # Without effect after a clean end.
        channel.fail(failure)
        with contextlib.suppress(Exception):
            await response.aclose()


def error_code(error: BaseException) -> ErrorCode:
    """The code of ``wasi:http`` for what went wrong (OUTH-6 to OUTH-10)."""
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return ("DNS-error", {"rcode": "address not available", "info-code": 0})
        if isinstance(cause, ssl.SSLError):
            return ("TLS-protocol-error", None)
    if isinstance(error, BodyAborted | asyncio.CancelledError):
        return ("connection-terminated", None)
    if isinstance(error, httpx.ConnectTimeout):
        return ("connection-timeout", None)
    if isinstance(error, httpx.PoolTimeout):
        return ("connection-limit-reached", None)
    if isinstance(error, httpx.ReadTimeout):
        return ("connection-read-timeout", None)
    if isinstance(error, httpx.WriteTimeout):
        return ("connection-write-timeout", None)
    if isinstance(error, httpx.ConnectError):
        return ("connection-refused", None)
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return ("HTTP-request-URI-invalid", None)
    return ("HTTP-protocol-error", None)


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
