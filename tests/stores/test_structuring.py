"""Decoded values to typed ones: strict, and all problems at once."""

import dataclasses
import datetime
import enum
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, NewType, Optional, TypedDict, TypeVar, Union

import attrs
import pytest

from edgezero_spin.stores.json_values import JsonValueError, ModelRuleError
from edgezero_spin.stores.structuring import structure, structurer

T = TypeVar("T")
UserId = NewType("UserId", int)


class Colour(enum.Enum):
    """Members with values of several types."""

    RED = "red"
    ONE = 1


@attrs.frozen
class Note:
    """Required, optional, private and computed fields."""

    title: str
    count: int = 0
    _secret: str = "s"
    upper: str = attrs.field(init=False, default="")
    parent: Optional["Note"] = None


@attrs.define
class Ruled:
    """Fields with rules of their own."""

    name: str = attrs.field(validator=attrs.validators.min_len(1))
    size: int = attrs.field(default=1, validator=attrs.validators.in_([1, 2]))


@dataclasses.dataclass
class Line:
    """A dataclass with a default of each sort."""

    start: int
    points: list[Note] = dataclasses.field(default_factory=list)
    label: str | None = None


@attrs.frozen
class Circle:
    """One of two classes of a union."""

    radius: float


@attrs.frozen
class Square:
    """The other one."""

    side: int


@attrs.frozen
class Page(Generic[T]):
    """A generic class."""

    items: list[T]


class Options(TypedDict):
    """A typed dictionary."""

    name: str
    sizes: list[int]


@pytest.mark.parametrize(
    ("to", "value", "expected"),
    [
        (Any, {"a": 1}, {"a": 1}),
        (object, None, None),
        (None, None, None),
        (str, "a", "a"),
        (int, 2**70, 2**70),
        (float, 1.5, 1.5),
        (float, 1, 1.0),
        (bool, True, True),
        (list, [1], [1]),
        (list[int], [1, 2], [1, 2]),
        (Sequence[str], ["a"], ["a"]),
        (Iterable[str], [], []),
        (tuple, [1, "a"], (1, "a")),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[int, str], [1, "a"], (1, "a")),
        (set, [1, 1], {1}),
        (set[int], [1, 1], {1}),
        (frozenset[str], ["a"], frozenset({"a"})),
        (dict, {"a": 1}, {"a": 1}),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (Mapping[str, list[int]], {"a": [1]}, {"a": [1]}),
        (dict[int, str], {"-1": "a", "10": "b"}, {-1: "a", 10: "b"}),
        (dict[Colour, int], {"red": 1}, {Colour.RED: 1}),
        (Optional[int], None, None),  # noqa: UP045
        (int | None, 1, 1),
        (Union[str, int], 1, 1),  # noqa: UP007
        (float | int, 1, 1),
        (int | float, 1.0, 1.0),
        (list[int] | str | None, "a", "a"),
        (Note | str, {"title": "t"}, Note("t")),
        (Literal["a", 1], 1, 1),
        (Annotated[int, "positive"], 1, 1),
        (Annotated[int, ["unhashable"]], 1, 1),
        (UserId, 1, 1),
        (Colour, "red", Colour.RED),
        (Colour, 1, Colour.ONE),
        (datetime.date, "2024-02-29", datetime.date(2024, 2, 29)),
        (uuid.UUID, str(uuid.UUID(int=1)), uuid.UUID(int=1)),
        (Note, {"title": "t", "unknown": 1, "upper": 1}, Note("t")),
        (Note, {"title": "t", "_secret": "x"}, Note("t", secret="x")),
        (Note, {"title": "t", "parent": {"title": "p"}}, Note("t", parent=Note("p"))),
        (Line, {"start": 1}, Line(1)),
        (Line, {"start": 1, "points": [{"title": "t"}]}, Line(1, [Note("t")])),
        (Circle | Square, {"side": 1}, Square(1)),
        (Page[int], {"items": [1]}, Page([1])),
        (Page[Note], {"items": [{"title": "t"}]}, Page([Note("t")])),
        (Options, {"name": "n", "sizes": [1]}, {"name": "n", "sizes": [1]}),
    ],
)
def test_values_that_fit(to: Any, value: Any, expected: object) -> None:
    """Each kind of type takes its JSON form."""
    built = structure(value, to)
    assert built == expected
    assert type(built) is type(expected)


@pytest.mark.parametrize(
    ("to", "value", "problems"),
    [
        (str, 1, ["expected a string, got a number @ $"]),
        (str, None, ["expected a string, got null @ $"]),
        (int, "5", ["expected an integer, got a string @ $"]),
        (int, 1.0, ["expected an integer, got a number @ $"]),
        (int, True, ["expected an integer, got a boolean @ $"]),
        (float, True, ["expected a number, got a boolean @ $"]),
        (float, 10**400, ["number out of range @ $"]),
        (bool, 1, ["expected a boolean, got a number @ $"]),
        (None, 0, ["expected null, got a number @ $"]),
        (list[int], {}, ["expected an array, got an object @ $"]),
        (list[int], "ab", ["expected an array, got a string @ $"]),
        (
            list[int],
            [1, "a", 2, None],
            ["expected an integer, got a string @ $[1]", "expected an integer, got null @ $[3]"],
        ),
        (tuple[int, str], [1], ["expected 2 items, got 1 @ $"]),
        (tuple[int, str], ["a", "a"], ["expected an integer, got a string @ $[0]"]),
        (dict[str, int], [], ["expected an object, got an array @ $"]),
        (dict[str, int], {"a": "b"}, ["expected an integer, got a string @ $.a"]),
        (dict[int, int], {"a": 1}, ["expected an integer as key, got 'a' @ $.a"]),
        (dict[int, int], {"1_0": 1}, ["expected an integer as key, got '1_0' @ $.1_0"]),
        (
            int | str,
            None,
            ["expected an integer, got null @ $", "expected a string, got null @ $"],
        ),
        (Literal["a", 1], "b", ["expected one of 'a', 1 @ $"]),
        (Literal[1], True, ["expected one of 1 @ $"]),
        (Literal["a"], [], ["expected one of 'a' @ $"]),
        (Colour, True, ["expected one of 'red', 1 @ $"]),
        (Note, [], ["expected an object, got an array @ $"]),
        (Note, {}, ["required field missing @ $.title"]),
        (
            Note,
            {"title": 1, "count": "x", "parent": {"count": 1}},
            [
                "expected a string, got a number @ $.title",
                "expected an integer, got a string @ $.count",
                "required field missing @ $.parent.title",
            ],
        ),
        (
            Line,
            {"points": [{"title": "t"}, {"title": 2}]},
            [
                "required field missing @ $.start",
                "expected a string, got a number @ $.points[1].title",
            ],
        ),
        (
            Options,
            {"sizes": [1, "a"]},
            ["required field missing @ $.name", "expected an integer, got a string @ $.sizes[1]"],
        ),
        (Page[int], {"items": ["a"]}, ["expected an integer, got a string @ $.items[0]"]),
    ],
)
def test_values_that_do_not_fit(to: Any, value: Any, problems: list[str]) -> None:
    """Every misfit is named with its place, and text is never taken for a number."""
    with pytest.raises(JsonValueError) as raised:
        structure(value, to)
    assert sorted(raised.value.problems) == sorted(problems)
    assert not isinstance(raised.value, ModelRuleError)


def test_text_that_is_no_date() -> None:
    """It is named, and so is what the place has to hold."""
    with pytest.raises(JsonValueError, match=r"@ \$\[0\]$"):
        structure(["2023-02-29"], list[datetime.date])
    with pytest.raises(JsonValueError, match="expected a UUID as a string"):
        structure(1, uuid.UUID)


def test_sets_of_things_that_cannot_be_in_sets() -> None:
    """An array in a set is a misfit and not a crash."""
    with pytest.raises(JsonValueError, match="cannot be in a set"):
        structure([[1]], set[Any])


def test_rules_of_a_model_are_told_from_its_shape() -> None:
    """A validator's refusal has its own class, unless something else is wrong as well."""
    with pytest.raises(ModelRuleError, match="Length of 'name' must be") as raised:
        structure({"name": ""}, Ruled)
    assert raised.value.problems[0].endswith(" @ $")
    with pytest.raises(ModelRuleError, match=r"@ \$\[1\]"):
        structure([{"name": "a"}, {"name": ""}], list[Ruled])
    with pytest.raises(ModelRuleError):
        structure({"k": {"name": "a", "size": 3}}, dict[str, Ruled])
    with pytest.raises(JsonValueError) as mixed:
        structure([{"name": ""}, {"name": 1}], list[Ruled])
    assert not isinstance(mixed.value, ModelRuleError)
    assert len(mixed.value.problems) == 2


@attrs.frozen
class Broken:
    """A class with an annotation that means nothing."""

    field: "Nowhere"  # type: ignore[name-defined] # noqa: F821


@pytest.mark.parametrize(
    "to",
    [bytes, bytearray, Broken, list[bytes], attrs.make_class("M", {"m": attrs.field(type=bytes)})],
)
def test_types_without_a_json_form(to: Any) -> None:
    """They are refused when they are named, and again the next time."""
    for _ in range(2):
        with pytest.raises(TypeError):
            structurer(to)


def test_structurers_are_compiled_once() -> None:
    """The same type gives the same function."""
    assert structurer(Note) is structurer(Note)
    assert structurer(list[Note]) is structurer(list[Note])


def test_a_local_class_may_contain_itself() -> None:
    """Its name need not be visible in its module."""

    @attrs.frozen
    class Tree:
        children: list["Tree"]

    assert structure({"children": [{"children": []}]}, Tree) == Tree([Tree([])])
