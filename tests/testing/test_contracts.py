"""Our backends keep the contracts, and a backend that does not is found out."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis.errors import Flaky

from edgezero_spin.host.factors.key_value.backends.redis import RedisKeyValue
from edgezero_spin.host.factors.key_value.backends.sqlite import SqliteFile, SqliteKeyValue
from edgezero_spin.host.factors.redis.address import RedisAddress
from edgezero_spin.host.factors.redis.client import RedisConnection
from edgezero_spin.host.factors.redis.pool import RedisPool
from edgezero_spin.stores import MemoryKeyValue, NoopKeyValue
from edgezero_spin.stores.backend import KeyValueBackend
from edgezero_spin.testing.contracts import ConfigContract, KeyValueContract, SecretContract
from edgezero_spin.testing.model import check_histories_at_once, check_history


class TestMemory(KeyValueContract):
    """The dictionary that native runs use."""

    def make_backend(self) -> KeyValueBackend:
        return MemoryKeyValue()


class TestSqlite(KeyValueContract):
    """The file that the embedded host uses; each handle has connections of its own."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> Iterator[None]:
        """A folder for the files, which are closed at the end."""
        self.path = tmp_path / "stores.db"
        self.files: list[SqliteFile] = []
        self.count = 0
        yield
        for file in self.files:
            file.close()

    def open(self, label: str) -> KeyValueBackend:
        """Open a store with a connection of its own."""
        file = SqliteFile(self.path)
        self.files.append(file)
        self.label = label
        return SqliteKeyValue(file, label)

    def make_backend(self) -> KeyValueBackend:
        self.count += 1
        if self.count > 1:
            # Histories follow each other; one connection does for them.
            self.label = f"store-{self.count}"
            return SqliteKeyValue(self.files[0], self.label)
        return self.open("store-1")

    def another(self, backend: KeyValueBackend) -> KeyValueBackend:
        return self.open(self.label)


class TestRedis(KeyValueContract):
    """A Redis server; each handle has connections of its own."""

    examples = 10

    @pytest.fixture(autouse=True)
    def pools(self, redis_port: int) -> Iterator[None]:
        """Pools that are closed at the end."""
        self.address = RedisAddress("127.0.0.1", redis_port)
        self.opened: list[RedisPool] = []
        yield
        for pool in self.opened:
            pool.close()

    def another(self, backend: KeyValueBackend) -> KeyValueBackend:
        self.opened.append(RedisPool(self.address))
        return RedisKeyValue(self.opened[-1])

    def make_backend(self) -> KeyValueBackend:
        if not self.opened:
            self.opened.append(RedisPool(self.address))
        connection = RedisConnection(self.address)
        connection.call("FLUSHALL")
        connection.close()
        return RedisKeyValue(self.opened[0])


class Folding(MemoryKeyValue):
    """Takes ``A`` for ``a``."""

    def get(self, key: str) -> bytes | None:
        return super().get(key.lower())

    def set(self, key: str, value: bytes) -> None:
        super().set(key.lower(), value)


class EmptyIsMissing(MemoryKeyValue):
    """Takes an empty value for none."""

    def get(self, key: str) -> bytes | None:
        return super().get(key) or None


class Repeating(MemoryKeyValue):
    """Lists a key for each write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def set(self, key: str, value: bytes) -> None:
        super().set(key, value)
        self.written.append(key)

    def keys(self) -> list[str]:
        return [key for key in self.written if key in self.entries]


class Lossy(MemoryKeyValue):
    """Keeps what it read while another writes, and writes it back."""

    def __init__(self) -> None:
        super().__init__()
        self.meeting = threading.Barrier(2)

    def set(self, key: str, value: bytes) -> None:
        before = dict(self.entries)
        try:
            self.meeting.wait(0.05)
        except threading.BrokenBarrierError:
            self.meeting.reset()
        self.entries.clear()
        self.entries.update({**before, key: value})


def plain_tests(contract: KeyValueContract) -> list[Callable[[Any], None]]:
    """The tests of a contract that take a backend alone."""
    names = [
        "test_a_missing_key",
        "test_keys_that_look_alike",
        "test_a_write_replaces",
        "test_a_removed_key_is_gone",
        "test_every_key_is_listed_once",
        "test_another_handle_sees_what_was_written",
    ]
    return [getattr(contract, name) for name in names]


@pytest.mark.parametrize("broken", [Folding, EmptyIsMissing, Repeating, NoopKeyValue])
def test_broken_backends_are_found(broken: Callable[[], KeyValueBackend]) -> None:
    """A backend with one fault fails a plain test, and a made-up history as well."""
    failed = 0
    for test in plain_tests(KeyValueContract()):
        try:
            test(broken())
        except AssertionError:
            failed += 1
    assert failed > 0
    with pytest.raises(AssertionError):
        check_history(broken, 100)


def test_a_lossy_backend_is_found() -> None:
    """Writes that get lost between two threads are missed."""

    class Two(KeyValueContract):
        writers = 2

    with pytest.raises(AssertionError):
        Two().test_writers_at_once(Lossy())
    with pytest.raises((AssertionError, Flaky)):
        check_histories_at_once(Lossy, lambda store: store, 30, writers=2)


@pytest.mark.parametrize(
    ("contract", "factory"),
    [
        pytest.param(lambda: KeyValueContract().make_backend(), "make_backend()", id="key-value"),
        pytest.param(lambda: ConfigContract().make_store({}), "make_store(entries)", id="config"),
        pytest.param(
            lambda: SecretContract().make_backend({}), "make_backend(values)", id="secret"
        ),
    ],
)
def test_a_contract_without_a_factory(contract: Callable[[], object], factory: str) -> None:
    """It says which method is missing."""
    with pytest.raises(NotImplementedError) as caught:
        contract()
    assert f"define {factory}" in str(caught.value)
