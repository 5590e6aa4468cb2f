"""Values of MySQL: the binary protocol's forms, and WIT values.

In: parameters, and rows of a prepared statement. Out: the bytes to send, and ``db-value`` cases.
Types that WIT has no case for are ``other``; their values cannot be read, but for NULL.

Source: contract services.md, MY-10 to MY-20, MY-34;
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html.
"""

from collections.abc import Callable, Sequence
from struct import Struct, pack
from typing import Any

import attrs
from pymysql.constants import FIELD_TYPE, FLAG

from edgezero_spin.host.factors.bounds import ENTRY_OVERHEAD
from edgezero_spin.host.factors.database_servers.sessions import NULL, Parameter
from edgezero_spin.host.runtime.interface import VariantTable

__all__ = [
    "MysqlColumn",
    "MysqlRowReader",
    "UnreadableValueError",
    "column_of",
    "encode_parameters",
]

_UNSIGNED = 0x8000
_LENGTHS = {0xFC: 2, 0xFD: 3, 0xFE: 8}

# Case of signed and of unsigned numbers, and their form.
_INTEGERS: dict[int, tuple[tuple[str, str], tuple[str, str]]] = {
    FIELD_TYPE.TINY: (("int8", "<b"), ("uint8", "<B")),
    FIELD_TYPE.SHORT: (("int16", "<h"), ("uint16", "<H")),
    FIELD_TYPE.INT24: (("int32", "<i"), ("uint32", "<I")),
    FIELD_TYPE.LONG: (("int32", "<i"), ("uint32", "<I")),
    FIELD_TYPE.LONGLONG: (("int64", "<q"), ("uint64", "<Q")),
}
_FLOATS = {FIELD_TYPE.FLOAT: ("floating32", "<f"), FIELD_TYPE.DOUBLE: ("floating64", "<d")}
_TEXTS = (FIELD_TYPE.BLOB, FIELD_TYPE.STRING, FIELD_TYPE.VAR_STRING)
_BLOBS = (FIELD_TYPE.LONG_BLOB, FIELD_TYPE.MEDIUM_BLOB)


class UnreadableValueError(ValueError):
    """A value has a type that WIT has no case for, or is not a value of its type."""


@attrs.frozen
class MysqlColumn:
    """A column of a result.

    Attributes:
        case: The case of its values and its data type; ``other`` for types that cannot be read.
        read: Returns a value and where the next one begins; ``None`` where it cannot be read.
    """

    name: str
    case: str
    read: Callable[[bytes, int], tuple[Any, int]] | None


def column_of(name: str, type_code: int, flags: int) -> MysqlColumn:
    """Return a column."""
    if type_code in _INTEGERS:
        case, form = _INTEGERS[type_code][bool(flags & FLAG.UNSIGNED)]
        return MysqlColumn(name, case, _fixed(form))
    if type_code in _FLOATS:
        case, form = _FLOATS[type_code]
        return MysqlColumn(name, case, _fixed(form))
    if type_code in _BLOBS or (type_code in _TEXTS and flags & FLAG.BINARY):
        return MysqlColumn(name, "binary", _bytes)
    if type_code in _TEXTS:
        return MysqlColumn(name, "str", _text)
    return MysqlColumn(name, "other", None)


def _fixed(form: str) -> Callable[[bytes, int], tuple[Any, int]]:
    struct = Struct(form)
    unpack, size = struct.unpack_from, struct.size
    return lambda data, at: (unpack(data, at)[0], at + size)


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    length = data[at]
    at += 1
    if length > 0xFB:
        size = _LENGTHS[length]
        length = int.from_bytes(data[at : at + size], "little")
        at += size
    end = at + length
    if end > len(data):
        raise IndexError("a value ends behind its row")
    return data[at:end], end


def _text(data: bytes, at: int) -> tuple[str, int]:
    value, at = _bytes(data, at)
    return value.decode(), at


class MysqlRowReader:
    """Reads the rows of one result."""

    def __init__(self, columns: Sequence[MysqlColumn]) -> None:
        self.columns = columns
        self._cases = [column.case for column in columns]
        # A row begins with a zero and a bit for each NULL, after two that are not used.
        self._values = 1 + (len(columns) + 9) // 8

    def row(self, data: bytes) -> tuple[list[Any], int]:
        """Return the values of a row, and what it counts against the limit of a result.

        Raises:
            UnreadableValueError: A value cannot be read.
        """
        at = self._values
        nulls = int.from_bytes(data[1:at], "little") >> 2
        row: list[Any] = []
        size = 0
        for column in self.columns:
            size += ENTRY_OVERHEAD
            if nulls & 1:
                row.append(None)
            else:
                if column.read is None:
                    raise UnreadableValueError(
                        f"Cannot convert value in column {column.name} data type other; select it "
                        "with CAST(... AS CHAR)"
                    )
                try:
                    value, end = column.read(data, at)
                except (ValueError, LookupError, OverflowError) as error:
                    raise UnreadableValueError(
                        f"Cannot convert value in column {column.name}: {error}"
                    ) from None
                row.append(value)
                size += end - at
                at = end
            nulls >>= 1
        return row, size

    def table(self, rows: Sequence[Sequence[Any]]) -> VariantTable:
        """Return rows as a guest has them."""
        return VariantTable.of_rows(self._cases, rows, null=NULL)


def encode_parameters(parameters: Sequence[Parameter]) -> bytes:
    """Return parameters as ``COM_STMT_EXECUTE`` has them: NULLs, types, values."""
    nulls = 0
    types, values = [], []
    for index, (case, value) in enumerate(parameters):
        if case == NULL:
            nulls |= 1 << index
            types.append(FIELD_TYPE.NULL)
            continue
        type_, data = _encoded(case, value)
        types.append(type_)
        values.append(data)
    bitmap = nulls.to_bytes((len(parameters) + 7) // 8, "little")
    return bitmap + b"\x01" + pack(f"<{len(types)}H", *types) + b"".join(values)


def _encoded(case: str, value: Any) -> tuple[int, bytes]:
    if case in ("str", "binary"):
        data = value.encode() if case == "str" else bytes(value)
        type_ = FIELD_TYPE.VAR_STRING if case == "str" else FIELD_TYPE.BLOB
        return type_, _length(len(data)) + data
    if case == "boolean":
        return FIELD_TYPE.TINY, b"\x01" if value else b"\0"
    type_, form = _FORMS[case]
    return type_, pack(form, value)


_FORMS: dict[str, tuple[int, str]] = {
    case: (type_, form) for type_, (case, form) in _FLOATS.items()
} | {
    case: (type_ | (_UNSIGNED if case.startswith("u") else 0), form)
    for type_, forms in _INTEGERS.items()
    if type_ != FIELD_TYPE.INT24
    for case, form in forms
}


def _length(length: int) -> bytes:
    if length < 0xFB:
        return bytes([length])
    for mark, size in _LENGTHS.items():
        if length < 1 << (8 * size):
            return bytes([mark]) + length.to_bytes(size, "little")
    raise ValueError("the value is too long")
