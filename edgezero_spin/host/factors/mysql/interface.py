"""``spin:mysql/mysql@3.0.0`` and its older versions: a guest's connections to MySQL.

Version 3 has the same types as version 2, and asynchronous functions; its rows are a stream.

The client library is loaded with the first connection, so that an application without MySQL need
not have it.

Source: contract services.md, section 2; spin-host.md, NET-23.
"""

from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from edgezero_spin.host.factors.database_servers.calls import RowSource, ThreadCall
from edgezero_spin.host.factors.database_servers.connections import ConnectionResource, by_address
from edgezero_spin.host.factors.database_servers.errors import (
    DatabaseServerError,
    ResultTooLargeError,
)
from edgezero_spin.host.factors.database_servers.pools import ConnectionPools
from edgezero_spin.host.factors.database_servers.sessions import Opening, Parameter, RowStream
from edgezero_spin.host.factors.extras import missing_extra
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.mysql.address import parse_mysql_address
from edgezero_spin.host.factors.outbound_networking.allowed_hosts import may_connect
from edgezero_spin.host.runtime.host_sources import FutureValue
from edgezero_spin.host.runtime.interface import HostFunction, Interface, WitError

if TYPE_CHECKING:
    from edgezero_spin.host.factors.mysql.client import MysqlConnection

__all__ = ["INTERFACES", "MysqlConnectionResource"]

UNABLE_TO_STREAM = "unable to stream query result"


class MysqlConnectionResource(ConnectionResource):
    """A ``connection`` to MySQL."""

    __slots__ = ()

    kind = "mysql connection"


def _error_of(error: Exception) -> tuple[str, str]:
    case = "other" if isinstance(error, ResultTooLargeError) else "query-failed"
    return getattr(error, "case", case), str(error)


@contextmanager
def _errors() -> Iterator[None]:
    """Turn errors of a statement into those of the interface."""
    try:
        yield
    except (DatabaseServerError, ResultTooLargeError) as error:
        raise WitError(_error_of(error)) from error


def _begin_open(state: InstanceState, text: str) -> "Opening[MysqlConnection]":
    """Judge an address, and take a place for the handle.

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
    from edgezero_spin.host.factors.mysql.client import connect_mysql

    grants = state.grants
    pools: ConnectionPools[MysqlConnection] = grants.mysql
    pool = pools.pool((grants.component_id, text), partial(connect_mysql, address))
    return Opening(state, MysqlConnectionResource.kind, pool, grants.network.mysql_slots)


def _open(state: InstanceState, address: str) -> MysqlConnectionResource:
    return MysqlConnectionResource.open(state, lambda: _begin_open(state, address))


def _open_async(state: InstanceState, address: str) -> Coroutine[Any, Any, MysqlConnectionResource]:
    return MysqlConnectionResource.open_async(state, lambda: _begin_open(state, address))


def _columns(columns: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"name": column.name, "data-type": column.case} for column in columns]


def _query(
    state: InstanceState,
    connection: MysqlConnectionResource,
    statement: str,
    values: Sequence[Parameter],
) -> dict[str, Any]:
    with _errors(), state.asleep():
        columns, rows = connection.session.query(statement, values, state.check)
    if not columns:
        raise WitError(("other", UNABLE_TO_STREAM))
    return {"columns": _columns(columns), "rows": rows}


def _execute(
    state: InstanceState,
    connection: MysqlConnectionResource,
    statement: str,
    values: Sequence[Parameter],
) -> None:
    with _errors(), state.asleep():
        connection.session.execute(statement, values, state.check)


async def _query_async(
    state: InstanceState,
    connection: MysqlConnectionResource,
    statement: str,
    values: Sequence[Parameter],
) -> tuple[list[dict[str, Any]], Any, FutureValue]:
    call, session = ThreadCall(state), connection.session
    with _errors():
        stream: RowStream = await call.use(
            session, lambda: session.stream(statement, values, call.check, limit_whole=True)
        )
    if not stream.columns and stream.failure is None:
        stream.failure = DatabaseServerError(UNABLE_TO_STREAM)
        rows = RowSource(state, session, stream, lambda error: ("other", str(error)))
    else:
        rows = RowSource(state, session, stream, _error_of)
    return _columns(stream.columns), *rows.ends


async def _execute_async(
    state: InstanceState,
    connection: MysqlConnectionResource,
    statement: str,
    values: Sequence[Parameter],
) -> None:
    call, session = ThreadCall(state), connection.session
    with _errors():
        await call.use(session, lambda: session.execute(statement, values, call.check))


def _by_address(call: HostFunction) -> HostFunction:
    """Return a function of the unversioned interface, one of whose cases has another name."""
    connected = by_address(_open, call)

    def function(*arguments: Any) -> Any:
        try:
            return connected(*arguments)
        except WitError as error:
            case, message = error.payload
            raise WitError(("other-error" if case == "other" else case, message)) from error

    return function


INTERFACES = (
    Interface(
        "spin:mysql/mysql@3.0.0",
        {
            "[static]connection.open": _open_async,
            "[method]connection.query": _query_async,
            "[method]connection.execute": _execute_async,
        },
        {"connection": MysqlConnectionResource},
    ),
    Interface(
        "fermyon:spin/mysql@2.0.0",
        {
            "[static]connection.open": _open,
            "[method]connection.query": _query,
            "[method]connection.execute": _execute,
        },
        {"connection": MysqlConnectionResource},
    ),
    Interface(
        "fermyon:spin/mysql", {"query": _by_address(_query), "execute": _by_address(_execute)}
    ),
)
"""The interfaces, versions included."""
