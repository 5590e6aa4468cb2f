"""Fields that name secrets: what their values may be."""

from typing import Any

import pytest

from edgezero_spin.manifest.app_config import check_secrets, variable_name_fault
from edgezero_spin.stores import SecretField, StoreIds

TOKEN = SecretField("secret", "api_token")
OTHER = SecretField("secret", "other_token")
VAULT = SecretField("store_ref", "vault")
DECLARED = StoreIds.of(["default"])


def said(
    tree: dict[str, Any], *fields: SecretField, stores: StoreIds | None = DECLARED
) -> list[str]:
    """What is wrong with the secrets of a tree."""
    return [str(problem) for problem in check_secrets(tree, fields, stores)]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        # TV-126
        *((name, None) for name in ("foo", "foo_bar", "foo__bar", "a1b2")),
        # TV-127, SAN-11
        ("", "must not be empty"),
        ("1foo", "must start with a lower-case letter, not a digit"),
        ("Foo", "must be lowercase"),
        ("foo-bar", "may hold only lowercase letters, digits, underscores"),
        ("fooBar", "must be lowercase"),
        ("_foo", "must start with a lowercase ASCII letter"),
        ("é", "must start with a lowercase ASCII letter"),
        ("foo-Bar", "may hold only lowercase letters, digits, underscores"),
    ],
)
def test_names_of_variables(name: str, fault: str | None) -> None:
    """The first fault from the left is the one that is told."""
    assert variable_name_fault(name) == fault


@pytest.mark.parametrize("tree", [{}, {"api_token": 1}, {"api_token": ["x"]}])
def test_a_secret_has_to_be_a_text(tree: dict[str, Any]) -> None:
    """A missing field and one of another type read the same."""  # SAN-5
    (line,) = said(tree, TOKEN)
    assert "`api_token` is missing or not a string at the top level" in line


@pytest.mark.parametrize("field", [TOKEN, VAULT])
def test_a_secret_has_to_have_a_name(field: SecretField) -> None:
    """The empty text names nothing."""  # SAN-6, TV-123
    (line,) = said({field.name: ""}, field)
    assert f"`{field.name}` must be non-empty" in line


@pytest.mark.parametrize("field", [TOKEN, VAULT])
def test_secrets_need_a_declared_store(field: SecretField) -> None:
    """The manifest has to say that the app uses secrets."""  # SAN-7, SAN-8, TV-123
    (line,) = said({field.name: "default"}, field, stores=None)
    assert "requires [stores.secrets]" in line


def test_a_store_has_to_be_declared() -> None:
    """The id counts as it is written."""  # SAN-8, TV-123
    (line,) = said({"vault": "nope"}, VAULT)
    assert "'nope' is not in [stores.secrets].ids (default)" in line
    assert said({"vault": "Default"}, VAULT)


def test_a_key_has_to_be_the_name_of_a_variable() -> None:
    """Field, value and reason are named."""  # SAN-9, TV-124
    (line,) = said({"api_token": "api-token"}, TOKEN)
    for part in ("`api_token`", "'api-token'", "Spin variable", "only lowercase letters"):
        assert part in line
    assert said({"api_token": "API_Token"}, TOKEN) == []  # compared in lower case


def test_two_keys_may_not_be_one_variable() -> None:
    """Spin lower-cases both, so one would hide the other."""  # SAN-10, TV-125
    (line,) = said({"api_token": "SHARED_NAME", "other_token": "shared_name"}, TOKEN, OTHER)
    assert "'shared_name'" in line and "collides" in line


def test_references_to_stores_are_no_variables() -> None:
    """They meet neither the pattern nor the other names, and config keys meet neither."""
    stores = StoreIds.of(["Not-A-Variable"])  # SAN-12, SAN-13, TV-128
    tree = {"vault": "Not-A-Variable", "api_token": "token", "token": "x", "Not A Variable": 1}
    assert said(tree, VAULT, TOKEN, stores=stores) == []
    assert said({"vault": "default", "default": "default"}, VAULT) == []


def test_all_faults_are_told() -> None:
    """One run names every field to mend."""
    assert len(said({"vault": "x", "api_token": "1"}, VAULT, TOKEN, OTHER)) == 3
