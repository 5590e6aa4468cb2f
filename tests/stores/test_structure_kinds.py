"""Kinds of types that JSON does not know: read strictly, written in the same form."""

import datetime
import enum
import ipaddress
import uuid
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
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

import attrs
import pytest
from attrs.validators import ge
from hypothesis import example, given
from hypothesis import strategies as st

from edgezero_spin.stores import Alias, JsonValueError, ModelRuleError, converter, decode, encode
from edgezero_spin.stores.structuring import structure, structurer

T = TypeVar("T")
Email = NewType("Email", str)


class Level(enum.IntEnum):
    """Numbers with names."""

    LOW = 1


class Colour(enum.StrEnum):
    """Text with names."""

    RED = "red"


@attrs.frozen
class Page(Generic[T]):
    """A generic class."""

    items: list[T]
    next: "Page[T] | None" = None


@attrs.frozen
class Mail:
    """Fields that Python cannot name."""

    sender: Annotated[str, Alias("from")]
    id: Annotated[int | None, Alias("@id")] = None


@attrs.frozen
class Circle:
    """Tagged."""

    radius: float
    kind: Literal["circle"] = "circle"


@attrs.frozen
class Square:
    """Tagged, under another tag."""

    side: int
    kind: Literal["square", "box"] = "square"


@attrs.frozen
class Named:
    """Told apart by what it requires."""

    name: str


@attrs.frozen
class Sized:
    """Told apart by what it requires."""

    size: int = attrs.field(validator=ge(0))


class Event(TypedDict):
    """A typed dictionary with a date."""

    day: datetime.date
    tags: NotRequired[list[str]]


class Point(NamedTuple):
    """A tuple with names and a default."""

    x: int
    y: int = 0


@attrs.frozen
class Tree:
    """Contains itself in every sort of container."""

    children: "dict[str, Tree]" = attrs.Factory(dict)
    twin: "Tree | Named | None" = None


BOTH_WAYS: list[tuple[Any, Any, Any]] = [
    (Decimal, "1.50", Decimal("1.50")),
    (datetime.timedelta, "P1DT2H3M4.5S", datetime.timedelta(1, 7384, 500000)),
    (datetime.timedelta, "-PT1S", datetime.timedelta(seconds=-1)),
    (datetime.timedelta, "PT0S", datetime.timedelta()),
    (datetime.time, "10:30:00", datetime.time(10, 30)),
    (ipaddress.IPv4Address, "192.0.2.1", ipaddress.IPv4Address("192.0.2.1")),
    (ipaddress.IPv6Network, "2001:db8::/32", ipaddress.IPv6Network("2001:db8::/32")),
    (
        ipaddress.IPv4Address | ipaddress.IPv6Address,
        "::1",
        ipaddress.IPv6Address("::1"),
    ),
    (uuid.UUID, str(uuid.UUID(int=7)), uuid.UUID(int=7)),
    (Level, 1, Level.LOW),
    (Colour, "red", Colour.RED),
    (Literal[Colour.RED], "red", Colour.RED),
    (Email, "a@b", "a@b"),
    (deque[int], [1, 2], deque([1, 2])),
    (Page[str], {"items": ["a"], "next": None}, Page(["a"])),
    (
        Page[datetime.date],
        {"items": [], "next": {"items": ["2024-02-29"], "next": None}},
        Page([], Page([datetime.date(2024, 2, 29)])),
    ),
    (Mail, {"from": "ada", "@id": 7}, Mail("ada", 7)),
    (Circle | Square, {"kind": "box", "side": 2}, Square(2, "box")),
    (list[Circle | Square | None], [{"kind": "circle", "radius": 1}, None], [Circle(1), None]),
    (Named | Sized, {"size": 2}, Sized(2)),
    (Event, {"day": "2024-02-29"}, {"day": datetime.date(2024, 2, 29)}),
    (Point, [1, 2], Point(1, 2)),
    (datetime.date | str, "2024-02-29", datetime.date(2024, 2, 29)),
    (str | datetime.date, "soon", "soon"),
    (dict[datetime.date, int], {"2024-02-29": 1}, {datetime.date(2024, 2, 29): 1}),
    (
        Tree,
        {"children": {"a": {"children": {}, "twin": None}}, "twin": {"name": "n"}},
        Tree({"a": Tree()}, Named("n")),
    ),
]


@pytest.mark.parametrize(("to", "value", "expected"), BOTH_WAYS)
def test_what_is_read_is_written_again(to: Any, value: Any, expected: Any) -> None:
    """Each kind takes its JSON form and gives it back."""
    built = structure(value, to)
    assert built == expected
    assert type(built) is type(expected)
    if not (isinstance(built, dict) and "2024-02-29" in value):
        assert structure(decode(encode(built)), to) == built


@pytest.mark.parametrize(
    ("to", "value", "problems"),
    [
        (Page[str], "abc", ["expected an object, got a string @ $"]),
        (list[str], "abc", ["expected an array, got a string @ $"]),
        (Page[str], {"items": "abc"}, ["expected an array, got a string @ $.items"]),
        (
            Page[Page[int]],
            {"items": [{"items": [1, "x"]}]},
            ["expected an integer, got a string @ $.items[0].items[1]"],
        ),
        (Mail, {"from": 1}, ["expected a string, got a number @ $.from"]),
        (Mail, {"sender": "ada"}, ["required field missing @ $.from"]),
        (Circle | Square, {"radius": 1}, ["required field missing @ $.kind"]),
        (Circle | Square, {"kind": 1}, ["expected one of 'circle', 'square', 'box' @ $.kind"]),
        (Circle | Square, {"kind": "box"}, ["required field missing @ $.side"]),
        (Circle | Square, [], ["expected an object, got an array @ $"]),
        (Named | Sized, {}, ["expected the members of Named or Sized @ $"]),
        (Event, {"day": "29.2."}, ["expected an ISO 8601 date @ $.day"]),
        (Event, {"tags": [1]}, None),
        (Point, [], ["expected 1 to 2 items, got 0 @ $"]),
        (Point, ["a"], ["expected an integer, got a string @ $[0]"]),
        (Level, "1", ["expected one of 1 @ $"]),
        (Decimal, "NaN", ["expected a decimal number @ $"]),
        (Decimal, "1_0", ["expected a decimal number @ $"]),
        (Decimal, True, ["expected a decimal number, got a boolean @ $"]),
        (datetime.timedelta, "P", ["expected an ISO 8601 duration @ $"]),
        (datetime.timedelta, "1:30", ["expected an ISO 8601 duration @ $"]),
        (datetime.timedelta, "P999999999W", ["expected an ISO 8601 duration @ $"]),
        (ipaddress.IPv4Address, "1.2.3", ["expected an IPv4 address @ $"]),
        (uuid.UUID, "{7}", ["expected a UUID @ $"]),
        (dict[datetime.date, int], {"x": 1}, ["expected an ISO 8601 date @ $.x"]),
        (set[Any], [[1]], ["an array or object cannot be in a set @ $"]),
    ],
)
def test_misfits_are_named_with_their_places(to: Any, value: Any, problems: Any) -> None:
    """All of them, in our own words, and none is a broken rule."""
    with pytest.raises(JsonValueError) as raised:
        structure(value, to)
    assert not isinstance(raised.value, ModelRuleError)
    if problems is not None:
        assert list(raised.value.problems) == problems
    else:
        assert len(raised.value.problems) == 2


def test_numbers_become_decimals_exactly() -> None:
    """The shortest digits of a JSON number are kept."""
    assert structure(0.1, Decimal) == Decimal("0.1")
    assert structure(3, Decimal) == Decimal(3)


def test_rules_of_a_union_member() -> None:
    """A member that fits and breaks its rule says so alone."""
    with pytest.raises(ModelRuleError, match="must be >= 0"):
        structure({"size": -1}, Named | Sized)


def test_classes_that_cannot_be_told_apart() -> None:
    """The message shows the tag to add."""

    @attrs.frozen
    class Other:
        name: str

    with pytest.raises(TypeError, match=r"such as `kind: Literal\['named'\]`"):
        structurer(Named | Other)


def test_two_fields_of_one_outside_name() -> None:
    """They are refused when the class is compiled."""

    @attrs.frozen
    class Twice:
        a: Annotated[str, Alias("b")]
        b: str

    with pytest.raises(TypeError, match="a and b are both 'b'"):
        structurer(Twice)


class Money:
    """A class that only its program knows."""

    def __init__(self, cents: int) -> None:
        self.cents = cents


@pytest.fixture
def money() -> Iterator[None]:
    """Hooks for it, registered after a first attempt without them."""
    with pytest.raises(TypeError, match=r"register_structure_hook\(Money"):
        structurer(list[Money])
    with pytest.raises(JsonValueError, match="a Money has no JSON form"):
        encode(Money(1))

    def read(value: Any, _: Any) -> Money:
        if not isinstance(value, str):
            raise ValueError("an amount is text")
        return Money(round(100 * float(value)))

    converter.register_structure_hook(Money, read)
    converter.register_unstructure_hook(Money, lambda money: f"{money.cents / 100:.2f}")
    yield


def test_hooks_of_the_program(money: None) -> None:
    """A registered type works inside others; only its own sentences are shown."""
    built = structure(["1.50"], list[Money])
    assert [one.cents for one in built] == [150]
    assert encode({"price": built[0]}) == b'{"price":"1.50"}'
    with pytest.raises(JsonValueError) as raised:
        structure([1, "hunter2"], list[Money])
    assert raised.value.problems == ("an amount is text @ $[0]", "not a valid value @ $[1]")


def test_a_mistake_in_a_constructor_is_no_refusal() -> None:
    """An AttributeError there is the program's fault and not the client's."""

    @attrs.frozen
    class Faulty:
        name: str

        def __attrs_post_init__(self) -> None:
            self.nothing  # type: ignore[attr-defined] # noqa: B018

    with pytest.raises(AttributeError, match="nothing"):
        structure([{"name": "a"}], list[Faulty])


@pytest.mark.parametrize("mark", ["__pydantic_fields__", "__struct_fields__"])
def test_models_of_other_libraries(mark: str) -> None:
    """One sentence shows the attrs form."""
    model = type("Note", (), {mark: {}})
    with pytest.raises(TypeError, match=r"write the same fields below `@attrs.frozen class Note:`"):
        structurer(model)


@example(datetime.timedelta.min)
@given(st.timedeltas())
def test_durations_come_back(duration: datetime.timedelta) -> None:
    """Every duration survives its text."""
    assert structure(decode(encode(duration)), datetime.timedelta) == duration


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_decimals_come_back(number: Decimal) -> None:
    """Every digit and the exponent survive."""
    assert structure(decode(encode(number)), Decimal).as_tuple() == number.as_tuple()
