"""Responses of one HTTP/1.1 connection: the ``ResponseWriter`` of its present request.

In: a status, headers and pieces of a body. Out: bytes to the transport, and the end of each
response told to the connection. A response that breaks off ends the connection so that its
client can tell.

Source: RFC 9112; contract spin-host.md, RESP-7, RESP-9.
"""

import asyncio
from collections.abc import Callable, Sequence

from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.http.framing import (
    Framing,
    chunk,
    date_line,
    last_chunk,
    response_head,
    status_line,
)
from edgezero_spin.host.http.request_head import RequestLine
from edgezero_spin.host.http.resets import reset

__all__ = ["Http1Response"]


class Http1Response:
    """Writes the responses of one connection, one after the other.

    Attributes:
        method: Of the present request.
        target: Likewise.
        is_due: The present request is not answered completely.
        keep_alive: The connection may serve another request behind it.
        paused: The client does not keep up with reading.
    """

    __slots__ = (
        "_framing",
        "_is_1_0",
        "_on_end",
        "_transport",
        "is_due",
        "keep_alive",
        "method",
        "paused",
        "target",
    )

    def __init__(self, transport: asyncio.Transport, on_end: Callable[..., None]) -> None:
        """Owe nothing yet.

        Args:
            on_end: Called behind each response, with ``broken=True`` where it broke off.
        """
        self.method = "GET"
        self.target = b""
        self.is_due = False
        self.keep_alive = True
        self.paused = False
        self._is_1_0 = False
        self._framing: Framing | None = None
        self._transport = transport
        self._on_end = on_end

    @property
    def is_started(self) -> bool:
        """Whether the head of the present response has gone out."""
        return self._framing is not None

    def begin(self, line: RequestLine) -> None:
        """Owe a response to this request."""
        self.method, self.target, self._is_1_0 = line.method, line.target, line.is_1_0
        self._framing = None

    def ready(self) -> bool:
        """Whether the client keeps up with reading."""
        return not self.paused

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
        """Break the response off, or answer with a 500 where nothing has gone out."""
        if not self.is_due:
            return
        if self._framing is None:
            self.keep_alive = False
            self.send(500, [("content-length", b"0")], b"")
        else:
            self.break_off()

    def break_off(self) -> None:
        """End the connection in the middle of a response, so that the client can tell.

        A length or chunks say what is missing, and what was written still arrives. Where only
        the end of the connection marks the end of the body, that end has to be a reset.
        """
        self.is_due = False
        self._on_end(broken=True)
        if self._framing is Framing.CLOSE:
            reset(self._transport)
        else:
            self._transport.close()

    def refuse(self, status: int) -> None:
        """Answer a request that cannot be read."""
        end = b"content-length: 0\r\nconnection: close\r\n\r\n"
        self._transport.write(status_line(status) + date_line() + end)

    def _head(self, status: int, headers: Sequence[Pair]) -> bytes:
        head, self._framing = response_head(
            status,
            headers,
            method=self.method,
            chunks=not self._is_1_0,
            keep_alive=self.keep_alive,
            tell_keep_alive=self._is_1_0 and self.keep_alive,
        )
        if self._framing is Framing.CLOSE:
            self.keep_alive = False
        return head

    def _complete(self) -> None:
        # The place to note a request in an access log: method, target and status.
        self.is_due = False
        self._on_end(broken=False)
