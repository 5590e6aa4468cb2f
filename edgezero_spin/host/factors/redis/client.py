"""Talk to a Redis server: one connection, one command at a time.

In: an address and the parts of a command. Out: the reply in Python form, or a ``RedisError``.
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
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import attrs

from edgezero_spin.errors import HostError
from edgezero_spin.host.factors.outbound_networking.allowed_hosts import parse_outbound_url
from edgezero_spin.host.factors.outbound_networking.sockets import connect, is_readable

__all__ = [
    "RedisAddress",
    "RedisConnection",
    "RedisError",
    "RedisPool",
    "RedisReplyError",
    "Status",
    "encoded",
    "parse_redis_address",
]

DEFAULT_PORT = 6379
CONNECT_TIMEOUT_S = 10.0
POOLED_REPLY_TIMEOUT_S = 30.0

PIECE_BYTES = 65_536
MAX_LINE_BYTES = 65_536
MAX_NESTING = 16

# What each reply counts besides its bytes.
REPLY_OVERHEAD = 24

MAX_IDLE = 16

_NUMBER = re.compile(rb"[+-]?[0-9]{1,19}")

P = TypeVar("P")
T = TypeVar("T")

RedisArgument = bytes | str | int


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


@attrs.frozen
class RedisAddress:
    """Where a server is and how to log in.

    Attributes:
        host: A name or an address.
        username: ``None`` for the server's default user.
        password: ``None`` to log in to nothing.
        database: Which of the server's databases.
        tls: Whether the connection is encrypted.
    """

    host: str
    port: int = DEFAULT_PORT
    username: bytes | None = attrs.field(default=None, repr=False)
    password: bytes | None = attrs.field(default=None, repr=False)
    database: int = 0
    tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_redis_address(text: str) -> RedisAddress:
    """Read ``redis://[user:password@]host[:port][/database]``, or ``rediss:`` for TLS.

    Host and port are read by the same rules as ``allowed_outbound_hosts``, so that what was
    allowed is what is connected to.

    Raises:
        ValueError: The text is no such address. The message repeats no part of it: a password
            that is not percent-encoded may stand anywhere.
    """
    scheme, mark, rest = text.partition("://")
    tls = scheme.lower() == "rediss"
    if not mark or not (tls or scheme.lower() == "redis"):
        raise ValueError("a Redis address starts with redis:// or rediss://")
    try:
        url = parse_outbound_url(text, "redis")
    except ValueError:
        raise ValueError(
            "its host or port cannot be read; in a user or a password, write / ? # and @ "
            "percent-encoded"
        ) from None
    authority, _, path = rest.partition("?")[0].partition("#")[0].partition("/")
    user, at, _ = authority.rpartition("@")
    name, colon, password = user.partition(":")
    database = path.strip("/")
    if database and not (database.isascii() and database.isdigit() and len(database) < 10):
        raise ValueError("what follows the host is no number of a database")
    return RedisAddress(
        str(url.host),
        DEFAULT_PORT if url.port is None else url.port,
        username=unquote_to_bytes(name) if at and name else None,
        password=unquote_to_bytes(password) if colon else None,
        database=int(database or 0),
        tls=tls,
    )


def _nothing() -> None:
    return None


def _nowhere(address: str) -> bool:
    return False


class RedisConnection:
    """One connection, used by one thread at a time. ``close`` it.

    Attributes:
        broken: The connection cannot be used any more.
    """

    def __init__(
        self,
        address: RedisAddress,
        *,
        check: Callable[[], None] = _nothing,
        reply_timeout_s: float | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        blocked: Callable[[str], bool] = _nowhere,
    ) -> None:
        """Connect, log in and choose the database.

        Args:
            check: Called every quarter of a second while the server is silent, before it is
                connected too; what it raises ends the wait and the connection.
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
            reply = _Reader(self._line, self._bytes, max_bytes).reply()
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
                raise RedisError("the reply is no Redis reply: its line does not end")
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


class _Reader:
    """Reads one reply, of RESP 2 or 3, within a limit."""

    def __init__(
        self, line: Callable[[], bytes], data: Callable[[int], bytes], max_bytes: int
    ) -> None:
        self._line = line
        self._data = data
        self._left = max_bytes - REPLY_OVERHEAD
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
            raise RedisError("the reply is no Redis reply")
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
        self._take(length * REPLY_OVERHEAD)
        return [self.reply(depth + 1) for _ in range(length)]

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise RedisError(f"query result exceeds limit of {self._limit} bytes")


class RedisPool:
    """Connections to one server, for any number of threads. ``close`` it.

    Attributes:
        address: The server.
    """

    def __init__(self, address: RedisAddress) -> None:
        self.address = address
        self._lock = threading.Lock()
        self._idle: list[RedisConnection] = []
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[RedisConnection]:
        """Lend a connection; it comes back unless it broke.

        Raises:
            RedisError: The server cannot be reached.
        """
        connection = self._take()
        try:
            yield connection
        except RedisReplyError:
            self._give(connection)
            raise
        except BaseException:
            connection.close()
            raise
        self._give(connection)

    def _take(self) -> RedisConnection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return RedisConnection(self.address, reply_timeout_s=POOLED_REPLY_TIMEOUT_S)
            if connection.is_idle():
                return connection
            # The server was restarted since.
            connection.close()

    def _give(self, connection: RedisConnection) -> None:
        with self._lock:
            if not self._closed and not connection.broken and len(self._idle) < MAX_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close every connection that is not lent out. Twice is harmless."""
        with self._lock:
            self._closed = True
            connections, self._idle = self._idle, []
        for connection in connections:
            connection.close()
