"""Contracts of store backends, as test classes to subclass.

```python
from edgezero_spin.testing.contracts import KeyValueContract

class TestMyStore(KeyValueContract):
    def make_backend(self) -> KeyValueBackend:
        return MyStore(namespace=uuid4().hex)     # empty, and nobody else's
```

pytest runs the whole suite for the subclass. A factory that needs fixtures overrides the
fixture of the same purpose instead: ``backend``, ``make_config`` or ``make_secrets``.

Source: contract edgezero.md, KV-1 to KV-30, CFG-1 to CFG-7, SEC-1 to SEC-7;
spin-host.md, KV-1 to KV-10, VAR-10, VAR-11.
"""

import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from edgezero_spin.stores import (
    ConfigStore,
    ConfigStoreError,
    ConfigUnavailableError,
    KeyValueStore,
    SecretHandle,
    SecretNotFoundError,
    SecretStore,
    SecretValidationError,
)
from edgezero_spin.stores.backend import (
    BackendError,
    KeyValueBackend,
    SecretBackend,
    SecretNameInvalid,
)

__all__ = ["ConfigContract", "KeyValueContract", "SecretContract"]

KEYS = [
    pytest.param("key", id="plain"),
    pytest.param("a/b:c.d", id="punctuation"),
    pytest.param("with blanks ", id="blanks"),
    pytest.param("ключ/キー/\U0001f600", id="beyond ASCII"),
    pytest.param("e\u0301", id="not normalised"),
    pytest.param("%_*?[a]\\'\"", id="wildcards and quotes"),
    pytest.param("k" * 512, id="512 bytes"),
]

VALUES = [
    pytest.param(b"value", id="text"),
    pytest.param(b"", id="empty"),
    pytest.param(bytes(range(256)), id="every byte"),
    pytest.param(b"\x00\xff\xfe", id="not UTF-8"),
    pytest.param(b"x" * 1_048_576, id="a mebibyte"),
]

Make = Callable[[Mapping[str, bytes]], ConfigStore]
MakeSecrets = Callable[[Mapping[str, str]], SecretBackend]


def _finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a call of a facade, which never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("a store call suspended")


class KeyValueContract:
    """What a ``KeyValueBackend`` has to do. Define ``make_backend``."""

    writers = 4
    """Threads that write at once in ``test_writers_at_once``."""

    examples = 30
    """Histories that ``test_a_history_of_calls`` tries; each has up to 30 calls."""

    max_value_bytes = 1_048_576
    """Bytes that a value may have; a longer one has to be refused with ``BackendError``."""

    def make_backend(self) -> KeyValueBackend:
        """Return an empty store that nothing else uses."""
        raise NotImplementedError(
            f"{type(self).__name__} has to say what it tests: define make_backend(), or a "
            f"fixture `backend`"
        )

    def another(self, backend: KeyValueBackend) -> KeyValueBackend:
        """Return a second handle on the same store, as another instance would open it."""
        return backend

    def takes_key(self, key: str) -> bool:
        """Whether the store can have such a key. One that it cannot have is absent, and writing
        it has to be refused with ``BackendError``.
        """
        return True

    @pytest.fixture
    def backend(self) -> KeyValueBackend:
        """The empty store of one test."""
        return self.make_backend()

    def test_a_missing_key(self, backend: KeyValueBackend) -> None:
        """A key that nobody wrote is absent, and removing it is fine."""
        assert backend.get("missing") is None
        assert backend.exists("missing") is False
        backend.delete("missing")
        assert list(backend.keys()) == []

    @pytest.mark.parametrize("value", VALUES)
    def test_values_come_back(self, backend: KeyValueBackend, value: bytes) -> None:
        """Bytes come back as they were written; an empty value is there."""
        if len(value) > self.max_value_bytes:
            with pytest.raises(BackendError):
                backend.set("key", value)
            assert backend.get("key") is None
            return
        backend.set("key", value)
        found = backend.get("key")
        assert type(found) is bytes
        assert found == value
        assert backend.exists("key") is True

    @pytest.mark.parametrize("key", KEYS)
    def test_keys_are_taken_as_they_are(self, backend: KeyValueBackend, key: str) -> None:
        """A key is text without a meaning: it finds its own value and no other."""
        backend.set("other", b"other")
        if not self.takes_key(key):
            assert backend.get(key) is None
            assert backend.exists(key) is False
            backend.delete(key)
            with pytest.raises(BackendError):
                backend.set(key, b"value")
            assert list(backend.keys()) == ["other"]
            return
        backend.set(key, b"value")
        assert backend.get(key) == b"value"
        assert sorted(backend.keys()) == sorted(["other", key])
        backend.delete(key)
        assert backend.get(key) is None
        assert list(backend.keys()) == ["other"]

    def test_keys_that_look_alike(self, backend: KeyValueBackend) -> None:
        """Case, accents and prefixes tell keys apart."""
        every = ["a", "A", "a/", "a/b", "é", "e\u0301", "a ", "%", "a*"]
        alike = [key for key in every if self.takes_key(key)]
        for number, key in enumerate(alike):
            backend.set(key, b"%d" % number)
        assert [backend.get(key) for key in alike] == [b"%d" % n for n in range(len(alike))]
        assert sorted(backend.keys()) == sorted(alike)

    def test_a_write_replaces(self, backend: KeyValueBackend) -> None:
        """The last write wins, longer or shorter, and the key is listed once."""
        for value in (b"first", b"the second", b""):
            backend.set("key", value)
            assert backend.get("key") == value
        assert list(backend.keys()) == ["key"]

    def test_a_removed_key_is_gone(self, backend: KeyValueBackend) -> None:
        """It is neither found nor listed, and can be written again."""
        backend.set("key", b"value")
        backend.delete("key")
        assert backend.get("key") is None
        assert backend.exists("key") is False
        assert list(backend.keys()) == []
        backend.set("key", b"again")
        assert backend.get("key") == b"again"

    def test_every_key_is_listed_once(self, backend: KeyValueBackend) -> None:
        """A listing is complete, also beyond what one page of a server holds."""
        keys = [f"key-{number:04}" for number in range(300)]
        for key in keys:
            backend.set(key, b"")
        assert sorted(backend.keys()) == keys

    def test_a_listing_survives_changes(self, backend: KeyValueBackend) -> None:
        """Who writes while listing gets no error and sees each key at most once."""
        for number in range(20):
            backend.set(f"key-{number}", b"")
        seen = []
        for key in iter(backend.keys()):
            seen.append(key)
            backend.set(f"new-{key}" if not key.startswith("new-") else key, b"")
            backend.delete("key-19")
            if len(seen) > 1000:
                break
        assert len(seen) == len(set(seen)) <= 1000

    def test_another_handle_sees_what_was_written(self, backend: KeyValueBackend) -> None:
        """A write is there for the next instance as soon as it returned."""
        other = self.another(backend)
        backend.set("key", b"one")
        assert other.get("key") == b"one"
        other.set("key", b"two")
        assert backend.get("key") == b"two"
        other.delete("key")
        assert backend.exists("key") is False

    def test_writers_at_once(self, backend: KeyValueBackend) -> None:
        """Nothing of what several threads write is lost, and no value is a mixture."""
        failures: list[BaseException] = []
        values = {number: bytes([65 + number]) * 1000 for number in range(self.writers)}

        def write(number: int) -> None:
            try:
                own = self.another(backend)
                for turn in range(10):
                    own.set(f"own-{number}-{turn}", values[number])
                    own.set("shared", values[number])
                    if turn % 2:
                        own.delete(f"own-{number}-{turn}")
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=write, args=[number]) for number in values]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert backend.get("shared") in values.values()
        expected = {f"own-{number}-{turn}" for number in values for turn in range(0, 10, 2)}
        assert set(backend.keys()) == expected | {"shared"}

    def test_typed_values(self, backend: KeyValueBackend) -> None:
        """The facade over it keeps JSON and lists pages in order."""
        store = KeyValueStore(backend)
        for name in ("c", "a", "b"):
            _finish(store.put(name, {"name": name}))
        assert _finish(store.get("b")) == {"name": "b"}
        page = _finish(store.list_keys_page(limit=2))
        assert page.keys == ["a", "b"]
        assert _finish(store.list_keys_page(cursor=page.cursor, limit=2)).keys == ["c"]

    def test_a_history_of_calls(self) -> None:
        """Whatever is called in whatever order, the store does as a dictionary does."""
        pytest.importorskip("hypothesis", reason="hypothesis makes up the histories")
        # Only those who run the contract need it.
        from edgezero_spin.testing.model import check_history

        check_history(self.make_backend, self.examples, self.takes_key)

    def test_histories_at_once(self) -> None:
        """Several threads with handles and keys of their own lose nothing of what they write."""
        pytest.importorskip("hypothesis", reason="hypothesis makes up the histories")
        from edgezero_spin.testing.model import check_histories_at_once

        check_histories_at_once(
            self.make_backend,
            self.another,
            max(1, self.examples // 3),
            self.takes_key,
            writers=self.writers,
        )


class ConfigContract:
    """What a config store has to do. Define ``make_store``."""

    entries: Mapping[str, bytes] = {
        "contract.key.a": b"value_a",
        "contract.key.b": b"value_b",
        "service.timeout_ms": b"1500",
        "empty": b"",
        "text": "Grüße \U0001f600".encode(),
        "binary": b"\xff\xfe",
    }

    def make_store(self, entries: Mapping[str, bytes]) -> ConfigStore:
        """Return a store with exactly these entries."""
        raise NotImplementedError(
            f"{type(self).__name__} has to say what it tests: define make_store(entries), or a "
            f"fixture `make_config`"
        )

    @pytest.fixture
    def make_config(self) -> Make:
        """What makes a store."""
        return self.make_store

    @pytest.mark.parametrize(
        ("key", "expected"),
        [
            pytest.param("contract.key.a", "value_a", id="a"),
            pytest.param("contract.key.b", "value_b", id="b"),
            pytest.param("empty", "", id="empty value"),
            pytest.param("text", "Grüße \U0001f600", id="beyond ASCII"),
            pytest.param("contract.key.none", None, id="missing"),
            pytest.param("Contract.Key.A", None, id="other case"),
            pytest.param("contract.key", None, id="a prefix"),
            pytest.param("service__timeout_ms", None, id="no translation"),
            pytest.param("service.timeout_ms", "1500", id="numbers are text"),
        ],
    )
    def test_values_by_key(self, make_config: Make, key: str, expected: str | None) -> None:
        """Keys are looked up as they are, the same each time."""  # CFG-1, CFG-7
        store = make_config(self.entries)
        assert _finish(store.get(key)) == expected
        assert _finish(store.get(key)) == expected

    def test_an_empty_key(self, make_config: Make) -> None:
        """Nothing, or an error of the family."""  # CFG-5
        try:
            assert _finish(make_config(self.entries).get("")) is None
        except ConfigStoreError as error:
            assert error.status == 400

    def test_bytes_that_are_no_text(self, make_config: Make) -> None:
        """A value that is not UTF-8 is unavailable, and the message names the key."""  # CFG-2
        with pytest.raises(ConfigUnavailableError, match="non-utf8 value for `binary`"):
            _finish(make_config(self.entries).get("binary"))

    def test_stores_are_separate(self, make_config: Make) -> None:
        """What one has, another does not."""
        first, second = make_config({"a": b"1"}), make_config({"b": b"2"})
        assert _finish(first.get("a")) == "1"
        assert _finish(first.get("b")) is None
        assert _finish(second.get("a")) is None


class SecretContract:
    """What a ``SecretBackend`` has to do. Define ``make_backend``."""

    def make_backend(self, values: Mapping[str, str]) -> SecretBackend:
        """Return a backend with exactly these secrets."""
        raise NotImplementedError(
            f"{type(self).__name__} has to say what it tests: define make_backend(values), or "
            f"a fixture `make_secrets`"
        )

    @pytest.fixture
    def make_secrets(self) -> MakeSecrets:
        """What makes a backend."""
        return self.make_backend

    def test_secrets_by_name(self, make_secrets: MakeSecrets) -> None:
        """A value is what was set, an empty one included; what is not set is none."""  # SEC-6
        backend = make_secrets({"api_key": "s3crét", "empty": ""})
        store = SecretStore(SecretHandle(backend), "vault")
        assert _finish(store.require_str("api_key")) == "s3crét"
        assert _finish(store.require_bytes("api_key")) == "s3crét".encode()
        assert _finish(store.get_bytes("empty")) == b""
        assert _finish(store.get_bytes("none")) is None
        assert backend.get("none") is None

    def test_names_in_any_case(self, make_secrets: MakeSecrets) -> None:
        """The facade asks in lower case."""  # SEC-4
        store = SecretStore(SecretHandle(make_secrets({"stripe_key": "v"})), "vault")
        assert _finish(store.require_str("STRIPE_KEY")) == "v"

    def test_a_secret_that_has_to_be_set(self, make_secrets: MakeSecrets) -> None:
        """Its absence is an error that tells a client nothing."""  # SEC-7, SEC-12
        store = SecretStore(SecretHandle(make_secrets({})), "vault")
        with pytest.raises(SecretNotFoundError) as caught:
            _finish(store.require_str("missing_key"))
        assert "missing_key" not in caught.value.answer

    @pytest.mark.parametrize("name", ["", "1a", "a-b", "a__b", "a_", "_a", "a b", "ä", "A"])
    def test_names_that_are_none(self, make_secrets: MakeSecrets, name: str) -> None:
        """A name that no variable can have is refused, and not looked up."""  # VAR-10
        backend = make_secrets({"a": "v"})
        with pytest.raises(SecretNameInvalid):
            backend.get(name)
        if name not in ("", "A"):
            with pytest.raises(SecretValidationError):
                _finish(SecretStore(SecretHandle(backend), "vault").get_bytes(name))
