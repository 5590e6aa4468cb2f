"""HTTP/2 on one connection: frames by h2, requests as everywhere else.

In: bytes of a client, its preface first; with prior knowledge, or agreed on by ALPN. Out: its
requests, handed to a ``RequestHandler``, several at a time.

Bounds, besides those of HTTP/1.1: streams at once, windows, sizes of headers and frames, and how
often a client may give requests up or send frames that carry nothing (CVE-2023-44487 and its
kin). A client that does not read what it is sent is not read from.

Source: RFC 9113; contract spin-host.md, FLAG-3, LIFE-8, LIFE-10.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import H2Error
from hyperframe.exceptions import HyperframeError
from hyperframe.frame import GoAwayFrame

from edgezero_spin.host.http.connections import Connections, shown
from edgezero_spin.host.http.deadlines import Deadlines
from edgezero_spin.host.http.http2_goaway import GoAwayFilter
from edgezero_spin.host.http.http2_head import parse_http2_head
from edgezero_spin.host.http.http2_limits import Patience, make_frames
from edgezero_spin.host.http.http2_stream import Http2Stream
from edgezero_spin.host.http.read_flow import ReadFlow
from edgezero_spin.host.http.request_head import Refused
from edgezero_spin.host.http.resets import LINGER_S, end_sending

__all__ = ["Http2Connection"]

logger = logging.getLogger("edgezero_spin.host")


class Http2Connection(asyncio.Protocol):
    """One connection.

    Attributes:
        streams: Requests that are not done, by the number of their stream.
        write_paused: The client does not keep up with reading.
    """

    def __init__(self, connections: Connections) -> None:
        """Serve one connection; it begins with the preface."""
        self.streams: dict[int, Http2Stream] = {}
        self.write_paused = False
        self._connections = connections
        self._limits = connections.settings
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._flow: ReadFlow
        self._client: tuple[str, int] | None = None
        self._frames = make_frames(self._limits.max_head_bytes)
        self._goaways = GoAwayFilter()
        self._deadlines = Deadlines(self._reading_is_late, self._writing_is_late)
        self._is_receiving = False
        self._is_stopping = False
        self._has_said_goodbye = False
        self._is_over = False
        self._writes = True
        self._last_stream = 0
        self._patience = Patience(self._loop.time())
        self._unsent = 0
        self._on_event: dict[type[Event], Callable[[Any], None]] = {
            RequestReceived: self._request_received,
            DataReceived: self._data_received,
            TrailersReceived: self._trailers_received,
            StreamEnded: self._stream_ended,
            WindowUpdated: self._window_updated,
            RemoteSettingsChanged: self._resume_all,
        }

    # Connection -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._flow = ReadFlow(self._transport)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self._client = (str(peer[0]), int(peer[1]))
        self._connections.add(self)
        self._deadlines.read_within(self._limits.head_timeout_s)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        self._writes = False
        self._connections.discard(self)
        self._deadlines.close()
        for stream in list(self.streams.values()):
            stream.abandon()

    def stop(self) -> None:
        """Take no more requests, and close when the present ones are answered."""
        if not (self._is_stopping or self._is_over):
            self._is_stopping = self._has_said_goodbye = True
            self._last_stream = self._frames.highest_inbound_stream_id
            # h2 sends nothing behind a GOAWAY of its own.
            frame = GoAwayFrame(0, last_stream_id=self._last_stream, error_code=0)
            self.flush()
            self._transport.write(frame.serialize())
        if not self.streams:
            self._close(at_once=True)

    def cut_off(self) -> None:
        """End the present requests, for which there is no more time (LIFE-10)."""
        for stream in list(self.streams.values()):
            logger.warning(
                "%s %s was cut off: the server stops", stream.method, shown(stream.path.encode())
            )
            stream.cut_off()
        self._close(at_once=True)
        self._transport.close()

    def report_stalled(self, verb: str, path: str) -> None:
        """Say in the log that the client is too slow with a body."""
        self._connections.report_stalled(self._client, verb, path.encode())

    def forget(self, stream: Http2Stream) -> None:
        """A request is done."""
        self.streams.pop(stream.id, None)
        if self.streams or self._is_over:
            return
        if self._is_stopping:
            self._close()
        else:
            self._deadlines.read_within(self._limits.keep_alive_s)

    def _close(self, code: ErrorCodes = ErrorCodes.NO_ERROR, *, at_once: bool = False) -> None:
        """Close behind what was written, once the client can have read it, or at once."""
        if self._is_over:
            return
        self._is_over = True
        if not self._has_said_goodbye:
            self._frames.close_connection(code)
        self._is_receiving = False
        self.flush()
        self._writes = False
        for stream in list(self.streams.values()):
            stream.abandon()
        if self._transport.get_write_buffer_size():
            self._expect_reading()
        if not at_once and end_sending(self._transport):
            self._flow.resume()
            self._deadlines.read_within(LINGER_S)
        else:
            self._deadlines.read_any_time()
            self._transport.close()

    def _reading_is_late(self) -> None:
        if self._is_over:
            self._transport.abort()
        else:
            self._close()

    # Reading ------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        self._is_receiving = True
        try:
            events = self._frames.receive_data(self._goaways.remove(data))
            given_up = {event.stream_id for event in events if isinstance(event, StreamReset)}
            # First: h2 knows of these streams no more, and takes nothing for them.
            for id in given_up:
                self._stream_reset(id)
            for event in events:
                handle = self._on_event.get(type(event))
                if handle is None or self._is_over:
                    continue
                # What was given up before it was looked at costs no instance.
                if not (isinstance(event, RequestReceived) and event.stream_id in given_up):
                    handle(event)
        except (H2Error, HyperframeError) as error:
            logger.info("a client (%s) broke HTTP/2: %s", self._client and self._client[0], error)
            # h2 has written why.
            self._has_said_goodbye = True
            self._close()
        finally:
            self._is_receiving = False
            self.flush()
        if self._goaways.is_leaving:
            self.stop()

    def _request_received(self, event: RequestReceived) -> None:
        id = event.stream_id
        if self._is_stopping and id > self._last_stream:
            self._frames.reset_stream(id, ErrorCodes.REFUSED_STREAM)
            return
        self._deadlines.read_any_time()
        stream = self.streams[id] = Http2Stream(self, self._frames, id, self._limits)
        try:
            head = parse_http2_head(
                event.headers, self._connections.scheme, self._client, self._limits.max_head_bytes
            )
        except Refused as refused:
            stream.refuse(refused.status, has_body=event.stream_ended is None)
            return
        stream.begin(
            self._connections.handler,
            head.request,
            has_body=event.stream_ended is None,
            continues=head.continues,
        )

    def _data_received(self, event: DataReceived) -> None:
        if not event.data and event.stream_ended is None:
            self._lose_patience()
        stream = self.streams.get(event.stream_id)
        if stream is None:
            self._frames.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        else:
            stream.receive(event.data, event.flow_controlled_length)

    def _trailers_received(self, event: TrailersReceived) -> None:
        if event.stream_id in self.streams:
            self.streams[event.stream_id].receive_trailers(event.headers)

    def _stream_ended(self, event: StreamEnded) -> None:
        if event.stream_id in self.streams:
            self.streams[event.stream_id].receive_end()

    def _stream_reset(self, id: int) -> None:
        self._lose_patience()
        stream = self.streams.get(id)
        if stream is not None:
            stream.abandon()

    def _lose_patience(self) -> None:
        if self._patience.lose(self._loop.time()) and not self._is_over:
            self._close(ErrorCodes.ENHANCE_YOUR_CALM)

    # Writing ------------------------------------------------------------------------

    def flush(self, *, now: bool = False) -> None:
        """Send what h2 has made, unless more of it follows from what came in."""
        if now or not self._is_receiving:
            data = self._frames.data_to_send()
            if data and self._writes:
                self._transport.write(data)

    def pause_writing(self) -> None:
        self.write_paused = True
        self._flow.pause()
        self._expect_reading()

    def resume_writing(self) -> None:
        self.write_paused = False
        self._deadlines.write_any_time()
        self._flow.resume()
        self._resume_all()

    def _window_updated(self, event: WindowUpdated) -> None:
        if not event.stream_id:
            self._resume_all()
        elif event.stream_id in self.streams:
            self.streams[event.stream_id].resume()

    def _resume_all(self, event: object = None) -> None:
        for stream in list(self.streams.values()):
            stream.resume()
        self.flush()

    def _expect_reading(self) -> None:
        self._unsent = self._transport.get_write_buffer_size()
        self._deadlines.write_within(self._limits.body_timeout_s)

    def _writing_is_late(self) -> None:
        taken = self._unsent - self._transport.get_write_buffer_size()
        if taken >= min(self._limits.least_taken_bytes, self._unsent):
            self._expect_reading()
        else:
            self.report_stalled("read", "the connection")
            self._transport.abort()
