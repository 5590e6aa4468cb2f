"""The memory backends do what Spin's do."""

import pytest

from edgezero_spin.stores import (
    BackendError,
    KeyValueBackend,
    MemoryKeyValue,
    MemoryPlatform,
    MemorySecrets,
    NoopKeyValue,
    SecretNameInvalid,
    StorePlatform,
)

STORES: list[KeyValueBackend] = [MemoryKeyValue(), NoopKeyValue()]
PLATFORM: StorePlatform = MemoryPlatform()


def test_the_conformance_sequence_of_a_store() -> None:
    """Set, overwrite, list, delete twice, end empty."""  # spin-host.md KV-30
    store = MemoryPlatform(kv={"default": {}}).open_key_value("default")
    store.delete("bar")
    assert not store.exists("bar")
    assert store.get("bar") is None
    assert list(store.keys()) == []
    store.set("bar", b"baz")
    assert store.exists("bar")
    assert store.get("bar") == b"baz"
    store.set("bar", b"wow")
    assert store.get("bar") == b"wow"
    assert list(store.keys()) == ["bar"]
    store.set("qux", b"")
    assert sorted(store.keys()) == ["bar", "qux"]
    assert store.exists("qux")
    store.delete("bar")
    store.delete("bar")
    store.delete("qux")
    assert list(store.keys()) == []


def test_labels_have_to_be_granted() -> None:
    """Others are denied, ``default`` included."""  # spin-host.md KV-1
    platform = MemoryPlatform(kv={"notes": {}})
    for label in ("default", "Notes", ""):
        with pytest.raises(BackendError, match=r"^access-denied$"):
            platform.open_key_value(label)


def test_stores_of_one_label_share_their_entries() -> None:
    """What one writes the other reads, and the caller's mapping is left alone."""
    entries = {"k": b"v"}
    platform = MemoryPlatform(kv={"a": entries, "b": {}})
    platform.open_key_value("a").set("k", b"w")
    assert platform.open_key_value("a").get("k") == b"w"
    assert platform.open_key_value("b").get("k") is None
    assert entries == {"k": b"v"}


def test_keys_may_be_deleted_while_they_are_listed() -> None:
    """The listing is that of the moment it was asked for."""
    store = MemoryKeyValue({"a": b"", "b": b""})
    for key in store.keys():  # noqa: SIM118 - not a dictionary
        store.delete(key)
    assert store.entries == {}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "must not be empty"),
        ("API", "invalid character 'A'. Variable names may contain only lower-case letters"),
        ("a-b", "invalid character '-'"),
        ("é", "invalid character 'é'"),
        ("a²", "invalid character '²'"),
        ("_a", "must start with a lowercase ASCII letter"),
        ("1a", "must start with a lowercase ASCII letter"),
        ("a_", "must end with a lowercase ASCII letter or digit"),
        ("a__b", "must not contain multiple consecutive underscores"),
        ("_a__b_", "must start"),
        ("a__b_", "must end"),
    ],
)
def test_names_that_no_variable_can_have(name: str, reason: str) -> None:
    """Spin's reasons in Spin's order, with the name quoted."""  # spin-host.md VAR-10
    with pytest.raises(SecretNameInvalid) as raised:
        MemorySecrets({name: "v"}).get(name)
    assert raised.value.message.startswith(f'"{name}": {reason}')


def test_variables_that_are_not_declared_are_none() -> None:
    """Also where there are none at all; an empty one is there."""  # spin-host.md VAR-11, VAR-15
    assert MemorySecrets().get("a") is None
    assert MemorySecrets({"a": ""}).get("a") == ""
    assert MemorySecrets({"a1_b": "v"}).get("a1_b") == "v"
