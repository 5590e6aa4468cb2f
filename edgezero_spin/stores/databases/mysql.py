"""MySQL and MariaDB servers.

Source: contract services.md, section 2.
"""

from typing import Any, ClassVar

from edgezero_spin.stores.databases.sql import SqlDatabase
from edgezero_spin.stores.declaration import DatabaseKind

__all__ = ["MySql"]


class MySql(SqlDatabase):
    """A database on a MySQL or MariaDB server; placeholders are ``?``.

    The address is a variable, ``mysql://user:password@host/database``. ``DECIMAL``, dates, times
    and MySQL's ``JSON`` are selected with ``CAST(... AS CHAR)``, and then read as such.
    """

    kind: ClassVar[DatabaseKind] = "mysql"

    __slots__ = ()

    async def execute(self, statement: str, /, *parameters: Any) -> None:
        """Run a statement that returns no rows.

        ``one(int, "SELECT ROW_COUNT()")`` behind it tells how many rows it touched.
        """
        await self._call("execute", statement, parameters)

    def _transaction_statements(self) -> tuple[list[str], list[str], list[str]]:
        # Statements are prepared (MY-2), which MySQL does not do with BEGIN and SAVEPOINT.
        if self._depth:
            raise RuntimeError("a transaction of MySQL has no other one inside it")
        on = "SET autocommit = 1"
        return ["SET autocommit = 0"], ["COMMIT", on], ["ROLLBACK", on]
