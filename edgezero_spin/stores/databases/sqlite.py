"""SQLite databases that the manifest grants by label.

Source: contract spin-host.md, DB-1 to DB-3.
"""

from typing import Any, ClassVar

from edgezero_spin.stores.databases.backend import DatabaseFailure
from edgezero_spin.stores.databases.errors import QueryError
from edgezero_spin.stores.databases.sql import SqlDatabase
from edgezero_spin.stores.declaration import DatabaseKind

__all__ = ["Sqlite"]

MISUSE = "bad parameter or other API misuse"
"""Error of SQLite, and so of a host, for a text that has no statement."""


class Sqlite(SqlDatabase):
    """A SQLite database; placeholders are ``?`` or ``?1``.

    ```python
    @app.get("/notes")
    async def notes(db: Sqlite) -> list[Note]:
        return await db.rows(Note, "SELECT id, text FROM notes")
    ```

    SQLite has integers, floats, text and bytes: ``bool`` is stored as 0 or 1, dates, ``Decimal``
    and ``UUID`` as text, models, dictionaries and lists as JSON, and all are read back as such.
    """

    kind: ClassVar[DatabaseKind] = "sqlite"

    __slots__ = ()

    async def execute(self, statement: str, /, *parameters: Any) -> None:
        """Run a statement whose rows are of no interest.

        ``RETURNING`` tells which rows it touched, ``one(int, "SELECT changes()")`` how many.
        """
        await self._call("execute", statement, parameters)

    def _error_of(self, failure: DatabaseFailure, statement: str) -> QueryError:
        if failure.message == MISUSE:
            failure = DatabaseFailure(failure.case, f"the statement is empty ({MISUSE})")
        return super()._error_of(failure, statement)
