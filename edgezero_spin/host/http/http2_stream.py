"""One request of HTTP/2 and its response: a ``ResponseWriter``.

In: what h2 says of the stream, and what a guest answers. Out: frames, as many as the client has
room for. What it has no room for waits here, and its guest is told so (``ready``).

Bytes of the request's body are acknowledged as the guest takes them, so that the stream's window
is all that a client can make the host hold. Both directions have a pace to keep.

Source: RFC 9113, sections 5.2, 6.9 and 8.1; contract spin-host.md, RESP-7, RESP-9, HTTP-17.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from h2.connection import H2Connection
from h2.errors import ErrorCodes

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.exchange.loops import call_in
from edgezero_spin.host.http.body_pace import BodyPace
from edgezero_spin.host.http.deadlines import Deadlines
from edgezero_spin.host.http.gateway import RequestHead
from edgezero_spin.host.http.http2_head import response_fields
from edgezero_spin.host.http.http2_limits import STREAM_WINDOW
from edgezero_spin.host.http.request_body import trailers_of
from edgezero_spin.host.http.request_handler import RequestHandler, Responder
from edgezero_spin.host.http.settings import ServerSettings

__all__ = ["Http2Stream", "StreamOwner"]

_EMPTY = [("content-length", b"0")]


class StreamOwner(Protocol):
    """The connection of a stream.

    Attributes:
        write_paused: The client does not keep up with reading.
    """

    write_paused: bool

    def flush(self, *, now: bool = False) -> None:
        """Send what was made; ``now`` also where more of it may follow."""

    def forget(self, stream: "Http2Stream") -> None:
        """The stream is done."""

    def report_stalled(self, verb: str, path: str) -> None:
        """Say in the log that the client is too slow with a body."""


class Http2Stream:
    """Writes one response, and passes one request's body on.

    Attributes:
        id: Of the stream.
        method: Of the request.
        path: Likewise, for the log.
    """

    def __init__(
        self, owner: StreamOwner, frames: H2Connection, id: int, limits: ServerSettings
    ) -> None:
        """Made by its connection when a request begins."""
        self.id = id
        self.method = self.path = ""
        self._owner = owner
        self._frames = frames
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines(self._reading_is_late, self._writing_is_late)
        self._responder: Responder | None = None
        self._is_over = False
        # Of the request.
        self._body: ByteChannel | None = None
        self._has_all = True
        self._pace = BodyPace(limits.body_timeout_s, limits.min_body_rate)
        self._unacknowledged = 0
        self._trailers: list[tuple[bytes, bytes]] = []
        # Of the response.
        self._is_due = True
        self._is_started = False
        self._unsent = memoryview(b"")
        self._is_last = False
        self._own_trailers: list[Pair] | None = None
        self._stalled_bytes = 0

    # The request ----------------------------------------------------------------------

    def begin(
        self, handler: RequestHandler, head: RequestHead, *, has_body: bool, continues: bool
    ) -> None:
        """Hand the request over."""
        self.method, self.path = head.method, head.path
        if has_body:
            self._expect_body().on_space = self._space
            self._deadlines.read_by(self._pace.wait(self._loop.time()))
        responder = handler.begin(head, self._body, self)
        if self._is_due:
            self._responder = responder
            if continues and has_body and not self._is_started:
                self._frames.send_headers(self.id, [(b":status", b"100")])

    def refuse(self, status: int, *, has_body: bool) -> None:
        """Answer a request that cannot be served."""
        if has_body:
            self._expect_body().close()
        self.send(status, _EMPTY, b"")

    def receive(self, data: bytes, counted: int) -> None:
        """Take bytes of the body; ``counted`` of them in the sense of flow control."""
        body = self._body
        self._unacknowledged += counted
        if body is not None:
            body.put(data)
            if self._pace.is_waiting:
                now = self._loop.time()
                self._deadlines.read_by(self._pace.earn(now, len(data)))
                if body.closed or body.size > STREAM_WINDOW // 2:
                    # It is the guest now that takes its time.
                    self._pace.rest(now)
                    self._deadlines.read_any_time()
        self._acknowledge()

    def receive_trailers(self, trailers: list[tuple[bytes, bytes]]) -> None:
        """Take what follows the body."""
        self._trailers = trailers

    def receive_end(self) -> None:
        """The request is complete."""
        self._has_all = True
        self._deadlines.read_any_time()
        if self._body is not None:
            self._body.end(trailers_of(self._trailers))
            self._leave_if_done()

    def abandon(self) -> None:
        """The client has gone, or given the request up."""
        self._give_up("connection-terminated")
        self._leave(None)

    def cut_off(self) -> None:
        """End the request, for which there is no more time."""
        self._give_up("connection-terminated")
        if self._is_started:
            self._leave(ErrorCodes.CANCEL)
        else:
            self.send(500, _EMPTY, b"")

    def _expect_body(self) -> ByteChannel:
        self._has_all = False
        self._body = body = ByteChannel()
        return body

    def _give_up(self, code: str) -> None:
        """Tell whoever answers that nobody waits, and whoever reads why, by a code of WASI."""
        responder, self._responder = self._responder, None
        if self._body is not None:
            self._body.fail((code, None))
        if responder is not None:
            responder.abandon()

    def _space(self) -> None:
        # On the guest's thread; a large part of the window is worth waking the loop for.
        body = self._body
        if body is not None and (body.closed or body.size <= STREAM_WINDOW // 4):
            call_in(self._loop, self._go_on)

    def _go_on(self) -> None:
        if self._is_over or self._body is None:
            return
        self._acknowledge()
        if not self._has_all and not self._body.closed:
            self._deadlines.read_by(self._pace.wait(self._loop.time()))
        self._leave_if_done()
        self._owner.flush()

    def _acknowledge(self) -> None:
        taken = self._unacknowledged - (0 if self._body is None else self._body.size)
        if taken > 0:
            self._unacknowledged -= taken
            self._frames.acknowledge_received_data(taken, self.id)

    def _reading_is_late(self) -> None:
        if self._frames.remote_flow_control_window(self.id) <= 0:
            # Other requests of this client hold all that it may send at once.
            self._deadlines.read_within(self._limits.body_timeout_s)
            return
        self._owner.report_stalled("send", self.path)
        self._give_up("connection-read-timeout")
        if self._is_due and not self._is_started:
            self.send(408, _EMPTY, b"")
        else:
            self._leave(ErrorCodes.CANCEL)

    # The response: a ResponseWriter ---------------------------------------------------

    def ready(self) -> bool:
        """Whether the client keeps up with reading."""
        return not self._unsent and not self._owner.write_paused

    def send(self, status: int, headers: Sequence[Pair], body: bytes) -> None:
        """Send a whole response."""
        self._send_head(status, headers, is_last=not body)
        if body:
            self.write(body, last=True)
        else:
            self._complete()
            self._owner.flush()

    def start(self, status: int, headers: Sequence[Pair]) -> None:
        """Send the head of a response."""
        self._send_head(status, headers, is_last=False)
        self._owner.flush()

    def write(self, data: bytes, *, last: bool, trailers: list[Pair] | None = None) -> None:
        """Send a piece of the body."""
        self._unsent = memoryview(bytes(self._unsent) + data if self._unsent else data)
        self._is_last, self._own_trailers = last, trailers
        self._push()
        self._owner.flush()

    def abort(self, reason: str) -> None:
        """Break the response off, or answer with a 500 where nothing has gone out."""
        if not self._is_due:
            return
        if self._is_started:
            self._leave(ErrorCodes.INTERNAL_ERROR)
        else:
            self.send(500, _EMPTY, b"")

    def resume(self) -> None:
        """Go on: the client has room again."""
        if self._unsent:
            self._push()
        if self._responder is not None and self.ready():
            self._responder.resume()

    def _send_head(self, status: int, headers: Sequence[Pair], *, is_last: bool) -> None:
        fields = response_fields(status, headers)
        self._is_started = True
        self._frames.send_headers(self.id, fields, end_stream=is_last)

    def _push(self) -> None:
        """Send as much as the client has room for."""
        frames, unsent, at = self._frames, self._unsent, 0
        ends_here = self._is_last and not self._own_trailers
        while at < len(unsent) and not self._owner.write_paused:
            room = min(frames.local_flow_control_window(self.id), frames.max_outbound_frame_size)
            if room <= 0:
                break
            piece = bytes(unsent[at : at + room])
            at += len(piece)
            frames.send_data(self.id, piece, end_stream=ends_here and at == len(unsent))
            self._owner.flush(now=True)
        self._unsent = unsent[at:]
        if self._unsent:
            self._expect_reading()
            return
        self._stalled_bytes = 0
        self._deadlines.write_any_time()
        if self._is_last:
            if self._own_trailers:
                pairs = [(name.encode("ascii"), value) for name, value in self._own_trailers]
                frames.send_headers(self.id, pairs, end_stream=True)
            elif not at:
                frames.send_data(self.id, b"", end_stream=True)
            self._complete()

    def _expect_reading(self) -> None:
        if not self._stalled_bytes:
            self._stalled_bytes = len(self._unsent)
            self._deadlines.write_within(self._limits.body_timeout_s)

    def _writing_is_late(self) -> None:
        stalled, self._stalled_bytes = self._stalled_bytes, 0
        if stalled - len(self._unsent) >= min(self._limits.least_taken_bytes, stalled):
            self._expect_reading()
            return
        self._owner.report_stalled("read", self.path)
        self._give_up("connection-terminated")
        self._leave(ErrorCodes.CANCEL)

    # The end --------------------------------------------------------------------------

    def _complete(self) -> None:
        self._is_due = False
        self._responder = None
        self._leave_if_done()

    def _leave_if_done(self) -> None:
        """Leave when the response is complete and nobody reads the request on."""
        body = self._body
        if self._is_due or self._is_over:
            return
        if self._has_all or body is None or body.closed or body.failure is not None:
            # A client that still sends is told that it need not (RFC 9113, 8.1).
            self._leave(None if self._has_all else ErrorCodes.NO_ERROR)

    def _leave(self, code: ErrorCodes | None) -> None:
        """Be done, with a reset for the client if there is a code."""
        if self._is_over:
            return
        self._is_over = True
        self._is_due = False
        self._deadlines.close()
        self._unsent = memoryview(b"")
        if code is not None:
            self._frames.reset_stream(self.id, code)
        if self._unacknowledged:
            self._frames.acknowledge_received_data(self._unacknowledged, self.id)
        self._owner.forget(self)
        self._owner.flush()
