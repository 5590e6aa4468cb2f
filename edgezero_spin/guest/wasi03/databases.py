"""Databases of a component of WASI 0.3: other requests of the instance go on meanwhile.

Source: ``spin:sqlite@3.1.0``, ``spin:redis@3.0.0``, ``spin:postgres@4.2.0``, ``spin:mysql@3.0.0``.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from edgezero_spin.guest.bindings import Err
from edgezero_spin.guest.databases import (
    Connection,
    DatabaseBinding,
    DatabaseInterface,
    bound_databases,
    failure_of,
)
from edgezero_spin.stores import DatabaseKind, StoreDeclaration
from edgezero_spin.stores.databases import Parameter

__all__ = ["INTERFACES", "bound"]

_WORLD = "edgezero:spin/http-service-platform@0.1.0"


INTERFACES: dict[DatabaseKind, DatabaseInterface] = {
    "sqlite": DatabaseInterface(
        name="spin:sqlite/sqlite@3.1.0",
        modules=("sqlite", "spin_sqlite_sqlite_3_1_0"),
        opens="open_async",
        asynchronous=True,
        parameter="Value",
        value="Value",
    ),
    "redis": DatabaseInterface(
        name="spin:redis/redis@3.0.0",
        modules=("redis", "spin_redis_redis_3_0_0"),
        asynchronous=True,
        parameter="RedisParameter",
    ),
    "postgres": DatabaseInterface(
        name="spin:postgres/postgres@4.2.0",
        modules=("postgres", "spin_postgres_postgres_4_2_0"),
        opens="open_async",
        asynchronous=True,
    ),
    "mysql": DatabaseInterface(
        name="spin:mysql/mysql@3.0.0",
        modules=("mysql", "spin_mysql_mysql_3_0_0"),
        asynchronous=True,
    ),
}
"""The interface of each kind."""

_ROWS_PER_READ = 256

# How the functions of each kind are called.
_QUERY = {"sqlite": "execute_async", "postgres": "query_async", "mysql": "query"}
_EXECUTE = {"postgres": "execute_async", "mysql": "execute"}


def bound(declaration: StoreDeclaration) -> Callable[[DatabaseKind, str], Awaitable[Any]]:
    """Return what opens the databases that an app declares; see ``bound_databases``."""
    return bound_databases(declaration, INTERFACES, _WORLD, _SqlConnection)


class _Rows:
    """Rows that come as they are read."""

    def __init__(
        self, columns: Sequence[str], stream: Any, end: Any, binding: DatabaseBinding
    ) -> None:
        self.columns = columns
        self._stream = stream
        self._end = end
        self._binding = binding

    async def read(self) -> Sequence[Any]:
        stream = self._stream
        while stream is not None:
            if stream.writer_dropped:
                self._stream = None
                stream.__exit__(None, None, None)
                await self._finish()
                return ()
            rows = await stream.read(_ROWS_PER_READ)
            if rows:
                return self._binding.rows(rows)
        return ()

    async def _finish(self) -> None:
        end, self._end = self._end, None
        try:
            result = await end.read()
        finally:
            end.__exit__(None, None, None)
        if isinstance(result, Err):
            raise failure_of(result.value)

    def close(self) -> None:
        for part in (self._stream, self._end):
            if part is not None:
                part.__exit__(None, None, None)
        self._stream = self._end = None


class _SqlConnection(Connection):
    """A ``SqlBackend``."""

    async def query(self, statement: str, parameters: Sequence[Parameter]) -> _Rows:
        columns, stream, end = await self._run(_QUERY[self.kind], statement, parameters)
        names = [getattr(column, "name", column) for column in columns]
        return _Rows(names, stream, end, self.binding)

    async def execute(self, statement: str, parameters: Sequence[Parameter]) -> int | None:
        if self.kind == "sqlite":
            rows = await self.query(statement, parameters)
            try:
                while await rows.read():
                    pass
            finally:
                rows.close()
            return None
        count: int | None = await self._run(_EXECUTE[self.kind], statement, parameters)
        return count
