"""The body of a connection's present request, on its way from the client to the guest.

In: bytes of a connection, and how the body is framed. Out: a ``ByteChannel`` that is full
before its guest reads, and reading that rests until then. Trailers stay apart from headers.

A client has to keep a pace (``BodyPace``) while it is waited for. What nobody reads any more is
thrown away, up to a limit.

Source: RFC 9112, sections 6 and 7; contract spin-host.md, HTTP-17.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.exchange.loops import call_in
from edgezero_spin.host.http.body_pace import BodyPace
from edgezero_spin.host.http.deadlines import Deadlines
from edgezero_spin.host.http.headers import HeaderNotTextError, client_headers
from edgezero_spin.host.http.read_flow import ReadFlow
from edgezero_spin.host.http.request_head import BodyFraming, Refused
from edgezero_spin.host.http.request_parser import RequestParser
from edgezero_spin.host.http.settings import ServerSettings

__all__ = ["RequestBody", "trailers_of"]

DISCARDED_BYTES = 1024 * 1024
"""Bytes of a body that nobody reads any more, before its connection is closed instead."""

_EMPTY_LINE = b"\r\n\r\n"


class RequestBody:
    """Reads the bodies of one connection, one after the other.

    Attributes:
        parser: Reads chunks, and the heads between the bodies.
        channel: Of the body that is awaited; ``None`` when none is.
        is_answered: The response is complete, so that nobody may read the rest.
    """

    def __init__(
        self,
        flow: ReadFlow,
        deadlines: Deadlines,
        limits: ServerSettings,
        on_excess: Callable[[], None],
    ) -> None:
        """Await nothing yet.

        Args:
            on_excess: Called when a client goes on sending what nobody reads.
        """
        self.parser = RequestParser(limits.max_head_bytes, self._put, self._end)
        self.channel: ByteChannel | None = None
        self.is_answered = False
        self._loop = asyncio.get_running_loop()
        self._flow = flow
        self._deadlines = deadlines
        self._limits = limits
        self._on_excess = on_excess
        self._left: int | None = 0
        self._pieces = _ChunkedPieces()
        self._pace = BodyPace(limits.body_timeout_s, limits.min_body_rate)
        self._discarded = 0

    def expect(self, framing: BodyFraming) -> ByteChannel | None:
        """Return the channel of the next body; ``None`` where there is none."""
        self.is_answered = False
        if framing.length == 0:
            return None
        if framing.length is not None:
            self.parser.skip_body()
        self._left = framing.length
        self._pieces = _ChunkedPieces()
        self._discarded = 0
        self.channel = body = ByteChannel()
        body.on_space = self._space
        self._pace = BodyPace(self._limits.body_timeout_s, self._limits.min_body_rate)
        self._await_bytes()
        return body

    def read(self, data: bytes | bytearray, at: int) -> int:
        """Read from a place of the connection's bytes; return where the rest begins.

        Raises:
            Refused: 400: these are not chunks. The guest is told.
        """
        if self._left is None:
            try:
                return self._read_chunks(data, at)
            except Refused:
                self.fail("HTTP-protocol-error")
                raise
        size = min(self._left, len(data) - at)
        whole = size == len(data) and isinstance(data, bytes)
        self._left -= size
        self._put(cast("bytes", data) if whole else bytes(data[at : at + size]))
        if not self._left:
            self._end()
        return at + size

    def fail(self, code: str) -> None:
        """Tell the guest that the rest will not come, by a code of WASI."""
        if self.channel is not None:
            self.channel.fail((code, None))

    def _read_chunks(self, data: bytes | bytearray, at: int) -> int:
        """Give the parser no byte of the next request: chunks end in an empty line."""
        while self.channel is not None and at < len(data):
            end = self._pieces.end_of_piece(data, at)
            self.parser.read_chunks(bytes(data[at:end]))
            at = end
        return at

    def _put(self, data: bytes) -> None:
        body = self.channel
        if body is None:
            return
        if self._pace.is_waiting:
            self._deadlines.read_by(self._pace.earn(self._loop.time(), len(data)))
        if body.closed and self.is_answered:
            self._discarded += len(data)
            if self._discarded > DISCARDED_BYTES:
                self._on_excess()
            return
        body.put(data)
        if not body.has_room():
            # It is the guest now that takes its time.
            self._pace.rest(self._loop.time())
            self._deadlines.read_any_time()
            self._flow.pause()
            if body.has_room():
                self._go_on()

    def _end(self) -> None:
        body, self.channel = self.channel, None
        if body is not None:
            self._deadlines.read_any_time()
            body.end(trailers_of(self.parser.trailers) if self._left is None else None)

    def _space(self) -> None:
        # On the guest's thread; half of the budget is worth waking the loop for.
        body = self.channel
        if body is None or not self._flow.paused:
            return
        if body.closed or body.size <= body.limit // 2:
            call_in(self._loop, self._go_on)

    def _go_on(self) -> None:
        if self._flow.paused and self.channel is not None:
            self._await_bytes()

    def _await_bytes(self) -> None:
        self._flow.resume()
        self._deadlines.read_by(self._pace.wait(self._loop.time()))


def trailers_of(fields: list[tuple[bytes, bytes]]) -> list[Pair] | None:
    """Return trailers as a guest sees them; ``None`` for none, and for some that it cannot."""
    if not fields:
        return None
    try:
        return client_headers(fields)
    except HeaderNotTextError:
        return None


class _ChunkedPieces:
    """Splits the bytes of a chunked body behind each empty line, as which it ends (RFC 9112, 7.1).

    So no byte behind its end is given to its parser, which knows which one was the end.
    """

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def end_of_piece(self, data: bytes | bytearray, at: int) -> int:
        """Return where the piece ends that begins at ``at``."""
        # An empty line may have begun in the piece before.
        found = (self._tail + bytes(data[at : at + 3])).find(_EMPTY_LINE)
        if found >= 0:
            end = at + found + 4 - len(self._tail)
        else:
            found = data.find(_EMPTY_LINE, at)
            end = len(data) if found < 0 else found + 4
        self._tail = (self._tail + bytes(data[max(at, end - 3) : end]))[-3:]
        return end
