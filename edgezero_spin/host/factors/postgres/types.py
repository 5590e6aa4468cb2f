"""Types of PostgreSQL, and the WIT cases that stand for them.

Source: contract services.md, PG-30 to PG-44; ``src/include/catalog/pg_type.dat`` for the numbers.
"""

from enum import IntEnum

__all__ = ["COLUMNS", "PARAMETERS", "Oid"]


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


COLUMNS: dict[int, str] = {
    Oid.BOOL: "boolean",
    Oid.BYTEA: "binary",
    Oid.INT8: "int64",
    Oid.INT2: "int16",
    Oid.INT4: "int32",
    Oid.TEXT: "str",
    Oid.FLOAT4: "floating32",
    Oid.FLOAT8: "floating64",
    Oid.INT4_ARRAY: "array-int32",
    Oid.TEXT_ARRAY: "array-str",
    Oid.BPCHAR_ARRAY: "array-str",
    Oid.VARCHAR_ARRAY: "array-str",
    Oid.INT8_ARRAY: "array-int64",
    Oid.BPCHAR: "str",
    Oid.VARCHAR: "str",
    Oid.DATE: "date",
    Oid.TIME: "time",
    Oid.TIMESTAMP: "datetime",
    Oid.TIMESTAMPTZ: "datetime",
    Oid.INTERVAL: "interval",
    Oid.NUMERIC_ARRAY: "array-decimal",
    Oid.NUMERIC: "decimal",
    Oid.UUID: "uuid",
    Oid.JSONB: "jsonb",
    Oid.INT4RANGE: "range-int32",
    Oid.NUMRANGE: "range-decimal",
    Oid.INT8RANGE: "range-int64",
}
"""The case of a column's values and its data type; types without one are ``unsupported``."""

PARAMETERS: dict[int, str] = {
    **COLUMNS,
    Oid.CHAR: "int8",
    Oid.NAME: "str",
    Oid.JSON: "jsonb",
    Oid.UNKNOWN: "str",
    Oid.NAME_ARRAY: "array-str",
    Oid.TIMESTAMPTZ: "timestamp",
}
"""The case of a parameter that fits."""
