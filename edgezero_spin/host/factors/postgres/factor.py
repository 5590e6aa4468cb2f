"""The PostgreSQL factor: server connections of one application, kept for the next handle.

In: the component, the address and the certificate that a guest gives. Out: a connection whose
session is as good as new. The client library is loaded with the first of them, so that an
application without PostgreSQL need not have it.

A handle that is dropped gives its connection back at once: the server is asked to end the
session's state, and the answer is read when the connection is used again.

Source: contract services.md, PG-20 to PG-23, PG-26.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from edgezero_spin.errors import HostError
from edgezero_spin.host.factors.extras import missing_extra
from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots

if TYPE_CHECKING:
    from edgezero_spin.host.factors.postgres.address import PostgresAddress
    from edgezero_spin.host.factors.postgres.client import PostgresConnection
    from edgezero_spin.host.factors.postgres.roots import RootFiles

__all__ = ["ConnectionPool", "MissingClientError", "Postgres"]

POOL_SIZE = 64
"""Server connections of one component to one address."""

MAX_POOLS = 16
"""Addresses of one application whose connections are kept."""

IDLE_S = 60.0
"""Seconds that an unused connection is kept."""


class MissingClientError(HostError):
    """The client library is not installed."""


class ConnectionPool:
    """The connections of one component to one address, from any thread.

    Attributes:
        slots: How many there may be.
    """

    def __init__(
        self, address: "PostgresAddress", certificate: str | None, roots: "RootFiles"
    ) -> None:
        self.slots = ConnectionSlots(POOL_SIZE)
        self._address = address
        self._certificate = certificate
        self._roots = roots
        self._lock = threading.Lock()
        self._idle: list[tuple[float, PostgresConnection]] = []
        self._closed = False

    def take(
        self, check: Callable[[], None], blocked: Callable[[str], bool]
    ) -> "PostgresConnection":
        """Return a connection; a slot was claimed for it.

        Args:
            check: Raises what ends a wait.
            blocked: Says of an IP address that it must not be connected to.

        Raises:
            PostgresError: No server can be connected to.
        """
        from edgezero_spin.host.factors.postgres.client import PostgresConnection
        from edgezero_spin.host.factors.postgres.connecting import connect

        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            if kept is None:
                break
            until, connection = kept
            connection.check = check
            if until > monotonic() and connection.finish_reset():
                return connection
            connection.close()
        native = connect(
            self._address,
            roots=lambda: self._roots.file(self._certificate),
            check=check,
            blocked=blocked,
        )
        return PostgresConnection(native, check)

    def give_back(self, connection: "PostgresConnection") -> None:
        """Keep a connection for the next, or close it; its slot is free."""
        if connection.begin_reset():
            with self._lock:
                if not self._closed:
                    self._idle.append((monotonic() + IDLE_S, connection))
                    self.slots.release()
                    self._close_old()
                    return
        connection.abandon()
        self.slots.release()

    def _close_old(self) -> None:
        now = monotonic()
        while self._idle and self._idle[0][0] < now:
            self._idle.pop(0)[1].close()

    def close(self) -> None:
        """Close what is not used, and what is used when it comes back. Twice is harmless."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()


class Postgres:
    """The pools of one application. ``close`` it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: OrderedDict[tuple[str, str, str | None], ConnectionPool] = OrderedDict()
        self._roots: RootFiles | None = None

    def pool(
        self, component_id: str, text: str, address: "PostgresAddress", certificate: str | None
    ) -> ConnectionPool:
        """Return the pool of a component for an address.

        Args:
            component_id: The component; others never get its connections.
            text: The address as the guest gave it, password included.
            address: The address.
            certificate: A root certificate to trust beside the usual ones, in PEM.

        Raises:
            MissingClientError: The client library is not installed.
        """
        missing = missing_extra("connections to PostgreSQL", "postgres", "psycopg")
        if missing is not None:
            raise MissingClientError(missing)
        from edgezero_spin.host.factors.postgres.roots import RootFiles

        key = (component_id, text, certificate)
        dropped = None
        with self._lock:
            if self._roots is None:
                self._roots = RootFiles()
            pool = self._pools.get(key)
            if pool is None:
                pool = self._pools[key] = ConnectionPool(address, certificate, self._roots)
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
            roots, self._roots = self._roots, None
        for pool in pools.values():
            pool.close()
        if roots is not None:
            roots.close()
