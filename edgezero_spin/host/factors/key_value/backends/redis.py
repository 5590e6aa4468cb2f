"""A key-value store on a Redis server: one entry of the server for each key, as Spin does.

Nothing says which application a key belongs to, so two labels with one address are one store.

Source: contract spin-host.md, KV-51.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES
from edgezero_spin.host.factors.redis.client import RedisConnection
from edgezero_spin.host.factors.redis.pool import RedisPool
from edgezero_spin.host.factors.redis.replies import RedisError, RedisReplyError
from edgezero_spin.stores.backend import BackendError

__all__ = ["RedisKeyValue"]


class RedisKeyValue:
    """The entries of a Redis database; a ``BatchBackend``.

    Attributes:
        pool: Connections to the server.
        summary: Where that is, for traces.
        remote: It is on another machine.
    """

    remote = True

    def __init__(self, pool: RedisPool) -> None:
        self.pool = pool
        self.summary = f"Redis at {pool.address}"

    def get(self, key: str) -> bytes | None:
        """Return the value, or ``None`` when the key is absent."""
        value: bytes | None = self._call("GET", key)
        return value

    def set(self, key: str, value: bytes) -> None:
        """Write the value, replacing what was there."""
        self._call("SET", key, value)

    def delete(self, key: str) -> None:
        """Remove the key, if it is there."""
        self._call("DEL", key)

    def exists(self, key: str) -> bool:
        """Tell whether the key is there."""
        count: int = self._call("EXISTS", key)
        return count == 1

    def keys(self) -> list[str]:
        """Return every key once.

        Raises:
            BackendError: The server cannot tell, or holds a key that is not text.
        """
        try:
            return [key.decode() for key in self._call("KEYS", "*")]
        except UnicodeDecodeError:
            raise BackendError("the server holds a key that is not UTF-8 text") from None

    def get_many(self, keys: Sequence[str]) -> Generator[tuple[str, bytes], None, None]:
        """Yield the entries that exist, in the order of the keys."""
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return
        for key, value in zip(wanted, self._call("MGET", *wanted), strict=True):
            if value is not None:
                yield key, value

    def set_many(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Write every entry in one step."""
        if entries:
            self._call("MSET", *[part for entry in entries for part in entry])

    def delete_many(self, keys: Sequence[str]) -> None:
        """Remove every key in one step."""
        if keys:
            self._call("DEL", *keys)

    def increment(self, key: str, delta: int) -> int:
        """Add to a counter, which Redis keeps as decimal text, and return its new value."""
        total: int = self._call("INCRBY", key, delta)
        return total

    def compare_and_set(self, key: str, expected: bytes, value: bytes) -> bool:
        """Write the value if the store still holds the expected one."""
        with self._connection() as connection:
            try:
                return _swap(connection, key, expected, value)
            except RedisReplyError:
                # In the middle of it, it must not reach its next user.
                connection.close()
                raise

    def _call(self, *command: bytes | str | int) -> Any:
        with self._connection() as connection:
            return connection.call(*command, max_bytes=MAX_RESULT_BYTES)

    @contextmanager
    def _connection(self) -> Generator[RedisConnection, None, None]:
        try:
            with self.pool.connection() as connection:
                yield connection
        except RedisError as error:
            raise BackendError(error.message) from error


def _swap(connection: RedisConnection, key: str, expected: bytes, value: bytes) -> bool:
    connection.call("WATCH", key)
    if connection.call("GET", key) != expected:
        connection.call("UNWATCH")
        return False
    connection.call("MULTI")
    connection.call("SET", key, value)
    return connection.call("EXEC") is not None
