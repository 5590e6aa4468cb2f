"""``fermyon:spin/key-value``: what a guest may open, and what it is told."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.key_value import interface as key_value
from edgezero_spin.host.factors.key_value.backends.sqlite import SqliteFile, SqliteKeyValue
from edgezero_spin.host.factors.key_value.factor import KeyValueStores, UnknownStoreError
from edgezero_spin.host.factors.key_value.interface import MAX_OPEN_STORES, StoreResource
from edgezero_spin.stores.backend import BackendError, KeyValueBackend
from edgezero_spin.stores.memory import MemoryKeyValue
from tests.host.support import call, error_of, instance_state

KV = "fermyon:spin/key-value@2.0.0 "
DENIED = ("access-denied", None)


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyValueBackend]:
    """Each kind of store."""
    if request.param == "memory":
        yield MemoryKeyValue()
        return
    file = SqliteFile(tmp_path / "kv.db")
    yield SqliteKeyValue(file, "default")
    file.close()


@pytest.fixture
def state(backend: KeyValueBackend) -> InstanceState:
    """The state of an instance that may open ``default``."""
    return instance_state(stores={"default": backend})


def on(state: InstanceState, method: str, store: StoreResource, *arguments: object) -> Any:
    """Call a method of a store."""
    return call(state, f"{KV}[method]store.{method}", store, *arguments)


def opened(state: InstanceState, label: str = "default") -> StoreResource:
    """An open store."""
    store: StoreResource = call(state, f"{KV}[static]store.open", label)
    return store


def test_the_sequence_of_the_conformance_test(state: InstanceState) -> None:
    """Open, write, overwrite, list and delete as KV-30 has it (CONF-1)."""
    assert error_of(state, f"{KV}[static]store.open", "forbidden") == DENIED
    store = opened(state)
    on(state, "delete", store, "bar")
    assert on(state, "exists", store, "bar") is False
    assert on(state, "get", store, "bar") is None
    assert on(state, "get-keys", store) == []
    on(state, "set", store, "bar", b"baz")
    assert on(state, "exists", store, "bar") is True
    assert on(state, "get", store, "bar") == b"baz"
    assert on(state, "get-keys", store) == ["bar"]
    on(state, "set", store, "bar", b"wow")
    assert on(state, "get", store, "bar") == b"wow"
    on(state, "set", store, "qux", b"yay")
    assert sorted(on(state, "get-keys", store)) == ["bar", "qux"]
    for key in ("bar", "bar", "qux"):
        on(state, "delete", store, key)
    assert on(state, "exists", store, "bar") is False
    assert on(state, "get-keys", store) == []


@pytest.mark.parametrize("key", ["", "ä/é\n", "a\0b", "x" * 10_000])
@pytest.mark.parametrize("value", [b"", b"\0\xff" * 1000])
def test_any_text_is_a_key_and_any_bytes_a_value(
    state: InstanceState, key: str, value: bytes
) -> None:
    """Keys and values come back as they went in; empty is not missing (KV-6)."""
    store = opened(state)
    on(state, "set", store, key, value)
    assert on(state, "get", store, key) == value
    assert on(state, "exists", store, key) is True
    assert on(state, "get-keys", store) == [key]


def test_writes_are_seen_through_every_handle(state: InstanceState, backend: Any) -> None:
    """Another handle and another instance read at once what was written (KV-12)."""
    on(state, "set", opened(state), "a", b"1")
    assert on(state, "get", opened(state), "a") == b"1"
    other = instance_state(stores={"default": backend})
    assert on(other, "get", opened(other), "a") == b"1"


def test_a_component_without_stores_is_denied_everything() -> None:
    """Not even the default label opens without a grant (KV-1, CONF-2)."""
    state = instance_state()
    assert error_of(state, f"{KV}[static]store.open", "default") == DENIED


def test_open_handles_are_bounded(state: InstanceState) -> None:
    """The 257th handle is refused until one is dropped (KV-4)."""
    stores = [opened(state) for _ in range(MAX_OPEN_STORES)]
    assert error_of(state, f"{KV}[static]store.open", "default") == ("store-table-full", None)
    stores[0].drop(state)
    opened(state)


@pytest.mark.parametrize("method", ["get", "get-keys"])
def test_results_are_bounded(
    state: InstanceState, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """What is larger than a result may be is an error that says so (KV-10)."""
    monkeypatch.setattr(key_value, "MAX_RESULT_BYTES", 100)
    store = opened(state)
    for number in range(5):
        on(state, "set", store, f"k{number}", b"x" * 90)
    rest = ("k1",) if method == "get" else ()
    assert error_of(state, f"{KV}[method]store.{method}", store, *rest) == (
        "other",
        "query result exceeds limit of 100 bytes",
    )


class Broken:
    """A store that always fails."""

    def get(self, key: str) -> bytes | None:
        raise BackendError("disk on fire")

    def set(self, key: str, value: bytes) -> None:
        raise BackendError("disk on fire")

    def delete(self, key: str) -> None:
        raise BackendError("disk on fire")

    def exists(self, key: str) -> bool:
        raise BackendError("disk on fire")

    def keys(self) -> Iterable[str]:
        raise BackendError("disk on fire")


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("get", ("a",)),
        ("set", ("a", b"")),
        ("delete", ("a",)),
        ("exists", ("a",)),
        ("get-keys", ()),
    ],
)
def test_a_store_that_fails_is_an_error_and_no_trap(
    method: str, arguments: tuple[object, ...]
) -> None:
    """The guest gets the backend's words as ``other``."""
    state = instance_state(stores={"default": Broken()})
    function = f"{KV}[method]store.{method}"
    assert error_of(state, function, opened(state), *arguments) == ("other", "disk on fire")


def test_labels_without_a_store_are_refused_together(tmp_path: Path) -> None:
    """Every unknown label of every component is named, with what exists (KV-2, KV-42)."""
    with pytest.raises(UnknownStoreError) as caught:
        KeyValueStores({"a": ["default", "x"], "b": ["y"]}, {"notes": tmp_path / "n.db"})
    assert str(caught.value).splitlines() == [
        'unknown key_value_stores label "x" for component "a" (defined: default, notes; define '
        "it as [key_value_store.x] in runtime-config.toml)",
        'unknown key_value_stores label "y" for component "b" (defined: default, notes; define '
        "it as [key_value_store.y] in runtime-config.toml)",
    ]
    assert list(tmp_path.iterdir()) == []


def test_labels_on_one_file_are_apart(tmp_path: Path) -> None:
    """Two labels share a file and not their keys; unused stores are not opened (KV-40)."""
    path = tmp_path / "kv.db"
    places = {"a": path, "b": path, "unused": tmp_path / "unused.db", "default": None}
    stores = KeyValueStores({"one": ["a", "b"]}, places)
    stores.backends["a"].set("k", b"1")
    assert stores.backends["b"].get("k") is None
    assert stores.default_file is None
    stores.close()
    assert not (tmp_path / "unused.db").exists()


def test_entries_given_at_the_start_are_there(tmp_path: Path) -> None:
    """They are in the default store even when they replace others (KV-45, CONF-42)."""
    path = tmp_path / ".spin" / "kv.db"
    for value in (b"old", b"new"):
        stores = KeyValueStores({"c": ["default"]}, {"default": path}, {"K": value})
        assert stores.backends["default"].get("K") == value
        assert stores.default_file == path
        stores.close()
