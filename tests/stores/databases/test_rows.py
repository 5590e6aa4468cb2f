"""Typed rows: what a row becomes, and what is said where it does not fit."""

import dataclasses
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

import attrs
import pytest

from edgezero_spin import Alias, Ge, Interval, RowError
from edgezero_spin.stores.databases.rows import row_reader


class Color(Enum):
    """A value of a column."""

    RED = "red"


@attrs.frozen
class Tag:
    """What stands in a column as JSON."""

    name: str


@attrs.frozen
class Note:
    """An attrs class."""

    id: int
    sender: Annotated[str, Alias("from")]
    done: bool = False
    _private: int = 0


@attrs.frozen
class Strict:
    """A class that checks itself."""

    id: int = attrs.field(validator=attrs.validators.ge(1))


@dataclasses.dataclass
class Data:
    """A dataclass."""

    id: int
    tags: list[str] = dataclasses.field(default_factory=list)


class Typed(TypedDict):
    """A dictionary with known keys."""

    id: int
    text: NotRequired[str]


def read(to: Any, **row: Any) -> Any:
    """Make an object of one row."""
    return row_reader(to, list(row), "sqlite['default']")(tuple(row.values()))


@pytest.mark.parametrize(
    ("to", "row", "expected"),
    [
        (Note, {"id": 1, "from": "a", "more": 2}, Note(1, "a")),
        (Note, {"from": "a", "done": 1, "id": 1, "private": 3}, Note(1, "a", True, 3)),
        (Data, {"id": 1}, Data(1)),
        (Data, {"id": 1, "tags": '["a"]'}, Data(1, ["a"])),
        (Typed, {"id": 1}, {"id": 1}),
        (dict, {"a": 1, "b": None}, {"a": 1, "b": None}),
        (dict[str, Any], {"a": 1}, {"a": 1}),
        (tuple, {"a": 1, "b": 2}, (1, 2)),
        (tuple[int, str], {"a": 1, "b": "x"}, (1, "x")),
        (tuple[int, ...], {"a": 1, "b": 2, "c": 3}, (1, 2, 3)),
        (int, {"n": 5}, 5),
        (int | None, {"n": None}, None),
        (object, {"n": None}, None),
    ],
)
def test_a_row_becomes_what_is_asked_for(to: Any, row: dict[str, Any], expected: Any) -> None:
    """By name, by position, or the only column."""
    found = read(to, **row)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("to", "value", "expected"),
    [
        (bool, 1, True),
        (bool, False, False),
        (float, 2, 2.0),
        (float, Decimal("1.5"), 1.5),
        (Decimal, "1.50", Decimal("1.50")),
        (Decimal, 3, Decimal(3)),
        (bytes, b"\0", b"\0"),
        (date, "2026-11-30", date(2026, 11, 30)),
        (date, date(2026, 11, 30), date(2026, 11, 30)),
        (datetime, "2026-11-30 01:02:03.5", datetime(2026, 11, 30, 1, 2, 3, 500000)),
        (time, "01:02", time(1, 2)),
        (timedelta, Interval(days=1, microseconds=5), timedelta(days=1, microseconds=5)),
        (Interval, Interval(months=1), Interval(months=1)),
        (
            UUID,
            "12345678-1234-5678-1234-567812345678",
            UUID(int=0x12345678123456781234567812345678),
        ),
        (Color, "red", Color.RED),
        (Literal["a", "b"], "a", "a"),
        (Tag, '{"name": "a"}', Tag("a")),
        (Tag, b'{"name": "a"}', Tag("a")),
        (Tag, {"name": "a"}, Tag("a")),
        (list[Tag], '[{"name": "a"}]', [Tag("a")]),
        (list[Decimal | None], [Decimal(1), None], [Decimal(1), None]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (Annotated[int, Ge(1)], 1, 1),
    ],
)
def test_a_column_is_read_as_its_type(to: Any, value: Any, expected: Any) -> None:
    """Also from what a database without such a type keeps."""
    (found,) = read(tuple[to], column=value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("to", "value", "found"),
    [
        (int, "5", "str"),
        (int, True, "bool"),
        (int, 1.0, "float"),
        (int, None, "NULL"),
        (bool, 2, "int"),
        (str, 5, "int"),
        (str, b"a", "bytes"),
        (bytes, "a", "str"),
        (date, "30.11.2026", "text that does not parse"),
        (date, datetime(2026, 11, 30), "datetime"),
        (Decimal, "x", "text that does not parse"),
        (Decimal, 1.5, "float"),
        (UUID, "x", "text that does not parse"),
        (timedelta, Interval(months=1), "Interval"),
        (Color, "blue", ""),
        (Tag, "{", "text that is not JSON"),
        (Tag, '{"name": 1}', "expected a string, got a number @ $.name"),
        (list[int], "{}", "expected"),
        (Annotated[int, Ge(1)], 0, "a value that breaks a rule"),
    ],
)
def test_a_column_that_does_not_fit_is_named(to: Any, value: Any, found: str) -> None:
    """With the type that was asked for, what is there, and never the value itself."""
    with pytest.raises(RowError) as caught:
        read(tuple[to], column=value)
    error = caught.value
    assert (error.column, error.columns) == ("column", ("column",))
    assert found in error.found
    assert str(error).startswith("sqlite['default']: column 'column': expected ")
    assert "30.11" not in str(error)


def test_a_column_of_a_class_is_named_with_its_field() -> None:
    """The column as the database calls it, the field as the class does."""
    with pytest.raises(RowError) as caught:
        read(Note, id=1, **{"from": None})
    assert caught.value.column == "from"
    assert caught.value.expected.endswith("for Note.sender")
    assert caught.value.found == "NULL"


@pytest.mark.parametrize(
    ("to", "columns", "message"),
    [
        (Note, ["id"], "column 'from': expected"),
        (int, ["a", "b"], "expected one column for int, got 2 (columns: a, b)"),
        (tuple[int, int], ["a"], "expected 2 columns for tuple[int, int], got 1 (columns: a)"),
    ],
)
def test_other_columns_are_refused_before_any_row(
    to: Any, columns: list[str], message: str
) -> None:
    """A missing column, or a wrong number of them."""
    with pytest.raises(RowError) as caught:
        row_reader(to, columns, "sqlite['default']")
    assert message in str(caught.value)


def test_a_rule_of_a_class_is_a_row_error() -> None:
    """What its validator says is in the text."""
    with pytest.raises(RowError) as caught:
        read(Strict, id=0)
    assert "breaks its rules" in str(caught.value)


def test_a_type_that_no_column_can_be_is_refused() -> None:
    """Before any row: the program is wrong, not the data."""
    with pytest.raises(TypeError):
        row_reader(type("Opaque", (), {}), ["a"], "sqlite['default']")
