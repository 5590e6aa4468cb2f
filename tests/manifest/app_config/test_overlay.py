"""Variables over values: which are read, how, and what is refused."""

import datetime
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.manifest.app_config import overlay, variable_prefix
from edgezero_spin.manifest.errors import Problem


def overlaid(tree: dict[str, Any], **environ: str) -> dict[str, Any]:
    """The tree of the app ``app-demo`` with overrides, which must all be right."""
    problems: list[Problem] = []
    found = overlay(tree, "app-demo", environ, problems)
    assert problems == []
    return found


def refused(tree: dict[str, Any], **environ: str) -> str:
    """What is wrong with the overrides of the app ``app-demo``."""
    problems: list[Problem] = []
    overlay(tree, "app-demo", environ, problems)
    return "\n".join(map(str, problems))


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("app-demo", "APP_DEMO"),
        ("my_app", "MY_APP"),
        ("a-b-c", "A_B_C"),
        ("_123app", "_123APP"),
        ("straße", "STRAßE"),
    ],
)
def test_prefix(name: str, prefix: str) -> None:
    """The app's name in ASCII upper case, its hyphens as underscores."""  # OVL-2, TV-108, GEN-4
    assert variable_prefix(name) == prefix


def test_only_values_of_the_file_are_overridden() -> None:
    """A variable replaces what is there and adds nothing."""  # OVL-4, OVL-10, TV-109
    found = overlaid(
        {"greeting": "hi", "empty": "x"},
        APP_DEMO__GREETING="hola",
        APP_DEMO__EMPTY="",
        APP_DEMO__UNKNOWN_KEY="x",
        APP_DEMO="x",
    )
    assert found == {"greeting": "hola", "empty": ""}


def test_names_are_exact_and_keep_hyphens_of_keys() -> None:
    """Case counts; only the app's own hyphens become underscores."""  # OVL-3
    tree = {"dry-run": False, "service": {"timeout_ms": 1}}
    environ = {
        "APP_DEMO__DRY-RUN": "true",
        "APP_DEMO__DRY_RUN": "broken",
        "app_demo__service__timeout_ms": "2",
        "APP_DEMO__SERVICE__TIMEOUT_MS": "3",
    }
    assert overlaid(tree, **environ) == {"dry-run": True, "service": {"timeout_ms": 3}}


def test_the_given_tree_is_left_alone() -> None:
    """An overlay can be made twice from one file."""
    tree = {"service": {"timeout_ms": 1}}
    overlaid(tree, APP_DEMO__SERVICE__TIMEOUT_MS="3")
    assert tree == {"service": {"timeout_ms": 1}}


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        (1, "3000", 3000),  # TV-110
        (1, "+7", 7),
        (1, "-007", -7),
        (1, "9223372036854775807", 2**63 - 1),
        (1, "-9223372036854775808", -(2**63)),
        (1.0, "2", 2.0),
        (1.0, "1.", 1.0),
        (1.0, ".5", 0.5),
        (1.0, "+1.5e-3", 0.0015),
        (1.0, "1E2", 100.0),
        (1.0, "inf", math.inf),
        (False, "true", True),  # TV-111
        (False, "1", True),
        (True, "false", False),
        (True, "0", False),
        (
            datetime.date(2020, 1, 1),
            "2026-01-31T08:00:00Z",
            datetime.datetime(2026, 1, 31, 8, tzinfo=datetime.UTC),
        ),
        (datetime.time(1), "07:32:00.5", datetime.time(7, 32, 0, 500000)),
    ],
)
def test_text_becomes_a_value_of_the_same_type(before: object, text: str, after: object) -> None:
    """A number stays a number and keeps its type."""  # OVL-11, OVL-12, OVL-14, OVL-15
    found = overlaid({"value": before}, APP_DEMO__VALUE=text)["value"]
    assert (found, type(found)) == (after, type(after))


@pytest.mark.parametrize(
    ("before", "texts", "message"),
    [
        pytest.param(
            1,
            [
                "not-a-number",
                "",
                " 1",
                "1_000",
                "1.0",
                "0x10",
                "--1",
                "9223372036854775808",
                "\u0661",
            ],
            "cannot be coerced to integer",
            id="integer",  # OVL-11, TV-110
        ),
        pytest.param(
            1.5,
            ["", " 1.0", "1_0.0", "0x1p3", ".", "e5", "1e", "NaN(1)", "1,5"],
            "cannot be coerced to float",
            id="float",  # OVL-12
        ),
        pytest.param(
            True,
            ["TRUE", "yes", "", "2", " true"],
            "cannot be coerced to boolean (true/false/1/0)",
            id="boolean",  # OVL-14, TV-111
        ),
        pytest.param(
            datetime.date(2020, 1, 1),
            ["", "tomorrow", "2020-13-01", "1", "2020-01-01 # x", "2020-01-01\nb = 1", "1.5"],
            "cannot be coerced to datetime",
            id="datetime",  # OVL-15
        ),
    ],
)
def test_text_of_another_type_is_refused(before: object, texts: list[str], message: str) -> None:
    """The message names the variable with its value and the type that was wanted."""
    for text in texts:
        said = refused({"table": {"value": before}}, APP_DEMO__TABLE__VALUE=text)
        assert f"table.value: env var APP_DEMO__TABLE__VALUE={text} {message}" in said


def test_lists_cannot_be_overridden() -> None:
    """A variable that addresses a list is an error; one beneath it addresses nothing."""
    tree = {"tags": ["a"], "rows": [{"cell": 1}], "table": {"key": 1}}
    said = refused(tree, APP_DEMO__TAGS="b", APP_DEMO__ROWS="x")  # OVL-5, TV-115
    assert said.count("cannot override array / table values") == 2
    # Neither a table nor the items of a list have a variable of their own.
    assert overlaid(tree, APP_DEMO__TABLE="x", APP_DEMO__ROWS__CELL="2") == tree  # OVL-5


@pytest.mark.parametrize("tree", [{"foo__bar": 1}, {"outer": {"inner__key": 1}}])
def test_keys_with_the_separator_are_refused(tree: dict[str, Any]) -> None:
    """Such a key could be meant by two variables, so it may not be there at all."""
    said = refused(tree)  # OVL-6, TV-113
    assert "`foo__bar`" in said or "outer.inner__key: the key `inner__key`" in said
    assert "reserved as env-overlay segment separator" in said


def test_keys_that_one_variable_means_are_refused() -> None:
    """Two keys that differ in case only, without any variable being set."""
    said = refused({"greeting_a": 1, "GREETING_A": 2})  # OVL-7, TV-112
    for part in ("`greeting_a`", "`GREETING_A`", "segment GREETING_A"):
        assert part in said
    assert "rename one to disambiguate" in said


def test_everything_wrong_is_told_at_once() -> None:
    """One run names all the keys and variables to mend."""  # OVL-8
    tree = {"a__b": 1, "count": 1, "tags": [], "deep": {"on": True}}
    said = refused(tree, APP_DEMO__COUNT="x", APP_DEMO__TAGS="x", APP_DEMO__DEEP__ON="x")
    assert said.count("\n") == 3


_keys = st.text(st.sampled_from("abcdefghij-"), min_size=1, max_size=5)
_values = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.floats()
_trees = st.recursive(
    st.dictionaries(_keys, _values, max_size=4),
    lambda inner: st.dictionaries(_keys, _values | inner, max_size=4),
    max_leaves=12,
)


@given(tree=_trees)
def test_an_overlay_keeps_shape_and_types(tree: dict[str, Any]) -> None:
    """Overriding every value by its own text gives the same tree back."""
    environ: dict[str, str] = {}

    def collect(table: dict[str, Any], name: str) -> None:
        for key, value in table.items():
            inner = f"{name}__{key.upper()}"
            if isinstance(value, dict):
                collect(value, inner)
            else:
                environ[inner] = str(value).lower() if isinstance(value, bool) else str(value)

    collect(tree, "APP_DEMO")
    assert repr(overlaid(tree, **environ)) == repr(tree)
