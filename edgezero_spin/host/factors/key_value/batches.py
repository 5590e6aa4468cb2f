"""Key-value stores with batches, counters, and compare and swap.

``wasi:keyvalue`` asks more of a store than ``KeyValueBackend`` promises. ``with_batches`` returns a
store that does it all: the backend itself where it can, or else a ``Sequential`` around it.
"""

import struct
import threading
from collections.abc import Generator, Iterable, Sequence
from typing import Protocol, runtime_checkable

from edgezero_spin.stores.backend import BackendError, KeyValueBackend

__all__ = ["BatchBackend", "Sequential", "counter_value", "incremented", "with_batches"]

_COUNTER = struct.Struct("<q")


@runtime_checkable
class BatchBackend(KeyValueBackend, Protocol):
    """A key-value store with the operations of ``wasi:keyvalue``.

    Any method may raise ``BackendError``.
    """

    def get_many(self, keys: Sequence[str]) -> Generator[tuple[str, bytes], None, None]:
        """Yield the entries that exist, each once (KV-23). Whoever stops early closes it."""

    def set_many(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Write every entry; the last of one key counts (KV-24)."""

    def delete_many(self, keys: Sequence[str]) -> None:
        """Remove every key that is there (KV-24)."""

    def increment(self, key: str, delta: int) -> int:
        """Add to a counter in one step and return its new value (KV-25)."""

    def compare_and_set(self, key: str, expected: bytes, value: bytes) -> bool:
        """Write the value if the store still holds the expected one (KV-27)."""


def with_batches(backend: KeyValueBackend) -> BatchBackend:
    """Return the backend with every operation of ``wasi:keyvalue``."""
    return backend if isinstance(backend, BatchBackend) else Sequential(backend)


def incremented(stored: bytes | None, delta: int) -> tuple[bytes, int]:
    """Add to a counter as SQLite stores keep it: eight bytes, little-endian, signed.

    Returns:
        The bytes to store, and the number that they mean.

    Raises:
        BackendError: The stored bytes are not a counter, or the sum is out of range.
    """
    if stored is not None and len(stored) != _COUNTER.size:
        raise BackendError(
            f"the value is not a counter: it has {len(stored)} bytes instead of {_COUNTER.size}"
        )
    total = counter_value((0 if stored is None else _COUNTER.unpack(stored)[0]) + delta)
    return _COUNTER.pack(total), total


def counter_value(number: int) -> int:
    """The number, if a counter can have it.

    Raises:
        BackendError: It takes more than 64 bits.
    """
    if not -(2**63) <= number < 2**63:
        raise BackendError(f"the counter would leave the range of 64 bits: {number}")
    return number


class Sequential:
    """Does one thing after the other on a backend that knows no batches.

    What several threads do through one such object, or through any two that share a lock,
    happens in some order; a counter loses nothing.

    Attributes:
        summary: Where the backend keeps its entries, for traces.
    """

    # Two wrappers of one backend must exclude each other, so they share this.
    _shared = threading.Lock()

    def __init__(self, backend: KeyValueBackend, lock: "threading.Lock | None" = None) -> None:
        """Wrap a backend.

        Args:
            lock: Held during every change; by default one that all wrappers share.
        """
        self.backend = backend
        self.summary: str = getattr(backend, "summary", "unknown")
        self._lock = lock or self._shared

    def get(self, key: str) -> bytes | None:
        """Return the value, or ``None`` when the key is absent."""
        return self.backend.get(key)

    def exists(self, key: str) -> bool:
        """Tell whether the key is there."""
        return self.backend.exists(key)

    def keys(self) -> Iterable[str]:
        """Return every key once."""
        return self.backend.keys()

    def set(self, key: str, value: bytes) -> None:
        """Write the value, replacing what was there."""
        with self._lock:
            self.backend.set(key, value)

    def delete(self, key: str) -> None:
        """Remove the key, if it is there."""
        with self._lock:
            self.backend.delete(key)

    def get_many(self, keys: Sequence[str]) -> Generator[tuple[str, bytes], None, None]:
        """Yield the entries that exist, in the order of the keys."""
        for key in dict.fromkeys(keys):
            value = self.backend.get(key)
            if value is not None:
                yield key, value

    def set_many(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Write one entry after the other."""
        with self._lock:
            for key, value in entries:
                self.backend.set(key, value)

    def delete_many(self, keys: Sequence[str]) -> None:
        """Remove one key after the other."""
        with self._lock:
            for key in keys:
                self.backend.delete(key)

    def increment(self, key: str, delta: int) -> int:
        """Add to a counter and return its new value."""
        with self._lock:
            stored, total = incremented(self.backend.get(key), delta)
            self.backend.set(key, stored)
            return total

    def compare_and_set(self, key: str, expected: bytes, value: bytes) -> bool:
        """Write the value if the store still holds the expected one."""
        with self._lock:
            if self.backend.get(key) != expected:
                return False
            self.backend.set(key, value)
            return True
