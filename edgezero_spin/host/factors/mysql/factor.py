"""The MySQL factor: the connections of one application.

Source: contract services.md, MY-8.
"""

from typing import TYPE_CHECKING

from edgezero_spin.host.factors.database_servers.pools import ConnectionPools

if TYPE_CHECKING:
    from edgezero_spin.host.factors.mysql.client import MysqlConnection

__all__ = ["Mysql"]


class Mysql:
    """The connections of one application to MySQL servers. ``close`` it."""

    def __init__(self) -> None:
        self.pools: ConnectionPools[MysqlConnection] = ConnectionPools()

    def close(self) -> None:
        """Close every connection that no handle has. Twice is harmless."""
        self.pools.close()
