"""Databases of a component of WASI 0.2: its whole instance waits for a call.

Source: ``fermyon:spin@2.0.0``, ``spin:postgres@4.0.0``.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from edgezero_spin.guest.databases import Connection, DatabaseInterface, bound_databases
from edgezero_spin.stores import DatabaseKind, StoreDeclaration
from edgezero_spin.stores.databases import Parameter

__all__ = ["INTERFACES", "bound"]

_WORLD = "edgezero:spin/http-trigger-platform@0.1.0"


INTERFACES: dict[DatabaseKind, DatabaseInterface] = {
    "sqlite": DatabaseInterface(
        name="fermyon:spin/sqlite@2.0.0",
        modules=("sqlite", "fermyon_spin_sqlite_2_0_0", "spin_sqlite_sqlite"),
        asynchronous=False,
        parameter="Value",
        value="Value",
    ),
    "redis": DatabaseInterface(
        name="fermyon:spin/redis@2.0.0",
        modules=("redis", "fermyon_spin_redis_2_0_0"),
        asynchronous=False,
        parameter="RedisParameter",
    ),
    "postgres": DatabaseInterface(
        name="spin:postgres/postgres@4.0.0",
        # Where there are several versions, the one without a number is an old one.
        modules=("spin_postgres_postgres_4_0_0", "spin_postgres_postgres_4_2_0", "postgres"),
        asynchronous=False,
    ),
    "mysql": DatabaseInterface(
        name="fermyon:spin/mysql@2.0.0",
        modules=("mysql", "fermyon_spin_mysql_2_0_0"),
        types=("rdbms_types", "fermyon_spin_rdbms_types_2_0_0"),
        asynchronous=False,
    ),
}
"""The interface of each kind."""


def bound(declaration: StoreDeclaration) -> Callable[[DatabaseKind, str], Awaitable[Any]]:
    """Return what opens the databases that an app declares; see ``bound_databases``."""
    return bound_databases(declaration, INTERFACES, _WORLD, _SqlConnection)


class _Rows:
    """Rows that are all there."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Any]) -> None:
        self.columns = columns
        self._rows = rows

    async def read(self) -> Sequence[Any]:
        rows, self._rows = self._rows, ()
        return rows

    def close(self) -> None:
        self._rows = ()


class _SqlConnection(Connection):
    """A ``SqlBackend``."""

    async def query(self, statement: str, parameters: Sequence[Parameter]) -> _Rows:
        function = "execute" if self.kind == "sqlite" else "query"
        found = await self._run(function, statement, parameters)
        names = [getattr(column, "name", column) for column in found.columns]
        return _Rows(names, self.binding.rows(found.rows))

    async def execute(self, statement: str, parameters: Sequence[Parameter]) -> int | None:
        result = await self._run("execute", statement, parameters)
        return None if self.kind == "sqlite" else result
