"""Key-value stores on another machine, as one instance uses them.

While the server takes its time, another guest may compute: each call counts the instance's
thread as asleep. Stores on this machine answer too quickly for that to be worth its price.
"""

from collections.abc import Generator, Iterable, Sequence

from edgezero_spin.host.capabilities.blocking import away
from edgezero_spin.host.capabilities.key_value_batches import wide
from edgezero_spin.host.instance import InstanceState
from edgezero_spin.stores.backend import KeyValueBackend

__all__ = ["RemoteStore", "as_used_by"]


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
        with away(self._state):
            return self._backend.get(key)

    def set(self, key: str, value: bytes) -> None:
        """Write the value, replacing what was there."""
        with away(self._state):
            self._backend.set(key, value)

    def delete(self, key: str) -> None:
        """Remove the key, if it is there."""
        with away(self._state):
            self._backend.delete(key)

    def exists(self, key: str) -> bool:
        """Tell whether the key is there."""
        with away(self._state):
            return self._backend.exists(key)

    def keys(self) -> Iterable[str]:
        """Return every key once."""
        with away(self._state):
            return list(self._backend.keys())

    def get_many(self, keys: Sequence[str]) -> Generator[tuple[str, bytes], None, None]:
        """Yield the entries that exist."""
        with away(self._state):
            found = list(self._backend.get_many(keys))
        yield from found

    def set_many(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Write every entry."""
        with away(self._state):
            self._backend.set_many(entries)

    def delete_many(self, keys: Sequence[str]) -> None:
        """Remove every key."""
        with away(self._state):
            self._backend.delete_many(keys)

    def increment(self, key: str, delta: int) -> int:
        """Add to a counter and return its new value."""
        with away(self._state):
            return self._backend.increment(key, delta)

    def compare_and_set(self, key: str, expected: bytes, value: bytes) -> bool:
        """Write the value if the store still holds the expected one."""
        with away(self._state):
            return self._backend.compare_and_set(key, expected, value)
