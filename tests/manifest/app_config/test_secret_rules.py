"""Fields that name secrets: what their values may be."""

from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.manifest.app_config import check_secrets
from edgezero_spin.manifest.errors import InvalidManifestError
from edgezero_spin.manifest.spin import parse_spin_manifest
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
        *((name, None) for name in ("foo", "foo_bar", "a1b2", "x_y1_z", "Foo_Bar")),
        # TV-127, SAN-11
        ("1foo", "must start with an ASCII letter"),
        ("foo-bar", "words must be separated with '_', not '-'"),
        ("_foo", "words must not be empty"),
        ("é", "must start with an ASCII letter"),
        ("a.b", "may only contain alphanumeric ASCII"),
        # Names that spin.toml cannot declare.
        ("a_1", "must start with an ASCII letter"),
        ("a__b", "words must not be empty"),
        ("a_", "words must not be empty"),
    ],
)
def test_names_of_variables_are_those_of_spin_toml(name: str, fault: str | None) -> None:
    """What is accepted as a secret can be declared in spin.toml, and nothing else is."""
    lines = said({"api_token": name}, TOKEN)
    assert [fault in line for line in lines] == ([] if fault is None else [True])  # type: ignore[operator]
    manifest = (
        'spin_manifest_version = 2\napplication.name = "a"\n[trigger]\n'
        f'[variables]\n"{name.lower()}" = {{ default = "" }}\n'
    )
    if fault is None:
        parse_spin_manifest(manifest, Path("spin.toml"))
    else:
        with pytest.raises(InvalidManifestError):
            parse_spin_manifest(manifest, Path("spin.toml"))


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
    for part in ("`api_token`", "'api-token'", "Spin variable", "separated with '_'"):
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
