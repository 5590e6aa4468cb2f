"""What the contract cases cannot see: host calls, host failures, and a dictionary as model."""

import copy
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edgezero_spin.stores import (
    KeyPage,
    KeyValueError,
    KeyValueInternalError,
    KeyValueLimitError,
    KeyValueStore,
    MemoryKeyValue,
    NoopKeyValue,
)
from tests.stores.doubles import FailingKeyValue, RecordingKeyValue, finish

Call = Callable[[KeyValueStore], Coroutine[Any, Any, Any]]


async def first_key(kv: KeyValueStore) -> str | None:
    """Return the first key that the iterator yields."""
    async for key in kv.iter_keys():
        return key
    return None


async def all_keys(kv: KeyValueStore, prefix: str = "") -> list[str]:
    """Return every key that the iterator yields."""
    return [key async for key in kv.iter_keys(prefix)]


@pytest.mark.parametrize(
    ("call", "calls"),
    [
        (lambda kv: kv.get("key"), [("get", "key")]),
        (lambda kv: kv.get("key", int), [("get", "key")]),
        (lambda kv: kv.get_or("key", 1), [("get", "key")]),
        (lambda kv: kv.get_bytes("key"), [("get", "key")]),
        (lambda kv: kv.put("key", {"b": 1, "a": 2}), [("set", "key", b'{"a":2,"b":1}')]),
        (lambda kv: kv.put_bytes("key", b"v"), [("set", "key", b"v")]),
        (lambda kv: kv.delete("key"), [("delete", "key")]),
        (lambda kv: kv.exists("key"), [("exists", "key")]),
        (lambda kv: kv.list_keys_page(), [("keys",)]),
        (first_key, [("keys",)]),
        (all_keys, [("keys",)]),
        (
            lambda kv: kv.read_modify_write("key", 1, lambda n: n + 1),
            [("get", "key"), ("set", "key", b"8")],
        ),
    ],
)
def test_each_call_is_one_host_call(call: Call, calls: list[tuple[Any, ...]]) -> None:
    """Except for a read and a write together."""  # KV-28
    backend = RecordingKeyValue({"key": b"7"})
    finish(call(KeyValueStore(backend)))
    assert backend.calls == calls


LARGE = bytes(26214401)


@pytest.mark.parametrize(
    "call",
    [
        lambda kv: kv.get(""),
        lambda kv: kv.get_or("\n", 1),
        lambda kv: kv.get_bytes("k" * 513),
        lambda kv: kv.put("..", 1),
        lambda kv: kv.put("key", object()),
        lambda kv: kv.put_bytes("key", LARGE),
        lambda kv: kv.put_with_ttl("key", 1, 60),
        lambda kv: kv.put_with_ttl("key", 1, 10),
        lambda kv: kv.put_bytes_with_ttl("key", b"", 60),
        lambda kv: kv.delete(""),
        lambda kv: kv.exists(""),
        lambda kv: kv.list_keys_page("\n"),
        lambda kv: kv.list_keys_page(limit=0),
        lambda kv: kv.list_keys_page(cursor="bad"),
        lambda kv: kv.read_modify_write("", 1, lambda n: n),
    ],
)
def test_refused_arguments_never_reach_the_host(call: Call) -> None:
    """All rules are looked at first, and times to live always stop there."""  # KV-8, KV-29
    backend = RecordingKeyValue()
    with pytest.raises(KeyValueError):
        finish(call(KeyValueStore(backend)))
    assert backend.calls == []


def test_iter_keys_checks_its_prefix_at_once() -> None:
    """The error shows the line with the prefix and not the loop."""
    with pytest.raises(KeyValueError, match="prefix contains"):
        KeyValueStore(MemoryKeyValue()).iter_keys("\n")


@pytest.mark.parametrize(
    ("call", "prefix"),
    [
        (lambda kv: kv.get("key"), "get failed: "),
        (lambda kv: kv.get_or("key", 1), "get failed: "),
        (lambda kv: kv.get_bytes("key"), "get failed: "),
        (lambda kv: kv.put("key", 1), "set failed: "),
        (lambda kv: kv.put_bytes("key", b""), "set failed: "),
        (lambda kv: kv.delete("key"), "delete failed: "),
        (lambda kv: kv.exists("key"), "exists failed: "),
        (lambda kv: kv.list_keys_page(), "get_keys failed: "),
        (first_key, "get_keys failed: "),
        (lambda kv: kv.read_modify_write("key", 1, lambda n: n), "get failed: "),
    ],
)
def test_host_failures_name_the_operation(call: Call, prefix: str) -> None:
    """They become internal errors with the host's words, also in the middle of a listing."""
    with pytest.raises(KeyValueInternalError) as raised:  # KV-30
        finish(call(KeyValueStore(FailingKeyValue())))
    assert raised.value.cause == f"{prefix}disk on fire"
    assert str(raised.value) == f"kv store error: {prefix}disk on fire"
    assert raised.value.__cause__ is not None


@pytest.mark.parametrize("data", [5, "text", None, [1]])
def test_put_bytes_takes_bytes_only(data: Any) -> None:
    """A number is not a length of zeros, nor a text an encoding."""
    backend = RecordingKeyValue()
    with pytest.raises(TypeError):
        finish(KeyValueStore(backend).put_bytes("key", data))
    assert backend.calls == []


def test_views_of_wider_items_are_measured_in_bytes() -> None:
    """The size of a view is that of its bytes, not the number of its items."""  # KV-2
    view = memoryview(bytes(26214408)).cast("Q")
    kv = KeyValueStore(MemoryKeyValue())
    for call in (kv.put_bytes("key", view), kv.put_bytes_with_ttl("key", view, 60)):
        with pytest.raises(KeyValueError, match="value size 26214408"):
            finish(call)


def test_the_text_of_a_store_shows_no_contents() -> None:
    """Only its label, and copies share the store."""  # KV-20
    kv = KeyValueStore(MemoryKeyValue({"key": b"secret value"}), "notes")
    assert repr(kv) == "KeyValueStore('notes')"
    twin = copy.copy(kv)
    finish(twin.put("key", 1))
    assert finish(kv.get("key")) == 1


def test_the_cap_is_the_one_that_the_store_was_given() -> None:
    """And 1000 otherwise."""  # KV-24
    entries = {f"{i}": b"" for i in range(1001)}
    with pytest.raises(KeyValueLimitError):
        finish(KeyValueStore(MemoryKeyValue(entries)).list_keys_page())
    kv = KeyValueStore(MemoryKeyValue(entries), max_list_keys=1001)
    assert len(finish(all_keys(kv))) == 1001


def test_an_iterator_over_keys_ends_once() -> None:
    """It is its own iterator and stays at its end."""

    async def run() -> None:
        keys = KeyValueStore(MemoryKeyValue({"a": b"", "b": b""})).iter_keys()
        assert [key async for key in keys] == ["a", "b"]
        assert [key async for key in keys] == []

    finish(run())


def test_the_store_that_forgets() -> None:
    """Reads find nothing, writes are accepted, listings are empty."""  # KV-39

    async def run() -> None:
        kv = KeyValueStore(NoopKeyValue())
        await kv.put("key", 1)
        await kv.delete("key")
        assert await kv.get("key") is None
        assert await kv.exists("key") is False
        assert await kv.list_keys_page() == KeyPage([], None)
        assert await kv.read_modify_write("key", 1, lambda n: n + 1) == 2

    finish(run())


KEYS = st.sampled_from(["a", "ab", "abc", "b", "é", "\U00010000", "\ufffd", "a b"])
VALUES = st.none() | st.integers() | st.text("aé\U0001f600", max_size=3) | st.lists(st.booleans())


class StoreMachine(RuleBasedStateMachine):
    """The facade and a dictionary of values do the same."""

    def __init__(self) -> None:
        super().__init__()
        self.kv = KeyValueStore(MemoryKeyValue())
        self.model: dict[str, Any] = {}

    @rule(key=KEYS, value=VALUES)
    def put(self, key: str, value: Any) -> None:
        """Write to both."""
        finish(self.kv.put(key, value))
        self.model[key] = value

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        """Delete from both."""
        finish(self.kv.delete(key))
        self.model.pop(key, None)

    @rule(key=KEYS)
    def append(self, key: str) -> None:
        """Change in both, from a default."""
        changed = finish(self.kv.read_modify_write(key, [], lambda v: [v, 1], Any))
        self.model[key] = [self.model.get(key, []), 1]
        assert changed == self.model[key]

    @rule(key=KEYS, default=VALUES)
    def read(self, key: str, default: Any) -> None:
        """Read from both in every form."""
        assert finish(self.kv.get(key)) == self.model.get(key)
        assert finish(self.kv.get_or(key, default)) == self.model.get(key, default)
        assert finish(self.kv.exists(key)) == (key in self.model)

    @invariant()
    def same_keys(self) -> None:
        """Both list the same keys."""
        expected = sorted(self.model)
        assert finish(self.kv.list_keys_page()).keys == expected


TestStoreMachine = StoreMachine.TestCase
