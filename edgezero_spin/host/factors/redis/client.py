"""Connections to a Redis server: one connection, one command at a time.

In: an address and the parts of a command. Out: the reply in Python form, or a ``RedisError``.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/.
"""

from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar

from edgezero_spin.host.factors.outbound_networking.sockets import connect, is_readable
from edgezero_spin.host.factors.redis.address import RedisAddress
from edgezero_spin.host.factors.redis.replies import RedisError, RedisReplyError, ReplyReader
from edgezero_spin.host.factors.waits import Check, no_check

__all__ = ["RedisConnection", "encoded"]

CONNECT_TIMEOUT_S = 10.0
PIECE_BYTES = 65_536
MAX_LINE_BYTES = 65_536

P = TypeVar("P")
T = TypeVar("T")

RedisArgument = bytes | str | int


class RedisConnection:
    """One connection, used by one thread at a time. ``close`` it.

    Attributes:
        broken: The connection cannot be used any more.
    """

    def __init__(
        self,
        address: RedisAddress,
        *,
        check: Check = no_check,
        reply_timeout_s: float | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        blocked: Callable[[str], bool] = lambda address: False,
    ) -> None:
        """Connect, log in and choose the database.

        Args:
            check: What it raises while the server is silent ends the connection.
            reply_timeout_s: How long the server may be silent.
            blocked: Says of an address that it must not be connected to (NET-41).

        Raises:
            RedisError: The server cannot be reached, or refuses.
        """
        self.broken = False
        self._check = check
        self._reply_timeout_s = reply_timeout_s
        self._buffer = bytearray()
        try:
            self._socket = connect(
                address.host,
                address.port,
                tls=address.tls,
                timeout_s=connect_timeout_s,
                check=check,
                blocked=blocked,
            )
        except (OSError, UnicodeError) as error:
            raise RedisError(f"cannot connect to {address}: {error}") from error
        try:
            self._log_in(address)
        except BaseException:
            self.close()
            raise

    def _log_in(self, address: RedisAddress) -> None:
        if address.password is not None:
            user = () if address.username is None else (address.username,)
            self.call("AUTH", *user, address.password)
        if address.database:
            self.call("SELECT", address.database)

    def call(self, *command: RedisArgument, max_bytes: int = 1 << 40) -> Any:
        """Send a command and return the reply.

        Args:
            max_bytes: Size of the reply that is kept.

        Raises:
            RedisReplyError: The server refuses.
            RedisError: The reply is too large or cannot be read, or the server is gone.
        """
        if self.broken:
            raise RedisError("the connection is closed")
        try:
            self._send(encoded(command))
            reply = ReplyReader(self._line, self._bytes, max_bytes).reply()
        except RedisReplyError:
            raise
        except OSError as error:
            self.close()
            raise RedisError(str(error) or type(error).__name__) from error
        except BaseException:
            self.close()
            raise
        if isinstance(reply, RedisReplyError):
            raise reply
        return reply

    def is_idle(self) -> bool:
        """Whether the server is still there and has nothing to say."""
        if self.broken or self._buffer:
            return False
        return not is_readable(self._socket)

    def close(self) -> None:
        """Close the connection. Twice is harmless."""
        self.broken = True
        with suppress(OSError):
            self._socket.close()

    def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._patiently(self._socket.send, rest) :]

    def _receive(self) -> None:
        piece = self._patiently(self._socket.recv, PIECE_BYTES)
        if not piece:
            raise RedisError("the server closed the connection")
        self._buffer += piece

    def _patiently(self, attempt: Callable[[P], T], argument: P) -> T:
        limit = self._reply_timeout_s
        until = None if limit is None else monotonic() + limit
        while True:
            try:
                return attempt(argument)
            except TimeoutError:
                self._check()
                if until is not None and monotonic() > until:
                    raise RedisError(f"the server was silent for {limit:g} s") from None

    def _line(self) -> bytes:
        start = 0
        while (end := self._buffer.find(b"\r\n", start)) < 0:
            start = max(0, len(self._buffer) - 1)
            if start > MAX_LINE_BYTES:
                raise RedisError("the reply is not a Redis reply: its line does not end")
            self._receive()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _bytes(self, count: int) -> bytes:
        while len(self._buffer) < count + 2:
            self._receive()
        data = bytes(memoryview(self._buffer)[:count])
        del self._buffer[: count + 2]
        return data


def encoded(command: tuple[RedisArgument, ...]) -> bytes:
    """Return a command as it is sent: its parts as bulk strings."""
    parts = [b"*%d\r\n" % len(command)]
    for argument in command:
        raw = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)
