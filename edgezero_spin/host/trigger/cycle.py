"""One request and its response on an HTTP/1.x connection.

uvicorn's cycle hands the request to an ASGI program; one that answers without ASGI (see
``trigger.direct``) finds what it needs here as well. A body without a length is chunked, or
ended by the end of the connection where the client does not know chunks; one that breaks off
there ends with a reset, or it would look whole. Any status that WASI allows can be sent, and
trailers have their place.

Source: RFC 9112, sections 6, 8 and 9.3; contract spin-host.md, RESP-1 to RESP-3, RESP-7,
RESP-9, HTTP-18, CONF-0b.
"""

import asyncio
import contextlib
import logging
import re
import socket
import struct
import sys
from collections.abc import Callable, Coroutine, Iterable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from edgezero_spin.host.messages import ResponseAborted
from edgezero_spin.host.trigger.gateway import RequestHead
from edgezero_spin.host.trigger.wire import WIRE

__all__ = ["Cycle", "status_line"]

logger = logging.getLogger("edgezero_spin.host")

BODILESS = (204, 304)

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_NOT_IN_A_HEADER = re.compile(rb"[\r\n\0]")


def status_line(status: int) -> bytes:
    """``HTTP/1.1 200 OK``; a status that nobody defined has no reason."""
    return f"HTTP/1.1 {status} {_REASONS.get(status, '')}\r\n".encode("ascii")


_STATUS_LINES = {status: status_line(status) for status in range(200, 1000)}


def _nothing() -> None:
    return None


# Nothing is waited for when the socket is closed (l_onoff, l_linger).
_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


def _reset(transport: asyncio.Transport) -> None:
    """End a connection by what its peer takes for an error, whatever it has still to read."""
    connection = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    if transport.get_extra_info("ssl_object") is None:
        transport.close()
    else:
        # TLS has a word for a good end, and ``close`` would say it.
        transport.abort()


Answering = Coroutine[Any, Any, None]
"""Sends a response."""


class Cycle(RequestResponseCycle):
    """A request, and the response as it goes out; ``receive`` is uvicorn's.

    Attributes:
        method: As sent.
        http_version: ``1.0`` or ``1.1``.
        head: What a program without ASGI answers; ``None`` for one with a scope.
        go_on: Runs an answer as a task of the server; the protocol sets it.
        hang_up: Ends the connection behind a response; likewise.
        give_up: Ends the work on the response; whoever works on it sets it.
        received: Trailers of the request, complete when its body is (HTTP-19).
        bare_query: The target has a ``?`` with nothing behind it, which a scope cannot say.
    """

    _left: int | None = None
    _bodiless = False

    def __init__(self, *, method: str, http_version: str, **parts: Any) -> None:
        """Take what uvicorn's protocol gives, and what a scope would say."""
        super().__init__(**parts)
        self.method = method
        self.http_version = http_version
        self.head: RequestHead | None = None
        self.received: list[tuple[bytes, bytes]] = []
        self.bare_query = False
        self.go_on: Callable[[Cycle, Answering], None]
        self.hang_up: Callable[[], None] = self.transport.close
        self.give_up: Callable[[], None] = _nothing

    async def run_asgi(self, app: Any) -> None:
        """Have a program answer. What it leaves unfinished the client sees as broken."""
        await self.run(app(self.scope, self.receive, self.send))

    def proceed(self, answering: Answering) -> None:
        """Have a coroutine go on with the response, by ``send`` and ``receive``."""
        self.go_on(self, answering)

    async def run(self, answering: Answering) -> None:
        """As ``run_asgi``, for an answer that somebody began to work on."""
        try:
            await answering
        except BaseException as error:
            self._tell(error)
        finally:
            self.close()

    def fail(self, error: BaseException) -> None:
        """Say that the response will not come to a good end."""
        self._tell(error)
        self.close()

    def _tell(self, error: BaseException) -> None:
        # A response that breaks off was told of by whoever broke it.
        if not isinstance(error, ResponseAborted | asyncio.CancelledError):
            logger.error("a request was not answered", exc_info=error)

    def close(self) -> None:
        """End what has not come to a good end."""
        if not self.over:
            if self.response_started:
                self.break_off()
            else:
                self.answer(500, [("content-length", b"0"), ("connection", b"close")], b"")
        self._let_go()

    def _let_go(self) -> None:
        # The protocol knows the cycle and the cycle the protocol, by its methods. What nobody
        # else holds any more is gone at once.
        self.on_response = self.hang_up = self.give_up = _nothing

    def cancel(self, msg: str | None = None) -> None:
        """Stop working on the response, as a task of the server would."""
        self.give_up()
        self.close()

    @property
    def over(self) -> bool:
        """Whether the response is out, or nobody is there to read it."""
        return self.disconnected or self.response_complete

    @property
    def congested(self) -> bool:
        """Whether the client is behind with reading, so that ``answer`` has to wait."""
        return self.flow.write_paused

    async def send(self, message: Any) -> None:
        """Take one message of the program.

        Raises:
            RuntimeError: It does not fit what came before, so that the response cannot end
                well: the connection is closed for it.
        """
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.start" and not self.response_started:
            headers = message.get("headers", ())
            self.transport.write(self._head(message["status"], headers))
        elif kind == "http.response.body" and self.response_started and not self.response_complete:
            more = message.get("more_body", False)
            data = self._framed(message.get("body", b""), more=more)
            if data:
                self.transport.write(data)
            if not more:
                self._complete()
        else:
            raise RuntimeError(f"{kind} has no place here")

    def answer(self, status: int, headers: Iterable[tuple[str, bytes]], body: bytes) -> None:
        """Send a whole response, in one piece.

        Args:
            status: 200 to 999.
            headers: Names in lower case. The server writes its own date: a guest that relays
                another one would make it two.
            body: All bytes.

        Raises:
            RuntimeError: The parts do not fit each other; ``fail`` has to follow.
        """
        if self.over:
            return
        pairs = [(name.encode("ascii"), value) for name, value in headers if name != "date"]
        head = self._head(status, pairs)
        try:
            data = self._framed(body, more=False)
        except RuntimeError:
            self.transport.write(head)
            raise
        self.transport.write(head + data)
        self._complete()

    def _head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        self.response_started = True
        self.waiting_for_100_continue = False
        lines = [_STATUS_LINES[status]]
        length: int | None = None
        closing = False
        for name, value in (*self.default_headers, *headers):
            if _NOT_IN_A_HEADER.search(value):
                raise RuntimeError(f"the header {name!r} has a line break in it")
            lower = name.lower()
            if lower == b"content-length":
                length = int(value)
            elif lower == b"connection":
                closing = closing or b"close" in value.lower()
            elif lower == b"transfer-encoding":
                # How the body is framed is for us to say.
                continue
            lines += (lower, b": ", value, b"\r\n")
        self._bodiless = self.method == "HEAD" or status in BODILESS
        self._left = 0 if self._bodiless else length
        framed = self._left is not None
        self.chunked_encoding = not framed and self.http_version == "1.1"
        if closing or not (framed or self.chunked_encoding):
            # Without any framing the end of the connection is the end of the body (RFC 9112,
            # 6.3): clients of HTTP/1.0 know no chunks.
            self.keep_alive = False
        if not (closing or self.keep_alive):
            lines.append(b"connection: close\r\n")
        if self.chunked_encoding:
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        return b"".join(lines)

    def _framed(self, body: bytes, *, more: bool) -> bytes:
        if self._bodiless:
            return b""
        if self.chunked_encoding:
            end = b"" if more else b"0\r\n\r\n"
            return b"%x\r\n%b\r\n%b" % (len(body), body, end) if body else end
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("the body has not the length that its head promised")
        return body

    def end_with(self, trailers: list[tuple[str, bytes]]) -> bool:
        """End a chunked response with trailers; ``False`` when it is not chunked (HTTP-18)."""
        if not self.chunked_encoding or self.disconnected:
            return False
        lines = [name.encode("ascii") + b": " + value + b"\r\n" for name, value in trailers]
        self.transport.write(b"".join([b"0\r\n", *lines, b"\r\n"]))
        self._complete()
        return True

    def _complete(self) -> None:
        self.response_complete = True
        if self.head is None:
            # The scope knows the cycle as well.
            self.scope.pop(WIRE, None)  # type: ignore[misc]
        self.message_event.set()
        if not self.keep_alive:
            self.hang_up()
        self.on_response()
        self._let_go()

    def break_off(self) -> None:
        """End the connection in the middle of a response, so that the client can tell.

        A length or chunks say what is missing, and what was written still arrives. Where only
        the end of the connection marks the end of the body, that end has to be a reset.
        """
        started = self.response_started and not self.response_complete
        if started and self._left is None and not self.chunked_encoding:
            _reset(self.transport)
        else:
            self.transport.close()
