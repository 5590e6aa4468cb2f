"""``spin:sqlite/sqlite`` and ``fermyon:spin/sqlite``: SQL on the databases that are granted.

A label that the component does not list is ``access-denied``; what SQLite says is ``io``.
The interfaces of version 2 and 3 differ in two functions.

Version 3.1 has asynchronous functions beside them. ``execute-async`` runs the statement on a thread
of its own while other requests of the instance go on, and returns what it found so far; the guest
reads the rest as a stream. A statement that returns no rows is done when the future says so, and
here before the function returns.

Source: contract spin-host.md, DB-1 to DB-3, CONF-12 and CONF-13; wasi03.md, SK-20 to SK-24.
"""

from collections.abc import Callable, Sequence
from typing import Any

from edgezero_spin.host.factors.blocking import in_thread, is_live
from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES, claim, release
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.sqlite.connections import DatabaseConnection, SqliteError
from edgezero_spin.host.factors.sqlite.cursors import RowCursor
from edgezero_spin.host.factors.sqlite.factor import Database
from edgezero_spin.host.factors.sqlite.memory import MemoryAccount
from edgezero_spin.host.factors.sqlite.statements import SqliteRow
from edgezero_spin.host.factors.streams import PartwiseSource
from edgezero_spin.host.runtime.interface import (
    Err,
    HostFunction,
    Interface,
    VariantTable,
    WitError,
)

__all__ = [
    "INTERFACES",
    "SQLITE_3_1",
    "SqliteConnectionResource",
    "execute",
    "open_connection",
]

_KIND = "sqlite connection"

ROWS_AT_ONCE = 256
BYTES_AT_ONCE = 1024 * 1024
"""Rows, and bytes of them, after which the guest has to read before there are more."""

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


def _error_of(error: SqliteError) -> WitError:
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
        raise _error_of(error) from error
    return {"columns": columns, "rows": _row_results(columns, rows)}


def _row_results(columns: Sequence[str], rows: Sequence[SqliteRow]) -> VariantTable:
    return VariantTable.of_rows([_CASES] * len(columns), rows, field="values")


def _open(state: InstanceState, label: str) -> SqliteConnectionResource:
    return SqliteConnectionResource(open_connection(state, label))


class _Rows(PartwiseSource):
    """The rows of one statement, as a guest reads them."""

    def __init__(self, cursor: RowCursor) -> None:
        super().__init__(apart=True)
        self.cursor = cursor

    def look_up(self) -> None:
        """Look up the next rows."""
        rows: list[SqliteRow] = []
        try:
            self.cursor.read(rows, ROWS_AT_ONCE, BYTES_AT_ONCE)
            self.whole = self.cursor.ended
        except SqliteError as error:
            self.failure = _error_of(error)
        self.ready = _row_results(self.cursor.columns, rows)
        if self.whole or self.failure is not None:
            self.cursor.close()

    def close(self) -> None:
        """Stop the statement: nobody reads any more."""
        self.cursor.close()
        self.outcome.settle(Err(("io", "row send error")))


async def _execute_async(
    state: InstanceState,
    connection: SqliteConnectionResource,
    statement: str,
    parameters: list[tuple[str, Any]],
) -> tuple[list[str], Any, Any]:
    values = [value for _, value in parameters]
    cursor = RowCursor(connection.native, statement, values, max_row_bytes=MAX_RESULT_BYTES)
    rows = _Rows(cursor)
    await in_thread(rows.look_up, lambda _: cursor.close())
    return cursor.columns, *rows.ends


def _number(read: Callable[[DatabaseConnection], int]) -> HostFunction:
    def call(state: InstanceState, connection: SqliteConnectionResource) -> Any:
        native = connection.native
        with native.unused() as free:
            if free:
                return read(native)
        return in_thread(lambda: read(native))

    return call


_VERSION_2: dict[str, HostFunction] = {
    "[static]connection.open": _open,
    "[method]connection.execute": execute,
}
_VERSION_3: dict[str, HostFunction] = {
    **_VERSION_2,
    "[method]connection.last-insert-rowid": lambda _, connection: (
        connection.native.last_insert_rowid()
    ),
    "[method]connection.changes": lambda _, connection: connection.native.changes(),
}
_RESOURCES = {"connection": SqliteConnectionResource}

SQLITE_3_1 = Interface(
    "spin:sqlite/sqlite@3.1.0",
    {
        **_VERSION_3,
        "[static]connection.open-async": _open,
        "[method]connection.execute-async": _execute_async,
        "[method]connection.changes-async": _number(DatabaseConnection.changes),
        "[method]connection.last-insert-rowid-async": _number(DatabaseConnection.last_insert_rowid),
    },
    _RESOURCES,
)
"""The interface of version 3.1."""

INTERFACES = (
    Interface("fermyon:spin/sqlite@2.0.0", _VERSION_2, _RESOURCES),
    Interface("spin:sqlite/sqlite@3.0.0", _VERSION_3, _RESOURCES),
    SQLITE_3_1,
)
"""The interfaces, versions included."""
