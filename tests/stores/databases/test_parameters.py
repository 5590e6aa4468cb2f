"""Parameters: which cases of WIT carry a Python value."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import attrs
import pytest

from edgezero_spin import Interval, Range
from edgezero_spin.stores.databases.parameters import parameters_of
from edgezero_spin.stores.declaration import DatabaseKind


class Color(Enum):
    """A value with a name."""

    RED = "red"


@attrs.frozen
class Tag:
    """A model."""

    name: str


def first(kind: DatabaseKind, value: Any) -> Any:
    """The likeliest case of a value."""
    ((found, *_),) = parameters_of(kind, [value])
    return found


def cases(value: Any) -> list[str]:
    """Names of all cases that PostgreSQL may take a value in."""
    (found,) = parameters_of("postgres", [value])
    return [case for case, _ in found]


@pytest.mark.parametrize(
    ("value", "sqlite", "mysql"),
    [
        (None, ("null", None), ("db-null", None)),
        (True, ("integer", 1), ("boolean", True)),
        (-5, ("integer", -5), ("int64", -5)),
        (1.5, ("real", 1.5), ("floating64", 1.5)),
        ("ä", ("text", "ä"), ("str", "ä")),
        (bytearray(b"x"), ("blob", b"x"), ("binary", b"x")),
        (Decimal("1.50"), ("text", "1.50"), ("str", "1.50")),
        (date(2026, 1, 2), ("text", "2026-01-02"), ("str", "2026-01-02")),
        (datetime(2026, 1, 2, 3), ("text", "2026-01-02 03:00:00"), ("str", "2026-01-02 03:00:00")),
        (time(1, 2), ("text", "01:02:00"), ("str", "01:02:00")),
        (Color.RED, ("text", "red"), ("str", "red")),
        (Tag("a"), ("text", '{"name":"a"}'), ("str", '{"name":"a"}')),
        ([Tag("a")], ("text", '[{"name":"a"}]'), ("str", '[{"name":"a"}]')),
    ],
)
def test_values_for_sqlite_and_mysql(value: Any, sqlite: Any, mysql: Any) -> None:
    """What they have no type for goes as text."""  # MY-20
    assert first("sqlite", value) == sqlite
    assert first("mysql", value) == mysql


def test_mysql_has_unsigned_numbers() -> None:
    """The upper half of 64 bits fits nowhere else."""
    assert first("mysql", 2**64 - 1) == ("uint64", 2**64 - 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ("db-null", None)),
        (True, ("boolean", True)),
        (5, ("int32", 5)),
        (2**31, ("int64", 2**31)),
        (2**63, ("decimal", str(2**63))),
        (Decimal("1E+2"), ("decimal", "100")),
        (datetime(2026, 1, 2, 3, 4, 5, 6), ("datetime", (2026, 1, 2, 3, 4, 5, 6000))),
        (datetime(1970, 1, 2, tzinfo=UTC), ("timestamp", 86400)),
        (date(2026, 1, 2), ("date", (2026, 1, 2))),
        (time(1, 2, 3, 4), ("time", (1, 2, 3, 4000))),
        (timedelta(days=-1, microseconds=5), ("interval", {"micros": 5, "days": -1, "months": 0})),
        (Interval(months=2), ("interval", {"micros": 0, "days": 0, "months": 2})),
        (UUID(int=1), ("uuid", "00000000-0000-0000-0000-000000000001")),
        (Range(1, None), ("range-int32", ((1, "inclusive"), None))),
        (Range(2**40, 2**41), ("range-int64", ((2**40, "inclusive"), (2**41, "exclusive")))),
        (Range(None, Decimal("1.5")), ("range-decimal", (None, ("1.5", "exclusive")))),
        ([1, None], ("array-int32", [1, None])),
        (("a", "b"), ("array-str", ["a", "b"])),
        ([Decimal("1.10"), 2], ("array-decimal", ["1.10", "2"])),
        ([{"a": 1}], ("jsonb", b'[{"a":1}]')),
        (Tag("a"), ("jsonb", b'{"name":"a"}')),
    ],
)
def test_values_for_postgresql(value: Any, expected: Any) -> None:
    """The likeliest case first."""  # PG-30 to PG-43
    assert first("postgres", value) == expected


def test_postgresql_may_take_a_value_in_another_case() -> None:
    """It infers the type, and takes no other case than that of the type."""  # PG-58
    assert cases(5) == ["int32", "int64", "int16", "decimal", "floating64", "jsonb"]
    assert cases(2**40) == ["int64", "decimal", "floating64", "jsonb"]
    assert cases(0.5) == ["floating64", "floating32"]
    assert cases([]) == ["array-str", "array-int32", "array-int64", "array-decimal", "jsonb"]


@pytest.mark.parametrize(
    ("kind", "value", "error", "message"),
    [
        ("sqlite", 2**63, ValueError, "more than 64 bits"),
        ("sqlite", object(), TypeError, ""),
        ("mysql", datetime(2026, 1, 1, tzinfo=UTC), TypeError, "no time zone"),
        ("postgres", datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC), ValueError, "whole seconds"),
        ("postgres", Decimal("NaN"), ValueError, "is not a number"),
        ("postgres", Range("a", "b"), TypeError, "bounds of a Range"),
        ("postgres", time(1, tzinfo=UTC), TypeError, "time zone"),
        ("postgres", object(), TypeError, ""),
    ],
)
def test_what_cannot_be_sent_names_its_place(
    kind: DatabaseKind, value: Any, error: type[Exception], message: str
) -> None:
    """Counted from 1, as the placeholders are."""
    with pytest.raises(error) as caught:
        parameters_of(kind, [1, value])
    assert str(caught.value).startswith("parameter 2: ")
    assert message in str(caught.value)
