"""``fermyon:spin/key-value@2.0.0`` and ``spin:key-value@3.0.0``: the stores of a component.

A label that the component does not list is ``access-denied`` (KV-1); what goes wrong below
is ``other(...)`` and never stops the guest. Which backend serves a label was decided at start-up.

Version 3 is asynchronous. A store on this machine answers at once, which costs the guest no
suspension; one on another machine answers on a thread of its own, while other requests of the
instance go on. Keys are a stream, listed as the guest reads them: nothing is locked in between.

Source: contract spin-host.md, KV-1 to KV-10; wasi03.md, SK-1 to SK-6.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from edgezero_spin.host.factors import bounds
from edgezero_spin.host.factors.blocking import in_thread
from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES, size_of
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.key_value.remote import as_used_by
from edgezero_spin.host.factors.streams import PartwiseSource
from edgezero_spin.host.runtime.interface import Err, HostFunction, Interface, WitError
from edgezero_spin.stores.backend import BackendError, KeyValueBackend

__all__ = [
    "KEY_VALUE",
    "KEY_VALUE_3",
    "MAX_OPEN_STORES",
    "MAX_RESULT_BYTES",
    "StoreResource",
    "StoreResource3",
    "calling",
    "other",
    "too_large",
]

MAX_OPEN_STORES = 256
"""Handles that one instance may hold (KV-4)."""

KEYS_AT_ONCE = 256
"""Keys of version 3 that are looked up and held at a time."""


class StoreResource:
    """One open handle."""

    __slots__ = ("backend",)

    def __init__(self, backend: KeyValueBackend) -> None:
        self.backend = backend

    def drop(self, state: InstanceState) -> None:
        """Make room for another handle."""
        state.open_stores -= 1


def other(message: str) -> WitError:
    """The error of a store that failed."""
    return WitError(("other", message))


def too_large() -> WitError:
    """The error of a result that no guest may be given."""
    return other(bounds.too_large(MAX_RESULT_BYTES))


def _open_backend(state: InstanceState, label: str) -> KeyValueBackend:
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
    return StoreResource(as_used_by(state, _open_backend(state, label)))


def _get(state: InstanceState, store: StoreResource, key: str) -> bytes | None:
    try:
        value = store.backend.get(key)
    except BackendError as error:
        raise other(error.message) from error
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
            raise other(error.message) from error

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
        raise other(error.message) from error
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
"""The interface of version 2."""


class StoreResource3(StoreResource):
    """One open handle."""

    __slots__ = ()

    @property
    def remote(self) -> bool:
        """Whether its calls take their time."""
        return getattr(self.backend, "remote", False)


def _open_3(state: InstanceState, label: str) -> StoreResource3:
    return StoreResource3(_open_backend(state, label))


def _asynchronous(name: str) -> HostFunction:
    function = KEY_VALUE.functions[name]

    def call(state: InstanceState, store: StoreResource3, *arguments: Any) -> Any:
        if store.remote:
            return in_thread(partial(function, state, store, *arguments))
        return function(state, store, *arguments)

    return call


class _Listing(PartwiseSource):
    """The keys of a store, as a guest reads them."""

    def __init__(self, store: StoreResource3) -> None:
        super().__init__(apart=store.remote)
        self._backend = store.backend
        self._found: Iterator[str] | None = None

    def look_up(self) -> None:
        """Look up the next part of the keys."""
        self.ready = keys = []
        try:
            if self._found is None:
                self._found = iter(self._backend.keys())
            for key in islice(self._found, KEYS_AT_ONCE):
                if size_of(key) > MAX_RESULT_BYTES:
                    raise too_large()
                keys.append(key)
            self.whole = len(keys) < KEYS_AT_ONCE
        except BackendError as error:
            self.failure = other(error.message)
        except WitError as error:
            self.failure = error

    def close(self) -> None:
        """Nobody reads any more."""
        self.outcome.settle(Err(("other", "channel closed")))


def _get_keys_3(state: InstanceState, store: StoreResource3) -> Any:
    listing = _Listing(store)
    if store.remote:
        return _begun(listing)
    listing.look_up()
    return listing.ends


async def _begun(listing: _Listing) -> Any:
    await in_thread(listing.look_up)
    return listing.ends


KEY_VALUE_3 = Interface(
    "spin:key-value/key-value@3.0.0",
    {
        "[static]store.open": _open_3,
        "[method]store.get": _asynchronous("[method]store.get"),
        "[method]store.set": _asynchronous("[method]store.set"),
        "[method]store.delete": _asynchronous("[method]store.delete"),
        "[method]store.exists": _asynchronous("[method]store.exists"),
        "[method]store.get-keys": _get_keys_3,
    },
    {"store": StoreResource3},
)
"""The interface of version 3."""
