"""Responses as bytes of HTTP/1.1: head, chunks, trailers.

In: a status and header pairs that a guest or the host chose. Out: bytes, and how the body
behind them is framed. A body without a length is chunked, or ended by the end of the
connection where the client does not know chunks. Any status that WASI allows can be sent.

Source: RFC 9112, sections 4, 6 and 9.3; RFC 9110, 6.6.1; contract spin-host.md, RESP-1 to
RESP-3, HTTP-18, CONF-0b.
"""

import enum
import time
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus

from edgezero_spin.host.exchange.fields import Pair

__all__ = [
    "Framing",
    "chunk",
    "date_line",
    "date_value",
    "last_chunk",
    "response_head",
    "status_line",
]

BODILESS = (204, 304)

_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Framing(enum.Enum):
    """How the end of a response body is told."""

    NONE = enum.auto()
    """There is no body."""
    LENGTH = enum.auto()
    CHUNKED = enum.auto()
    CLOSE = enum.auto()
    """By the end of the connection (RFC 9112, 6.3)."""


def status_line(status: int) -> bytes:
    """``HTTP/1.1 200 OK``; a status that nobody defined has no reason."""
    return f"HTTP/1.1 {status} {_REASONS.get(status, '')}\r\n".encode("ascii")


_FRAMING = frozenset({"connection", "content-length", "date", "transfer-encoding"})

_STATUS_LINES = {status: status_line(status) for status in range(200, 1000)}

_date: tuple[int, bytes, bytes] = (0, b"", b"")


def date_value() -> bytes:
    """The value of the header ``date``, new every second."""
    return _date_now()[1]


def date_line() -> bytes:
    """The header ``date``, likewise."""
    return _date_now()[2]


def _date_now() -> tuple[int, bytes, bytes]:
    global _date
    now = int(time.time())
    if _date[0] != now:
        value = formatdate(now, usegmt=True).encode("ascii")
        _date = (now, value, b"date: " + value + b"\r\n")
    return _date


def response_head(
    status: int,
    headers: Sequence[Pair],
    *,
    method: str,
    chunks: bool,
    keep_alive: bool,
    tell_keep_alive: bool = False,
) -> tuple[bytes, Framing]:
    """Return the head of a response, and how its body is framed.

    Args:
        status: 200 to 999.
        headers: Names in lower case. A date is replaced by the server's own, and how the
            body is framed and the connection kept is not for a guest to say.
        method: Of the request.
        chunks: The client knows chunks.
        keep_alive: The connection may serve another request.
        tell_keep_alive: The client does not take that for granted (HTTP/1.0).

    Raises:
        ValueError: A value has a line break in it.
    """
    lines = [_STATUS_LINES[status], _date_now()[2]]
    has_length = closing = False
    for name, value in headers:
        if name in _FRAMING:
            if name == "content-length":
                has_length = True
            elif name == "connection":
                closing = closing or b"close" in value.lower()
            else:
                continue
        lines += (name.encode("ascii"), b": ", value, b"\r\n")
    count = 2 + len(lines) // 4
    if method == "HEAD" or status in BODILESS:
        framing = Framing.NONE
    elif has_length:
        framing = Framing.LENGTH
    else:
        framing = Framing.CHUNKED if chunks else Framing.CLOSE
    if not closing and (framing is Framing.CLOSE or not keep_alive):
        lines.append(b"connection: close\r\n")
        count += 1
    elif tell_keep_alive and not closing:
        lines.append(b"connection: keep-alive\r\n")
        count += 1
    if framing is Framing.CHUNKED:
        lines.append(b"transfer-encoding: chunked\r\n")
        count += 1
    lines.append(b"\r\n")
    head = b"".join(lines)
    if head.count(b"\n") != count + 1 or head.count(b"\r") != count + 1:
        raise ValueError("a response header has a line break in it")
    return head, framing


def chunk(data: bytes) -> bytes:
    """A piece of a chunked body; nothing for no bytes, which would end it."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: Sequence[Pair] | None) -> bytes:
    """The end of a chunked body."""
    if not trailers:
        return b"0\r\n\r\n"
    lines = [name.encode("ascii") + b": " + value + b"\r\n" for name, value in trailers]
    return b"".join([b"0\r\n", *lines, b"\r\n"])
