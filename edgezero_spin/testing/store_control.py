"""Stores that a test fills, reads back, watches and makes fail.

``StoreControl`` is behind both clients: natively it is the platform on which the facades
open stores, under wasmtime the host functions come here. So a call is recorded, delayed
and failed in one place, whichever way it came.

Source: contract spin-host.md, KV-1 to KV-6, VAR-1, VAR-10, TEST-17, TEST-18, TEST-30.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar

import attrs

from edgezero_spin.stores.backend import BackendError, KeyValueBackend
from edgezero_spin.stores.json_values import decode
from edgezero_spin.stores.memory import MemoryKeyValue
from edgezero_spin.stores.structuring import structure
from edgezero_spin.testing.errors import UnknownLabelError
from edgezero_spin.testing.preload import as_json, config_entries, entry_of, store_entries
from edgezero_spin.testing.store_log import StoreCall, StoreLog

__all__ = ["ACCESS_DENIED", "OPERATIONS", "Fault", "StoreControl", "StoreView", "StoreViews"]

# pytest shows a failure where the test made it happen, not here.
__tracebackhide__ = True

T = TypeVar("T")

OPERATIONS = ("open", "get", "set", "delete", "exists", "keys", "secret", "connect", "execute")

ACCESS_DENIED = "access-denied"


@attrs.define
class Fault:
    """What is to happen to certain calls. Made by ``fail`` and ``delay``.

    Attributes:
        operation: Of the calls that it is about; ``None`` for all.
        label: Of their store; ``None`` for all.
        key: Their key; ``None`` for all.
        at: The first of them that it happens to, counted from 1.
        times: To how many from there on; ``None`` for all.
        message: What the call fails with; ``None`` when it does not.
        seconds: How long the call takes first.
        seen: Calls that it was about so far.
    """

    operation: str | None
    label: str | None
    key: str | None
    at: int
    times: int | None
    message: str | None = None
    seconds: float = 0.0
    seen: int = 0

    def strikes(self, call: StoreCall) -> bool:
        """Count a call; tell whether it is hit."""
        if (
            self.operation not in (None, call.operation)
            or self.label not in (None, call.label)
            or self.key not in (None, call.key)
        ):
            return False
        self.seen += 1
        return self.at <= self.seen and (self.times is None or self.seen < self.at + self.times)


class StoreView(MutableMapping[str, bytes]):
    """One store as the test sees it: bytes by key, and not recorded.

    Assigning takes what preloading takes: bytes and text as they are, other values as JSON.
    """

    def __init__(self, label: str, entries: dict[str, bytes]) -> None:
        self.label = label
        self._entries = entries

    def __getitem__(self, key: str) -> bytes:
        return self._entries[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._entries[key] = entry_of(value, f"kv[{self.label!r}][{key!r}]")

    def __delitem__(self, key: str) -> None:
        del self._entries[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def text(self, key: str) -> str:
        """Return the value of a key as text."""
        return self._entries[key].decode()

    def json(self, key: str, as_type: Any = None) -> Any:
        """Return the JSON value of a key, as an object of a type if one is named."""
        value = decode(self._entries[key])
        return value if as_type is None else structure(value, as_type)

    def put(self, key: str, value: Any) -> None:
        """Write a value as JSON, text included, as ``KeyValueStore.put`` does."""
        self._entries[key] = as_json(value)

    def __repr__(self) -> str:
        return f"StoreView({self.label!r}, {self._entries!r})"


class StoreViews(Mapping[str, StoreView]):
    """The stores by label."""

    def __init__(self, stores: Mapping[str, dict[str, bytes]], remedy: str) -> None:
        self._stores = stores
        self._remedy = remedy

    def __getitem__(self, label: str) -> StoreView:
        entries = self._stores.get(label)
        if entries is None:
            raise UnknownLabelError(label, self._stores, self._remedy)
        return StoreView(label, entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stores)

    def __len__(self) -> int:
        return len(self._stores)

    def __repr__(self) -> str:
        return f"StoreViews({self._stores!r})"


class StoreControl:
    """The stores of one client, and what is to happen to calls on them.

    Attributes:
        kv: The stores by label, as the test sees them.
        calls: Every call that the application made.
        sleep: What a delayed call does; a test may put something faster in its place.
    """

    def __init__(
        self,
        labels: Iterable[str],
        *,
        open_ended: bool = False,
        remedy: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Make empty stores.

        Args:
            labels: Of the stores that there are.
            open_ended: Preloading a label makes its store.
            remedy: What to say about a label that is not there.
            sleep: See ``sleep``.
        """
        self._stores: dict[str, dict[str, bytes]] = {label: {} for label in labels}
        self._open_ended = open_ended
        self._remedy = remedy
        self._denied: set[str] = set()
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self.kv = StoreViews(self._stores, remedy)
        self.calls = StoreLog()
        self.sleep = sleep

    # What a test does

    def preload(
        self, kv: Mapping[str, Any] | None = None, config: Mapping[str, Any] | None = None
    ) -> None:
        """Write entries into stores, as the arguments of a client of the same names.

        Raises:
            PreloadError: A value is of a wrong kind.
            UnknownLabelError: There is no such store.
        """
        for argument, given in (("kv", kv), ("config", config)):
            for label, entries in (given or {}).items():
                if label not in self._stores:
                    if not self._open_ended:
                        raise UnknownLabelError(label, self._stores, self._remedy)
                    self._stores[label] = {}
                found = (
                    store_entries(label, entries)
                    if argument == "kv"
                    else config_entries(label, entries)
                )
                self._stores[label].update(found)

    def deny(self, *labels: str) -> None:
        """Answer ``access-denied`` when one of these labels is opened, of a store or of a
        database, as for one that the manifest does not grant.
        """
        self._denied.update(labels)

    def denies(self, label: str) -> bool:
        """Tell whether a label is denied."""
        return label in self._denied

    def fail(
        self,
        operation: str | None = None,
        *,
        label: str | None = None,
        key: str | None = None,
        at: int = 1,
        times: int | None = None,
        message: str = "injected failure",
    ) -> Fault:
        """Make calls fail: ``client.stores.fail("set", label="notes", at=2, times=1)``.

        Args:
            operation: One of ``OPERATIONS``; ``None`` for every call.
            label: Of the store or database; ``None`` for every one.
            key: The key, the name of a secret, or the statement; ``None`` for every one.
            at: The first call that fails, counted from now. At least 1.
            times: How many fail; ``None`` for all from there on.
            message: What the host says.

        Raises:
            ValueError: The operation is none, or ``at`` is below 1.
        """
        return self._add(Fault(operation, label, key, at, times, message=message))

    def delay(
        self,
        seconds: float,
        operation: str | None = None,
        *,
        label: str | None = None,
        key: str | None = None,
        at: int = 1,
        times: int | None = None,
    ) -> Fault:
        """Make calls take longer. The other arguments are those of ``fail``."""
        return self._add(Fault(operation, label, key, at, times, seconds=seconds))

    def _add(self, fault: Fault) -> Fault:
        if fault.operation is not None and fault.operation not in OPERATIONS:
            raise ValueError(
                f"no store operation is called {fault.operation!r} (there are: "
                f"{', '.join(OPERATIONS)})"
            )
        if fault.at < 1:
            raise ValueError(f"calls are counted from 1, got at={fault.at}")
        self._faults.append(fault)
        return fault

    def heal(self) -> None:
        """Take back everything that ``deny``, ``fail`` and ``delay`` arranged."""
        self._denied.clear()
        self._faults.clear()

    # What an application does

    def open(self, label: str, granted: Iterable[str] | None = None) -> KeyValueBackend:
        """Open the store behind a label and record that.

        Args:
            label: What the application asks for.
            granted: Labels that its component may open; ``None`` for all that there are.

        Raises:
            BackendError: The label is not granted, or the call is to fail.
        """

        def opened() -> KeyValueBackend:
            entries = self._stores.get(label)
            allowed = granted is None or label in granted
            if entries is None or not allowed or self.denies(label):
                raise BackendError(ACCESS_DENIED)
            return _RecordingKeyValue(self, label, MemoryKeyValue(entries))

        return self.run(StoreCall("open", label), opened)

    def run(self, call: StoreCall, action: Callable[[], T]) -> T:
        """Record a call, delay it, fail it or let it happen.

        Raises:
            BackendError: It is to fail, or it fails by itself.
        """
        with self._lock:
            struck = [fault for fault in self._faults if fault.strikes(call)]
        try:
            for fault in struck:
                if fault.seconds:
                    self.sleep(fault.seconds)
            for fault in struck:
                if fault.message is not None:
                    raise BackendError(fault.message)
            result = action()
        except BackendError as error:
            self.calls.add(attrs.evolve(call, error=error.message))
            raise
        self.calls.add(call)
        return result


class _RecordingKeyValue:
    """A store whose calls go through a ``StoreControl``."""

    __slots__ = ("_backend", "_control", "_label")

    def __init__(self, control: StoreControl, label: str, backend: KeyValueBackend) -> None:
        self._control = control
        self._label = label
        self._backend = backend

    def get(self, key: str) -> bytes | None:
        call = StoreCall("get", self._label, key)
        return self._control.run(call, lambda: self._backend.get(key))

    def set(self, key: str, value: bytes) -> None:
        value = bytes(value)
        call = StoreCall("set", self._label, key, value)
        self._control.run(call, lambda: self._backend.set(key, value))

    def delete(self, key: str) -> None:
        call = StoreCall("delete", self._label, key)
        self._control.run(call, lambda: self._backend.delete(key))

    def exists(self, key: str) -> bool:
        call = StoreCall("exists", self._label, key)
        return self._control.run(call, lambda: self._backend.exists(key))

    def keys(self) -> Iterable[str]:
        call = StoreCall("keys", self._label)
        return self._control.run(call, lambda: list(self._backend.keys()))
