"""``spin:mysql/mysql@3.0.0`` and its older versions: a guest's connections to MySQL.

Version 3 has the same types as version 2, and asynchronous functions; its rows are a stream.

Source: contract services.md, section 2.
"""

from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES
from edgezero_spin.host.factors.database_servers.calls import RowSource, ThreadCall
from edgezero_spin.host.factors.database_servers.connections import ConnectionResource
from edgezero_spin.host.factors.database_servers.errors import (
    DatabaseServerError,
    ResultTooLargeError,
)
from edgezero_spin.host.factors.database_servers.sessions import Parameter, RowStream
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.mysql.opening import KIND, begin_open
from edgezero_spin.host.runtime.host_sources import FutureValue
from edgezero_spin.host.runtime.interface import HostFunction, Interface, WitError

__all__ = ["INTERFACES", "MysqlConnectionResource"]

UNABLE_TO_STREAM = "unable to stream query result"


class MysqlConnectionResource(ConnectionResource):
    """A ``connection`` to MySQL."""

    __slots__ = ()

    kind = KIND


def _error_of(error: Exception) -> tuple[str, str]:
    if isinstance(error, ResultTooLargeError):
        return "other", f"query result exceeds limit of {MAX_RESULT_BYTES} bytes"
    return getattr(error, "case", "query-failed"), str(error)


@contextmanager
def _errors() -> Iterator[None]:
    """Turn errors of a statement into those of the interface."""
    try:
        yield
    except (DatabaseServerError, ResultTooLargeError) as error:
        raise WitError(_error_of(error)) from error


def _open(state: InstanceState, address: str) -> MysqlConnectionResource:
    return MysqlConnectionResource.open(state, lambda: begin_open(state, address))


def _open_async(state: InstanceState, address: str) -> Coroutine[Any, Any, MysqlConnectionResource]:
    return MysqlConnectionResource.open_async(state, lambda: begin_open(state, address))


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
    """Return a function of the unversioned interface, which connects for each call (MY-1)."""

    def function(
        state: InstanceState, address: str, statement: str, values: Sequence[Parameter]
    ) -> Any:
        try:
            connection = _open(state, address)
            try:
                return call(state, connection, statement, values)
            finally:
                connection.drop(state)
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
