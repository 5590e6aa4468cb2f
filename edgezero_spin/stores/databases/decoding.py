"""Python values of database values.

In: case and payload of a value, records as dictionaries. Out: what a row holds. SQLite has numbers,
text and bytes; MySQL too; PostgreSQL dates, decimals, UUIDs, JSON, ranges, arrays and intervals.

Source: contract services.md, PG-30 to PG-46, MY-10 to MY-16.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from edgezero_spin.stores.databases.backend import DatabaseFailure
from edgezero_spin.stores.databases.postgres_types import Interval, Range
from edgezero_spin.stores.declaration import DatabaseKind
from edgezero_spin.stores.json_values import decode

__all__ = ["DECODERS", "Decoder"]

Decoder = Callable[[Any], Any] | None
"""Makes the Python value of a payload; ``None`` where that is the payload itself."""


def _null(payload: object) -> None:
    return None


def _unsupported(payload: object) -> Any:
    raise DatabaseFailure(
        "value-conversion-failed",
        "a column has a type that the interface has no value for; select it as text, "
        "CAST(... AS CHAR)",
    )


def _date(payload: tuple[int, int, int]) -> date:
    year, month, day = payload
    found: date = _representable(date, year, month, day)
    return found


def _time(payload: tuple[int, int, int, int]) -> time:
    hour, minute, second, nanosecond = payload
    return time(hour, minute, second, nanosecond // 1000)


def _datetime(payload: tuple[int, ...]) -> datetime:
    *fields, nanosecond = payload
    found: datetime = _representable(datetime, *fields, nanosecond // 1000)
    return found


def _representable(make: Callable[..., Any], year: int, *rest: int) -> Any:
    try:
        return make(year, *rest)
    except ValueError:
        raise DatabaseFailure(
            "value-conversion-failed",
            f"the year {year} is outside of what Python's dates hold; select it as text, ...::text",
        ) from None


def _jsonb(payload: bytes) -> Any:
    return decode(payload)


def _decimals(payload: list[str | None]) -> list[Decimal | None]:
    return [None if text is None else Decimal(text) for text in payload]


def _interval(payload: Mapping[str, int]) -> Interval:
    return Interval(months=payload["months"], days=payload["days"], microseconds=payload["micros"])


def _range(of: Callable[[Any], Any]) -> Callable[[Any], Range[Any]]:
    def decoder(payload: tuple[Any, Any]) -> Range[Any]:
        lower, upper = payload
        return Range(
            None if lower is None else of(lower[0]),
            None if upper is None else of(upper[0]),
            lower_inclusive=lower is not None and lower[1] == "inclusive",
            upper_inclusive=upper is not None and upper[1] == "inclusive",
        )

    return decoder


_PLAIN: dict[str, Decoder] = dict.fromkeys(
    (
        *("boolean", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("floating32", "floating64", "str", "binary"),
    )
)

DECODERS: Mapping[DatabaseKind, Mapping[str, Decoder]] = {
    "sqlite": {**dict.fromkeys(("integer", "real", "text", "blob")), "null": _null},
    "mysql": {**_PLAIN, "db-null": _null, "unsupported": _unsupported},
    "postgres": {
        **{case: decoder for case, decoder in _PLAIN.items() if not case.startswith("uint")},
        "db-null": _null,
        "date": _date,
        "time": _time,
        "datetime": _datetime,
        "timestamp": None,
        "uuid": UUID,
        "jsonb": _jsonb,
        "decimal": Decimal,
        "range-int32": _range(int),
        "range-int64": _range(int),
        "range-decimal": _range(Decimal),
        **dict.fromkeys(("array-int32", "array-int64", "array-str")),
        "array-decimal": _decimals,
        "interval": _interval,
        "unsupported": None,
    },
}
"""For each kind of database what makes Python values, by case."""
