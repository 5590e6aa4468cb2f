"""A configuration as entries of a store: keys, texts, order, and what has no entry."""

import dataclasses
import datetime
import enum
import json
import tomllib
import uuid
from typing import Any

import attrs
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.manifest.app_config import flatten, tree_of
from edgezero_spin.manifest.errors import Problem
from edgezero_spin.stores import JsonValueError


def entries(text: str) -> dict[str, str]:
    """The entries of a file in order, which must have no problems."""
    return of_tree(tomllib.loads(text))


def of_tree(tree: dict[str, Any]) -> dict[str, str]:
    """The entries of a tree in order, which must have no problems."""
    problems: list[Problem] = []
    found = flatten(tree, problems)
    assert problems == []
    return {entry.key: entry.value for entry in found}


def problems_of(text: str) -> list[str]:
    """What keeps a file from becoming entries."""
    problems: list[Problem] = []
    flatten(tomllib.loads(text), problems)
    return [str(problem) for problem in problems]


def test_tables_join_their_keys_in_bytewise_order() -> None:
    """Depth first, keys sorted at each level, nothing re-cased."""  # FLT-2, FLT-3, TV-117
    found = entries(
        'greeting = "hi"\nZulu = 1\n"é" = 2\n[service]\ntimeout_ms = 1500\n'
        "[service.inner]\ndeep = true\n[service.none]\n"
    )
    assert list(found.items()) == [
        ("Zulu", "1"),
        ("greeting", "hi"),
        ("service.inner.deep", "true"),
        ("service.timeout_ms", "1500"),
        ("é", "2"),
    ]


def test_no_values_are_no_entries() -> None:
    """Empty tables contribute nothing."""  # FLT-4
    assert entries("[a]\n[b.c]\n") == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('""', ""),  # FLT-8, TV-120
        ('"a=b"', "a=b"),
        ("true", "true"),  # FLT-9
        ("false", "false"),
        ("0xff", "255"),  # FLT-10
        ("1_000", "1000"),
        ("-0", "0"),
        ("1.0", "1.0"),  # FLT-11, TV-119
        ("0.1", "0.1"),
        ("100.0", "100.0"),
        ("1e15", "1000000000000000.0"),
        ("1e16", "1e+16"),
        ("1e-5", "0.00001"),
        ("1.5e-6", "1.5e-6"),
        ("-0.0", "-0.0"),
        ('["a","b","c"]', '["a","b","c"]'),  # FLT-14, TV-118
        ("[]", "[]"),
        ('[1, 2.0, "é", {b=1,a=2}]', '[1,2.0,"é",{"a":2,"b":1}]'),
        ("[{when = 2026-01-31}]", '[{"when":"2026-01-31"}]'),
        ("2026-01-31T08:00:00Z", "2026-01-31T08:00:00Z"),  # FLT-15, OPQ-12
        ("2026-01-31 08:00:00.250-07:00", "2026-01-31T08:00:00.25-07:00"),
        ("2026-01-31T08:00:00", "2026-01-31T08:00:00"),
        ("2026-01-31", "2026-01-31"),
        ("07:32:00.5", "07:32:00.5"),
    ],
)
def test_text_of_each_kind_of_value(value: str, text: str) -> None:
    """What the app reads from its config store, character for character."""
    assert entries(f"[table]\nkey = {value}") == {"table.key": text}


def test_what_is_not_set_has_no_entry() -> None:
    """Nulls of a model vanish, but keep their place in a list."""  # FLT-12, FLT-14, TV-120
    assert of_tree({"a": None, "b": [None, 1], "c": {"d": None}}) == {"b": "[null,1]"}


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "[1.0, nan]", "[{x = inf}]"])
def test_numbers_that_are_none_are_refused(value: str) -> None:
    """Neither null nor inf nor nan is ever written."""  # FLT-13, OPQ-13
    (said,) = problems_of(f"[table]\nkey = {value}")
    assert said.startswith("table.key") and "non-finite float" in said


def test_two_values_for_one_key_are_refused() -> None:
    """A quoted dot and a table can mean the same entry; no one would know which won."""
    said = problems_of('"a.b" = 1\n[a]\nb = 2')  # FLT-7, OPQ-14
    assert said == ['"a.b": has the same entry key `a.b` as a.b. Rename one of them.']


class Color(enum.Enum):
    """A choice."""

    RED = "red"


@attrs.frozen
class Section:
    """A model inside another."""

    ratio: float = 0.5
    unset: str | None = None


@attrs.frozen
class Model:
    """One field of each kind that has a form in a file."""

    color: Color = Color.RED
    when: datetime.datetime = datetime.datetime(2026, 1, 31, 8, tzinfo=datetime.UTC)
    id: uuid.UUID = attrs.field(factory=lambda: uuid.UUID(int=1))
    tags: frozenset[str] = frozenset({"b", "a"})
    sections: tuple[Section, ...] = (Section(),)
    limits: dict[int, int] = attrs.field(factory=lambda: {2: 20, 10: 1})
    section: Section = Section()


def test_a_model_has_the_entries_of_its_file() -> None:
    """Typed and raw push write the same texts for dates, sets and inner models."""  # FLT-1
    assert of_tree(tree_of(Model())) == {
        "color": "red",
        "id": "00000000-0000-0000-0000-000000000001",
        "limits.10": "1",
        "limits.2": "20",
        "section.ratio": "0.5",
        "sections": '[{"ratio":0.5,"unset":null}]',
        "tags": '["a","b"]',
        "when": "2026-01-31T08:00:00Z",
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"key": b"x"}, "bytes has no entry text"),
        ([object()], "object has no entry text"),
        ({(1, 2): "x"}, "tuple cannot be the key of a table"),
    ],
)
def test_a_value_without_a_form_is_refused(value: object, message: str) -> None:
    """What no file could hold is not made up."""
    with pytest.raises(JsonValueError, match=message):
        tree_of(value)


@pytest.mark.parametrize("value", ["\ud800", ["\ud800"], [{"\ud800": 1}]])
def test_half_a_surrogate_pair_is_refused(value: object) -> None:
    """A model may hold what no store can; the place is told, the value is not."""
    problems: list[Problem] = []
    flatten({"table": {"key": value}}, problems)
    assert [str(problem) for problem in problems] == [
        "table.key: the text holds half of a surrogate pair"
    ]


@dataclasses.dataclass
class Plain:
    """A model of the standard library, inside one of attrs."""

    size: int = 20


def test_a_dataclass_inside_a_model_is_a_table() -> None:
    """Both sorts of classes have the same entries."""
    assert of_tree(tree_of({"page": Plain()})) == {"page.size": "20"}


_keys = st.text(st.characters(codec="utf-8", exclude_characters="."), min_size=1, max_size=4)
_leaves = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(codec="utf-8"))
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.lists(st.integers() | st.text(st.characters(codec="utf-8")), max_size=3)
)
_trees = st.recursive(
    st.dictionaries(_keys, _leaves, max_size=4),
    lambda inner: st.dictionaries(_keys, _leaves | inner, max_size=4),
    max_leaves=12,
)


@given(tree=_trees)
def test_entries_load_back_equal(tree: dict[str, Any]) -> None:
    """Without dots in keys, every value is found again under its path."""
    found = of_tree(tree)
    rebuilt: dict[str, Any] = {}
    for key, text in found.items():
        *parents, last = key.split(".")
        table: Any = rebuilt
        original: Any = tree
        for name in parents:
            table, original = table.setdefault(name, {}), original[name]
        value = original[last]
        table[last] = text if isinstance(value, str) else json.loads(text)
        assert type(table[last]) is type(value)
    assert rebuilt == _without_empty(tree)


def _without_empty(tree: dict[str, Any]) -> dict[str, Any]:
    kept = {
        name: _without_empty(value) if isinstance(value, dict) else value
        for name, value in tree.items()
    }
    return {name: value for name, value in kept.items() if value != {}}


_toml_keys = st.text(st.sampled_from("abc.- \"'é"), max_size=4)


@given(
    tree=st.recursive(
        st.dictionaries(_toml_keys, st.integers(0, 9), max_size=4),
        lambda inner: st.dictionaries(_toml_keys, inner | st.integers(0, 9), max_size=4),
        max_leaves=10,
    )
)
def test_a_collision_is_always_noticed(tree: dict[str, Any]) -> None:
    """Keys are distinct exactly when no problem was noted, whatever the file holds."""
    problems: list[Problem] = []
    found = flatten(tomllib.loads(tomli_w.dumps(tree)), problems)
    keys = [entry.key for entry in found]
    assert (len(set(keys)) == len(keys)) == (problems == [])
