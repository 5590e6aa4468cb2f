"""HTTP/1.1 on one connection, within bounds that a client cannot move.

In: bytes of a client. Out: one request at a time, handed to a ``RequestHandler``. What comes
behind it waits until it is answered, so that requests in one piece (pipelining) cost nothing but
their bytes. A connection that begins with the preface of HTTP/2 is handed over.

Bounds: bytes and fields of a head, and a time for it; a pace for the bytes of a body, in either
direction; a time between two requests.

Source: RFC 9112; contract spin-host.md, FLAG-3, RESP-7, RESP-9, RESP-14, HTTP-19, LIFE-8,
LIFE-10.
"""

import asyncio
import logging
from typing import cast

from edgezero_spin.host.http.connections import Connections, shown
from edgezero_spin.host.http.deadlines import Deadlines
from edgezero_spin.host.http.gateway import KeptHeaders, RawPair, RequestHead
from edgezero_spin.host.http.http1_response import Http1Response
from edgezero_spin.host.http.read_flow import ReadFlow
from edgezero_spin.host.http.received import Received
from edgezero_spin.host.http.request_body import RequestBody
from edgezero_spin.host.http.request_handler import Responder
from edgezero_spin.host.http.request_head import (
    NO_BODY,
    Refused,
    RequestLine,
    body_framing,
    parse_request_line,
    parse_target,
)
from edgezero_spin.host.http.request_parser import RequestParser
from edgezero_spin.host.http.resets import LINGER_S, end_sending

__all__ = ["Http1Connection"]

logger = logging.getLogger("edgezero_spin.host")

_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\n"


class Http1Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, connections: Connections) -> None:
        """Serve one connection."""
        self._connections = connections
        self._limits = connections.settings
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines(self._reading_is_late, self._writing_is_late)
        self._transport: asyncio.Transport
        self._flow: ReadFlow
        self._body: RequestBody
        self._response: Http1Response
        self._responder: Responder | None = None
        self._client: tuple[str, int] | None = None
        # Bytes are thrown away until the connection is closed.
        self._is_closing = False
        self._received = Received()
        self._is_first = True
        self._head_is_timed = True
        self._processing = False
        self._unsent = 0

    # Connection -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._flow = ReadFlow(self._transport)
        self._response = Http1Response(self._transport, self._response_ended)
        self._body = RequestBody(self._flow, self._deadlines, self._limits, self._close)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self._client = (str(peer[0]), int(peer[1]))
        self._connections.add(self)
        self._deadlines.read_within(self._limits.head_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._is_closing = True
        self._received.clear()
        self._deadlines.close()
        self._give_up()

    def eof_received(self) -> None:
        # The transport closes behind this, which in a response without a length or chunks
        # would look like its end.
        if self._response.is_due:
            self._response.break_off()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being read or answered."""
        return not (self._is_closing or self._response.is_due or self._body.channel is not None)

    def stop(self) -> None:
        """Close when the present request is answered; at once where there is none."""
        self._response.keep_alive = False
        if self.is_idle:
            self._close()

    def cut_off(self) -> None:
        """End the present request, for which there is no more time (LIFE-10)."""
        response = self._response
        if response.is_due:
            logger.warning(
                "%s %s was cut off: the server stops", response.method, shown(response.target)
            )
            self._give_up()
            response.abort("the server stops")
        self._transport.close()

    def _give_up(self) -> None:
        """Tell whoever answers that nobody waits."""
        responder, self._responder = self._responder, None
        if responder is not None:
            responder.abandon()
        self._body.fail("connection-terminated")

    def _become_http2(self) -> None:
        # Few connections need what this imports.
        from edgezero_spin.host.http.http2_connection import Http2Connection

        successor = Http2Connection(self._connections)
        self._is_closing = True
        self._deadlines.close()
        self._transport.set_protocol(successor)
        successor.connection_made(self._transport)
        self._connections.discard(self)
        successor.data_received(_HTTP2_PREFACE + self._received.take_rest())

    # Time ---------------------------------------------------------------------------

    def _expect_reading(self) -> None:
        """Give the client its time to take what was written."""
        self._unsent = self._transport.get_write_buffer_size()
        self._deadlines.write_within(self._limits.body_timeout_s)

    def _writing_is_late(self) -> None:
        taken = self._unsent - self._transport.get_write_buffer_size()
        if taken >= min(self._limits.least_taken_bytes, self._unsent):
            self._expect_reading()
            return
        self._connections.report_stalled(self._client, "read", self._response.target)
        self._transport.abort()

    def _reading_is_late(self) -> None:
        if self._is_closing:
            self._transport.abort()
        elif self._body.channel is not None:
            self._connections.report_stalled(self._client, "send", self._response.target)
            self._body.fail("connection-read-timeout")
            self._refuse(408)
        elif not self._received.is_empty:
            self._refuse(408)
        else:
            self._close()

    # Reading ------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if not self._is_closing:
            self._received.add(data)
            self._process()

    def _process(self) -> None:
        """Read on, unless the request before has to be answered first."""
        if self._processing:
            return
        self._processing = True
        received = self._received
        try:
            while not received.is_empty:
                if self._is_closing:
                    received.clear()
                elif self._body.channel is not None:
                    received.at = self._body.read(received.data, received.at)
                elif self._response.is_due or self._response.paused:
                    self._flow.pause()
                    return
                elif not self._read_head():
                    break
        except Refused as refused:
            self._refuse(refused.status)
        finally:
            self._processing = False
        if self.is_idle:
            self._await_head()

    def _await_head(self) -> None:
        self._flow.resume()
        self._received.forget_used()
        if not self._deadlines.expects_bytes:
            self._deadlines.read_within(self._limits.keep_alive_s)

    def _read_head(self) -> bool:
        """Read a head; ``False`` when it is not all there."""
        head = self._received.take_head(self._limits.max_head_bytes)
        if head is None:
            if not self._head_is_timed:
                self._head_is_timed = True
                self._deadlines.read_within(self._limits.head_timeout_s)
            return False
        if self._is_first and head == _HTTP2_PREFACE:
            self._become_http2()
            return True
        self._is_first = self._head_is_timed = False
        self._deadlines.read_any_time()
        self._begin(head)
        return True

    def _begin(self, head: bytes) -> None:
        """Hand a request over."""
        line = parse_request_line(head)
        response, body = self._response, self._body
        response.begin(line)
        parser = body.parser
        parser.read_head(head, line)
        response.keep_alive = parser.keep_alive and not self._connections.stopping
        judged = parser.judged
        framing = body_framing(judged, is_1_0=line.is_1_0) if judged else NO_BODY
        request = self._request(line, parser)
        channel = body.expect(framing)
        received = self._received
        if channel is not None and not received.is_empty:
            # What came with the head is there when the guest starts.
            received.at = body.read(received.data, received.at)
        response.is_due = True
        responder = self._connections.handler.begin(request, channel, response)
        if response.is_due:
            self._responder = responder
            waits = framing.continues and channel is not None and not channel.ended
            if waits and not response.is_started:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _request(self, line: RequestLine, parser: RequestParser) -> RequestHead:
        target = parse_target(line.method, line.target)
        fields: list[RawPair] = parser.fields
        kept: KeptHeaders | None = parser.kept
        authority = target.authority
        if authority is not None:
            hosts = [value.lower() for name, value in fields if name == b"host"]
            if hosts != [authority.lower()]:
                # A ``Host`` that has to agree (RV-94): two of them are refused.
                fields, kept = [*fields, (b"host", authority)], None
        return RequestHead(
            line.method,
            target.path,
            target.query,
            fields,
            self._connections.scheme,
            self._client,
            kept,
        )

    # Writing ------------------------------------------------------------------------

    def pause_writing(self) -> None:
        self._response.paused = True
        self._expect_reading()

    def resume_writing(self) -> None:
        self._response.paused = False
        self._deadlines.write_any_time()
        if self._responder is not None:
            self._responder.resume()
        elif self.is_idle:
            self._loop.call_soon(self._process)

    def _response_ended(self, *, broken: bool) -> None:
        self._body.is_answered = True
        if broken:
            self._is_closing = True
            return
        self._responder = None
        if not self._response.keep_alive or self._connections.stopping:
            self._close()
        elif self._body.channel is None and not self._processing:
            if not self._received.is_empty:
                # Not at once: each answer would be written from within the one before.
                self._loop.call_soon(self._process)
            else:
                self._await_head()

    def _refuse(self, status: int) -> None:
        """Answer a request that cannot be read, and close."""
        response = self._response
        if response.is_due:
            self._give_up()
            if response.is_started:
                response.break_off()
                return
            response.is_due = False
        response.refuse(status)
        self._close(sending=True)

    def _close(self, *, sending: bool = False) -> None:
        """Close behind what was written, once the client can have read it.

        Args:
            sending: The client may not be done with sending, though no body is awaited.
        """
        if self._is_closing:
            return
        transport = self._transport
        sending = sending or self._body.channel is not None or not self._received.is_empty
        self._is_closing = True
        self._deadlines.read_any_time()
        self._body.fail("connection-terminated")
        if sending and end_sending(transport):
            self._flow.resume()
            self._deadlines.read_within(LINGER_S)
            return
        if transport.get_write_buffer_size():
            self._expect_reading()
        transport.close()
