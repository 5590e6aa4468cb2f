"""Registries, and how a declaration opens."""

import pytest

from edgezero_spin.stores import (
    BackendError,
    MemoryPlatform,
    Registry,
    SecretBackend,
    SecretInternalError,
    StoreDeclaration,
    StoreIds,
    StoreOpenError,
    UndeclaredStoreError,
    open_on_platform,
)
from tests.stores.doubles import Platform, finish


def test_a_registry_of_open_stores() -> None:
    """Ids are sorted, the default is the named one, unknown ids are none or an error."""
    registry = Registry.of({"sessions": 1, "cache": 2}, "cache")  # TV-88, REG-1
    assert registry.ids() == ("cache", "sessions")
    assert registry.default_id == "cache"
    assert registry.default == 2
    assert registry.named("sessions") == 1
    assert registry.named("missing") is None
    assert repr(registry) == "Registry(cache, sessions; default cache)"
    with pytest.raises(UndeclaredStoreError) as raised:
        registry["missing"]
    assert isinstance(raised.value, LookupError)
    assert raised.value.declared == ("cache", "sessions")


def test_a_default_that_is_not_registered() -> None:
    """The constructor refuses it, the tolerant one returns None."""  # TV-89, REG-2
    with pytest.raises(ValueError, match=r"'x' is not present among the registered ids \(a\)"):
        Registry.of({"a": 1}, "x")
    with pytest.raises(ValueError, match="is not present"):
        Registry[int].of({}, "x")
    assert Registry.or_none({"a": 1}, "x") is None
    assert Registry[int].or_none({}, "x") is None
    tolerant = Registry.or_none({"a": 1}, "a")
    assert tolerant is not None
    assert tolerant.default == 1


def test_a_registry_of_one() -> None:
    """The only id is the default."""  # REG-2, SPN-9, TV-45
    registry = Registry.single_id("default", "store")
    assert registry.ids() == ("default",)
    assert registry.default == "store"
    assert registry.named("sessions") is None


def test_stores_are_opened_once_each_at_first_use() -> None:
    """Nothing is opened before, and nothing twice."""
    opened: list[str] = []

    def open_store(id: str) -> list[str]:
        opened.append(id)
        return []  # a store that is falsy is a store

    registry = Registry("kv", StoreIds.of(["b", "a", "c"], "a"), open_store)
    assert "b" in registry
    assert registry.named("nowhere") is None
    assert opened == []
    assert registry.default is registry["a"]
    assert registry.named("a") is registry["a"]
    assert opened == ["a"]
    registry.open_all()
    assert opened == ["a", "b", "c"]


def test_a_store_that_failed_to_open_is_tried_again() -> None:
    """A failure is not kept."""
    attempts: list[str] = []

    def open_store(id: str) -> str:
        attempts.append(id)
        if len(attempts) == 1:
            raise StoreOpenError("kv", id, id, "busy")
        return "store"

    registry = Registry("kv", StoreIds.of(["a"]), open_store)
    with pytest.raises(StoreOpenError):
        _ = registry.default
    assert registry.default == "store"


ALL = StoreDeclaration(
    kv=StoreIds.of(["b", "a"], "a"),
    config=StoreIds.of(["d", "c"], "c"),
    secrets=StoreIds.of(["s"]),
)


def test_kinds_that_are_not_declared_have_no_registry() -> None:
    """And the environment is not looked at."""  # REG-3
    stores = open_on_platform(StoreDeclaration(), MemoryPlatform(), lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    assert stores.kv is None
    assert stores.config is None
    assert stores.secrets is None


def test_nothing_is_opened_before_it_is_used() -> None:
    """Neither stores nor secrets nor the environment; the environment is then read once."""
    reads: list[int] = []

    def environ() -> dict[str, str]:
        reads.append(1)
        return {"EDGEZERO__STORES__KV__A__NAME": "prod"}

    platform = Platform("prod", "c")
    stores = open_on_platform(ALL, platform, environ)
    assert stores.kv is not None
    assert stores.config is not None
    assert stores.secrets is not None
    assert (platform.opened, platform.asked_for_secrets, reads) == ([], 0, [])
    _ = stores.kv.default, stores.config.default, stores.secrets.default
    assert (platform.opened, platform.asked_for_secrets, reads) == (["prod", "c"], 1, [1])


def test_eager_stores_are_opened_in_order_of_declaration() -> None:
    """All key-value stores, then all config stores; secrets need no opening."""  # REG-9
    platform = Platform("a", "b", "c", "d")
    open_on_platform(ALL, platform, dict, eager=True)
    assert platform.opened == ["b", "a", "d", "c"]


def test_an_eager_failure_stops_the_rest() -> None:
    """The next kind is not touched, and the error names label and id."""  # TV-90, REG-5, REG-9
    platform = Platform("b", "c", "d")
    with pytest.raises(StoreOpenError) as raised:
        open_on_platform(
            ALL, platform, lambda: {"EDGEZERO__STORES__KV__A__NAME": "prod"}, eager=True
        )
    assert platform.opened == ["b", "prod"]
    assert "'prod' (id `a`) is explicitly configured but could not be opened" in str(raised.value)
    assert "kv store error: failed to open kv store: no-such-store" in str(raised.value)
    assert isinstance(raised.value.__cause__, BackendError)


def test_an_eager_failure_of_a_config_store() -> None:
    """The error says where labels are granted."""  # REG-6, CFG-3
    with pytest.raises(StoreOpenError) as raised:
        open_on_platform(ALL, Platform("a", "b", "d"), dict, eager=True)
    for text in ("config store id `c` (label `c`) failed to open", "runtime-config.toml"):
        assert text in str(raised.value)


def test_each_snapshot_of_the_environment_counts_anew() -> None:
    """Two requests with different environments open different labels."""  # ENV-8
    platform = Platform("one", "two")
    environ = {"EDGEZERO__STORES__KV__A__NAME": "one"}
    for label in ("one", "two"):
        environ["EDGEZERO__STORES__KV__A__NAME"] = label
        stores = open_on_platform(ALL, platform, lambda: environ)
        assert stores.kv is not None
        assert repr(stores.kv.default) == f"KeyValueStore('{label}')"


class NoSecrets(MemoryPlatform):
    """A platform without variables."""

    def secrets(self) -> SecretBackend:  # type: ignore[override]
        """Fail."""
        raise BackendError("this world imports no variables")


def test_a_platform_without_secrets() -> None:
    """It fails when a secret is asked for, as an error that tells clients nothing."""  # SEC-12
    stores = open_on_platform(StoreDeclaration(secrets=StoreIds.of(["s"])), NoSecrets(), dict)
    assert stores.secrets is not None
    with pytest.raises(SecretInternalError) as raised:
        _ = stores.secrets.default
    assert raised.value.answer == "internal error: secret store operation failed"


def test_what_a_test_puts_into_the_platform_is_seen() -> None:
    """The dictionaries of the memory platform are alive in both directions."""

    async def run() -> None:
        platform = MemoryPlatform(kv={"a": {"k": b"1"}}, variables={"v": "one"})
        stores = open_on_platform(ALL, platform, dict)
        assert stores.kv is not None
        assert stores.secrets is not None
        assert await stores.kv.default.get("k") == 1
        await stores.kv.default.put("k", 2)
        assert platform.kv == {"a": {"k": b"2"}}
        platform.variables["v"] = "two"
        assert await stores.secrets.default.require_str("v") == "two"

    finish(run())
