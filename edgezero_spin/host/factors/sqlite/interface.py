"""``spin:sqlite/sqlite`` and ``fermyon:spin/sqlite``: SQL on the databases that are granted.

A label that the component does not list is ``access-denied``; what SQLite says is ``io``.
The interfaces of version 2 and 3 differ in two functions.

Source: contract spin-host.md, DB-1 to DB-3, CONF-12 and CONF-13.
"""

from collections.abc import Callable, Sequence
from typing import Any

from edgezero_spin.host.factors.blocking import is_live
from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES, claim, release
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.sqlite.connections import DatabaseConnection, SqliteError
from edgezero_spin.host.factors.sqlite.database import Database
from edgezero_spin.host.factors.sqlite.memory import MemoryAccount
from edgezero_spin.host.factors.sqlite.statements import SqliteRow
from edgezero_spin.host.runtime.interface import HostFunction, Interface, VariantTable, WitError

__all__ = [
    "INTERFACES",
    "VERSION_3",
    "Connection2",
    "SqliteConnectionResource",
    "error_of",
    "execute",
    "open_connection",
    "row_results",
]

_KIND = "sqlite connection"

_CASES: dict[type, str] = {
    int: "integer",
    float: "real",
    str: "text",
    bytes: "blob",
    type(None): "null",
}


class SqliteConnectionResource:
    """One open handle."""

    __slots__ = ("native",)

    def __init__(self, native: DatabaseConnection) -> None:
        self.native = native

    def drop(self, state: InstanceState) -> None:
        """Close it, and make room for another handle."""
        release(state, _KIND)
        self.native.close()


class Connection2(SqliteConnectionResource):
    """A handle of the interface of version 2."""


def open_connection(state: InstanceState, label: str) -> DatabaseConnection:
    """Return a connection to the database behind a label; it counts until ``release``.

    Raises:
        WitError: The label is not granted, or there are too many connections.
    """
    database: Database | None = state.grants.databases.get(label)
    if database is None:
        raise WitError(("access-denied", None))
    if not claim(state, _KIND):
        raise WitError(("io", "too many connections opened"))
    if state.sql_memory is None:
        state.sql_memory = MemoryAccount(state.grants.memory_bytes)
    return database.connect(lambda: is_live(state), state.sql_memory)


def error_of(error: SqliteError) -> WitError:
    """An ``error``."""
    return WitError(("database-full", None) if error.full else ("io", error.message))


def execute(
    state: InstanceState,
    connection: SqliteConnectionResource,
    statement: str,
    parameters: list[tuple[str, Any]],
) -> dict[str, Any]:
    """Run a statement and return a ``query-result``."""
    try:
        columns, rows = connection.native.execute(
            statement, [value for _, value in parameters], max_bytes=MAX_RESULT_BYTES
        )
    except SqliteError as error:
        state.check()
        raise error_of(error) from error
    return {"columns": columns, "rows": row_results(columns, rows)}


def row_results(columns: Sequence[str], rows: Sequence[SqliteRow]) -> VariantTable:
    """Return a list of ``row-result``."""
    return VariantTable.of_rows([_CASES] * len(columns), rows, field="values")


def _open_as(
    class_: type[SqliteConnectionResource],
) -> Callable[[InstanceState, str], SqliteConnectionResource]:
    return lambda state, label: class_(open_connection(state, label))


def _last_insert_rowid(state: InstanceState, connection: SqliteConnectionResource) -> int:
    return connection.native.last_insert_rowid()


def _changes(state: InstanceState, connection: SqliteConnectionResource) -> int:
    return connection.native.changes()


_VERSION_2: dict[str, HostFunction] = {
    "[static]connection.open": _open_as(Connection2),
    "[method]connection.execute": execute,
}

VERSION_3: dict[str, HostFunction] = {
    "[static]connection.open": _open_as(SqliteConnectionResource),
    "[method]connection.execute": execute,
    "[method]connection.last-insert-rowid": _last_insert_rowid,
    "[method]connection.changes": _changes,
}

INTERFACES = (
    Interface("fermyon:spin/sqlite@2.0.0", _VERSION_2, {"connection": Connection2}),
    Interface("spin:sqlite/sqlite@3.0.0", VERSION_3, {"connection": SqliteConnectionResource}),
)
"""The interfaces, versions included; ``sqlite_3_1`` has the one with asynchronous functions."""
