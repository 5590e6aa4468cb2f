"""Key-value stores on another machine, as one instance uses them.

While the server takes its time, another guest may compute: each call counts the instance's
thread as asleep. Stores on this machine answer too quickly for that to be worth its price.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import TypeVar

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.key_value.batches import wide
from edgezero_spin.stores.backend import KeyValueBackend

__all__ = ["RemoteStore", "as_used_by"]

KEYS_AT_ONCE = 1000
ENTRIES_AT_ONCE = 25

T = TypeVar("T")


def as_used_by(state: InstanceState, backend: KeyValueBackend) -> KeyValueBackend:
    """Return the store for one instance: wrapped when it says ``remote``, itself otherwise."""
    return RemoteStore(state, backend) if getattr(backend, "remote", False) else backend


class RemoteStore:
    """A ``WideKeyValue`` whose calls let others compute."""

    __slots__ = ("_backend", "_state")

    def __init__(self, state: InstanceState, backend: KeyValueBackend) -> None:
        self._state = state
        self._backend = wide(backend)

    def get(self, key: str) -> bytes | None:
        """Return the value, or ``None`` when the key is absent."""
        with self._state.asleep():
            return self._backend.get(key)

    def set(self, key: str, value: bytes) -> None:
        """Write the value, replacing what was there."""
        with self._state.asleep():
            self._backend.set(key, value)

    def delete(self, key: str) -> None:
        """Remove the key, if it is there."""
        with self._state.asleep():
            self._backend.delete(key)

    def exists(self, key: str) -> bool:
        """Tell whether the key is there."""
        with self._state.asleep():
            return self._backend.exists(key)

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

    def set_many(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Write every entry."""
        with self._state.asleep():
            self._backend.set_many(entries)

    def delete_many(self, keys: Sequence[str]) -> None:
        """Remove every key."""
        with self._state.asleep():
            self._backend.delete_many(keys)

    def increment(self, key: str, delta: int) -> int:
        """Add to a counter and return its new value."""
        with self._state.asleep():
            return self._backend.increment(key, delta)

    def compare_and_set(self, key: str, expected: bytes, value: bytes) -> bool:
        """Write the value if the store still holds the expected one."""
        with self._state.asleep():
            return self._backend.compare_and_set(key, expected, value)
