"""Pools of connections to database servers, kept for the next handle.

In: how to connect. Out: a connection whose session is as good as new. Each component and address
has a pool of its own.

A handle that is dropped gives its connection back at once: the server is asked to end the
session's state, and the answer is read when the connection is used again.

Source: contract services.md, PG-20 to PG-23.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Generic, Protocol, TypeVar

from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots
from edgezero_spin.host.factors.waits import Check

__all__ = ["Connect", "ConnectionPool", "ConnectionPools", "PooledConnection"]

POOL_SIZE = 64
"""Server connections of one component to one address."""

MAX_POOLS = 16
"""Addresses of one application whose connections are kept."""

IDLE_S = 60.0
"""Seconds that an unused connection is kept."""


class PooledConnection(Protocol):
    """A connection that can be used again.

    Attributes:
        check: Raises what ends a wait; set anew for everybody who uses the connection.
    """

    check: Check

    def begin_reset(self) -> bool:
        """Ask the server to forget the session's state; return whether it was asked.

        Nothing is waited for.
        """

    def finish_reset(self) -> bool:
        """Read the answer; return whether the connection is as good as new."""

    def abandon(self) -> None:
        """Close the connection without waiting; the server is told to end what runs."""

    def close(self) -> None:
        """Close the connection. Twice is harmless."""


C = TypeVar("C", bound=PooledConnection)

Connect = Callable[[Check, Callable[[str], bool]], C]
"""``(check, blocked) -> connection``: ``blocked`` says of an IP address that it must not be
connected to."""


class ConnectionPool(Generic[C]):
    """The connections of one component to one address, from any thread.

    Attributes:
        slots: How many there may be.
    """

    def __init__(self, connect: Connect[C]) -> None:
        self.slots = ConnectionSlots(POOL_SIZE)
        self._connect = connect
        self._lock = threading.Lock()
        self._idle: list[tuple[float, C]] = []
        self._closed = False
        self._sweeper: threading.Timer | None = None

    def take(self, check: Check, blocked: Callable[[str], bool]) -> C:
        """Return a connection; a slot was claimed for it.

        Args:
            blocked: Says of an IP address that it must not be connected to.

        Raises:
            DatabaseServerError: No server can be connected to.
        """
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            if kept is None:
                return self._connect(check, blocked)
            until, connection = kept
            connection.check = check
            if until > monotonic() and connection.finish_reset():
                return connection
            connection.close()

    def give_back(self, connection: C) -> None:
        """Keep a connection for the next, or close it; its slot is free."""
        kept = connection.begin_reset()
        if kept:
            with self._lock:
                kept = not self._closed
                if kept:
                    self._idle.append((monotonic() + IDLE_S, connection))
                    self._sweep_later()
        if not kept:
            connection.abandon()
        self.slots.release()

    def _sweep_later(self) -> None:
        """Close in time what is not used again; called with the lock held."""
        if self._sweeper is None:
            wait_s = max(0.0, self._idle[0][0] - monotonic())
            self._sweeper = threading.Timer(wait_s, self._sweep)
            self._sweeper.daemon = True
            self._sweeper.start()

    def _sweep(self) -> None:
        with self._lock:
            self._sweeper = None
            now = monotonic()
            old = [item for item in self._idle if item[0] <= now]
            self._idle = [item for item in self._idle if item[0] > now]
            if self._idle:
                self._sweep_later()
        for _, unused in old:
            unused.close()

    def close(self) -> None:
        """Close what is not used, and what is used when it comes back. Twice is harmless."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            if self._sweeper is not None:
                self._sweeper.cancel()
        for _, connection in idle:
            connection.close()


class ConnectionPools(Generic[C]):
    """The pools of one application. ``close`` it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: OrderedDict[Hashable, ConnectionPool[C]] = OrderedDict()

    def pool(self, key: Hashable, connect: Connect[C]) -> ConnectionPool[C]:
        """Return the pool of a key; the one that was used longest ago gives way to a new one.

        Args:
            key: Component and address, password included.
            connect: How the pool connects.
        """
        dropped = None
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                pool = self._pools[key] = ConnectionPool(connect)
                if len(self._pools) > MAX_POOLS:
                    _, dropped = self._pools.popitem(last=False)
            self._pools.move_to_end(key)
        if dropped is not None:
            dropped.close()
        return pool

    def close(self) -> None:
        """Close every connection that no handle has. Twice is harmless."""
        with self._lock:
            pools, self._pools = self._pools, OrderedDict()
        for pool in pools.values():
            pool.close()
