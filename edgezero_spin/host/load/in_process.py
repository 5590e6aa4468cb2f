"""Databases for an app that runs in this process, without a component.

The functions are those that a component imports, called with a state as an instance has one: the
same grants, limits, pools and errors, one implementation of each.

In: the grants of a component. Out: a ``DatabasePlatform``.

Source: contract services.md, sections 1, 2; spin-host.md, DB-1 to DB-4.
"""

import weakref
from collections.abc import Sequence
from typing import Any

from edgezero_spin.host.errors import Trap, WitError
from edgezero_spin.host.factors.instance import Grants, InstanceState
from edgezero_spin.host.factors.mysql.interface import INTERFACES as MYSQL
from edgezero_spin.host.factors.postgres.interface import INTERFACES as POSTGRES
from edgezero_spin.host.factors.redis.interface import REDIS_3
from edgezero_spin.host.factors.sqlite.interface import SQLITE_3_1
from edgezero_spin.host.runtime.interface import Interface
from edgezero_spin.stores.databases import DECODERS, DatabaseFailure, Parameter, ServerMessage
from edgezero_spin.stores.declaration import DatabaseKind

__all__ = ["InProcessDatabases"]

_ROWS_PER_READ = 256


def _named(interfaces: Sequence[Interface], name: str) -> Interface:
    return next(interface for interface in interfaces if interface.name == name)


_INTERFACES: dict[DatabaseKind, Interface] = {
    "sqlite": SQLITE_3_1,
    "redis": REDIS_3,
    "postgres": _named(POSTGRES, "spin:postgres/postgres@4.2.0"),
    "mysql": _named(MYSQL, "spin:mysql/mysql@3.0.0"),
}

# Names of the functions of each kind: to open, to query, to execute.
_FUNCTIONS: dict[DatabaseKind, tuple[str, str, str]] = {
    "sqlite": ("open-async", "execute-async", "execute-async"),
    "redis": ("open", "", ""),
    "postgres": ("open-async", "query-async", "execute-async"),
    "mysql": ("open", "query", "execute"),
}


class InProcessDatabases:
    """A ``DatabasePlatform`` on the factors of this host."""

    def __init__(self, grants: Grants) -> None:
        """Open nothing yet.

        Args:
            grants: What the component of the app may use.
        """
        self._grants = grants

    async def open_database(self, kind: DatabaseKind, target: str) -> Any:
        """Connect; see ``DatabasePlatform``."""
        state = InstanceState(self._grants)
        function = _INTERFACES[kind].functions[f"[static]connection.{_FUNCTIONS[kind][0]}"]
        native = await _called(function, state, target)
        return (_RedisConnection if kind == "redis" else _SqlConnection)(kind, state, native)


async def _called(function: Any, *arguments: Any) -> Any:
    try:
        result = function(*arguments)
        return await result if hasattr(result, "__await__") else result
    except WitError as error:
        raise _failure(error.payload) from None
    except Trap as error:
        raise DatabaseFailure("other", str(error)) from None


def _failure(payload: tuple[str, Any]) -> DatabaseFailure:
    case, value = payload
    if value is None or isinstance(value, str):
        return DatabaseFailure(case, value)
    inner, said = value
    if inner == "text":
        return DatabaseFailure(case, said)
    server = ServerMessage(
        code=said["code"], detail=said["detail"] or "", extras=dict(said["extras"])
    )
    return DatabaseFailure(case, said["message"], server)


class _Connection:
    """What all connections have in common; one that is forgotten is given back."""

    def __init__(self, kind: DatabaseKind, state: InstanceState, native: Any) -> None:
        self._kind = kind
        self._state = state
        self._native = native
        self.close = weakref.finalize(self, native.drop, state)

    def _call(self, function: str, *arguments: Any) -> Any:
        method = _INTERFACES[self._kind].functions[f"[method]connection.{function}"]
        return _called(method, self._state, self._native, *arguments)


class _SqlConnection(_Connection):
    """A ``SqlBackend``."""

    async def query(self, statement: str, parameters: Sequence[Parameter]) -> "_Rows":
        columns, source, _ = await self._call(
            _FUNCTIONS[self._kind][1], statement, list(parameters)
        )
        names = [column if isinstance(column, str) else column["name"] for column in columns]
        return _Rows(self._kind, names, source)

    async def execute(self, statement: str, parameters: Sequence[Parameter]) -> int | None:
        if self._kind == "sqlite":
            rows = await self.query(statement, parameters)
            try:
                while await rows.read():
                    pass
            finally:
                rows.close()
            return None
        count: int | None = await self._call(_FUNCTIONS[self._kind][2], statement, list(parameters))
        return count


class _Rows:
    """A ``SqlRows`` on what a guest would read as a stream."""

    def __init__(self, kind: DatabaseKind, columns: Sequence[str], source: Any) -> None:
        self.columns = columns
        self._source = source
        self._decoders = DECODERS[kind]

    async def read(self) -> Sequence[Any]:
        source = self._source
        if source is None:
            return ()
        try:
            found = source.read(_ROWS_PER_READ)
            if hasattr(found, "__await__"):
                found = source.arrived(await found)
        except WitError as error:
            self._source = None
            source.ended(error)
            raise _failure(error.payload) from None
        if not found:
            self._source = None
            source.ended(None)
            return ()
        return [self._decoded(row) for row in found]

    def close(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()

    def _decoded(self, row: Any) -> tuple[Any, ...]:
        values = row["values"] if isinstance(row, dict) else row
        decoders = self._decoders
        return tuple(
            [
                payload if (decode := decoders[case]) is None else decode(payload)
                for case, payload in values
            ]
        )


class _RedisConnection(_Connection):
    """A ``RedisBackend``."""

    async def call(self, function: str, *arguments: Any) -> Any:
        return await self._call(function, *arguments)
