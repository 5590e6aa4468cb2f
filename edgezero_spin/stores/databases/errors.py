"""Errors of databases.

```
DatabaseError
├── DatabaseOpenError     503, no connection: denied, unknown, no server, wrong password
├── QueryError            500, the database refused a statement or a command, or failed
├── RowError              500, a row does not fit the type that was asked for
├── NoRowError            404, a statement that has to return a row returned none
└── ManyRowsError         500, a statement that may return one row returned several
```

``str(error)`` is for the log; a client reads ``internal error`` or that the service is unavailable.
No text has an address or a password.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from edgezero_spin.errors import StoreError

__all__ = [
    "DatabaseError",
    "DatabaseOpenError",
    "ManyRowsError",
    "NoRowError",
    "QueryError",
    "RowError",
]


class DatabaseError(StoreError):
    """A database refused or failed.

    Attributes:
        database: Kind and id, ``sqlite['default']``.
        message: What went wrong.
    """

    def __init__(self, database: str, message: str) -> None:
        super().__init__(database, message)
        self.database = database
        self.message = message

    def __str__(self) -> str:
        return f"{self.database}: {self.message}"

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return "internal error"


class DatabaseOpenError(DatabaseError):
    """A database could not be opened, or a server not be connected to.

    Attributes:
        case: The case of the error in WIT: ``access-denied``, ``connection-failed``.
    """

    kind = "service_unavailable"
    status = 503

    def __init__(self, database: str, message: str, case: str = "") -> None:
        super().__init__(database, message)
        self.case = case

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return "database unavailable"


class QueryError(DatabaseError):
    """A statement or command failed.

    Attributes:
        case: The case of the error in WIT: ``query-failed``, ``io``.
        statement: The statement, or the name of the command.
        code: The SQLSTATE, where the server gave one (PostgreSQL).
        detail: More of the server's words, likewise.
        extras: What it names, likewise: ``constraint``, ``table``, ``column``, ``hint``.
    """

    def __init__(
        self,
        database: str,
        message: str,
        *,
        case: str = "",
        statement: str = "",
        code: str = "",
        detail: str = "",
        extras: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(database, message)
        self.case = case
        self.statement = statement
        self.code = code
        self.detail = detail
        self.extras = extras

    def __str__(self) -> str:
        code = f" ({self.code})" if self.code else ""
        return f"{self.database}: {self.message}{code}, in: {self.statement}"


class RowError(DatabaseError):
    """A row does not fit the type that was asked for.

    Attributes:
        column: The column; empty where their number is wrong.
        expected: The type that was asked for.
        found: What is there instead.
        columns: The columns of the result.
    """

    def __init__(
        self, database: str, column: str, expected: str, found: str, columns: Sequence[str]
    ) -> None:
        where = f"column {column!r}: " if column else ""
        super().__init__(database, f"{where}expected {expected}, got {found}")
        self.column = column
        self.expected = expected
        self.found = found
        self.columns = tuple(columns)


class NoRowError(DatabaseError):
    """A statement that has to return a row returned none.

    Attributes:
        statement: The statement.
    """

    kind = "not_found"
    status = 404

    def __init__(self, database: str, statement: str) -> None:
        super().__init__(database, f"no row, in: {statement}")
        self.statement = statement

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return "not found"


class ManyRowsError(DatabaseError):
    """A statement that may return one row returned several.

    Attributes:
        statement: The statement.
    """

    def __init__(self, database: str, statement: str) -> None:
        super().__init__(database, f"more than one row, in: {statement}")
        self.statement = statement
