"""The interfaces of Spin 1: ``fermyon:spin/...`` without a version.

Each is an older spelling of what another module does. Handles are numbers here instead of
resources; a number that was never given out, or was closed, is ``invalid-store`` or
``invalid-connection``. Redis has no handles: every call connects.

Source: contract spin-host.md, KV-5, KV-13, VAR-14, DB-1 and DB-4.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.key_value.interface import KEY_VALUE, StoreResource
from edgezero_spin.host.factors.redis.interface import REDIS
from edgezero_spin.host.factors.sqlite.interface import (
    SqliteConnectionResource,
    execute,
    open_connection,
)
from edgezero_spin.host.factors.variables.interface import VARIABLES
from edgezero_spin.host.runtime.interface import Interface, WitError

__all__ = ["INTERFACES"]


class _NumberedStore(StoreResource):
    """A store that the guest knows by a number."""


def _open_store(state: InstanceState, name: str) -> int:
    store: StoreResource = KEY_VALUE.functions["[static]store.open"](state, name)
    return state.table.push(_NumberedStore(store.backend))


_Kind = TypeVar("_Kind", bound=StoreResource | SqliteConnectionResource)


def _find(state: InstanceState, number: int, kind: type[_Kind]) -> _Kind | None:
    """Return what a number stands for; ``None`` where that is nothing of a kind."""
    try:
        found = state.table.get(number)
    except Trap:
        return None
    return found if isinstance(found, kind) else None


def _closing(kind: type[_Kind]) -> Callable[[InstanceState, int], None]:
    """Return the function that closes what a number stands for, if it stands for something."""

    def close(state: InstanceState, number: int) -> None:
        found = _find(state, number, kind)
        if found is not None:
            state.table.take(number)
            found.drop(state)

    return close


def _store(state: InstanceState, number: int) -> _NumberedStore:
    found = _find(state, number, _NumberedStore)
    if found is None:
        raise WitError(("invalid-store", None))
    return found


def _store_method(name: str) -> Callable[..., Any]:
    function = KEY_VALUE.functions[f"[method]store.{name}"]

    def call(state: InstanceState, number: int, *arguments: Any) -> Any:
        store = _store(state, number)
        try:
            return function(state, store, *arguments)
        except WitError as error:
            case, message = error.payload
            raise WitError(("io" if case == "other" else case, message)) from error

    return call


_get_optional = _store_method("get")


def _get(state: InstanceState, number: int, key: str) -> bytes:
    value: bytes | None = _get_optional(state, number, key)
    if value is None:
        raise WitError(("no-such-key", None))
    return value


class _NumberedConnection(SqliteConnectionResource):
    """A SQLite connection that the guest knows by a number."""


def _open_database(state: InstanceState, database: str) -> int:
    return state.table.push(_NumberedConnection(open_connection(state, database)))


def _connection(state: InstanceState, number: int) -> _NumberedConnection:
    found = _find(state, number, _NumberedConnection)
    if found is None:
        raise WitError(("invalid-connection", None))
    return found


def _execute(
    state: InstanceState, number: int, statement: str, parameters: list[tuple[str, Any]]
) -> dict[str, Any]:
    return execute(state, _connection(state, number), statement, parameters)


def _redis_method(name: str) -> Callable[..., Any]:
    """The function that connects, does one thing and leaves."""
    function = REDIS.functions[f"[method]connection.{name}"]

    def call(state: InstanceState, address: str, *arguments: Any) -> Any:
        try:
            connection = REDIS.functions["[static]connection.open"](state, address)
            try:
                return function(state, connection, *arguments)
            finally:
                connection.drop(state)
        except WitError as error:
            raise WitError("error") from error

    return call


_get_from_redis = _redis_method("get")


def _get_redis(state: InstanceState, address: str, key: str) -> bytes:
    value: bytes | None = _get_from_redis(state, address, key)
    return value or b""


_CONFIG_CASES = {"undefined": "provider", "invalid-name": "invalid-key"}


def _get_config(state: InstanceState, key: str) -> str:
    try:
        value: str = VARIABLES.functions["get"](state, key)
    except WitError as error:
        case, message = error.payload
        raise WitError((_CONFIG_CASES.get(case, "other"), message)) from error
    return value


INTERFACES = (
    Interface(
        "fermyon:spin/key-value",
        {
            "open": _open_store,
            "get": _get,
            "set": _store_method("set"),
            "delete": _store_method("delete"),
            "exists": _store_method("exists"),
            "get-keys": _store_method("get-keys"),
            "close": _closing(_NumberedStore),
        },
    ),
    Interface("fermyon:spin/config", {"get-config": _get_config}),
    Interface(
        "fermyon:spin/sqlite",
        {"open": _open_database, "execute": _execute, "close": _closing(_NumberedConnection)},
    ),
    Interface(
        "fermyon:spin/redis",
        {
            "get": _get_redis,
            **{
                name: _redis_method(name)
                for name in ("publish", "set", "incr", "del", "sadd", "smembers", "srem", "execute")
            },
        },
    ),
)
"""Those that this host provides."""
