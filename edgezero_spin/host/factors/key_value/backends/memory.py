"""A key-value store in memory, for the life of the process, that ends somewhere.

An application without a state directory has one (KV-41), and every request may add to it.
"""

from edgezero_spin.host.factors.bounds import size_of
from edgezero_spin.stores.backend import BackendError
from edgezero_spin.stores.memory import MemoryKeyValue

__all__ = ["MAX_STORE_BYTES", "BoundedMemoryKeyValue"]

MAX_STORE_BYTES = 1024 * 1024 * 1024
"""Bytes of keys and values. Our own limit; Spin has none."""


class BoundedMemoryKeyValue(MemoryKeyValue):
    """Counts what it holds. Whoever writes from several threads does so under a lock."""

    summary = "a temporary in-memory store"

    def __init__(self) -> None:
        super().__init__()
        self._held_bytes = 0

    def set(self, key: str, value: bytes) -> None:
        """Write the value, replacing what was there.

        Raises:
            BackendError: There is no room for it.
        """
        grown = size_of(key) + size_of(value) - self._size_of_entry(key)
        if self._held_bytes + grown > MAX_STORE_BYTES:
            raise BackendError(
                f"the store is full: it is in memory, and ends at {MAX_STORE_BYTES} bytes"
            )
        super().set(key, value)
        self._held_bytes += grown

    def delete(self, key: str) -> None:
        """Remove the key, if it is there."""
        self._held_bytes -= self._size_of_entry(key)
        super().delete(key)

    def _size_of_entry(self, key: str) -> int:
        value = self.entries.get(key)
        return 0 if value is None else size_of(key) + size_of(value)
