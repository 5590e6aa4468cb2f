"""``wasi:keyvalue``: buckets, batches, counters, and swaps that lose to others."""

import itertools
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest

from edgezero_spin.host.errors import DeadlineExceeded
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.key_value import interface as key_value
from edgezero_spin.host.factors.key_value.backends.sqlite import SqliteFile, SqliteKeyValue
from edgezero_spin.host.factors.key_value.batches import BatchBackend, Sequential, with_batches
from edgezero_spin.host.factors.key_value.factor import KeyValueStores
from edgezero_spin.host.factors.key_value.wasi_keyvalue import Bucket, Cas
from edgezero_spin.stores.backend import BackendError, KeyValueBackend
from edgezero_spin.stores.memory import MemoryKeyValue
from tests.host.support import call, error_of, instance_state

STORE = "wasi:keyvalue/store@0.2.0-draft2 "
BATCH = "wasi:keyvalue/batch@0.2.0-draft2 "
ATOMICS = "wasi:keyvalue/atomics@0.2.0-draft2 "
HIGHEST = 2**63 - 1


@pytest.fixture(params=["plain", "memory", "sqlite"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyValueBackend]:
    """A store that knows no batches, and both kinds that a manifest can ask for."""
    if request.param == "plain":
        yield MemoryKeyValue()
        return
    path = tmp_path / "kv.db" if request.param == "sqlite" else None
    stores = KeyValueStores({"test": ["default"]}, {"default": path})
    yield stores.backends["default"]
    stores.close()


@pytest.fixture
def state(backend: KeyValueBackend) -> InstanceState:
    """The state of an instance that may open ``default``."""
    return instance_state(stores={"default": backend})


@pytest.fixture
def bucket(state: InstanceState) -> Bucket:
    """An open bucket."""
    opened: Bucket = call(state, f"{STORE}open", "default")
    return opened


def on(state: InstanceState, method: str, bucket: Bucket, *arguments: Any) -> Any:
    """Call a method of a bucket."""
    return call(state, f"{STORE}[method]bucket.{method}", bucket, *arguments)


def new_cas(state: InstanceState, bucket: Bucket, key: str) -> Cas:
    """A fresh handle for a swap."""
    cas: Cas = call(state, f"{ATOMICS}[static]cas.new", bucket, key)
    return cas


def current(state: InstanceState, cas: Cas) -> Any:
    """What the key holds."""
    return call(state, f"{ATOMICS}[method]cas.current", cas)


def test_the_sequence_of_the_conformance_test(state: InstanceState) -> None:
    """Buckets, batches, counters and swaps as KV-31 has them."""
    assert error_of(state, f"{STORE}open", "forbidden") == ("access-denied", None)  # KV-20
    bucket = call(state, f"{STORE}open", "default")
    on(state, "delete", bucket, "bar")
    assert on(state, "exists", bucket, "bar") is False
    assert on(state, "get", bucket, "bar") is None
    assert on(state, "list-keys", bucket, None) == {"keys": [], "cursor": None}
    on(state, "set", bucket, "bar", b"baz")
    assert on(state, "exists", bucket, "bar") is True
    assert on(state, "get", bucket, "bar") == b"baz"
    assert on(state, "list-keys", bucket, None) == {"keys": ["bar"], "cursor": None}
    assert error_of(state, f"{STORE}[method]bucket.list-keys", bucket, "0") == (
        "other",
        "list_keys: cursor not supported",
    )  # KV-22
    call(state, f"{BATCH}set-many", bucket, [("bin", b"1"), ("alex", b"2")])
    assert call(state, f"{BATCH}get-many", bucket, ["alex", "none", "bin"]) == [
        ("alex", b"2"),
        ("bin", b"1"),
    ]  # KV-23
    call(state, f"{BATCH}delete-many", bucket, ["bin", "none", "alex"])
    assert on(state, "list-keys", bucket, None)["keys"] == ["bar"]  # KV-24
    assert call(state, f"{ATOMICS}increment", bucket, "counter", 10) == 10
    assert call(state, f"{ATOMICS}increment", bucket, "counter", 5) == 15
    assert on(state, "get", bucket, "counter") == (15).to_bytes(8, "little")  # KV-25
    on(state, "set", bucket, "bar", b"wow")
    cas = new_cas(state, bucket, "bar")
    assert current(state, cas) == b"wow"
    call(state, f"{ATOMICS}swap", cas, b"swapped")
    assert on(state, "get", bucket, "bar") == b"swapped"


def test_a_swap_that_lost_gets_another_try(state: InstanceState, bucket: Bucket) -> None:
    """The stored value stays, and the new handle knows it (KV-27)."""
    on(state, "set", bucket, "a", b"old")
    cas = new_cas(state, bucket, "a")
    current(state, cas)
    on(state, "set", bucket, "a", b"other")
    case, again = error_of(state, f"{ATOMICS}swap", cas, b"mine")
    assert case == "cas-failed"
    assert on(state, "get", bucket, "a") == b"other"
    call(state, f"{ATOMICS}swap", again, b"mine")
    assert on(state, "get", bucket, "a") == b"mine"
    assert state.held == {"wasi:keyvalue cas": 0}


def test_a_swap_after_the_key_was_deleted_fails(state: InstanceState, bucket: Bucket) -> None:
    """A value that is gone is not the one that was seen (KV-27)."""
    on(state, "set", bucket, "a", b"old")
    cas = new_cas(state, bucket, "a")
    current(state, cas)
    on(state, "delete", bucket, "a")
    case, again = error_of(state, f"{ATOMICS}swap", cas, b"mine")
    assert case == "cas-failed"
    assert on(state, "exists", bucket, "a") is False
    call(state, f"{ATOMICS}swap", again, b"mine")
    assert on(state, "get", bucket, "a") == b"mine"


@pytest.mark.parametrize("asked", [True, False])
def test_a_swap_without_a_value_seen_writes(
    state: InstanceState, bucket: Bucket, asked: bool
) -> None:
    """Nothing seen, nothing compared (KV-26, KV-27)."""
    cas = new_cas(state, bucket, "a")
    if asked:
        assert current(state, cas) is None
    on(state, "set", bucket, "a", b"other")
    call(state, f"{ATOMICS}swap", cas, b"mine")
    assert on(state, "get", bucket, "a") == b"mine"


def test_swap_handles_are_bounded(state: InstanceState, bucket: Bucket) -> None:
    """The 257th is refused until one is dropped or used."""
    handles = [new_cas(state, bucket, "a") for _ in range(256)]
    assert error_of(state, f"{ATOMICS}[static]cas.new", bucket, "a") == (
        "other",
        "too many compare_and_swaps opened",
    )
    handles[0].drop(state)
    call(state, f"{ATOMICS}swap", handles[1], b"")
    new_cas(state, bucket, "a")
    new_cas(state, bucket, "a")


def test_open_buckets_are_bounded(state: InstanceState) -> None:
    """The interface has no case for it, so it is ``other`` (KV-4)."""
    buckets = [call(state, f"{STORE}open", "default") for _ in range(256)]
    assert error_of(state, f"{STORE}open", "default") == ("other", "store table full")
    buckets[0].drop(state)
    call(state, f"{STORE}open", "default")


@pytest.mark.parametrize("stored", [b"", b"15", b"\0" * 9])
def test_what_is_no_counter_is_an_error(
    state: InstanceState, bucket: Bucket, stored: bytes
) -> None:
    """A value of another length is told, not a trap, and stays (KV-25)."""
    on(state, "set", bucket, "a", stored)
    case, message = error_of(state, f"{ATOMICS}increment", bucket, "a", 1)
    assert case == "other"
    assert f"it has {len(stored)} bytes" in message
    assert on(state, "get", bucket, "a") == stored


def test_a_counter_stays_in_its_range(state: InstanceState, bucket: Bucket) -> None:
    """One more than 64 bits hold is an error, and negative steps count down."""
    assert call(state, f"{ATOMICS}increment", bucket, "a", HIGHEST) == HIGHEST
    case, message = error_of(state, f"{ATOMICS}increment", bucket, "a", 1)
    assert (case, "range of 64 bits" in message) == ("other", True)
    assert call(state, f"{ATOMICS}increment", bucket, "a", -HIGHEST - 3) == -3


@pytest.mark.parametrize(
    ("function", "empty"),
    [("get-many", []), ("set-many", None), ("delete-many", None)],
)
def test_an_empty_batch_does_nothing(
    state: InstanceState, bucket: Bucket, function: str, empty: Any
) -> None:
    """No key in, none out, nothing changed (KV-23, KV-24)."""
    on(state, "set", bucket, "a", b"1")
    assert call(state, f"{BATCH}{function}", bucket, []) == empty
    assert on(state, "list-keys", bucket, None)["keys"] == ["a"]


def test_keys_named_twice(state: InstanceState, bucket: Bucket) -> None:
    """A key is returned once; of two values the last is kept."""
    call(state, f"{BATCH}set-many", bucket, [("a", b"1"), ("a", b""), ("b", b"2")])
    assert call(state, f"{BATCH}get-many", bucket, ["b", "a", "b"]) == [("b", b"2"), ("a", b"")]


def test_a_batch_is_bounded_and_leaves_the_store_usable(
    state: InstanceState, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values that fit one by one do not fit together (KV-10, KV-31)."""
    monkeypatch.setattr(key_value, "MAX_RESULT_BYTES", 1000)
    keys = [f"k{number}" for number in range(5)]
    call(state, f"{BATCH}set-many", bucket, [(key, b"x" * 300) for key in keys])
    assert error_of(state, f"{BATCH}get-many", bucket, keys) == (
        "other",
        "query result exceeds limit of 1000 bytes",
    )
    assert on(state, "get", bucket, "k0") == b"x" * 300
    assert len(call(state, f"{BATCH}get-many", bucket, keys[:2])) == 2
    call(state, f"{BATCH}delete-many", bucket, keys)


class Endless(Sequential):
    """A store on another machine whose listings have no end."""

    remote = True

    def keys(self) -> Iterator[str]:
        return (f"{number}" for number in itertools.count())

    def get_many(self, keys: Sequence[str]) -> Generator[tuple[str, bytes], None, None]:
        yield from ((key, b"") for key in self.keys())


@pytest.mark.parametrize(
    ("function", "argument"),
    [(f"{STORE}[method]bucket.list-keys", None), (f"{BATCH}get-many", ["a"])],
)
def test_a_listing_from_another_machine_ends_where_it_gets_too_large(
    monkeypatch: pytest.MonkeyPatch, function: str, argument: object
) -> None:
    """Not where the machine has told everything, nor after the instance's time (KV-10, LIFE-7)."""
    state = instance_state(stores={"default": Endless(MemoryKeyValue())})
    bucket = call(state, f"{STORE}open", "default")
    monkeypatch.setattr(key_value, "MAX_RESULT_BYTES", 100_000)
    assert error_of(state, function, bucket, argument) == (
        "other",
        "query result exceeds limit of 100000 bytes",
    )
    state.deadline_ns = 0
    with pytest.raises(DeadlineExceeded):
        call(state, function, bucket, argument)


def test_counters_lose_nothing_between_threads(backend: KeyValueBackend) -> None:
    """Four instances that count at once come to the sum (KV-25)."""
    store = with_batches(backend)

    def count() -> None:
        for _ in range(50):
            store.increment("hits", 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.increment("hits", 0) == 200


class Broken(Sequential):
    """A store that always fails."""

    def __init__(self) -> None:
        super().__init__(MemoryKeyValue())

    def __getattribute__(self, name: str) -> Any:
        def fail(*arguments: object) -> None:
            raise BackendError("disk on fire")

        return object.__getattribute__(self, name) if name.startswith("_") else fail


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (f"{STORE}[method]bucket.get", ("a",)),
        (f"{STORE}[method]bucket.set", ("a", b"")),
        (f"{STORE}[method]bucket.delete", ("a",)),
        (f"{STORE}[method]bucket.exists", ("a",)),
        (f"{STORE}[method]bucket.list-keys", (None,)),
        (f"{BATCH}get-many", (["a"],)),
        (f"{BATCH}set-many", ([("a", b"")],)),
        (f"{BATCH}delete-many", (["a"],)),
        (f"{ATOMICS}increment", ("a", 1)),
    ],
)
def test_what_a_store_says_reaches_the_guest(function: str, arguments: tuple[Any, ...]) -> None:
    """A failure below is an error of the interface and no trap (KV-21)."""
    state = instance_state()
    assert error_of(state, function, Bucket(Broken()), *arguments) == ("other", "disk on fire")


@pytest.mark.parametrize("seen", [None, b"old"])
def test_a_swap_on_a_broken_store(seen: bytes | None) -> None:
    """The store's error is not mistaken for a lost race."""
    state = instance_state()
    cas = new_cas(state, Bucket(Broken()), "a")
    cas.seen = seen
    assert error_of(state, f"{ATOMICS}swap", cas, b"") == (
        "store-error",
        ("other", "disk on fire"),
    )
    assert state.held == {"wasi:keyvalue cas": 0}


class BrokenBetween(Broken):
    """A store that fails once a swap has lost."""

    def __getattribute__(self, name: str) -> Any:
        if name == "compare_and_set":
            return lambda *arguments: False
        return super().__getattribute__(name)


def test_a_lost_swap_on_a_store_that_broke_meanwhile() -> None:
    """There is no value to try again with, so no handle either (KV-27)."""
    state = instance_state()
    cas = new_cas(state, Bucket(BrokenBetween()), "a")
    cas.seen = b"old"
    assert error_of(state, f"{ATOMICS}swap", cas, b"") == (
        "store-error",
        ("other", "disk on fire"),
    )
    assert state.held == {"wasi:keyvalue cas": 0}


def test_every_backend_of_the_host_does_batches_itself(tmp_path: Path) -> None:
    """Only foreign backends need the wrapper."""
    stores = KeyValueStores(
        {"test": ["default", "file"]}, {"default": None, "file": tmp_path / "kv.db"}
    )
    assert all(isinstance(backend, BatchBackend) for backend in stores.backends.values())
    stores.close()


class TestSqlite:
    """What only a file can show."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqliteKeyValue]:
        """A store in a file."""
        file = SqliteFile(tmp_path / "kv.db", busy_timeout_s=0.05)
        yield SqliteKeyValue(file, "default")
        file.close()

    def test_a_batch_that_fails_writes_nothing(self, store: SqliteKeyValue) -> None:
        """An entry that cannot be written takes the others with it (KV-24)."""
        with apsw.Connection(str(store.file.path)) as other:
            other.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON spin_key_value WHEN NEW.key = 'bad' "
                "BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        other.close()
        with pytest.raises(BackendError, match="no"):
            store.set_many([("good", b"1"), ("bad", b"2")])
        assert list(store.keys()) == []
        store.set("good", b"1")

    def test_a_busy_file_is_an_error_and_passes(self, store: SqliteKeyValue) -> None:
        """A writer elsewhere makes a batch fail; afterwards it works."""
        other = apsw.Connection(str(store.file.path))
        other.execute("BEGIN IMMEDIATE")
        for attempt in (
            lambda: store.set_many([("a", b"")]),
            lambda: store.delete_many(["a"]),
            lambda: store.increment("a", 1),
            lambda: store.compare_and_set("a", b"", b""),
        ):
            with pytest.raises(BackendError, match="locked"):
                attempt()
        assert list(store.get_many(["a"])) == []
        other.execute("ROLLBACK")
        other.close()
        assert store.increment("a", 1) == 1

    def test_labels_in_one_file_stay_apart(self, store: SqliteKeyValue) -> None:
        """Batches touch their own label only (KV-40)."""
        other = SqliteKeyValue(store.file, "other")
        other.set_many([("a", b"theirs")])
        store.set_many([("a", b"mine")])
        store.delete_many(["a"])
        assert store.compare_and_set("a", b"theirs", b"stolen") is False
        assert list(other.get_many(["a"])) == [("a", b"theirs")]

    def test_text_that_someone_wrote_by_hand(self, store: SqliteKeyValue) -> None:
        """The sqlite3 command writes text; it is read and compared as bytes."""
        with apsw.Connection(str(store.file.path)) as other:
            other.execute("INSERT INTO spin_key_value VALUES ('default', 'a', 'ä')")
        other.close()
        assert list(store.get_many(["a"])) == [("a", "ä".encode())]
        assert store.compare_and_set("a", "ä".encode(), b"new") is True
        assert store.get("a") == b"new"
