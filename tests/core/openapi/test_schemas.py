"""Schemas say what is read: a validator and the reader of bodies agree about every value."""

import dataclasses
import enum
from collections import deque
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import attrs
import pytest
from attrs import validators
from jsonschema import Draft202012Validator

from edgezero_spin import Alias, Ge, Gt, Le, Lt, MaxLen, MinLen, converter
from edgezero_spin.core.openapi import Description, Example, register_schema
from edgezero_spin.core.openapi.schemas import Schemas
from edgezero_spin.stores import JsonValueError, structurer

T = TypeVar("T")
UserId = NewType("UserId", int)


class Colour(enum.StrEnum):
    """A choice of texts."""

    RED = "red"
    BLUE = "blue"


class Level(enum.Enum):
    """A choice of numbers."""

    LOW = 1
    HIGH = 2


@attrs.frozen
class Note:
    """A class with all sorts of fields.

    Attributes:
        title: Not for clients.
    """

    title: Annotated[str, MinLen(1)]
    text: str = ""
    tags: list[str] = attrs.field(factory=list, validator=validators.max_len(2))
    count: int = attrs.field(default=1, validator=[validators.ge(1), validators.lt(9)])
    code: str = attrs.field(default="A1", validator=validators.matches_re(r"[A-Z]\d+"))
    size: str = attrs.field(default="s", validator=validators.in_(["s", "m"]))
    sender: Annotated[str | None, Alias("from")] = None
    children: "list[Note]" = attrs.field(factory=list)


@dataclasses.dataclass
class Page(Generic[T]):
    """A generic class."""

    items: list[T]
    next: T | None = None
    extra: dict[str, int] = dataclasses.field(default_factory=dict)


class Movie(TypedDict):
    """A typed dictionary."""

    name: str
    year: NotRequired[int]


class Point(NamedTuple):
    """An array with names."""

    x: float
    y: float = 0.0


@attrs.frozen
class Card:
    """One way to pay."""

    number: str
    kind: Literal["card"] = "card"


@attrs.frozen
class Transfer:
    """Another one."""

    iban: str
    kind: Literal["transfer"] = "transfer"


# Type, values that are read, values that are refused.
CASES: list[tuple[Any, list[Any], list[Any]]] = [
    (str, ["", "é"], [1, None, ["a"]]),
    (int, [0, -5], ["5", 1.5, True, None]),
    (float, [0, 1.5], ["1", True, None]),
    (bool, [True, False], [0, "true"]),
    (None, [None], [0, ""]),
    (Any, [1, "a", None, {"a": []}], []),
    (str | None, ["a", None], [1]),
    (int | str, [1, "a"], [None, []]),
    (list[int], [[], [1, 2]], [{}, ["a"], "ab"]),
    (set[str], [["a", "b"], []], [[1], "a"]),
    (deque[int], [[1]], ["a"]),
    (tuple[int, ...], [[], [1]], [["a"]]),
    (tuple[int, str], [[1, "a"]], [[1], [1, 2], [1, "a", 3]]),
    (dict[str, int], [{}, {"a": 1}], [{"a": "b"}, []]),
    (dict[Colour, int], [{"red": 1}], [{"green": 1}]),
    (Literal["a", 1], ["a", 1], ["b", 2, True]),
    (Colour, ["red"], ["green", 1]),
    (Level, [1], [3, "1"]),
    (UserId, [1], ["a"]),
    (Annotated[int, Ge(1), Le(5)], [1, 5], [0, 6]),
    (Annotated[float, Gt(0), Lt(1)], [0.5], [0, 1]),
    (Annotated[str, MinLen(2), MaxLen(3)], ["ab", "abc"], ["a", "abcd"]),
    (Annotated[list[int], MinLen(1)], [[1]], [[]]),
    (Annotated[int | None, Ge(1)], [1, None], ["a"]),
    (date, ["2026-11-30"], ["today", 1]),
    (datetime, ["2026-11-30T08:00:00+00:00"], ["never", 1]),
    (time, ["08:00:00+00:00"], ["noon", 1]),
    (UUID, ["6f1c1c1e-9d0a-4b6e-8f1e-0123456789ab"], ["6f1c", 1]),
    (timedelta, ["P1DT2H"], [1]),
    (IPv4Address, ["10.0.0.1"], ["10.0.0", 1]),
    (IPv6Address, ["::1"], ["10.0.0.1", 1]),
    (Decimal, ["9.50"], [None, []]),
    (
        Note,
        [
            {"title": "a"},
            {"title": "a", "from": None, "unknown": 1, "children": [{"title": "b"}]},
            {"title": "a", "count": 8, "code": "B12", "size": "m", "tags": ["x"]},
        ],
        [
            {},
            {"title": ""},
            {"title": "a", "count": 0},
            {"title": "a", "count": 9},
            {"title": "a", "code": "b"},
            {"title": "a", "code": "A1x"},
            {"title": "a", "size": "l"},
            {"title": "a", "tags": ["x", "y", "z"]},
            {"title": "a", "from": 1},
            {"title": "a", "children": [{}]},
            [],
        ],
    ),
    (Page[int], [{"items": [1], "next": 2}, {"items": []}], [{"items": ["a"]}, {}]),
    (Page[Note], [{"items": [{"title": "a"}], "next": None}], [{"items": [{}]}]),
    (Movie, [{"name": "a"}, {"name": "a", "year": 1}], [{"year": 1}, {"name": 1}]),
    (Point, [[1.5], [1, 2]], [[], ["a"], [1, 2, 3]]),
    (
        Card | Transfer,
        [{"number": "1", "kind": "card"}, {"iban": "1", "kind": "transfer"}],
        [{"number": "1", "kind": "transfer"}, {"number": "1"}, {"kind": "cash"}],
    ),
    (list[Card | None], [[None, {"number": "1"}]], [[{}]]),
]


def validator_of(hint: Any) -> Draft202012Validator:
    """A validator of the schema of a type."""
    schemas = Schemas()
    schema = {**schemas.of(hint), "components": {"schemas": schemas.components}}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.mark.parametrize(("hint", "taken", "refused"), CASES, ids=[str(c[0]) for c in CASES])
def test_the_schema_takes_what_the_reader_takes(
    hint: Any, taken: list[Any], refused: list[Any]
) -> None:
    """And refuses what it refuses."""
    validator = validator_of(hint)
    read = structurer(hint)
    for value in taken:
        read(value)
        validator.validate(value)
    for value in refused:
        with pytest.raises(JsonValueError):
            read(value)
        assert not validator.is_valid(value), value


def test_classes_are_components_with_names_of_their_own() -> None:
    """Of a generic class one for each use; two of one name are told apart by their modules."""
    other = attrs.make_class("Note", {"x": attrs.field(type=int)})
    schemas = Schemas()
    for hint in (Note, Page[Note], Page[str], other):
        schemas.of(hint)
    names = sorted(schemas.components)
    assert names[:3] == ["Note", "Page_Note", "Page_str"] and len(names) == 4
    assert schemas.components["Note"]["description"] == "A class with all sorts of fields."
    assert schemas.components["Page_str"]["properties"]["items"] == {
        "type": "array",
        "items": {"type": "string"},
    }


def test_descriptions_and_examples_are_kept() -> None:
    """On fields and on types; a default is as JSON has it."""
    schemas = Schemas()
    hint = Annotated[str, Description("A name."), Example("Ada", "Bob")]
    assert schemas.of(hint) == {
        "type": "string",
        "description": "A name.",
        "examples": ["Ada", "Bob"],
    }

    @attrs.frozen
    class Sale:
        price: Decimal = Decimal("9.50")
        id: int = attrs.field(init=False, default=7)

    schemas.of(Sale)
    properties = schemas.components["Sale"]["properties"]
    assert properties["price"] == {"type": "string", "format": "decimal", "default": "9.50"}
    assert properties["id"] == {"type": "integer", "readOnly": True}


def test_a_type_of_the_program_has_the_schema_that_it_was_given() -> None:
    """Without one it is anything."""

    class Money:
        pass

    converter.register_structure_hook(Money, lambda value, _: Money())
    assert Schemas().of(Money) == {}
    register_schema(Money, {"type": "string", "pattern": "^[0-9]+ EUR$"})
    assert Schemas().of(list[Money])["items"]["pattern"] == "^[0-9]+ EUR$"
