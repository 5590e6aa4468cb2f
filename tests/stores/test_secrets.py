"""Secrets on hosts that fail, and values that are not text."""

import traceback

import pytest

from edgezero_spin.stores import (
    MemorySecrets,
    SecretError,
    SecretHandle,
    SecretInternalError,
    SecretNotFoundError,
    SecretStore,
    SecretValidationError,
)
from tests.stores.doubles import FailingSecrets, finish


def test_a_failing_provider_is_an_internal_error() -> None:
    """The log gets the provider's words, the client neither those nor the name."""
    store = SecretStore(SecretHandle(FailingSecrets()), "vault")  # TV-86, SEC-5, SEC-10, SEC-12
    for call in (store.get_bytes("API_KEY"), store.require_bytes("API_KEY")):
        with pytest.raises(SecretInternalError) as raised:
            finish(call)
        assert str(raised.value) == (
            "secret store error: secret lookup failed: vault is sealed, api_key cannot be read"
        )
        assert raised.value.answer == "internal error: secret store operation failed"


def test_a_name_that_the_platform_refuses_is_a_validation_error() -> None:
    """With the platform's words for the log."""  # SEC-5
    store = SecretStore(SecretHandle(FailingSecrets()), "vault")
    with pytest.raises(SecretValidationError, match="not this one"):
        finish(store.require_str("REFUSED"))


def test_a_secret_that_is_no_text() -> None:
    """It can be read as bytes; as text it is an error that does not show the bytes."""  # SEC-7
    store = SecretStore(SecretHandle(MemorySecrets({"key": b"hidden\xff"})), "vault")
    assert finish(store.get_bytes("key")) == b"hidden\xff"
    assert finish(store.require_bytes("key")) == b"hidden\xff"
    with pytest.raises(SecretInternalError, match="secret is not valid UTF-8") as raised:
        finish(store.require_str("key"))
    assert "hidden" not in "".join(traceback.format_exception(raised.value))


def test_the_unbound_handle_takes_the_store_name() -> None:
    """Which is checked first and appears in the log text."""  # SEC-1, SEC-2, TV-83
    handle = SecretHandle(MemorySecrets({"key": "v"}))
    assert finish(handle.get_bytes("any", "KEY")) == b"v"
    assert finish(handle.require_str("any", "KEY")) == "v"
    with pytest.raises(SecretNotFoundError, match=r"^secret not found: any/Other$"):
        finish(handle.require_bytes("any", "Other"))
    for name, text in (
        ("", "cannot be empty"),
        ("n" * 513, "name length 513"),
        ("n\0", "control characters"),
    ):
        with pytest.raises(SecretValidationError, match=text):
            finish(handle.get_bytes(name, "\n" * 600))
    with pytest.raises(SecretError, match="control characters"):
        finish(handle.get_bytes("any", "\n"))


def test_texts_show_no_secrets() -> None:
    """Neither handle nor store prints what it can read."""
    handle = SecretHandle(MemorySecrets({"key": "value"}))
    assert repr(handle) == "SecretHandle()"
    assert repr(SecretStore(handle, "vault")) == "SecretStore('vault')"
