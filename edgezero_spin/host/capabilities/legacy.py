"""The interfaces of Spin 1: ``fermyon:spin/...`` without a version.

Each is an older spelling of what another module does. Handles are numbers here instead of
resources; a number that was never given out, or was closed, is ``invalid-store``.

Source: contract spin-host.md, KV-5, KV-13 and VAR-14.
"""

from collections.abc import Callable
from typing import Any

from edgezero_spin.host.capabilities.key_value import KEY_VALUE, Store
from edgezero_spin.host.capabilities.variables import VARIABLES
from edgezero_spin.host.errors import Trap
from edgezero_spin.host.instance import InstanceState
from edgezero_spin.host.interface import Interface, WitError

__all__ = ["INTERFACES"]


class NumberedStore(Store):
    """A store that the guest knows by a number."""


def _open_store(state: InstanceState, name: str) -> int:
    store: Store = KEY_VALUE.functions["[static]store.open"](state, name)
    return state.table.push(NumberedStore(store.backend))


def _store(state: InstanceState, number: int) -> NumberedStore:
    try:
        found = state.table.get(number)
    except Trap:
        found = None
    if not isinstance(found, NumberedStore):
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


def _close_store(state: InstanceState, number: int) -> None:
    try:
        store = _store(state, number)
    except WitError:
        return
    state.table.take(number)
    store.drop(state)


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
            "close": _close_store,
        },
    ),
    Interface("fermyon:spin/config", {"get-config": _get_config}),
)
"""Those that this host provides."""
