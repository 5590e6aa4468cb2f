"""The PostgreSQL factor: the connections of one application.

Source: contract services.md, PG-20, PG-26.
"""

from typing import TYPE_CHECKING

from edgezero_spin.host.factors.database_servers.pools import ConnectionPools
from edgezero_spin.host.factors.postgres.roots import RootFiles

if TYPE_CHECKING:
    from edgezero_spin.host.factors.postgres.client import PostgresConnection

__all__ = ["PostgresConnections"]


class PostgresConnections:
    """The connections of one application to PostgreSQL servers. ``close`` it."""

    def __init__(self) -> None:
        self.pools: ConnectionPools[PostgresConnection] = ConnectionPools()
        self.roots = RootFiles()

    def close(self) -> None:
        """Close every connection that no handle has. Twice is harmless."""
        self.pools.close()
        self.roots.close()
