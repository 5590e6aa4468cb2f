"""Values of result sets: PostgreSQL's binary format to WIT values.

In: rows of the client library. Out: columns and rows in the Python form of ``db-value``. Whole
columns are decoded at once; the hot types by the client library's own compiled loaders.

Source: contract services.md, PG-30 to PG-48, PG-61; the binary forms are those of the ``*_send``
functions in ``src/backend/utils/adt``.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is a class
from typing import Any
from uuid import UUID

import attrs
from psycopg.adapt import AdaptersMap, Loader, Transformer
from psycopg.pq import Format
from psycopg.pq.abc import PGresult
from psycopg.types.bool import BoolBinaryLoader
from psycopg.types.numeric import (
    Float4BinaryLoader,
    Float8BinaryLoader,
    Int2BinaryLoader,
    Int4BinaryLoader,
    Int8BinaryLoader,
)
from psycopg.types.string import ByteaBinaryLoader, TextBinaryLoader

from edgezero_spin.host.factors.bounds import ENTRY_OVERHEAD, size_of_row
from edgezero_spin.host.factors.database_servers.sessions import NULL
from edgezero_spin.host.factors.postgres.calendar import HOUR_US, date_of_days, time_of_us
from edgezero_spin.host.factors.postgres.numeric import decode_numeric
from edgezero_spin.host.factors.postgres.types import COLUMNS, Oid
from edgezero_spin.host.runtime.interface import VariantTable

__all__ = ["ColumnValueError", "PostgresColumn", "PostgresRowReader"]

_INT4, _INT8 = Struct("!i").unpack_from, Struct("!q").unpack_from
_INTERVAL = Struct("!qii").unpack
_EMPTY, _LOWER_INCLUSIVE, _UPPER_INCLUSIVE, _LOWER_INFINITE, _UPPER_INFINITE = 1, 2, 4, 8, 16
_INT4_ENDS = (-(2**31), 2**31 - 1)
# Far beyond the years that PostgreSQL has.
_INT8_END_HOURS = (-(2**63) // HOUR_US, (2**63 - 1) // HOUR_US)


# PostgreSQL writes jsonb with one blank after each comma and colon, and no other outside strings.
_JSON_TOKEN = re.compile(rb'("(?:[^"\\]|\\.)*"|[,:]) ?', re.DOTALL)


class ColumnValueError(ValueError):
    """A value cannot be read: the server's form is not one that WIT has.

    Attributes:
        index: The column, from 0.
    """

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"error deserializing column {index}: {reason}")
        self.index = index


@attrs.frozen
class PostgresColumn:
    """A column of a result.

    Attributes:
        case: The case of its values and its data type; empty for ``unsupported``.
        type_name: The server's name of its type, where ``case`` is empty.
    """

    name: str
    case: str
    type_name: str = ""


def _date(days: int) -> tuple[int, int, int]:
    if days in _INT4_ENDS:
        raise ValueError("an infinite date")
    return date_of_days(days)


class _Hours(dict[int, tuple[int, ...]]):
    """Year, month, day and hour, by the hours since the start of 2000."""

    def __missing__(self, hours: int) -> tuple[int, ...]:
        if hours in _INT8_END_HOURS:
            raise ValueError("an infinite time")
        days, hour = divmod(hours, 24)
        found = self[hours] = (*date_of_days(days), hour)
        return found


def _datetimes(column: Iterable[int | None]) -> list[tuple[int, ...] | None]:
    hours = _Hours()
    return [
        None
        if moment is None
        else (
            *hours[moment // HOUR_US],
            (rest := moment % HOUR_US) // 60_000_000,
            rest // 1_000_000 % 60,
            rest % 1_000_000 * 1000,
        )
        for moment in column
    ]


def _interval(data: bytes) -> dict[str, int]:
    micros, days, months = _INTERVAL(data)
    return {"micros": micros, "days": days, "months": months}


def _jsonb(data: bytes) -> bytes:
    if data[:1] != b"\x01":
        raise ValueError("a version of jsonb that is not known")
    return _JSON_TOKEN.sub(rb"\1", data[1:])


def _range(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def decoder(data: bytes) -> Any:
        flags, at = data[0], 1
        bounds: list[Any] = []
        for infinite, inclusive in (
            (_LOWER_INFINITE, _LOWER_INCLUSIVE),
            (_UPPER_INFINITE, _UPPER_INCLUSIVE),
        ):
            if flags & (infinite | _EMPTY):
                bounds.append(None)
                continue
            (size,) = _INT4(data, at)
            at += 4
            kind = "inclusive" if flags & inclusive else "exclusive"
            bounds.append((decode(data[at : at + size]), kind))
            at += size
        return tuple(bounds)

    return decoder


def _array(decode: Callable[[bytes], Any]) -> Callable[[bytes], list[Any]]:
    def decoder(data: bytes) -> list[Any]:
        (dimensions,) = _INT4(data)
        if dimensions == 0:
            return []
        if dimensions != 1:
            raise ValueError(f"an array of {dimensions} dimensions")
        (count,) = _INT4(data, 12)
        at = 20
        values: list[Any] = []
        for _ in range(count):
            (size,) = _INT4(data, at)
            at += 4
            if size < 0:
                values.append(None)
            else:
                values.append(decode(data[at : at + size]))
                at += size
        return values

    return decoder


def _text(data: bytes) -> str:
    return data.decode()


def _int4(data: bytes) -> int:
    return int(_INT4(data)[0])


def _int8(data: bytes) -> int:
    return int(_INT8(data)[0])


_LOADERS: dict[int, type[Loader]] = {
    Oid.BOOL: BoolBinaryLoader,
    Oid.INT2: Int2BinaryLoader,
    Oid.INT4: Int4BinaryLoader,
    Oid.INT8: Int8BinaryLoader,
    Oid.FLOAT4: Float4BinaryLoader,
    Oid.FLOAT8: Float8BinaryLoader,
    **dict.fromkeys((Oid.TEXT, Oid.VARCHAR, Oid.BPCHAR), TextBinaryLoader),
    # Days, and microseconds.
    Oid.DATE: Int4BinaryLoader,
    **dict.fromkeys((Oid.TIME, Oid.TIMESTAMP, Oid.TIMESTAMPTZ), Int8BinaryLoader),
}
"""Compiled loaders; every other type keeps its bytes."""


def _each(decode: Callable[[Any], Any]) -> Callable[[Iterable[Any]], list[Any]]:
    return lambda column: [None if value is None else decode(value) for value in column]


_DECODERS: dict[int, Callable[[Iterable[Any]], list[Any]]] = {
    Oid.DATE: _each(_date),
    Oid.TIME: _each(time_of_us),
    **dict.fromkeys((Oid.TIMESTAMP, Oid.TIMESTAMPTZ), _datetimes),
    Oid.UUID: _each(lambda data: str(UUID(bytes=data))),
    Oid.JSONB: _each(_jsonb),
    Oid.NUMERIC: _each(decode_numeric),
    Oid.INT4RANGE: _each(_range(_int4)),
    Oid.INT8RANGE: _each(_range(_int8)),
    Oid.NUMRANGE: _each(_range(decode_numeric)),
    Oid.INT4_ARRAY: _each(_array(_int4)),
    Oid.INT8_ARRAY: _each(_array(_int8)),
    Oid.NUMERIC_ARRAY: _each(_array(decode_numeric)),
    **dict.fromkeys((Oid.TEXT_ARRAY, Oid.VARCHAR_ARRAY, Oid.BPCHAR_ARRAY), _each(_array(_text))),
    Oid.INTERVAL: _each(_interval),
}
"""Conversions of loaded columns to WIT values, for types where the two differ."""


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap()
    adapters.register_loader(0, ByteaBinaryLoader)
    for oid, loader in _LOADERS.items():
        adapters.register_loader(int(oid), loader)
    return adapters


_ADAPTERS = _adapters()

_FAULTS = (ValueError, LookupError, StructError)


def _bytes_of_texts(values: Iterable[str]) -> int:
    joined = "".join(values)
    return len(joined) if joined.isascii() else len(joined.encode())


# What the values of a case count beside the fixed size of each.
_SIZES: dict[str, Callable[[Iterable[Any]], int]] = {
    **dict.fromkeys(("str", "decimal"), _bytes_of_texts),
    **dict.fromkeys(("binary", "jsonb", "unsupported"), lambda values: sum(map(len, values))),
    **dict.fromkeys(
        ("array-int32", "array-int64", "array-decimal", "array-str"),
        lambda values: sum(map(size_of_row, values)),
    ),
}


class PostgresRowReader:
    """Reads the rows of one statement."""

    def __init__(self, result: PGresult, name_of: Callable[[int], str]) -> None:
        """Read the columns.

        Args:
            name_of: Returns the server's name of a type.
        """
        self._oids = [result.ftype(index) for index in range(result.nfields)]
        self._names = [result.fname(index) or b"" for index in range(result.nfields)]
        self._name_of = name_of
        self._cases = [COLUMNS.get(oid, "unsupported") for oid in self._oids]
        self._transformer = Transformer(_ADAPTERS)

    @cached_property
    def columns(self) -> Sequence[PostgresColumn]:
        """The columns; the server may be asked for the names of their types."""
        columns = []
        for name, oid in zip(self._names, self._oids, strict=True):
            case = COLUMNS.get(oid, "")
            type_name = "" if case else self._name_of(oid)
            columns.append(PostgresColumn(name.decode(errors="replace"), case, type_name))
        return columns

    @property
    def no_rows(self) -> VariantTable:
        """The end of the rows."""
        return VariantTable.of_rows(self._cases, (), null=NULL)

    def rows(self, result: PGresult) -> tuple[VariantTable, int]:
        """Return rows, one at least, and what they count against the limit of a result.

        Raises:
            ColumnValueError: A value cannot be read.
        """
        self._transformer.set_pgresult(result)
        try:
            loaded = self._transformer.load_rows(0, result.ntuples, tuple)
        except _FAULTS as error:
            raise self._fault(result, error) from None
        count, columns = len(loaded), []
        size = count * len(self._oids) * ENTRY_OVERHEAD
        for index, column in enumerate(zip(*loaded, strict=True)):
            decode, bytes_of = _DECODERS.get(self._oids[index]), _SIZES.get(self._cases[index])
            values: Sequence[Any] = column
            if decode is not None:
                try:
                    values = decode(column)
                except _FAULTS as error:
                    raise ColumnValueError(index, str(error)) from None
            if bytes_of is not None:
                known = values if None not in values else [v for v in values if v is not None]
                size += bytes_of(known)
            columns.append(values)
        return VariantTable(self._cases, columns, count, null=NULL), size

    def _fault(self, result: PGresult, error: Exception) -> ColumnValueError:
        """Return the error with the column that it is in."""
        for index, oid in enumerate(self._oids):
            load = self._transformer.get_loader(oid, Format.BINARY).load
            for row in range(result.ntuples):
                value = result.get_value(row, index)
                try:
                    if value is not None:
                        load(value)
                except _FAULTS as found:
                    return ColumnValueError(index, str(found))
        return ColumnValueError(0, str(error))
