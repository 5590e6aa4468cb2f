"""Arguments of a wrong type: each store says what to write instead."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from edgezero_spin.stores import (
    MemoryPlatform,
    StoreDeclaration,
    StoreIds,
    Stores,
    open_on_platform,
)
from tests.core.asking import finish


def stores() -> Stores:
    """Stores of every kind, in memory."""
    ids = StoreIds.of(["main"])
    declared = StoreDeclaration(kv=ids, config=ids, secrets=ids)
    return open_on_platform(declared, MemoryPlatform(kv={"main": {}}), dict)


CALLS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda s: s.kv.default.get(5), "a key is text, got int 5; write str(...)"),
    (lambda s: s.kv.default.get(b"k"), "a key is text, got bytes b'k'; write .decode()"),
    (lambda s: s.kv.default.get(None), "a key is text, got NoneType None"),
    (lambda s: s.kv.default.put(0, 1), "a key is text, got int 0"),
    (lambda s: s.kv.default.put_bytes(("a",), b""), "a key is text, got tuple ('a',)"),
    (lambda s: s.kv.default.delete(1.5), "a key is text, got float 1.5"),
    (lambda s: s.kv.default.exists(False), "a key is text, got bool False"),
    (lambda s: s.kv.default.list_keys_page(b"a"), "a prefix is text, got bytes b'a'"),
    (lambda s: s.kv.default.list_keys_page("a", limit="5"), "a list limit is a whole number"),
    (lambda s: s.kv.default.put_with_ttl("a", 1, "60"), "a time to live is a number of seconds"),
    (
        lambda s: s.kv.default.put_bytes("a", "text"),
        "put_bytes takes bytes, got str; write",
    ),
    (lambda s: s.kv.default.put_bytes("a", 5), "put_bytes takes bytes, got int"),
    (lambda s: s.config.default.get(0), "a config key is text, got int 0"),
    (lambda s: s.config.default.get(b"a"), "a config key is text, got bytes"),
    (lambda s: s.secrets.default.require_str(5), "a secret name is text, got int; write str"),
    (lambda s: s.kv[0], "a store id is text, got int 0"),
]


@pytest.mark.parametrize(("call", "message"), CALLS, ids=[message for _, message in CALLS])
def test_wrong_types_are_named(call: Callable[[Any], Any], message: str) -> None:
    """A key, prefix, limit or value of another type is a TypeError with the remedy."""
    with pytest.raises(TypeError, match=re.escape(message)):
        finish(call(stores()))


def test_a_secret_of_a_wrong_type_is_not_quoted() -> None:
    """A name given as bytes could be the secret itself."""
    secrets = stores().secrets
    assert secrets is not None
    with pytest.raises(TypeError) as raised:
        finish(secrets.default.get_bytes(b"hunter2"))  # type: ignore[arg-type]
    assert "hunter2" not in str(raised.value)
