"""Types of PostgreSQL, and the WIT cases that stand for them.

Source: contract services.md, PG-30 to PG-44; ``src/include/catalog/pg_type.dat`` for the numbers.
"""

from enum import IntEnum

import attrs

__all__ = ["TYPES", "Oid", "ServerType"]


class Oid(IntEnum):
    """Numbers of built-in types."""

    BOOL = 16
    BYTEA = 17
    CHAR = 18
    NAME = 19
    INT8 = 20
    INT2 = 21
    INT4 = 23
    TEXT = 25
    JSON = 114
    FLOAT4 = 700
    FLOAT8 = 701
    UNKNOWN = 705
    NAME_ARRAY = 1003
    INT4_ARRAY = 1007
    TEXT_ARRAY = 1009
    BPCHAR_ARRAY = 1014
    VARCHAR_ARRAY = 1015
    INT8_ARRAY = 1016
    BPCHAR = 1042
    VARCHAR = 1043
    DATE = 1082
    TIME = 1083
    TIMESTAMP = 1114
    TIMESTAMPTZ = 1184
    INTERVAL = 1186
    NUMERIC_ARRAY = 1231
    NUMERIC = 1700
    UUID = 2950
    JSONB = 3802
    INT4RANGE = 3904
    NUMRANGE = 3906
    INT8RANGE = 3926


@attrs.frozen
class ServerType:
    """What stands for a type in WIT.

    Attributes:
        parameter: The case of a parameter; empty where none fits.
        column: The case of a column's values and its data type; empty for ``unsupported``.
    """

    parameter: str
    column: str


def _both(case: str) -> ServerType:
    return ServerType(case, case)


TYPES: dict[int, ServerType] = {
    Oid.BOOL: _both("boolean"),
    Oid.BYTEA: _both("binary"),
    Oid.CHAR: ServerType("int8", ""),
    Oid.NAME: ServerType("str", ""),
    Oid.INT8: _both("int64"),
    Oid.INT2: _both("int16"),
    Oid.INT4: _both("int32"),
    Oid.TEXT: _both("str"),
    Oid.JSON: ServerType("jsonb", ""),
    Oid.FLOAT4: _both("floating32"),
    Oid.FLOAT8: _both("floating64"),
    Oid.UNKNOWN: ServerType("str", ""),
    Oid.NAME_ARRAY: ServerType("array-str", ""),
    Oid.INT4_ARRAY: _both("array-int32"),
    Oid.TEXT_ARRAY: _both("array-str"),
    Oid.BPCHAR_ARRAY: _both("array-str"),
    Oid.VARCHAR_ARRAY: _both("array-str"),
    Oid.INT8_ARRAY: _both("array-int64"),
    Oid.BPCHAR: _both("str"),
    Oid.VARCHAR: _both("str"),
    Oid.DATE: _both("date"),
    Oid.TIME: _both("time"),
    Oid.TIMESTAMP: _both("datetime"),
    Oid.TIMESTAMPTZ: ServerType("timestamp", "datetime"),
    Oid.INTERVAL: _both("interval"),
    Oid.NUMERIC_ARRAY: _both("array-decimal"),
    Oid.NUMERIC: _both("decimal"),
    Oid.UUID: _both("uuid"),
    Oid.JSONB: _both("jsonb"),
    Oid.INT4RANGE: _both("range-int32"),
    Oid.NUMRANGE: _both("range-decimal"),
    Oid.INT8RANGE: _both("range-int64"),
}
