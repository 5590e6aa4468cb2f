"""One request and its response on an HTTP/1.x connection.

uvicorn's cycle hands the request to the program; here is what a response looks like on the
wire. A body without a length is chunked, or ended by the end of the connection where the
client does not know chunks; one that breaks off there ends with a reset, or it would look
whole. Any status that WASI allows can be sent, and trailers have their place.

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
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from edgezero_spin.host.messages import ResponseAborted
from edgezero_spin.host.trigger.asgi import WIRE, Message

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


class Cycle(RequestResponseCycle):
    """A request's scope and messages; ``receive`` is uvicorn's.

    Attributes:
        hang_up: Ends the connection behind a response; the protocol sets it.
        received: Trailers of the request, complete when its body is (HTTP-19).
        bare_query: The target has a ``?`` with nothing behind it, which a scope cannot say.
    """

    _left: int | None = None
    _bodiless = False

    def __init__(self, **parts: Any) -> None:
        """Take what uvicorn's protocol gives."""
        super().__init__(**parts)
        self.received: list[tuple[bytes, bytes]] = []
        self.bare_query = False
        self.hang_up: Callable[[], None] = self.transport.close

    async def run_asgi(self, app: Any) -> None:
        """Have the program answer. What it leaves unfinished the client sees as broken."""
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as error:
            # A response that breaks off was told of by whoever broke it.
            if not isinstance(error, ResponseAborted | asyncio.CancelledError):
                logger.error("a request was not answered", exc_info=error)
        finally:
            if not self.disconnected and not self.response_complete:
                if self.response_started:
                    self.break_off()
                else:
                    await self.send_500_response()
            self.on_response = _nothing
            self.hang_up = _nothing

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
            self._start(message)
        elif kind == "http.response.body" and self.response_started and not self.response_complete:
            self._continue(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"{kind} has no place here")

    def _start(self, message: Message) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        status = message["status"]
        lines = [_STATUS_LINES[status]]
        length: int | None = None
        closing = False
        for name, value in (*self.default_headers, *message.get("headers", ())):
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
        self._bodiless = self.scope["method"] == "HEAD" or status in BODILESS
        self._left = 0 if self._bodiless else length
        framed = self._left is not None
        self.chunked_encoding = not framed and self.scope["http_version"] == "1.1"
        if closing or not (framed or self.chunked_encoding):
            # Without any framing the end of the connection is the end of the body (RFC 9112,
            # 6.3): clients of HTTP/1.0 know no chunks.
            self.keep_alive = False
        if not (closing or self.keep_alive):
            lines.append(b"connection: close\r\n")
        if self.chunked_encoding:
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        self.transport.write(b"".join(lines))

    def _continue(self, body: bytes, *, more: bool) -> None:
        if self._bodiless:
            body = b""
        if self.chunked_encoding:
            end = b"" if more else b"0\r\n\r\n"
            if body:
                self.transport.write(b"%x\r\n%b\r\n%b" % (len(body), body, end))
            elif end:
                self.transport.write(end)
        else:
            if self._left is not None:
                self._left -= len(body)
                if self._left < 0 or (self._left and not more):
                    raise RuntimeError("the body has not the length that its head promised")
            if body:
                self.transport.write(body)
        if not more:
            self._complete()

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
        # The two know each other; what nobody holds any more is gone at once.
        self.scope.pop(WIRE, None)  # type: ignore[misc]
        self.message_event.set()
        if not self.keep_alive:
            self.hang_up()
        self.on_response()

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

    async def send_500_response(self) -> None:
        """Say that the program failed before it said anything."""
        head = {"status": 500, "headers": [(b"content-length", b"0"), (b"connection", b"close")]}
        await self.send({"type": "http.response.start", **head})
        await self.send({"type": "http.response.body"})
