"""Secret stores. Source: edgezero.md, SEC-1 to SEC-12."""

from typing import Final

from edgezero_spin.stores import (
    SecretError,
    SecretNotFoundError,
    SecretStore,
    SecretValidationError,
    Stores,
)
from tests.contracts.case import CaseTable, equal, expect, raises

__all__ = ["CASES"]

CASES: Final = CaseTable()
case = CASES

NAME: Final = "EDGEZERO__STORES__SECRETS__{}__NAME"


def vault(stores: Stores) -> SecretStore:
    """Return the default secret store."""
    if stores.secrets is None:
        raise AssertionError("the app has no secret stores")
    return stores.secrets.default


def answers(error: SecretError, text: str, *secrets: str) -> None:
    """Fail unless a client reads exactly this text, which holds none of the secrets."""
    equal(error.answer, text, "the answer")
    for secret in secrets:
        expect(secret not in error.answer, f"the answer tells {secret!r}")


@case("SEC-1", variables={"api_key": "s3cr\u00e9t"})
async def secrets_are_read_by_name(stores: Stores) -> None:
    """As bytes, as bytes that have to be there, and as text."""
    store = vault(stores)
    equal(await store.get_bytes("api_key"), "s3crét".encode())
    equal(await store.require_bytes("api_key"), "s3crét".encode())
    equal(await store.require_str("api_key"), "s3crét")
    equal(store.store_name, "vault")


@case("TV-85", "SEC-4", variables={"stripe_key": "v"})
async def secret_names_are_lower_cased(stores: Stores) -> None:
    """Upper-case names find Spin's lower-case variables."""
    store = vault(stores)
    equal(await store.get_bytes("STRIPE_KEY"), b"v")
    equal(await store.require_str("Stripe_Key"), "v")


@case("TV-86", "SEC-5", variables={"stripe_key": "v"})
async def secrets_that_are_not_defined_are_none(stores: Stores) -> None:
    """Not declared is not an error by itself."""
    equal(await vault(stores).get_bytes("other_key"), None)


@case("TV-86", "SEC-4", "SEC-5", "SEC-9", variables={"a_b": "v", "ab": "v"})
async def names_that_the_host_refuses(stores: Stores) -> None:
    """Dots and dashes are not translated, so Spin finds the names invalid."""
    store = vault(stores)
    for key in ("a.b", "a-b", "a__b", "a_b_", "1ab", "äb", "a b"):
        for outcome in (store.get_bytes(key), store.require_bytes(key), store.require_str(key)):
            error = await raises(outcome, SecretValidationError, 500)
            answers(error, "internal error: secret lookup failed", key)


@case("TV-87", "SEC-6", variables={"empty": ""})
async def an_empty_secret_is_present(stores: Stores) -> None:
    """It satisfies whoever requires it."""
    store = vault(stores)
    equal(await store.get_bytes("empty"), b"")
    equal(await store.require_bytes("empty"), b"")
    equal(await store.require_str("EMPTY"), "")


@case("TV-84", "SEC-7", "SEC-8", "SEC-12")
async def a_required_secret_that_is_missing(stores: Stores) -> None:
    """The log gets store and key in their own case, the client neither."""
    store = vault(stores)
    for outcome in (store.require_bytes("API_Key"), store.require_str("API_Key")):
        error = await raises(outcome, SecretNotFoundError, 500, "vault/API_Key")
        equal(error.name, "vault/API_Key")
        answers(error, "internal error: required secret is not configured", "vault", "API_Key")


@case("TV-83", "SEC-2", "GEN-2")
async def secret_names_have_rules(stores: Stores) -> None:
    """Empty, too long, control characters, in this order."""
    store = vault(stores)
    for key, text in (
        ("", "secret name cannot be empty"),
        ("k" * 513, "secret name length 513 exceeds limit of 512 bytes"),
        ("あ" * 171, "secret name length 513 exceeds limit of 512 bytes"),
        ("\0" * 513, "secret name length 513 exceeds limit of 512 bytes"),
        ("k\0", "secret name contains invalid control characters"),
        ("k\x85", "secret name contains invalid control characters"),
        ("k\ud800", "secret name is not valid Unicode text"),
    ):
        error = await raises(store.get_bytes(key), SecretValidationError, 500, text)
        answers(error, "internal error: secret lookup failed")


@case("TV-83", "SEC-2", environment={NAME.format("VAULT"): "n" * 513}, variables={"k": "v"})
async def the_name_of_the_secret_store_has_rules(stores: Stores) -> None:
    """It is looked at before the key."""
    text = "secret name length 513 exceeds"
    await raises(vault(stores).get_bytes(""), SecretValidationError, 500, text)
    await raises(vault(stores).get_bytes("k"), SecretValidationError, 500, text)


@case(
    "REG-7",
    "SEC-3",
    "TV-38",
    variables={"key": "v"},
    environment={NAME.format("VAULT"): "prod-a", NAME.format("BACKUP"): "prod-b"},
)
async def all_secret_stores_share_one_namespace(stores: Stores) -> None:
    """Each knows its own name, and finds the same variables."""
    if stores.secrets is None:
        raise AssertionError("the app has no secret stores")
    for id, name in (("vault", "prod-a"), ("backup", "prod-b")):
        store = stores.secrets[id]
        equal(store.store_name, name)
        equal(await store.require_str("KEY"), "v")
