"""The rows of a statement, a part at a time.

In: a connection, and a statement with its values. Out: rows, as many as are asked for. Between
two parts nothing is locked: other statements of the connection run, and see what this one sees.

Source: contract wasi03.md, SK-21 to SK-23.
"""

from collections.abc import Sequence
from typing import Any

import apsw

from edgezero_spin.host.factors.bounds import size_of_row, too_large
from edgezero_spin.host.factors.sqlite.connections import DatabaseConnection
from edgezero_spin.host.factors.sqlite.statements import (
    RowsTooLargeError,
    SqliteRow,
    check_parameters,
    prepare,
)

__all__ = ["RowCursor"]


class RowCursor:
    """One statement, run by reading its rows.

    Attributes:
        columns: The names of the columns, once ``read`` was called.
        ended: Every row was read.
    """

    def __init__(
        self,
        connection: DatabaseConnection,
        text: str,
        values: Sequence[Any] = (),
        *,
        max_row_bytes: int,
    ) -> None:
        """Note a statement; nothing runs yet.

        Args:
            text: SQL, of which the first statement counts.
            values: As for ``DatabaseConnection.execute``.
            max_row_bytes: Size of a row that is kept.
        """
        self.columns: list[str] = []
        self.ended = False
        self._connection = connection
        self._text = text
        self._values = tuple(values)
        self._max_row_bytes = max_row_bytes
        self._native: apsw.Cursor | None = None
        self._closed = False

    def read(self, rows: list[SqliteRow], most: int, most_bytes: int) -> None:
        """Add the next rows to a list; the first call runs the statement.

        Args:
            rows: What is read before a failure is in it, too.
            most: Rows to add at most.
            most_bytes: Size after which no more are added.

        Raises:
            RowsTooLargeError: There is a larger row than may be kept.
            SqliteError: The statement failed, or was stopped.
        """
        connection = self._connection

        def work() -> None:
            connection.run(
                lambda native: self._read(native, rows, most, most_bytes),
                wanted=lambda: not self._closed,
            )

        try:
            if self._native is None:
                connection.statement(self._text, self._values, work)
            else:
                work()
        finally:
            if self._closed:
                self.close()

    def _read(
        self, native: apsw.Connection, rows: list[SqliteRow], most: int, most_bytes: int
    ) -> None:
        begins = self._native is None
        with self._connection.values_bounded(self._text):
            self._fetch(self._native or self._begin(native), rows, most, most_bytes)
        if begins:
            self._connection.bound_attached(native)

    def _fetch(
        self, cursor: apsw.Cursor, rows: list[SqliteRow], most: int, most_bytes: int
    ) -> None:
        size = 0
        for row in cursor:
            row_bytes = size_of_row(row)
            if row_bytes > self._max_row_bytes:
                raise RowsTooLargeError(too_large(self._max_row_bytes))
            rows.append(row)
            size += row_bytes
            if len(rows) >= most or size >= most_bytes:
                break
        else:
            self.ended = True

    def _begin(self, native: apsw.Connection) -> apsw.Cursor:
        prepared = prepare(native, self._text)
        self.columns = prepared.columns
        check_parameters(prepared, self._values)
        self._connection.bound_temporary(native)
        self._native = native.execute(prepared.text, self._values)
        return self._native

    def close(self) -> None:
        """Stop the statement, without waiting for it. Twice is harmless."""
        self._closed = True
        cursor = self._native
        if cursor is not None:
            with self._connection.unused() as free:
                # Whoever reads at the moment closes it.
                if free:
                    cursor.close(True)
