"""Backends for tests: one that records its calls, and ones that fail; and a driver."""

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from edgezero_spin.stores import (
    BackendError,
    KeyValueBackend,
    MemoryKeyValue,
    MemorySecrets,
    SecretNameInvalid,
)

T = TypeVar("T")


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that must not suspend, as a component without an event loop does."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    coroutine.close()
    raise AssertionError("the coroutine suspended")


class RecordingKeyValue(MemoryKeyValue):
    """A store in memory that remembers what it was asked, in ``calls``."""

    def __init__(self, entries: dict[str, bytes] | None = None) -> None:
        super().__init__(entries)
        self.calls: list[tuple[Any, ...]] = []

    def get(self, key: str) -> bytes | None:
        """Record, then read."""
        self.calls.append(("get", key))
        return super().get(key)

    def set(self, key: str, value: bytes) -> None:
        """Record, then write."""
        self.calls.append(("set", key, value))
        super().set(key, value)

    def delete(self, key: str) -> None:
        """Record, then remove."""
        self.calls.append(("delete", key))
        super().delete(key)

    def exists(self, key: str) -> bool:
        """Record, then look."""
        self.calls.append(("exists", key))
        return super().exists(key)

    def keys(self) -> Iterable[str]:
        """Record, then list."""
        self.calls.append(("keys",))
        return super().keys()


class FailingKeyValue:
    """A store whose host fails at everything."""

    def get(self, key: str) -> bytes | None:
        """Fail."""
        raise BackendError("disk on fire")

    def set(self, key: str, value: bytes) -> None:
        """Fail."""
        raise BackendError("disk on fire")

    def delete(self, key: str) -> None:
        """Fail."""
        raise BackendError("disk on fire")

    def exists(self, key: str) -> bool:
        """Fail."""
        raise BackendError("disk on fire")

    def keys(self) -> Iterable[str]:
        """Fail after the first key, as a listing over a stream may."""
        yield "a"
        raise BackendError("disk on fire")


class FailingSecrets:
    """Variables whose provider fails, and some names that it refuses."""

    def get(self, name: str) -> str | bytes | None:
        """Fail."""
        if name == "refused":
            raise SecretNameInvalid("not this one")
        raise BackendError(f"vault is sealed, {name} cannot be read")


class Platform:
    """A platform that records which labels are opened, and knows some of them."""

    def __init__(self, *labels: str) -> None:
        self.opened: list[str] = []
        self.asked_for_secrets = 0
        self._stores = {label: RecordingKeyValue() for label in labels}

    def open_key_value(self, label: str) -> KeyValueBackend:
        """Record, then open."""
        self.opened.append(label)
        if label not in self._stores:
            raise BackendError("no-such-store")
        return self._stores[label]

    def secrets(self) -> MemorySecrets:
        """Count, then return none."""
        self.asked_for_secrets += 1
        return MemorySecrets()
