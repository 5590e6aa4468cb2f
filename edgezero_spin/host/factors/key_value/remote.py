"""Key-value stores on another machine, as one instance uses them.

While the server takes its time, another guest may compute: each call counts the instance's
thread as asleep. Stores on this machine answer too quickly for that to be worth its price.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, TypeVar

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.key_value.batches import with_batches
from edgezero_spin.stores.backend import KeyValueBackend

__all__ = ["RemoteStore", "as_used_by"]

KEYS_AT_ONCE = 1000
ENTRIES_AT_ONCE = 25

T = TypeVar("T")


def as_used_by(state: InstanceState, backend: KeyValueBackend) -> KeyValueBackend:
    """Return the store for one instance: wrapped when it says ``remote``, itself otherwise."""
    return RemoteStore(state, backend) if getattr(backend, "remote", False) else backend


def _asleep(name: str) -> Callable[..., Any]:
    """Return the method of this name, during which others compute."""

    def method(store: "RemoteStore", *arguments: Any) -> Any:
        with store._state.asleep():
            return getattr(store._backend, name)(*arguments)

    return method


class RemoteStore:
    """A ``BatchBackend`` whose calls let others compute."""

    __slots__ = ("_backend", "_state")

    def __init__(self, state: InstanceState, backend: KeyValueBackend) -> None:
        self._state = state
        self._backend = with_batches(backend)

    get = _asleep("get")
    set = _asleep("set")
    delete = _asleep("delete")
    exists = _asleep("exists")
    set_many = _asleep("set_many")
    delete_many = _asleep("delete_many")
    increment = _asleep("increment")
    compare_and_set = _asleep("compare_and_set")

    def keys(self) -> Iterator[str]:
        """Yield every key once."""
        return self._some_at_a_time(self._backend.keys, KEYS_AT_ONCE)

    def get_many(self, keys: Sequence[str]) -> Generator[tuple[str, bytes], None, None]:
        """Yield the entries that exist."""
        with closing(self._backend.get_many(keys)) as found:
            yield from self._some_at_a_time(lambda: found, ENTRIES_AT_ONCE)

    def _some_at_a_time(self, find: Callable[[], Iterable[T]], most: int) -> Iterator[T]:
        # Whoever asks stops where a result gets too large, which may be long before its end.
        with self._state.asleep():
            found = iter(find())
            some = list(islice(found, most))
        while len(some) == most:
            yield from some
            self._state.check()
            with self._state.asleep():
                some = list(islice(found, most))
        yield from some
