"""Opening connections to MySQL: where an address may lead.

The client library is loaded with the first connection, so that an application without MySQL need
not have it.

Source: contract services.md, MY-3 to MY-8, SVC-9, SVC-10; spin-host.md, NET-23.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from edgezero_spin.host.factors.database_servers.errors import DatabaseServerError
from edgezero_spin.host.factors.database_servers.pools import ConnectionPools
from edgezero_spin.host.factors.database_servers.sessions import Opening
from edgezero_spin.host.factors.extras import missing_extra
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.mysql.address import MysqlAddress, parse_mysql_address
from edgezero_spin.host.factors.outbound_networking.addresses import may_connect

if TYPE_CHECKING:
    from edgezero_spin.host.factors.mysql.client import MysqlConnection

__all__ = ["KIND", "begin_open"]

KIND = "mysql connection"
"""The kind of handle that counts against the instance's limit."""


def begin_open(state: InstanceState, text: str) -> "Opening[MysqlConnection]":
    """Judge an address, and take a place for the handle; on the instance's thread.

    Raises:
        DatabaseServerError: The address is not permitted or cannot be read, there are too many
            handles, or the client library is missing.
    """
    if not may_connect(state, text, "mysql"):
        raise DatabaseServerError(f"address {text} is not permitted")
    try:
        address = parse_mysql_address(text)
    except ValueError as error:
        raise DatabaseServerError(str(error)) from None
    missing = missing_extra("connections to MySQL", "mysql", "pymysql")
    if missing is not None:
        raise DatabaseServerError(missing)
    grants = state.grants
    mysql: ConnectionPools[MysqlConnection] = grants.mysql
    pool = mysql.pool((grants.component_id, text), _connect(address))
    return Opening.begin(state, KIND, pool, grants.network.mysql_slots)


def _connect(
    address: MysqlAddress,
) -> "Callable[[Callable[[], None], Callable[[str], bool]], MysqlConnection]":
    def connected(check: Callable[[], None], blocked: Callable[[str], bool]) -> "MysqlConnection":
        from edgezero_spin.host.factors.mysql.client import connect_mysql

        return connect_mysql(address, check, blocked)

    return connected
