"""Parameters of statements: from Python values to cases of WIT.

In: what a program passes behind a statement. Out: the cases that may carry it, the likeliest first:
PostgreSQL infers the type of each parameter and takes no other case, so that an ``int`` may have to
go as ``int32`` or ``int64``. Models, dictionaries and lists go as JSON.

Source: contract services.md, PG-30 to PG-44, MY-20.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from edgezero_spin.stores.databases.backend import Parameter
from edgezero_spin.stores.databases.postgres_types import Interval, Range
from edgezero_spin.stores.declaration import DatabaseKind
from edgezero_spin.stores.json_values import JsonValueError, encode

__all__ = ["Candidates", "parameters_of"]

Candidates = tuple[Parameter, ...]
"""The cases that may carry one parameter."""

_INT32, _INT64, _UINT64 = 2**31, 2**63, 2**64


def parameters_of(kind: DatabaseKind, values: Sequence[Any]) -> list[Candidates]:
    """Return for each value the cases that may carry it, the likeliest first.

    Raises:
        TypeError: A value has a type that the database does not take; names its place.
        ValueError: A number is too large, or a time has more than the interface carries.
    """
    convert = _CONVERTERS[kind]
    found = []
    for index, value in enumerate(values):
        try:
            found.append(convert(value.value if isinstance(value, Enum) else value))
        except (JsonValueError, TypeError, ValueError) as error:
            kind_of = TypeError if isinstance(error, JsonValueError) else type(error)
            raise kind_of(f"parameter {index + 1}: {error}") from None
    return found


def _bytes(value: Any) -> bytes | None:
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else None


def _text_of(value: Any) -> str | None:
    """Return the text of what SQLite and MySQL have no type for."""
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    return None


def _sqlite(value: Any) -> Candidates:
    if value is None:
        return (("null", None),)
    if isinstance(value, int):
        return (("integer", _fitting(int(value))),)
    if isinstance(value, float):
        return (("real", value),)
    data = _bytes(value)
    if data is not None:
        return (("blob", data),)
    return (("text", _text(value)),)


def _mysql(value: Any) -> Candidates:
    if value is None:
        return (("db-null", None),)
    if isinstance(value, bool):
        return (("boolean", value),)
    if isinstance(value, int):
        if _INT64 <= value < _UINT64:
            return (("uint64", value),)
        return (("int64", _fitting(value)),)
    if isinstance(value, float):
        return (("floating64", value),)
    data = _bytes(value)
    if data is not None:
        return (("binary", data),)
    if isinstance(value, datetime | time) and value.tzinfo is not None:
        raise TypeError("MySQL keeps no time zone; pass a datetime without tzinfo")
    return (("str", _text(value)),)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    text = _text_of(value)
    return encode(value).decode() if text is None else text


def _fitting(value: int) -> int:
    if not -_INT64 <= value < _INT64:
        raise ValueError(f"{value} has more than 64 bits")
    return value


def _postgres(value: Any) -> Candidates:
    if value is None:
        return (("db-null", None),)
    for type_, convert in _POSTGRES:
        if isinstance(value, type_):
            return convert(value)
    data = _bytes(value)
    if data is not None:
        return (("binary", data),)
    return (("jsonb", encode(value)),)


def _integer(value: int) -> Candidates:
    decimal = ("decimal", str(value))
    if not -_INT64 <= value < _INT64:
        return (decimal,)
    small = -_INT32 <= value < _INT32
    return (
        *((("int32", value),) if small else ()),
        ("int64", value),
        *((("int16", value),) if -(2**15) <= value < 2**15 else ()),
        decimal,
        ("floating64", float(value)),
        *((("jsonb", b"%d" % value),)),
    )


def _moment(value: datetime) -> Candidates:
    if value.tzinfo is None:
        date_ = (value.year, value.month, value.day)
        time_ = (value.hour, value.minute, value.second, value.microsecond * 1000)
        return (("datetime", date_ + time_),)
    if value.microsecond:
        raise ValueError(
            "a datetime with tzinfo is sent as whole seconds, and this one has microseconds; use "
            "value.replace(microsecond=0), or pass it without tzinfo to a timestamp column"
        )
    return (("timestamp", int(value.timestamp())),)


def _time(value: time) -> Candidates:
    if value.tzinfo is not None:
        raise TypeError("the interface has no time with a time zone; pass one without tzinfo")
    return (("time", (value.hour, value.minute, value.second, value.microsecond * 1000)),)


def _decimal(value: Decimal) -> Candidates:
    if not value.is_finite():
        raise ValueError(f"{value} is not a number that the interface carries")
    return (("decimal", f"{value:f}"),)


def _interval(value: Interval) -> Candidates:
    fields = {"micros": value.microseconds, "days": value.days, "months": value.months}
    return (("interval", fields),)


def _range(value: Range[Any]) -> Candidates:
    def bounds(of: Callable[[Any], Any]) -> tuple[Any, Any]:
        pairs = ((value.lower, value.lower_inclusive), (value.upper, value.upper_inclusive))
        lower, upper = (
            None if bound is None else (of(bound), "inclusive" if inclusive else "exclusive")
            for bound, inclusive in pairs
        )
        return lower, upper

    ends = [bound for bound in (value.lower, value.upper) if bound is not None]
    if any(isinstance(bound, bool) or not isinstance(bound, int | Decimal) for bound in ends):
        raise TypeError("the bounds of a Range are int or Decimal")
    decimals: Parameter = ("range-decimal", bounds(str))
    if any(isinstance(bound, Decimal) for bound in ends):
        return (decimals,)
    small: Candidates = (("range-int32", bounds(int)),)
    if any(not -_INT32 <= bound < _INT32 for bound in ends):
        small = ()
    return (*small, ("range-int64", bounds(int)), decimals)


def _list(value: Sequence[Any]) -> Candidates:
    items = [item for item in value if item is not None]
    whole = list(value)
    found: list[Parameter] = []
    if all(isinstance(item, str) for item in items):
        found.append(("array-str", whole))
    if all(isinstance(item, int) and not isinstance(item, bool) for item in items):
        if all(-_INT32 <= item < _INT32 for item in items):
            found.append(("array-int32", whole))
        if all(-_INT64 <= item < _INT64 for item in items):
            found.append(("array-int64", whole))
    if all(isinstance(item, int | Decimal) and not isinstance(item, bool) for item in items):
        texts = [None if item is None else f"{Decimal(item):f}" for item in whole]
        found.append(("array-decimal", texts))
    try:
        found.append(("jsonb", encode(whole)))
    except JsonValueError:
        if not found:
            raise
    return tuple(found)


# The first that fits counts: bool is an int, datetime a date.
_POSTGRES: tuple[tuple[type, Callable[[Any], Candidates]], ...] = (
    (bool, lambda value: (("boolean", value),)),
    (int, _integer),
    (float, lambda value: (("floating64", value), ("floating32", value))),
    (str, lambda value: (("str", value),)),
    (datetime, _moment),
    (date, lambda value: (("date", (value.year, value.month, value.day)),)),
    (time, _time),
    (timedelta, lambda value: _interval(Interval.of(value))),
    (Interval, _interval),
    (Range, _range),
    (Decimal, _decimal),
    (UUID, lambda value: (("uuid", str(value)),)),
    (list, _list),
    (tuple, _list),
)

_CONVERTERS: Mapping[DatabaseKind, Callable[[Any], Candidates]] = {
    "sqlite": _sqlite,
    "mysql": _mysql,
    "postgres": _postgres,
}
