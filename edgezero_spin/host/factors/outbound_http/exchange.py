"""One request and its answer over an HTTP/1.1 connection, both ways at once.

The body of the request leaves in a task of its own, so an answer may come before, during
and after it. An answer that is complete while the request is not counts all the same: the
rest of the request still goes out where the connection stays open, and is given up where
the server closes it (RFC 9112, section 9.3).

Source: contract spin-host.md, HTTP-14, HTTP-18 to HTTP-20, OUTH-7, OUTH-14 to OUTH-17.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable

import attrs
import h11

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.fields import FORBIDDEN, Pair
from edgezero_spin.host.exchange.loops import call_in
from edgezero_spin.host.exchange.upload import Upload
from edgezero_spin.host.factors.outbound_http.connections import (
    ClientConnection,
    ConnectionTarget,
    HttpConnectionPool,
)
from edgezero_spin.host.factors.outbound_http.failures import (
    NetworkFailure,
    error_code,
)
from edgezero_spin.host.factors.wasi.http.outbound import FutureIncomingResponse, IncomingResponse
from edgezero_spin.host.factors.wasi.http.values import ErrorCode

__all__ = ["HttpExchange", "NetworkRequest", "Timeouts", "wire_pairs"]

PARTS_AT_ONCE = 128
"""Chunks of an answer that are passed on together."""

# Sending such a request twice is sending it once (RFC 9110, 9.2.2).
IDEMPOTENT = (b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE")


@attrs.frozen
class Timeouts:
    """Seconds (OUTH-14).

    Attributes:
        connect: For a free connection, or to make one.
        first_byte: From the start of the request to the head of its answer.
        between_bytes: Without a step forward, while a body is sent or received.
    """

    connect: float
    first_byte: float
    between_bytes: float


@attrs.frozen
class NetworkRequest:
    """A request as it goes out.

    Attributes:
        method: As it is sent.
        target: Path and query as they are sent.
        headers: Names and values in order, without those about framing.
        body: What the guest writes; ``None`` for no body.
    """

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: ByteChannel | None
    place: ConnectionTarget
    timeouts: Timeouts


class HttpExchange:
    """Carries one request out and its answer in. ``run`` it once, in the pool's loop."""

    def __init__(
        self, request: NetworkRequest, pool: HttpConnectionPool, future: FutureIncomingResponse
    ) -> None:
        """Do nothing yet.

        Args:
            pool: Where the connection comes from.
            future: Gets the answer, or the code of what went wrong.
        """
        self._request = request
        self._pool = pool
        self._future = future
        self._sending: asyncio.Task[None] | None = None
        self._answer_began = False
        self._failure: Exception | None = None
        self._main: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """See the exchange through. Cancelling it breaks it off."""
        self._main = asyncio.current_task()
        try:
            connection, head = await self._answered()
        except (Exception, asyncio.CancelledError) as error:
            self._future.reject(self._code(error))
            if isinstance(error, asyncio.CancelledError) and self._failure is None:
                raise
            return
        arriving = _Arrival(self._cancel)
        self._future.resolve(
            IncomingResponse(head.status_code, _shown(head.headers), arriving.channel)
        )
        failure: ErrorCode = ("connection-terminated", None)
        reusable = False
        try:
            arriving.channel.end(await self._receive(connection, arriving))
            await self._finish_sending(connection)
            reusable = True
        except Exception as error:
            failure = self._code(error)
        except asyncio.CancelledError as error:
            failure = self._code(error)
            if self._failure is None:
                raise
        finally:
            # Without effect after a clean end.
            arriving.channel.fail(failure)
            await self._stop_sending()
            if reusable:
                self._pool.give_back(connection)
            else:
                self._pool.discard(connection)

    async def _answered(self) -> tuple[ClientConnection, h11.Response]:
        """Send the request until the head of its answer is there."""
        request = self._request
        renewed = False
        while True:
            try:
                connection = await self._pool.take(
                    request.place, request.timeouts.connect, new=renewed
                )
            except BaseException:
                await self._stop_sending()
                raise
            try:
                async with asyncio.timeout(request.timeouts.first_byte):
                    await self._send_head(connection)
                    return connection, await self._head(connection)
            except BaseException as error:
                again = self._may_repeat(connection, error)
                await self._stop_sending()
                self._pool.discard(connection)
                if again:
                    renewed = True
                    continue
                if isinstance(error, TimeoutError):
                    raise NetworkFailure("connection-read-timeout") from error
                raise

    def _may_repeat(self, connection: ClientConnection, error: BaseException) -> bool:
        """Whether the server closed a kept connection, and the request may be sent again."""
        return (
            connection.used
            and not self._answer_began
            and isinstance(error, OSError | h11.RemoteProtocolError)
            and not isinstance(error, TimeoutError)
            and self._request.body is None
            and self._request.method in IDEMPOTENT
        )

    async def _send_head(self, connection: ClientConnection) -> None:
        request = self._request
        http, stream = connection.http, connection.stream
        headers = list(request.headers)
        body = request.body
        if body is not None and not _has_length(headers):
            headers.append((b"transfer-encoding", b"chunked"))
        head = h11.Request(method=request.method, target=request.target, headers=headers)
        data = http.send(head)
        if body is None:
            data += http.send(h11.EndOfMessage())
        try:
            await stream.send(data, request.timeouts.between_bytes)
        except ConnectionError:
            # The server may have said why it takes nothing, in TLS or as an answer.
            http.send_failed()
            return
        if body is not None:
            self._sending = asyncio.create_task(self._send_body(connection, body))

    async def _send_body(self, connection: ClientConnection, body: ByteChannel) -> None:
        """Pass on what the guest writes. A fault of the guest breaks the exchange off."""
        http, stream = connection.http, connection.stream
        timeout_s = self._request.timeouts.between_bytes
        try:
            async for piece in _pieces_of(body):
                await stream.send(http.send(h11.Data(data=piece)), timeout_s)
            # Trailers have a place behind chunks only (HTTP-18).
            chunked = not _has_length(self._request.headers)
            trailers = wire_pairs(body.trailers or ()) if chunked else []
            await stream.send(http.send(h11.EndOfMessage(headers=trailers)), timeout_s)
        except TimeoutError:
            self._fail(NetworkFailure("connection-write-timeout"))
        except OSError:
            # The server reads no more; its answer may be on the way all the same.
            http.send_failed()
            body.close()
        except (NetworkFailure, h11.ProtocolError) as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._cancel()

    def _cancel(self) -> None:
        if self._main is not None:
            self._main.cancel()

    async def _head(self, connection: ClientConnection) -> h11.Response:
        http = connection.http
        while True:
            event = http.next_event()
            if isinstance(event, h11.Response):
                return event
            if event is h11.NEED_DATA:
                data = await connection.stream.receive(None)
                self._answer_began = self._answer_began or bool(data)
                http.receive_data(data)
            elif not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError("the connection ended without an answer")

    async def _receive(self, connection: ClientConnection, arriving: Upload) -> list[Pair] | None:
        """Pass the body of the answer on; return its trailers."""
        http = connection.http
        while True:
            parts: list[bytes] = []
            event = http.next_event()
            while isinstance(event, h11.Data):
                parts.append(event.data)
                if len(parts) == PARTS_AT_ONCE:
                    # A body of many small chunks must not block the loop for other exchanges.
                    await arriving.put(b"".join(parts))
                    await asyncio.sleep(0)
                    parts.clear()
                event = http.next_event()
            if parts:
                await arriving.put(b"".join(parts))
            if event is h11.NEED_DATA:
                try:
                    data = await connection.stream.receive(self._request.timeouts.between_bytes)
                except TimeoutError as error:
                    raise NetworkFailure("connection-read-timeout") from error
                http.receive_data(data)
            elif isinstance(event, h11.EndOfMessage):
                return _shown(event.headers) or None
            else:
                # After CONNECT there is no body that HTTP knows of.
                return None

    async def _finish_sending(self, connection: ClientConnection) -> None:
        """Let the rest of the request out, if the server still takes it."""
        if self._sending is not None and connection.http.their_state is h11.DONE:
            await self._sending

    async def _stop_sending(self) -> None:
        """Stop the task that sends the body, and close the body for the guest that writes it."""
        if self._sending is not None:
            self._sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sending
        if self._request.body is not None:
            self._request.body.close()

    def _code(self, error: BaseException) -> ErrorCode:
        return error_code(error if self._failure is None else self._failure)


class _Arrival(Upload):
    """The body of an answer on its way to the guest, who may leave before its end."""

    __slots__ = ("_on_left",)

    def __init__(self, left: Callable[[], None]) -> None:
        super().__init__()
        self._on_left = left

    def _space(self) -> None:
        # On the guest's thread.
        if self.channel.closed and not self.channel.ended:
            call_in(self._loop, self._on_left)
        super()._space()


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
            raise NetworkFailure("connection-terminated")
        elif ended:
            return
        else:
            await changed.wait()


def _has_length(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(name.lower() == b"content-length" for name, _ in headers)


def wire_pairs(pairs: Iterable[Pair]) -> list[tuple[bytes, bytes]]:
    """Headers or trailers of a guest as they are sent."""
    # Blanks around a value are not part of it (RFC 9110, 5.5).
    return [(name.encode("ascii"), value.strip(b" \t")) for name, value in pairs]


def _shown(pairs: Iterable[tuple[bytes, bytes]]) -> list[Pair]:
    """What a guest sees of headers or trailers that came in."""
    seen = [(name.decode("ascii").lower(), value) for name, value in pairs]
    return [pair for pair in seen if pair[0] not in FORBIDDEN]
