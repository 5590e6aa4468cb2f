"""Databases of a component of WASI 0.2: its whole instance waits for a call.

Source: ``fermyon:spin@2.0.0``, ``spin:postgres@4.0.0``.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from edgezero_spin.guest.bindings import Err
from edgezero_spin.guest.databases import (
    DatabaseBinding,
    DatabaseInterface,
    bind_databases,
    failure_of,
)
from edgezero_spin.stores import DatabaseKind, StoreDeclaration
from edgezero_spin.stores.databases import Parameter

__all__ = ["bound"]

_WORLD = "edgezero:spin/http-trigger-platform@0.1.0"


_INTERFACES: dict[DatabaseKind, DatabaseInterface] = {
    "sqlite": DatabaseInterface(
        name="fermyon:spin/sqlite@2.0.0",
        modules=("sqlite", "fermyon_spin_sqlite_2_0_0"),
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
        modules=("postgres", "spin_postgres_postgres_4_0_0", "spin_postgres_postgres_4_2_0"),
        asynchronous=False,
    ),
    "mysql": DatabaseInterface(
        name="fermyon:spin/mysql@2.0.0",
        modules=("mysql", "fermyon_spin_mysql_2_0_0"),
        types=("rdbms_types", "fermyon_spin_rdbms_types_2_0_0"),
        asynchronous=False,
    ),
}


def bound(declaration: StoreDeclaration) -> Callable[[DatabaseKind, str], Awaitable[Any]]:
    """Return what opens the databases that an app declares; see ``DatabasePlatform``.

    Raises:
        ImportError: The world lacks an interface; names it and the way out.
    """
    bindings = bind_databases(declaration, _INTERFACES, _WORLD)

    async def open_database(kind: DatabaseKind, target: str) -> Any:
        return await _opened(bindings[kind], kind, target)

    return open_database


async def _opened(binding: DatabaseBinding, kind: DatabaseKind, target: str) -> Any:
    try:
        native = binding.open(target)
    except Err as error:
        raise failure_of(error.value) from None
    if kind == "redis":
        return _RedisConnection(binding, native)
    return (_SqliteConnection if kind == "sqlite" else _SqlConnection)(binding, native)


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


class _Connection:
    """What all connections have in common."""

    def __init__(self, binding: DatabaseBinding, native: Any) -> None:
        self._binding = binding
        self._native = native

    def close(self) -> None:
        native, self._native = self._native, None
        if native is not None:
            native.__exit__(None, None, None)

    def _call(self, function: str, *arguments: Any) -> Any:
        try:
            return getattr(self._native, function)(*arguments)
        except Err as error:
            raise failure_of(error.value) from None


class _SqlConnection(_Connection):
    """A ``SqlBackend`` to a server."""

    async def query(self, statement: str, parameters: Sequence[Parameter]) -> _Rows:
        found = self._call("query", statement, self._binding.parameters(parameters))
        return _Rows([column.name for column in found.columns], self._binding.rows(found.rows))

    async def execute(self, statement: str, parameters: Sequence[Parameter]) -> int | None:
        count: int | None = self._call("execute", statement, self._binding.parameters(parameters))
        return count


class _SqliteConnection(_Connection):
    """A ``SqlBackend`` to a SQLite database."""

    async def query(self, statement: str, parameters: Sequence[Parameter]) -> _Rows:
        found = self._call("execute", statement, self._binding.parameters(parameters))
        return _Rows(found.columns, self._binding.rows(found.rows))

    async def execute(self, statement: str, parameters: Sequence[Parameter]) -> None:
        self._call("execute", statement, self._binding.parameters(parameters))


class _RedisConnection(_Connection):
    """A ``RedisBackend``."""

    async def call(self, function: str, *arguments: Any) -> Any:
        if function == "execute":
            command, parameters = arguments
            replies = self._call("execute", command, self._binding.parameters(parameters))
            return [("", getattr(reply, "value", None)) for reply in replies]
        return self._call("del_" if function == "del" else function, *arguments)
