"""What is hidden, and what a person still has to be able to read."""

import pytest

from edgezero_spin.manifest.app_config.secret_words import quoted_reference
from edgezero_spin.project.redaction import without_password, without_values


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379", "redis://localhost:6379"),
        ("redis://user@host", "redis://user@host"),
        ("redis://:pass@host:1/2", "redis://:***@host:1/2"),
        ("rediss://user:pass@host", "rediss://user:***@host"),
        ("redis://user:a@b/c#d?e@host", "redis://user:***@host"),
        ("redis://host?db=1&password=a", "redis://host?db=1&password=***"),
        ("host:1", "host:1"),
    ],
)
def test_a_password_is_hidden(url: str, shown: str) -> None:
    """Host, database and user stay."""
    assert without_password(url) == shown


def test_values_are_hidden_in_what_others_say() -> None:
    """The longest first; short ones are words of any sentence."""
    said = "error: key=swordfish-2, swordfish, true"
    assert without_values(said, ["swordfish", "swordfish-2", "true", ""]) == (
        "error: key=***, ***, true"
    )


@pytest.mark.parametrize(
    "name", ["api-token", "1foo", "foo-bar", "_foo", "Foo", "fooBar", "nope", "db.password2", ""]
)
def test_the_name_of_a_secret_is_quoted(name: str) -> None:
    """So that a person sees which one is wrong."""  # SAN-9, TV-123, TV-124
    assert quoted_reference(name) == repr(name)


@pytest.mark.parametrize(
    "secret",
    ["sk-live-9f8a7b6c", "P@ssw0rd!", "correct horse battery", "a" * 41, "AKIA1B2C3D4E5F6G7H8I"],
)
def test_a_secret_in_its_place_is_not(secret: str) -> None:
    """Its length is all that is told."""
    assert quoted_reference(secret) == f"what is there ({len(secret)} characters, not shown)"
