"""Results of the client library: rows piece by piece, and what a server says of an error.

Source: contract services.md, PG-56 to PG-66.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from psycopg.pq import DiagnosticField
from psycopg.pq.abc import PGresult

from edgezero_spin.host.factors.database_servers.errors import ResultTooLargeError
from edgezero_spin.host.factors.postgres.columns import (
    ColumnValueError,
    PostgresColumn,
    PostgresRowReader,
)
from edgezero_spin.host.factors.postgres.errors import DbError, PostgresError
from edgezero_spin.host.runtime.interface import VariantTable

if TYPE_CHECKING:
    from edgezero_spin.host.factors.postgres.client import PostgresConnection

__all__ = ["PostgresRows", "db_error"]

# Beside severity, code, message and detail, in the order of PG-64.
_EXTRAS = (
    ("column", DiagnosticField.COLUMN_NAME),
    ("constraint", DiagnosticField.CONSTRAINT_NAME),
    ("routine", DiagnosticField.SOURCE_FUNCTION),
    ("hint", DiagnosticField.MESSAGE_HINT),
    ("table", DiagnosticField.TABLE_NAME),
    ("datatype", DiagnosticField.DATATYPE_NAME),
    ("schema", DiagnosticField.SCHEMA_NAME),
    ("file", DiagnosticField.SOURCE_FILE),
    ("line", DiagnosticField.SOURCE_LINE),
    ("where_", DiagnosticField.CONTEXT),
)


def db_error(result: PGresult) -> DbError | None:
    """Return what the server says of an error; ``None`` where it said nothing."""

    def field(which: DiagnosticField) -> str | None:
        value = result.error_field(which)
        return None if value is None else value.decode(errors="replace")

    code = field(DiagnosticField.SQLSTATE)
    if code is None:
        return None
    extras = [(name, field(which)) for name, which in _EXTRAS]
    return DbError(
        field(DiagnosticField.SEVERITY) or "ERROR",
        code,
        field(DiagnosticField.MESSAGE_PRIMARY) or "",
        field(DiagnosticField.MESSAGE_DETAIL),
        tuple((name, value) for name, value in extras if value is not None),
    )


class PostgresRows:
    """The rows of a statement that runs. Read them to the end, or ``close`` them."""

    def __init__(self, connection: "PostgresConnection", reader: PostgresRowReader) -> None:
        self._connection = connection
        self._reader = reader
        self._open = True

    @property
    def columns(self) -> Sequence[PostgresColumn]:
        """The columns, once the rows are read or the names of all types are known."""
        return self._reader.columns

    @property
    def at_hand(self) -> bool:
        """See ``Rows``."""
        return not self._open or self._connection.at_hand

    def read(self, most_bytes: int) -> tuple[VariantTable, int]:
        """See ``Rows``."""
        if not self._open:
            return self._reader.no_rows, 0
        try:
            result = self._connection.next_rows()
        except BaseException:
            self._open = False
            raise
        if result is None:
            self._open = False
            return self._reader.no_rows, 0
        try:
            rows, size = self._reader.rows(result)
        except ColumnValueError as error:
            self.close()
            raise PostgresError(str(error), running=True) from error
        if size > most_bytes:
            self.close()
            raise ResultTooLargeError
        return rows, size

    def close(self) -> None:
        """See ``Rows``."""
        if self._open:
            self._open = False
            self._connection.cancel()
