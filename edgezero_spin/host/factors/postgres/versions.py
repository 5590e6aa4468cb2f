"""Versions of the PostgreSQL interface: types in common, and differences.

In: columns, rows and errors as ``spin:postgres/postgres@4.2.0`` has them. Out: the same in the
types of an older version, which knows fewer cases.

Source: contract services.md, PG-48, PG-49, PG-56 to PG-65.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from edgezero_spin.host.factors.database_servers.sessions import NULL
from edgezero_spin.host.factors.postgres.errors import DbError, PostgresError

if TYPE_CHECKING:
    from edgezero_spin.host.factors.postgres.columns import PostgresColumn

__all__ = ["VERSION_2", "VERSION_3", "VERSION_4", "InterfaceVersion"]

_UNSUPPORTED = ("unsupported", None)
_BASIC = frozenset(
    (
        *("boolean", "int8", "int16", "int32", "int64", "floating32", "floating64"),
        *("str", "binary"),
    )
)

# Classes of SQLSTATE that a server reports before it computes rows: access rules, and what a
# transaction does not allow.
_BEFORE_ROWS = ("42", "25")


@attrs.frozen
class InterfaceVersion:
    """One version of the interface.

    Attributes:
        cases: The cases of values that it has; ``None`` for all.
        structured: Whether failed queries and types have a structure.
    """

    cases: frozenset[str] | None = None
    structured: bool = False

    def columns(self, columns: "Sequence[PostgresColumn]") -> list[dict[str, Any]]:
        """Return columns in the form of ``column``."""
        return [{"name": column.name, "data-type": self._data_type(column)} for column in columns]

    def _data_type(self, column: "PostgresColumn") -> Any:
        if self.structured:
            return (column.case, None) if column.case else ("other", column.type_name)
        return column.case if self._has(column) else "other"

    def _has(self, column: "PostgresColumn") -> bool:
        return bool(column.case) and (self.cases is None or column.case in self.cases)

    def rows(
        self, columns: "Sequence[PostgresColumn]", rows: Sequence[Any]
    ) -> Sequence[Sequence[tuple[str, Any]]]:
        """Return rows; values that the version has no case for are ``unsupported``."""
        if self.structured:
            return rows
        has = [self._has(column) for column in columns]
        if all(has):
            return rows
        return [
            [
                value if known or value[0] == NULL else _UNSUPPORTED
                for known, value in zip(has, row, strict=True)
            ]
            for row in rows
        ]

    def row_set(self, columns: "Sequence[PostgresColumn]", rows: Sequence[Any]) -> dict[str, Any]:
        """Return a result; one without rows has no columns (PG-47)."""
        return {
            "columns": self.columns(columns) if rows else [],
            "rows": self.rows(columns, rows),
        }

    def query_failed(self, error: Exception, *, flat: bool) -> Any:
        """Return the error of a statement.

        Args:
            error: A ``PostgresError`` or ``ResultTooLargeError``.
            flat: Whether what happens while rows are computed has a text only.
        """
        server = error.server if isinstance(error, PostgresError) else None
        text = str(error)
        if not self.structured:
            return "query-failed", text
        if server is None or (
            flat
            and isinstance(error, PostgresError)
            and error.running
            and server.code[:2] not in _BEFORE_ROWS
        ):
            return "query-failed", ("text", text)
        return "query-failed", ("db-error", _db_error(server))


def _db_error(error: DbError) -> dict[str, Any]:
    return {
        "as-text": str(error),
        "severity": error.severity,
        "code": error.code,
        "message": error.message,
        "detail": error.detail,
        "extras": list(error.extras),
    }


VERSION_2 = InterfaceVersion(_BASIC)
VERSION_3 = InterfaceVersion(_BASIC | {"date", "time", "datetime", "timestamp"})
VERSION_4 = InterfaceVersion(structured=True)
