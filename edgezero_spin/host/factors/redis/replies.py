"""Replies of a Redis server, RESP 2 and 3.

In: the lines and bytes that a server sends. Out: the reply in Python form, or a ``RedisError``.
Guests see what kind of reply the server sent, and a reply that is too large must not be
kept first and refused then, so the protocol is read here instead of by a client library.

| Reply | Python |
|---|---|
| simple string | ``Status`` |
| integer, boolean | ``int`` |
| bulk string, double, big number | ``bytes`` |
| array, set | ``list`` |
| null | ``None`` |

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/.
"""

import re
from collections.abc import Callable
from typing import Any

from edgezero_spin.errors import HostError
from edgezero_spin.host.factors.bounds import ENTRY_OVERHEAD, too_large

__all__ = ["RedisError", "RedisReplyError", "ReplyReader", "Status"]

MAX_NESTING = 16

_NUMBER = re.compile(rb"[+-]?[0-9]{1,19}")


class RedisError(HostError):
    """A command could not be carried out."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RedisReplyError(RedisError):
    """The server refused the command; the connection is as good as before.

    Attributes:
        code: The first word of the reply, ``WRONGTYPE`` or ``ERR``.
    """

    @property
    def code(self) -> str:
        """The first word of the reply."""
        return self.message.partition(" ")[0]


class Status(str):
    """A simple string, such as ``OK``."""

    __slots__ = ()


class ReplyReader:
    """Reads one reply, of RESP 2 or 3, within a limit."""

    def __init__(
        self, line: Callable[[], bytes], data: Callable[[int], bytes], max_bytes: int
    ) -> None:
        self._line = line
        self._data = data
        self._left = max_bytes - ENTRY_OVERHEAD
        self._limit = max_bytes

    def reply(self, depth: int = 0) -> Any:
        line = self._line()
        kind, text = line[:1], line[1:]
        if kind == b"+":
            self._take(len(text))
            return Status(text.decode(errors="replace"))
        if kind == b"-":
            self._take(len(text))
            return RedisReplyError(text.decode(errors="replace"))
        if kind == b"_":
            return None
        if kind in b",(" and kind:
            self._take(len(text))
            return text
        if kind == b"#":
            return int(text == b"t")
        number = self._number(text)
        if kind == b":":
            return number
        if kind in b"$!" and kind:
            return self._bulk(kind, number)
        if kind in b"*~" and kind:
            return self._list(number, depth)
        raise RedisError(f"Could not convert Redis response: type {kind.decode('latin-1')!r}")

    def _number(self, text: bytes) -> int:
        if _NUMBER.fullmatch(text) is None or not -(2**63) <= int(text) < 2**63:
            raise RedisError("the reply is not a Redis reply")
        return int(text)

    def _bulk(self, kind: bytes, length: int) -> Any:
        if length < 0:
            return None
        self._take(length)
        data = self._data(length)
        return RedisReplyError(data.decode(errors="replace")) if kind == b"!" else data

    def _list(self, length: int, depth: int) -> list[Any] | None:
        if length < 0:
            return None
        if depth >= MAX_NESTING:
            raise RedisError("the reply is nested too deeply")
        # Parts that are nothing count too, and all of them before the first is read.
        self._take(length * ENTRY_OVERHEAD)
        return [self.reply(depth + 1) for _ in range(length)]

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise RedisError(too_large(self._limit))
