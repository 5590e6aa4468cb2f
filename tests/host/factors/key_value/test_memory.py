"""The store in memory: what every store does, and where it ends."""

import pytest

from edgezero_spin.host.factors.key_value.backends import memory as memory_key_value
from edgezero_spin.host.factors.key_value.backends.memory import BoundedMemoryKeyValue
from edgezero_spin.host.factors.key_value.factor import KeyValueStores
from edgezero_spin.stores.backend import BackendError, KeyValueBackend
from edgezero_spin.testing.contracts import KeyValueContract


class TestContract(KeyValueContract):
    """As for every backend."""

    def make_backend(self) -> KeyValueBackend:
        return BoundedMemoryKeyValue()


def test_it_is_full_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is replaced or removed makes room; what does not fit leaves everything as it was."""
    monkeypatch.setattr(memory_key_value, "MAX_STORE_BYTES", 1000)
    store = KeyValueStores({"test": ["default"]}, {}).backends["default"]
    store.set("a", b"x" * 400)
    store.set("a", b"y" * 900)
    with pytest.raises(BackendError, match="the store is full: it is in memory, and ends at 1000"):
        store.set("b", b"z" * 100)
    with pytest.raises(BackendError, match="full"):
        store.set("a", b"z" * 1000)
    assert (store.get("a"), list(store.keys())) == (b"y" * 900, ["a"])
    store.delete("absent")
    store.delete("a")
    store.set("b", b"z" * 900)
    assert list(store.keys()) == ["b"]
