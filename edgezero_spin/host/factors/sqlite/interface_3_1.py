"""``spin:sqlite@3.1.0``: the functions of 3.0.0, and asynchronous ones beside them.

``execute-async`` runs the statement on a thread of its own while other requests of the instance
go on, and returns what it found so far; the guest reads the rest as a stream. A statement that
returns no rows is done when the future says so, and here before the function returns.

Source: contract wasi03.md, SK-20 to SK-24.
"""

from collections.abc import Callable
from typing import Any

from edgezero_spin.host.factors.blocking import in_thread
from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.sqlite.connections import DatabaseConnection, SqliteError
from edgezero_spin.host.factors.sqlite.cursors import RowCursor
from edgezero_spin.host.factors.sqlite.interface import (
    VERSION_3,
    SqliteConnectionResource,
    error_of,
    row_results,
)
from edgezero_spin.host.factors.sqlite.statements import SqliteRow
from edgezero_spin.host.factors.streams import PartwiseSource
from edgezero_spin.host.runtime.interface import Err, HostFunction, Interface

__all__ = ["SQLITE_3_1"]

ROWS_AT_ONCE = 256
BYTES_AT_ONCE = 1024 * 1024
"""Rows, and bytes of them, after which the guest has to read before there are more."""


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
            self.failure = error_of(error)
        self.ready = row_results(self.cursor.columns, rows)
        if self.whole or self.failure is not None:
            self.cursor.close()

    def close(self) -> None:
        """Stop the statement: nobody reads any more."""
        self.cursor.close()
        self.outcome.settle(Err(("io", "row send error")))


async def _execute(
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


SQLITE_3_1 = Interface(
    "spin:sqlite/sqlite@3.1.0",
    {
        **VERSION_3,
        "[static]connection.open-async": VERSION_3["[static]connection.open"],
        "[method]connection.execute-async": _execute,
        "[method]connection.changes-async": _number(DatabaseConnection.changes),
        "[method]connection.last-insert-rowid-async": _number(DatabaseConnection.last_insert_rowid),
    },
    {"connection": SqliteConnectionResource},
)
"""The interface, version included."""
