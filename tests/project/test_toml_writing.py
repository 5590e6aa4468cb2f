"""Values on one line: what is written is read back as the same."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.project.toml_writing import inline_toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.one_of(
    TEXT,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.datetimes(),
    st.dates(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=8,
)


@given(VALUES)
def test_every_value_survives(value: Any) -> None:
    """Any value of TOML, on one line, is the same value again."""
    text = inline_toml(value)
    assert "\n" not in text
    assert tomllib.loads(f"k = {text}") == {"k": value}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, "b"], "c d": True}, '{ a = [1, "b"], "c d" = true }'),
        ({}, "{}"),
        ([], "[]"),
        ("a\x7f\n", '"a\\u007f\\n"'),
    ],
)
def test_how_it_is_written(value: Any, text: str) -> None:
    """As a person would write it, control characters escaped."""
    assert inline_toml(value) == text
