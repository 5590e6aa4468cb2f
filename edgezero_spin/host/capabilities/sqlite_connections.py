"""Run the statements of guests on SQLite, one connection for each handle.

In: a ``Database``, which says where it is, and SQL as a guest gives it. Out: columns and rows,
or a ``DatabaseError`` with SQLite's words.

What a guest may do with a connection ends where the process begins: it attaches no files
unless the configuration says so, changes no setting that all databases of the process share,
and a statement ends when the time of its instance does.

Source: contract spin-host.md, DB-1 to DB-3.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.errors import HostError
from edgezero_spin.host.capabilities.bounds import size_of
from edgezero_spin.host.capabilities.sql_text import LARGEST_NUMBER, first_statement

__all__ = [
    "MAX_VALUE_BYTES",
    "Database",
    "DatabaseConnection",
    "DatabaseError",
    "ResultTooLarge",
]

BUSY_TIMEOUT_S = 5.0

# Longest text or blob that a statement may make; SQLite itself would go to a gigabyte.
MAX_VALUE_BYTES = 268_435_456

# How often a long statement asks whether it may go on, in steps of SQLite's machine.
STEPS_BETWEEN_CHECKS = 100_000

# Settings of the whole process, not of one connection.
PROCESS_PRAGMAS = frozenset(
    ("hard_heap_limit", "soft_heap_limit", "temp_store_directory", "data_store_directory")
)

Row = tuple[Any, ...]


class DatabaseError(HostError):
    """A statement could not be run.

    Attributes:
        message: What SQLite says.
        full: The database or the disk is full.
    """

    def __init__(self, message: str, *, full: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.full = full


class ResultTooLarge(DatabaseError):  # noqa: N818 - names the state, as its base names the family
    """The rows of a statement are more than a guest may be given."""


@attrs.frozen(kw_only=True)
class Database:
    """Where one database lives.

    Attributes:
        label: The label that components open it by.
        path: The file; ``None`` makes every connection a database of its own (DB-2).
        uri: Without a path: what SQLite opens instead, such as ``file:/name?vfs=memdb`` for
            a database in memory that all connections of this process share.
        allow_attach_file: A guest may attach other files of the host.
    """

    label: str
    path: Path | None = None
    uri: str | None = None
    allow_attach_file: bool = False

    def connect(self, go_on: Callable[[], bool] | None = None) -> "DatabaseConnection":
        """Return a connection; nothing is opened before its first statement.

        Args:
            go_on: Asked during long statements; ``False`` ends them.
        """
        return DatabaseConnection(self, go_on)


class DatabaseConnection:
    """One connection of one guest, used by one thread at a time."""

    def __init__(self, database: Database, go_on: Callable[[], bool] | None = None) -> None:
        self._database = database
        self._go_on = go_on
        self._native: sqlite3.Connection | None = None

    def execute(
        self, text: str, values: Sequence[Any] = (), *, max_bytes: int
    ) -> tuple[list[str], list[Row]]:
        """Run the first statement of a text.

        Args:
            text: SQL.
            values: ``int``, ``float``, ``str``, ``bytes`` or ``None`` by position.
            max_bytes: Size of the rows that are kept.

        Returns:
            The names of the columns, and the rows.

        Raises:
            ResultTooLarge: There are more rows than that.
            DatabaseError: The statement failed.
        """
        statement = first_statement(text)
        if statement.empty:
            # What SQLite says of running nothing, which Python does without a word.
            raise DatabaseError("bad parameter or other API misuse")
        if statement.parameters != len(values):
            raise DatabaseError(
                f"Wrong number of parameters passed to query. Got {len(values)}, needed "
                f"{statement.parameters}"
            )
        try:
            cursor = self._open().execute(statement.text, values)
            try:
                columns = [column[0] for column in cursor.description or ()]
                return columns, _bounded(cursor, max_bytes)
            finally:
                cursor.close()
        except (sqlite3.Error, OverflowError, ValueError) as error:
            raise _failure(error) from error

    def execute_script(self, text: str) -> None:
        """Run every statement of a text.

        Raises:
            DatabaseError: One failed; those before it have been run.
        """
        try:
            self._open().executescript(text)
        except (sqlite3.Error, ValueError) as error:
            raise _failure(error) from error

    def changes(self) -> int:
        """How many rows the last ``INSERT``, ``UPDATE`` or ``DELETE`` changed."""
        return self._number("SELECT changes()")

    def last_insert_rowid(self) -> int:
        """The row that was inserted last, 0 when none was."""
        return self._number("SELECT last_insert_rowid()")

    def close(self) -> None:
        """Undo an open transaction and close. Twice is harmless."""
        if self._native is not None:
            self._native.close()
            self._native = None

    def _number(self, query: str) -> int:
        if self._native is None:
            return 0
        number: int = self._native.execute(query).fetchone()[0]
        return number

    def _open(self) -> sqlite3.Connection:
        if self._native is None:
            self._native = self._connect()
        return self._native

    def _connect(self) -> sqlite3.Connection:
        path = self._database.path
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DatabaseError(f"{path.parent}: {error.strerror or error}") from error
        uri = self._database.uri
        connection = sqlite3.connect(
            path or uri or ":memory:",
            uri=path is None and uri is not None,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            # Each would keep the text of its statement, which may be megabytes.
            cached_statements=0,
            # Used by the thread of the instance; closed by whichever ends it.
            check_same_thread=False,
        )
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, LARGEST_NUMBER)
        connection.set_authorizer(_authorizer(self._database.allow_attach_file))
        go_on = self._go_on
        if go_on is not None:
            connection.set_progress_handler(lambda: not go_on(), STEPS_BETWEEN_CHECKS)
        return connection


def _bounded(cursor: sqlite3.Cursor, max_bytes: int) -> list[Row]:
    rows = []
    size = 0
    for row in cursor:
        size += sum(map(size_of, row))
        if size > max_bytes:
            raise ResultTooLarge(f"query result exceeds limit of {max_bytes} bytes")
        rows.append(row)
    return rows


def _authorizer(attach_files: bool) -> Callable[..., int]:
    def authorize(action: int, first: str | None, second: str | None, *rest: str | None) -> int:
        if action == sqlite3.SQLITE_ATTACH:
            # A name that is computed or bound is not known here, so it is not harmless.
            allowed = attach_files or first in ("", ":memory:")
        elif action == sqlite3.SQLITE_PRAGMA:
            allowed = second is None or (first or "").lower() not in PROCESS_PRAGMAS
        else:
            allowed = True
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    return authorize


def _failure(error: Exception) -> DatabaseError:
    full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return DatabaseError(str(error), full=full)
