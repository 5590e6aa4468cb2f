"""Connections to one Redis server, for any number of threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from edgezero_spin.host.factors.redis.address import RedisAddress
from edgezero_spin.host.factors.redis.client import RedisConnection
from edgezero_spin.host.factors.redis.replies import RedisReplyError

__all__ = ["RedisPool"]

POOLED_REPLY_TIMEOUT_S = 30.0
MAX_IDLE = 16


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
        """Close every connection that is not in use. Twice is harmless."""
        with self._lock:
            self._closed = True
            connections, self._idle = self._idle, []
        for connection in connections:
            connection.close()
