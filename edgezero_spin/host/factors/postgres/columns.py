"""Values of result sets: PostgreSQL's binary format to WIT values.

In: rows of the client library. Out: columns and rows in the Python form of ``db-value``. Whole
columns are decoded at once; the hot types by the client library's own compiled loaders.

Source: contract services.md, PG-30 to PG-48, PG-61; the binary forms are those of the ``*_send``
functions in ``src/backend/utils/adt``.
"""

import re
from collections.abc import Callable, Iterable
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is a class
from typing import Any
from uuid import UUID

import attrs
from psycopg.abc import Buffer
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

from edgezero_spin.host.factors.bounds import ENTRY_OVERHEAD, size_of
from edgezero_spin.host.factors.database_servers.sessions import Row
from edgezero_spin.host.factors.postgres.calendar import DAY_US, date_of_days, time_of_us
from edgezero_spin.host.factors.postgres.numeric import decode_numeric
from edgezero_spin.host.factors.postgres.types import TYPES, Oid
from edgezero_spin.host.runtime.interface import Variants

__all__ = ["ColumnValueError", "PostgresColumn", "PostgresRowReader"]

_INT4, _INT8 = Struct("!i").unpack_from, Struct("!q").unpack_from
_INTERVAL = Struct("!qii").unpack
_EMPTY, _LOWER_INCLUSIVE, _UPPER_INCLUSIVE, _LOWER_INFINITE, _UPPER_INFINITE = 1, 2, 4, 8, 16
_INT4_ENDS = (-(2**31), 2**31 - 1)
_INT8_ENDS = (-(2**63), 2**63 - 1)


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


def _date(data: bytes) -> tuple[int, int, int]:
    (days,) = _INT4(data)
    if days in _INT4_ENDS:
        raise ValueError("an infinite date")
    return date_of_days(days)


def _datetime(data: bytes) -> tuple[int, ...]:
    (microseconds,) = _INT8(data)
    if microseconds in _INT8_ENDS:
        raise ValueError("an infinite time")
    days, rest = divmod(microseconds, DAY_US)
    return *date_of_days(days), *time_of_us(rest)


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


def _loader(decode: Callable[[bytes], Any]) -> type[Loader]:
    class DecodingLoader(Loader):
        format = Format.BINARY

        def load(self, data: Buffer) -> Any:
            return decode(bytes(data))

    return DecodingLoader


_LOADERS: dict[int, type[Loader]] = {
    Oid.BOOL: BoolBinaryLoader,
    Oid.BYTEA: ByteaBinaryLoader,
    Oid.INT2: Int2BinaryLoader,
    Oid.INT4: Int4BinaryLoader,
    Oid.INT8: Int8BinaryLoader,
    Oid.FLOAT4: Float4BinaryLoader,
    Oid.FLOAT8: Float8BinaryLoader,
    **dict.fromkeys((Oid.TEXT, Oid.VARCHAR, Oid.BPCHAR), TextBinaryLoader),
    Oid.DATE: _loader(_date),
    Oid.TIME: _loader(lambda data: time_of_us(_int8(data))),
    **dict.fromkeys((Oid.TIMESTAMP, Oid.TIMESTAMPTZ), _loader(_datetime)),
    Oid.UUID: _loader(lambda data: str(UUID(bytes=data))),
    Oid.JSONB: _loader(_jsonb),
    Oid.NUMERIC: _loader(decode_numeric),
    Oid.INT4RANGE: _loader(_range(_int4)),
    Oid.INT8RANGE: _loader(_range(_int8)),
    Oid.NUMRANGE: _loader(_range(decode_numeric)),
    Oid.INT4_ARRAY: _loader(_array(_int4)),
    Oid.INT8_ARRAY: _loader(_array(_int8)),
    Oid.NUMERIC_ARRAY: _loader(_array(decode_numeric)),
    **dict.fromkeys((Oid.TEXT_ARRAY, Oid.VARCHAR_ARRAY, Oid.BPCHAR_ARRAY), _loader(_array(_text))),
    Oid.INTERVAL: _loader(_interval),
}


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap()
    # Every other type keeps its bytes.
    adapters.register_loader(0, ByteaBinaryLoader)
    for oid, loader in _LOADERS.items():
        adapters.register_loader(int(oid), loader)
    return adapters


_ADAPTERS = _adapters()


def _bytes_of_texts(values: Iterable[str]) -> int:
    return len("".join(values).encode())


def _bytes_of_lists(values: Iterable[list[Any]]) -> int:
    return sum(size_of(part) for value in values for part in value)


# What the values of a case count beside the fixed size of each.
_SIZES: dict[str, Callable[[Iterable[Any]], int]] = {
    **dict.fromkeys(("str", "decimal"), _bytes_of_texts),
    **dict.fromkeys(("binary", "jsonb", "unsupported"), lambda values: sum(map(len, values))),
    **dict.fromkeys(("array-int32", "array-int64", "array-decimal", "array-str"), _bytes_of_lists),
}


class PostgresRowReader:
    """Reads the rows of one statement."""

    def __init__(self, result: PGresult, name_of: Callable[[int], str]) -> None:
        """Read the columns.

        Args:
            name_of: Returns the server's name of a type.
        """
        oids = [result.ftype(index) for index in range(result.nfields)]
        self.columns = [
            _column(result.fname(index) or b"", oid, name_of) for index, oid in enumerate(oids)
        ]
        self._oids = oids
        self._cases = tuple([column.case or "unsupported" for column in self.columns])
        self._sized = [
            (index, _SIZES[case]) for index, case in enumerate(self._cases) if case in _SIZES
        ]
        self._transformer = Transformer(_ADAPTERS)

    def rows(self, result: PGresult) -> tuple[list[Row], int]:
        """Return rows, and what they count against the limit of a result.

        Raises:
            ColumnValueError: A value cannot be read.
        """
        transformer, cases = self._transformer, self._cases
        transformer.set_pgresult(result)
        try:
            tuples = transformer.load_rows(0, result.ntuples, tuple)
        except (ValueError, LookupError, StructError) as error:
            raise self._fault(result, error) from None
        size = len(tuples) * len(cases) * ENTRY_OVERHEAD
        for index, bytes_of in self._sized:
            size += bytes_of([row[index] for row in tuples if row[index] is not None])
        return [self._row(row) for row in tuples], size

    def _row(self, row: tuple[Any, ...]) -> Row:
        cases = self._cases
        if None in row:
            cases = tuple(
                [
                    "db-null" if value is None else case
                    for case, value in zip(cases, row, strict=True)
                ]
            )
        return Variants(cases, row)

    def _fault(self, result: PGresult, error: Exception) -> ColumnValueError:
        """Return the error with the column that it is in."""
        for index, oid in enumerate(self._oids):
            load = self._transformer.get_loader(oid, Format.BINARY).load
            for row in range(result.ntuples):
                value = result.get_value(row, index)
                try:
                    if value is not None:
                        load(value)
                except (ValueError, LookupError, StructError) as found:
                    return ColumnValueError(index, str(found))
        return ColumnValueError(0, str(error))


def _column(name: bytes, oid: int, name_of: Callable[[int], str]) -> PostgresColumn:
    type_ = TYPES.get(oid)
    case = "" if type_ is None else type_.column
    return PostgresColumn(name.decode(errors="replace"), case, "" if case else name_of(oid))
