"""Which store an id opens. Source: edgezero.md, REG-1 to REG-9, ENV-1 to ENV-18."""

from typing import Any, Final

from edgezero_spin.stores import Registry, StoreOpenError, Stores, UndeclaredStoreError
from tests.contracts.case import CaseTable, equal, expect

__all__ = ["CASES"]

CASES: Final = CaseTable()
case = CASES

KV_NAME: Final = "EDGEZERO__STORES__KV__MAIN__NAME"


async def failure_of(registry: Registry[Any] | None, id: str) -> Exception:
    """Return what asking for a store and opening it raises."""
    if registry is None:
        raise AssertionError("the app declares no such kind of store")
    try:
        store = registry[id]
        await store.open()
    except (StoreOpenError, UndeclaredStoreError) as error:
        return error
    raise AssertionError(f"{store!r} was opened")


async def holds(stores: Stores, expected: str) -> None:
    """Fail unless the default key-value store is the one with this mark."""
    if stores.kv is None:
        raise AssertionError("the app has no key-value stores")
    equal(await stores.kv.default.get("mark"), expected, "the mark of the store")


MARKS: Final = {"main": {"mark": b'"main"'}, "renamed": {"mark": b'"renamed"'}}


@case("TV-88", "REG-1")
async def registries_list_their_ids_sorted(stores: Stores) -> None:
    """With the declared default, and nothing for an id that is not declared."""
    if stores.kv is None or stores.config is None or stores.secrets is None:
        raise AssertionError("a declared kind is missing")
    equal(stores.kv.ids(), ("absent", "main", "other"))
    equal(stores.kv.default_id, "main")
    equal(stores.config.ids(), ("extra", "missing", "settings"))
    equal(stores.secrets.ids(), ("backup", "vault"))
    equal(stores.kv.named("nowhere"), None)
    expect(stores.kv.named("main") is stores.kv["main"], "named() opens another store")
    expect("main" in stores.kv and "nowhere" not in stores.kv, "`in` does not tell")


@case("EXT-14", "REG-1")
async def an_undeclared_id_is_a_clear_error(stores: Stores) -> None:
    """It names the id and those that exist; case counts."""
    for id in ("nowhere", "Main", ""):
        error = await failure_of(stores.kv, id)
        expect(isinstance(error, UndeclaredStoreError), f"raised {error!r}")
        expect(f"'{id}'" in str(error), f"{error} does not name the id")
        expect("absent, main, other" in str(error), f"{error} does not name the others")


@case("TV-1", "ENV-15", "KV-28", kv=MARKS, environment={KV_NAME: "renamed"})
async def the_environment_names_the_label(stores: Stores) -> None:
    """The operator's label is opened, not the id."""
    await holds(stores, "renamed")


@case("ENV-2", "ENV-6", kv=MARKS, environment={"EDGEZERO__stores__Kv__mAIN__name": "renamed"})
async def the_case_of_segments_does_not_count(stores: Stores) -> None:
    """Only the prefix of the variable is exact."""
    await holds(stores, "renamed")


@case("TV-2", "ENV-15", kv=MARKS, environment={KV_NAME: " \t "})
async def a_blank_label_counts_as_unset(stores: Stores) -> None:
    """The id is the label."""
    await holds(stores, "main")


@case("ENV-1", "ENV-3", kv=MARKS, environment={"edgezero__STORES__KV__MAIN__NAME": "renamed"})
async def other_variables_are_not_read(stores: Stores) -> None:
    """The prefix is compared exactly."""
    await holds(stores, "main")


@case("TV-90", "REG-5", environment={"EDGEZERO__STORES__KV__ABSENT__NAME": "forbidden"})
async def a_label_that_is_not_granted(stores: Stores) -> None:
    """The error names label and id; other stores work."""
    error = await failure_of(stores.kv, "absent")
    for text in (
        "Spin KV store 'forbidden' (id",
        "absent",
        "is explicitly configured but could not be opened",
        "kv store error: failed to open kv store: ",
        "access-denied",
    ):
        expect(text in str(error), f"{str(error)!r} does not hold {text!r}")
    if not isinstance(error, StoreOpenError):
        raise AssertionError(f"raised {error!r}")
    equal(error.status, 500)
    expect("forbidden" not in error.answer, "the answer tells the label")
    if stores.kv is not None:
        await stores.kv.default.put("k", 1)


@case("REG-6", "CFG-3")
async def a_config_label_that_is_not_granted(stores: Stores) -> None:
    """The error says where to grant it."""
    error = await failure_of(stores.config, "missing")
    for text in (
        "config store id",
        "(label",
        "missing",
        "failed to open",
        "config store error: ",
        "key_value_stores",
        "runtime-config.toml",
        "access-denied",
    ):
        expect(text in str(error), f"{str(error)!r} does not hold {text!r}")


@case("design: lazy stores", "REG-8")
async def a_store_that_nobody_asks_for_is_not_opened(stores: Stores) -> None:
    """Ids behind labels that are not granted do no harm until they are used."""
    if stores.kv is None:
        raise AssertionError("the app has no key-value stores")
    await stores.kv["other"].put("k", 1)
    equal(await stores.kv["other"].get("k"), 1)
