"""HTTP/1.1 on one connection, within bounds that a client cannot move.

In: bytes of a client. Out: one request at a time, handed to a ``Handler``, and the response
that it writes back. The head of a request is found here and parsed by httptools; what comes
behind it waits until the request before is done, so that requests in one piece (pipelining)
cost nothing but their bytes.

Bounds: bytes and fields of a head, and a time for it; a time in which the bytes of a body have
to move on, in either direction; a time between two requests. Trailers stay apart from headers.
A wish to upgrade to another protocol is passed over (RFC 9110, 7.8).

Source: RFC 9112; contract spin-host.md, FLAG-3, RESP-7, RESP-9, RESP-14, HTTP-19, LIFE-8,
LIFE-10.
"""

import asyncio
import contextlib
import enum
import logging
import re
from collections.abc import Sequence
from typing import cast

import httptools

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.exchange.loops import call_in
from edgezero_spin.host.http.chunks import ChunkedPieces
from edgezero_spin.host.http.connections import Connections
from edgezero_spin.host.http.deadlines import Deadlines
from edgezero_spin.host.http.framing import (
    Framing,
    chunk,
    date_line,
    last_chunk,
    response_head,
    status_line,
)
from edgezero_spin.host.http.gateway import RequestHead
from edgezero_spin.host.http.headers import HeaderNotTextError, client_headers
from edgezero_spin.host.http.request_head import (
    NO_BODY,
    BodyFraming,
    Refused,
    RequestLine,
    body_framing,
    parse_request_line,
    parse_target,
)
from edgezero_spin.host.http.resets import reset
from edgezero_spin.host.http.respond import Responder

__all__ = ["HttpProtocol"]

logger = logging.getLogger("edgezero_spin.host")

MAX_FIELDS = 100
"""Header fields of one request, as under Spin; 431 past it."""

LINGER_S = 2.0
"""Seconds for which the rest of a request is thrown away before its connection is closed."""

DISCARDED_BYTES = 1024 * 1024
"""Bytes of a body that nobody reads any more, before its connection is closed instead."""

_BARE_LF = re.compile(rb"(?<!\r)\n")
_NO_METHOD = frozenset(range(256)) - frozenset(
    b"!#$%&'*+.^_`|~-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\r"
)
_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)
_JUDGED = (b"content-length", b"transfer-encoding", b"expect")
_END = b"\r\n\r\n"


class _State(enum.Enum):
    """What is read."""

    HEAD = enum.auto()
    BODY = enum.auto()
    NOTHING = enum.auto()
    """Bytes are thrown away until the connection is closed."""


class HttpProtocol(asyncio.Protocol):
    """One connection; also the writer of the response to its present request."""

    def __init__(self, connections: Connections) -> None:
        """Serve one connection.

        Args:
            connections: Of the server; it has the handler and the limits.
        """
        self._connections = connections
        self._limits = connections.settings
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._client: tuple[str, int] | None = None
        self._state = _State.HEAD
        self._data: bytes | bytearray = b""
        self._at = 0
        self._scanned = 0
        self._head_is_timed = True
        self._processing = False
        # Of the present request.
        self._parser = httptools.HttpRequestParser(self)
        self._fields: list[tuple[bytes, bytes]] = []
        self._judged: list[tuple[bytes, bytes]] = []
        self._too_large = False
        self._trailer_bytes = 0
        self._trailers: list[tuple[bytes, bytes]] | None = None
        self._body: ByteChannel | None = None
        self._left: int | None = 0
        self._pieces = ChunkedPieces()
        self._discarded = 0
        self._read_paused = False
        # Of its response.
        self._method = "GET"
        self._target = b""
        self._is_1_0 = False
        self._keep_alive = True
        self._answering = False
        self._responder: Responder | None = None
        self._framing: Framing | None = None
        self._write_paused = False
        self._unsent = 0
        self._deadlines = Deadlines(self._reading_is_late, self._writing_is_late)

    # Connection -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self._client = (str(peer[0]), int(peer[1]))
        self._connections.add(self)
        self._deadlines.read_within(self._limits.head_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._state = _State.NOTHING
        self._data, self._at = b"", 0
        self._deadlines.close()
        self._give_up()

    def eof_received(self) -> None:
        # The transport closes behind this, which in a response without a length or chunks
        # would look like its end.
        if self._answering:
            self._break_off()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being read or answered."""
        return self._state is _State.HEAD and not self._answering

    def stop(self) -> None:
        """Close when the present request is answered; at once where there is none."""
        self._keep_alive = False
        if self.is_idle:
            self._close()

    def cut_off(self) -> None:
        """End the present request, for which there is no more time (LIFE-10)."""
        if self._answering:
            logger.warning(
                "%s %s was cut off: the server stops", self._method, _shown(self._target)
            )
            self._give_up()
            if self._framing is None:
                self._keep_alive = False
                self.send(500, [("content-length", b"0")], b"")
            else:
                self._break_off()
        self._transport.close()

    def _give_up(self) -> None:
        """Tell whoever answers that nobody waits."""
        responder, self._responder = self._responder, None
        if responder is not None:
            responder.abandon()
        if self._body is not None:
            self._body.fail(("connection-terminated", None))

    # Time ---------------------------------------------------------------------------

    def _expect_reading(self) -> None:
        """Give the client its time to take what was written."""
        self._unsent = self._transport.get_write_buffer_size()
        self._deadlines.write_within(self._limits.body_timeout_s)

    def _writing_is_late(self) -> None:
        if self._transport.get_write_buffer_size() < self._unsent:
            self._expect_reading()
            return
        self._connections.report_stalled(self._client, "read", self._target)
        self._transport.abort()

    def _reading_is_late(self) -> None:
        if self._state is _State.HEAD:
            if len(self._data) > self._at:
                self._refuse(408)
            else:
                self._close()
        elif self._state is _State.BODY:
            self._connections.report_stalled(self._client, "send", self._target)
            if self._body is not None:
                self._body.fail(("connection-read-timeout", None))
            self._refuse(408)
        else:
            self._transport.abort()

    # Reading ------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._state is _State.NOTHING:
            return
        if self._at >= len(self._data):
            self._data, self._at, self._scanned = data, 0, 0
        else:
            if not isinstance(self._data, bytearray):
                self._data = bytearray(memoryview(self._data)[self._at :])
                self._scanned = max(0, self._scanned - self._at)
                self._at = 0
            self._data += data
        self._process()

    def _process(self) -> None:
        """Read on, unless the request before has to be answered first."""
        if self._processing:
            return
        self._processing = True
        try:
            while self._at < len(self._data):
                if self._state is _State.BODY:
                    self._read_body()
                elif self._state is _State.NOTHING:
                    self._data, self._at = b"", 0
                elif self._answering or self._write_paused:
                    self._pause_reading()
                    return
                elif not self._read_head():
                    break
        except Refused as refused:
            self._refuse(refused.status)
        except httptools.HttpParserError:
            if self._body is not None:
                self._body.fail(("HTTP-protocol-error", None))
            self._refuse(431 if self._too_large else 400)
        finally:
            self._processing = False
        if self.is_idle:
            self._await_head()

    def _await_head(self) -> None:
        self._resume_reading()
        if len(self._data) <= self._at:
            self._data, self._at = b"", 0
        if not self._deadlines.expects_bytes:
            self._deadlines.read_within(self._limits.keep_alive_s)

    def _read_head(self) -> bool:
        """Read a head; ``False`` when it is not all there."""
        data, at = self._data, self._at
        while data[at : at + 2] == b"\r\n":
            at += 2
        self._at = at
        start = max(at, self._scanned)
        end = data.find(_END, max(at, start - 3))
        size = (len(data) if end < 0 else end + 4) - at
        if size > self._limits.max_head_bytes:
            raise Refused(431)
        if end < 0:
            # A line that ends without CR would let this wait for an end that is there.
            if _BARE_LF.search(data, start) or (size and data[at] in _NO_METHOD):
                raise Refused(400)
            if not self._head_is_timed:
                self._head_is_timed = True
                self._deadlines.read_within(self._limits.head_timeout_s)
            self._scanned = len(data)
            return False
        self._scanned = 0
        self._head_is_timed = False
        self._at = end + 4
        self._deadlines.read_any_time()
        self._begin(bytes(data[at : end + 4]))
        return True

    def _begin(self, head: bytes) -> None:
        """Hand a request over."""
        line = parse_request_line(head)
        self._method, self._target, self._is_1_0 = line.method, line.target, line.is_1_0
        self._framing = None
        self._parse(line)
        judged = self._judged
        framing = body_framing(judged, is_1_0=line.is_1_0) if judged else NO_BODY
        request = self._request(line)
        body = self._expect_body(framing)
        if body is not None and self._at < len(self._data):
            # What came with the head is there when the guest starts.
            self._read_body()
        self._answering = True
        responder = self._connections.handler.begin(request, body, self)
        if self._answering:
            self._responder = responder
            waits = framing.continues and body is not None and not body.ended
            if waits and self._framing is None:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _parse(self, line: RequestLine) -> None:
        head = line.for_parser
        self._fields, self._judged, self._trailers = [], [], None
        try:
            self._parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            # The parser takes what follows for another protocol; without the wish it does not.
            self._fields, self._judged, self._trailers = [], [], None
            self._parser = httptools.HttpRequestParser(self)
            self._parser.feed_data(_UPGRADE.sub(b"", head))

    def _request(self, line: RequestLine) -> RequestHead:
        target = parse_target(line.method, line.target)
        fields = self._fields
        authority = target.authority
        if authority is not None:
            hosts = [value.lower() for name, value in fields if name == b"host"]
            if hosts != [authority.lower()]:
                # A ``Host`` that has to agree (RV-94): two of them are refused.
                fields.append((b"host", authority))
        return RequestHead(
            line.method,
            target.path,
            target.query,
            fields,
            self._connections.scheme,
            self._client,
        )

    def _expect_body(self, framing: BodyFraming) -> ByteChannel | None:
        self._left = framing.length
        self._body = None
        if framing.length == 0:
            return None
        if framing.length is not None:
            # The parser has no part in bytes that are counted.
            self._parser = httptools.HttpRequestParser(self)
        self._state = _State.BODY
        self._pieces = ChunkedPieces()
        self._discarded = self._trailer_bytes = 0
        self._body = body = ByteChannel()
        body.on_space = self._space
        self._resume_reading()
        self._deadlines.read_within(self._limits.body_timeout_s)
        return body

    # What the parser finds in a head, or in chunks ------------------------------------

    def on_message_begin(self) -> None:
        """A head begins."""

    def on_url(self, url: bytes) -> None:
        """The target, which was read before."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field line of a head or a trailer."""
        name = name.lower()
        # The parser leaves blanks behind a value, which are no part of it (RFC 9110, 5.5).
        value = value.rstrip(b" \t")
        trailers = self._trailers
        if trailers is not None:
            self._trailer_bytes += len(name) + len(value)
            if self._trailer_bytes > self._limits.max_head_bytes:
                raise ValueError("the trailers are too large")
            trailers.append((name, value))
            return
        if len(self._fields) >= MAX_FIELDS:
            self._too_large = True
            raise ValueError("too many fields")
        if name in _JUDGED:
            self._judged.append((name, value))
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """What follows are chunks and trailers."""
        self._trailers = []
        self._keep_alive = self._parser.should_keep_alive() and not self._connections.stopping

    def on_body(self, data: bytes) -> None:
        """Bytes of a chunk."""
        self._put(data)

    def on_message_complete(self) -> None:
        """The end of a head without a body, or of chunks."""
        if self._state is _State.BODY:
            self._end_body()

    # Bodies -------------------------------------------------------------------------

    def _read_body(self) -> None:
        data, at = self._data, self._at
        if self._left is None:
            self._read_chunks(data, at)
            return
        size = min(self._left, len(data) - at)
        whole = size == len(data) and isinstance(data, bytes)
        self._at += size
        self._left -= size
        self._put(cast("bytes", data) if whole else bytes(data[at : at + size]))
        if not self._left:
            self._end_body()

    def _read_chunks(self, data: bytes | bytearray, at: int) -> None:
        """Give the parser no byte of the next request: chunks end in an empty line."""
        while self._state is _State.BODY and at < len(data):
            end = self._pieces.end_of_piece(data, at)
            self._at = end
            self._parser.feed_data(bytes(data[at:end]))
            at = end

    def _put(self, data: bytes) -> None:
        body = self._body
        if body is None:
            return
        self._deadlines.read_within(self._limits.body_timeout_s)
        if body.closed and not self._answering:
            self._discarded += len(data)
            if self._discarded > DISCARDED_BYTES:
                self._close()
            return
        body.put(data)
        if not body.has_room():
            # It is the guest now that takes its time.
            self._deadlines.read_any_time()
            self._pause_reading()
            if body.has_room():
                self._go_on_reading()

    def _end_body(self) -> None:
        body, self._body = self._body, None
        self._state = _State.HEAD
        self._deadlines.read_any_time()
        if body is not None:
            body.end(self._sent_trailers())

    def _sent_trailers(self) -> list[Pair] | None:
        if not self._trailers:
            return None
        try:
            return client_headers(self._trailers)
        except HeaderNotTextError:
            return None

    def _space(self) -> None:
        # On the guest's thread; half of the budget is worth waking the loop for.
        body = self._body
        if body is None or not self._read_paused:
            return
        if body.closed or body.size <= body.limit // 2:
            call_in(self._loop, self._go_on_reading)

    def _go_on_reading(self) -> None:
        if self._read_paused and self._state is _State.BODY:
            self._resume_reading()
            self._deadlines.read_within(self._limits.body_timeout_s)

    def _pause_reading(self) -> None:
        if not self._read_paused:
            self._read_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._read_paused:
            self._read_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    # Writing: the ResponseWriter of the present request --------------------------------

    def pause_writing(self) -> None:
        self._write_paused = True
        self._expect_reading()

    def resume_writing(self) -> None:
        self._write_paused = False
        self._deadlines.write_any_time()
        if self._responder is not None:
            self._responder.resume()
        elif self.is_idle:
            self._loop.call_soon(self._process)

    def ready(self) -> bool:
        """Whether the client keeps up with reading."""
        return not self._write_paused

    def send(self, status: int, headers: Sequence[Pair], body: bytes) -> None:
        """Send a whole response in one piece."""
        head = self._head(status, headers)
        if self._framing is Framing.CHUNKED:
            body = chunk(body) + last_chunk(None)
        self._transport.write(head + body if body else head)
        self._complete()

    def start(self, status: int, headers: Sequence[Pair]) -> None:
        """Send the head of a response."""
        self._transport.write(self._head(status, headers))

    def _head(self, status: int, headers: Sequence[Pair]) -> bytes:
        head, self._framing = response_head(
            status,
            headers,
            method=self._method,
            chunks=not self._is_1_0,
            keep_alive=self._keep_alive,
            tell_keep_alive=self._is_1_0 and self._keep_alive,
        )
        if self._framing is Framing.CLOSE:
            self._keep_alive = False
        return head

    def write(self, data: bytes, *, last: bool, trailers: list[Pair] | None = None) -> None:
        """Send a piece of the body."""
        if self._framing is Framing.CHUNKED:
            data = chunk(data)
            if last:
                data += last_chunk(trailers)
        if data:
            self._transport.write(data)
        if last:
            self._complete()

    def abort(self, reason: str) -> None:
        """Break the response off."""
        if not self._answering:
            return
        if self._framing is None:
            self._keep_alive = False
            self.send(500, [("content-length", b"0")], b"")
        else:
            self._break_off()

    def _complete(self) -> None:
        # The place to note a request in an access log: method, target, client and status.
        self._answering = False
        self._responder = None
        if not self._keep_alive or self._connections.stopping:
            self._close()
        elif self._state is _State.HEAD and not self._processing:
            if len(self._data) > self._at:
                # Not at once: each answer would be written from within the one before.
                self._loop.call_soon(self._process)
            else:
                self._await_head()

    def _break_off(self) -> None:
        """End the connection in the middle of a response, so that the client can tell.

        A length or chunks say what is missing, and what was written still arrives. Where only
        the end of the connection marks the end of the body, that end has to be a reset.
        """
        self._answering = False
        self._state = _State.NOTHING
        if self._framing is Framing.CLOSE:
            reset(self._transport)
        else:
            self._transport.close()

    def _refuse(self, status: int) -> None:
        """Answer a request that cannot be read, and close."""
        if self._answering:
            started = self._framing is not None
            self._give_up()
            self._answering = False
            if started:
                self._break_off()
                return
        end = b"content-length: 0\r\nconnection: close\r\n\r\n"
        self._transport.write(status_line(status) + date_line() + end)
        self._close(sending=True)

    def _close(self, *, sending: bool = False) -> None:
        """Close behind what was written, once the client can have read it.

        Closing on a client that is still sending resets the connection, and the response may
        be lost with it (RFC 9112, 9.6).

        Args:
            sending: The client may not be done with sending, though no body is awaited.
        """
        transport = self._transport
        sending = sending or self._state is _State.BODY or len(self._data) > self._at
        self._state = _State.NOTHING
        self._deadlines.read_any_time()
        if self._body is not None:
            self._body.fail(("connection-terminated", None))
        if sending and transport.can_write_eof() and not transport.is_closing():
            with contextlib.suppress(OSError):
                transport.write_eof()
            self._resume_reading()
            self._deadlines.read_within(LINGER_S)
            return
        if transport.get_write_buffer_size():
            self._expect_reading()
        transport.close()


def _shown(target: bytes) -> str:
    """A target for a line of a log: what a client chose is neither long nor more than one line."""
    text = target.partition(b"?")[0].decode("ascii", "backslashreplace")
    return text if len(text) <= 200 else text[:200] + "..."
