"""Which sentences of an exception a client may read: the program's, not the interpreter's."""

import uuid
from collections.abc import Callable
from decimal import Decimal

import attrs
import pytest
from attrs.validators import min_len

from edgezero_spin.stores.rule_text import RULE_ERRORS, rule_text


def _own() -> None:
    raise ValueError("no  such\ncolour")


def _own_from_another() -> None:
    try:
        int("x")
    except ValueError as error:
        raise ValueError("not a port") from error


def _again() -> None:
    try:
        int("x")
    except ValueError:
        raise


def _validator() -> None:
    attrs.make_class("C", {"a": attrs.field(validator=min_len(1))})("")


@pytest.mark.parametrize(
    ("fail", "text"),
    [
        (_own, "no such colour"),
        (_own_from_another, "not a port"),
        (_validator, "Length of 'a' must be >= 1: 0"),
        (_again, None),
        (lambda: int("hunter2"), None),
        (lambda: uuid.UUID("hunter2"), None),
        (lambda: Decimal("hunter2"), None),
        (lambda: dict[str, str]()["hunter2"], None),
        (lambda: b"\xff".decode(), None),
    ],
)
def test_whose_sentence(fail: Callable[[], object], text: str | None) -> None:
    """A raise statement of the program or of attrs is shown, everything else is not."""
    with pytest.raises(RULE_ERRORS) as raised:
        fail()
    assert rule_text(raised.value) == text


def test_an_error_that_was_never_raised() -> None:
    """Nobody is known to have written its text."""
    assert rule_text(ValueError("x")) is None
