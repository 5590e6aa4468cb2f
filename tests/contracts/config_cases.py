"""Config stores. Source: edgezero.md, CFG-1 to CFG-7."""

from typing import Final

from edgezero_spin.stores import (
    ConfigStore,
    ConfigUnavailableError,
    InvalidConfigKeyError,
    Stores,
)
from tests.contracts.case import CaseTable, equal, expect, raises

__all__ = ["CASES"]

CASES: Final = CaseTable()
case = CASES

CONTRACT: Final = {"contract.key.a": b"value_a", "contract.key.b": b"value_b"}


def settings(stores: Stores) -> ConfigStore:
    """Return the default config store."""
    if stores.config is None:
        raise AssertionError("the app has no config stores")
    return stores.config.default


@case("TV-82", "CFG-7", kv={"settings": CONTRACT})
async def config_values_are_read_by_key(stores: Stores) -> None:
    """Hit, second key, miss, other case, and the same again."""
    config = settings(stores)
    for _ in range(2):
        equal(await config.get("contract.key.a"), "value_a")
        equal(await config.get("contract.key.b"), "value_b")
        equal(await config.get("contract.key.missing"), None)
        equal(await config.get("Contract.Key.A"), None)
        equal(await config.get("CONTRACT.KEY.A"), None)


@case("TV-82", "CFG-5", kv={"settings": CONTRACT})
async def an_empty_config_key_is_nothing(stores: Stores) -> None:
    """It does not crash."""
    equal(await settings(stores).get(""), None)


@case(
    "TV-80",
    "CFG-1",
    kv={"settings": {"feature.new_checkout": b"false", "service.timeout_ms": b"1500"}},
)
async def dotted_config_keys_are_taken_as_they_are(stores: Stores) -> None:
    """Dots are not translated."""
    config = settings(stores)
    equal(await config.get("feature.new_checkout"), "false")
    equal(await config.get("service.timeout_ms"), "1500")
    equal(await config.get("feature__new_checkout"), None)


@case(
    "CFG-1", kv={"settings": {"k" * 600: b"long", "with\ttab": b"", ".": b"dot", "é": "ü".encode()}}
)
async def config_keys_have_no_rules(stores: Stores) -> None:
    """Length and characters are the host's business, and empty text is a value."""
    config = settings(stores)
    equal(await config.get("k" * 600), "long")
    equal(await config.get("with\ttab"), "")
    equal(await config.get("."), "dot")
    equal(await config.get("é"), "ü")


@case("TV-81", "CFG-2", kv={"settings": {"binary": b"\xff\xfe"}})
async def config_bytes_that_are_not_text(stores: Stores) -> None:
    """The error names store and key and is worth a retry after an operator's look."""
    error = await raises(
        settings(stores).get("binary"),
        ConfigUnavailableError,
        503,
        "non-utf8 value for `binary`",
        "store `settings`",
    )
    expect("non-utf8 value for `binary`" in error.answer, f"the answer is {error.answer!r}")


@case("CFG-5")
async def half_a_surrogate_pair_is_no_config_key(stores: Stores) -> None:
    """It is an invalid key, not a crash."""
    await raises(settings(stores).get("\ud800"), InvalidConfigKeyError, 400)


@case("REG-4", kv={"settings": {"k": b"one"}, "extra": {"k": b"two"}})
async def config_stores_are_separate(stores: Stores) -> None:
    """Several config stores may be declared."""
    if stores.config is None:
        raise AssertionError("the app has no config stores")
    equal(await stores.config["settings"].get("k"), "one")
    equal(await stores.config["extra"].get("k"), "two")


@case(
    "ENV-15",
    kv={"settings": {"k": b"settings"}, "renamed": {"k": b"renamed"}},
    environment={"EDGEZERO__STORES__CONFIG__SETTINGS__NAME": "renamed"},
)
async def the_environment_names_the_config_label(stores: Stores) -> None:
    """The label is the one that the operator set."""
    equal(await settings(stores).get("k"), "renamed")
