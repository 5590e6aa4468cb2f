"""``spin:key-value@3.0.0``: the stores of ``key_value``, asynchronous and with keys as a stream.

A store on this machine answers at once, which costs the guest no suspension; one on another
machine answers on a thread of its own, while other requests of the instance go on. Keys are
listed as the guest reads them, a part at a time: nothing is locked in between.

Source: contract wasi03.md, SK-1 to SK-6.
"""

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from edgezero_spin.host.factors.blocking import in_thread
from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES, size_of
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.key_value import interface as key_value
from edgezero_spin.host.factors.key_value.interface import StoreResource, too_large
from edgezero_spin.host.factors.streams import PartwiseSource
from edgezero_spin.host.runtime.interface import Err, HostFunction, Interface, WitError
from edgezero_spin.stores.backend import BackendError

__all__ = ["KEY_VALUE_3", "StoreResource3"]

KEYS_AT_ONCE = 256
"""Keys that the host looks up and holds at a time."""


class StoreResource3(StoreResource):
    """One open handle."""

    __slots__ = ()

    @property
    def remote(self) -> bool:
        """Whether its calls take their time."""
        return getattr(self.backend, "remote", False)


def _open(state: InstanceState, label: str) -> StoreResource3:
    return StoreResource3(key_value.open_backend(state, label))


def _asynchronous(name: str) -> HostFunction:
    function = key_value.KEY_VALUE.functions[name]

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
            self.failure = WitError(("other", error.message))
        except WitError as error:
            self.failure = error

    def close(self) -> None:
        """Nobody reads any more."""
        self.outcome.settle(Err(("other", "channel closed")))


def _get_keys(state: InstanceState, store: StoreResource3) -> Any:
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
        "[static]store.open": _open,
        "[method]store.get": _asynchronous("[method]store.get"),
        "[method]store.set": _asynchronous("[method]store.set"),
        "[method]store.delete": _asynchronous("[method]store.delete"),
        "[method]store.exists": _asynchronous("[method]store.exists"),
        "[method]store.get-keys": _get_keys,
    },
    {"store": StoreResource3},
)
"""The interface, version included."""
