"""The PostgreSQL factor: the connections of one application.

Source: contract services.md, PG-20, PG-26.
"""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from edgezero_spin.host.factors.database_servers.pools import ConnectionPools

if TYPE_CHECKING:
    from edgezero_spin.host.factors.postgres.client import PostgresConnection
    from edgezero_spin.host.factors.postgres.roots import RootFiles

__all__ = ["PostgresConnections"]


class PostgresConnections:
    """The connections of one application to PostgreSQL servers. ``close`` it."""

    def __init__(self) -> None:
        self.pools: ConnectionPools[PostgresConnection] = ConnectionPools()
        self._lock = threading.Lock()
        self._roots: RootFiles | None = None

    def roots(self, certificate: str | None) -> Path:
        """Return a file with all root certificates, and one more."""
        from edgezero_spin.host.factors.postgres.roots import RootFiles

        with self._lock:
            if self._roots is None:
                self._roots = RootFiles()
            return self._roots.file(certificate)

    def close(self) -> None:
        """Close every connection that no handle has. Twice is harmless."""
        self.pools.close()
        with self._lock:
            roots, self._roots = self._roots, None
        if roots is not None:
            roots.close()
