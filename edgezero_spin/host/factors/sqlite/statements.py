"""Statements as SQLite reads them, and the rows that they return.

In: a connection, and a text as a guest gives it. Out: its first statement, with the number of
its parameters and the names of its columns, or what went wrong. SQLite reads the text;
nothing here does.

Source: contract spin-host.md, DB-1 and DB-3.
"""

import contextlib
from collections.abc import Sequence
from typing import Any

import apsw
import attrs

from edgezero_spin.errors import HostError
from edgezero_spin.host.factors.bounds import size_of_row, too_large

__all__ = [
    "PreparedStatement",
    "RowsTooLargeError",
    "SqliteError",
    "SqliteRow",
    "bounded_rows",
    "check_parameters",
    "prepare",
]

SqliteRow = tuple[Any, ...]


class SqliteError(HostError):
    """A statement could not be run.

    Attributes:
        full: The database or the disk is full.
    """

    def __init__(self, message: str, *, full: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.full = full


class RowsTooLargeError(SqliteError):
    """The rows of a statement are more than a guest may be given."""


@attrs.frozen
class PreparedStatement:
    """The first statement of a text.

    Attributes:
        parameters: How many values it takes.
        columns: Names of its columns.
    """

    text: str
    parameters: int
    columns: list[str]


# Leaves every parameter unbound; ``apsw.ext.query_info`` does the same, and much else.
_UNBOUND: Any = apsw._null_bindings  # type: ignore[attr-defined]

MISUSE = "bad parameter or other API misuse"
"""Error of SQLite, and so of Spin, for a text that has no statement."""


def prepare(native: apsw.Connection, text: str) -> PreparedStatement:
    """Have SQLite read the first statement of a text, and run nothing.

    Returns:
        The statement; one without a text where there is none.

    Raises:
        apsw.Error: SQLite cannot read it.
    """
    found = PreparedStatement("", 0, [])

    def trace(cursor: apsw.Cursor, statement: str, bindings: object) -> bool:
        nonlocal found
        if cursor.has_vdbe:
            columns = [column[0] for column in cursor.get_description()]
            found = PreparedStatement(statement, cursor.bindings_count, columns)
        return False

    cursor = native.cursor()
    cursor.exec_trace = trace
    with contextlib.suppress(apsw.ExecTraceAbort):
        cursor.execute(text, _UNBOUND)
    cursor.close()
    return found


def check_parameters(prepared: PreparedStatement, values: Sequence[Any]) -> None:
    """Make sure that there is a statement, and that it is given as many values as it takes.

    Raises:
        SqliteError: It is not so; in the words of Spin.
    """
    if prepared.parameters != len(values):
        raise SqliteError(
            f"Wrong number of parameters passed to query. Got {len(values)}, needed "
            f"{prepared.parameters}"
        )
    if not prepared.text:
        raise SqliteError(MISUSE)


def bounded_rows(cursor: apsw.Cursor, max_bytes: int) -> list[SqliteRow]:
    """Return the rows of a statement that was begun.

    Raises:
        RowsTooLargeError: They are more than ``max_bytes``.
        apsw.Error: The statement fails.
    """
    rows: list[SqliteRow] = []
    size = 0
    try:
        for row in cursor:
            size += size_of_row(row)
            if size > max_bytes:
                raise RowsTooLargeError(too_large(max_bytes))
            rows.append(row)
    finally:
        cursor.close(True)
    return rows
