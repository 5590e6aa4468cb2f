"""``fermyon:spin/key-value@2.0.0``: the stores that the manifest grants a component.

A label that the component does not list is ``access-denied`` (KV-1); what goes wrong below
is ``other(...)`` and never stops the guest. Which backend serves a label was decided at
start-up; see ``key_value_stores``.
"""

from collections.abc import Callable
from typing import Any

from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES, size_of
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.key_value.remote import as_used_by
from edgezero_spin.host.runtime.interface import HostFunction, Interface, WitError
from edgezero_spin.stores.backend import BackendError, KeyValueBackend

__all__ = [
    "KEY_VALUE",
    "MAX_OPEN_STORES",
    "MAX_RESULT_BYTES",
    "StoreResource",
    "calling",
    "open_backend",
    "too_large",
]

MAX_OPEN_STORES = 256
"""Handles that one instance may hold (KV-4)."""


class StoreResource:
    """One open handle."""

    __slots__ = ("backend",)

    def __init__(self, backend: KeyValueBackend) -> None:
        self.backend = backend

    def drop(self, state: InstanceState) -> None:
        """Make room for another handle."""
        state.open_stores -= 1


def _other(message: str) -> WitError:
    return WitError(("other", message))


def too_large() -> WitError:
    """The error of a result that no guest may be given."""
    return _other(f"query result exceeds limit of {MAX_RESULT_BYTES} bytes")


def open_backend(state: InstanceState, label: str) -> KeyValueBackend:
    """Return the store behind a label, and count one more handle of the instance.

    Raises:
        WitError: The label is not granted, or there are too many handles.
    """
    backend = state.grants.key_value.get(label)
    if backend is None:
        raise WitError(("access-denied", None))
    if state.open_stores >= MAX_OPEN_STORES:
        raise WitError(("store-table-full", None))
    state.open_stores += 1
    return backend


def _open(state: InstanceState, label: str) -> StoreResource:
    return StoreResource(as_used_by(state, open_backend(state, label)))


def _get(state: InstanceState, store: StoreResource, key: str) -> bytes | None:
    try:
        value = store.backend.get(key)
    except BackendError as error:
        raise _other(error.message) from error
    if value is not None and size_of(value) > MAX_RESULT_BYTES:
        raise too_large()
    return value


def calling(
    name: str, form: Callable[[KeyValueBackend], KeyValueBackend] | None = None
) -> HostFunction:
    """Return the function of a handle that calls a method of its store.

    Args:
        name: The method.
        form: Returns the store in the form that has it; ``None`` where every store has it.
    """

    def call(state: InstanceState, store: StoreResource, *arguments: Any) -> Any:
        backend = store.backend if form is None else form(store.backend)
        try:
            return getattr(backend, name)(*arguments)
        except BackendError as error:
            raise _other(error.message) from error

    return call


def _get_keys(state: InstanceState, store: StoreResource) -> list[str]:
    keys: list[str] = []
    size = 0
    try:
        listing = store.backend.keys()
        for key in listing:
            size += size_of(key)
            if size > MAX_RESULT_BYTES:
                raise too_large()
            keys.append(key)
    except BackendError as error:
        raise _other(error.message) from error
    return keys


KEY_VALUE = Interface(
    "fermyon:spin/key-value@2.0.0",
    {
        "[static]store.open": _open,
        "[method]store.get": _get,
        "[method]store.set": calling("set"),
        "[method]store.delete": calling("delete"),
        "[method]store.exists": calling("exists"),
        "[method]store.get-keys": _get_keys,
    },
    {"store": StoreResource},
)
"""The interface, version included: Spin's names carry no semantic-version promise."""
