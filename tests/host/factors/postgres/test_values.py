"""Values of PostgreSQL, as parameters and in results, against a real server."""

from typing import Any

import pytest

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.postgres.interface import PostgresConnectionResource as Connection
from edgezero_spin.host.runtime.interface import WitError
from tests.host.factors.postgres.conftest import V4, Server
from tests.host.support import call

Value = tuple[str, Any]

UUID = ("str", "12345678-1234-1234-1234-123456789abc")


def query(
    state: InstanceState, connection: Connection, sql: str, *values: Value, interface: str = V4
) -> Any:
    """Return the row set of a statement."""
    return call(state, f"{interface} [method]connection.query", connection, sql, list(values))


def error_of(
    state: InstanceState,
    connection: Connection,
    sql: str,
    *values: Value,
    method: str = "query",
    interface: str = V4,
) -> Any:
    """Return the error of a statement."""
    with pytest.raises(WitError) as raised:
        call(state, f"{interface} [method]connection.{method}", connection, sql, list(values))
    return raised.value.payload


BOTH_WAYS = [
    ("bool", ("boolean", True)),
    ("int2", ("int16", -(2**15))),
    ("int4", ("int32", 2**31 - 1)),
    ("int8", ("int64", 5)),
    ("float4", ("floating32", 1.5)),
    ("float8", ("floating64", -0.1)),
    ("text", ("str", "Größe")),
    ("varchar", ("str", "")),
    ("bytea", ("binary", b"\0\xff")),
    ("date", ("date", (-43, 3, 15))),
    ("date", ("date", (2024, 2, 29))),
    ("time", ("time", (14, 15, 16, 17_000))),
    ("timestamp", ("datetime", (1, 12, 31, 23, 59, 59, 999_999_000))),
    ("timestamp", ("datetime", (20_000, 1, 1, 0, 0, 0, 0))),
    ("uuid", ("uuid", "12345678-1234-1234-1234-123456789abc")),
    ("jsonb", ("jsonb", b'{"a":1,"b, c":["\\"x, y\\": z",{"d":1.50}]}')),
    ("numeric", ("decimal", "1.10")),
    ("numeric", ("decimal", "-79228162514264337593543950335")),
    ("numeric", ("decimal", "0.0000000000000000000000000001")),
    ("int4range", ("range-int32", ((1, "inclusive"), (5, "exclusive")))),
    ("int8range", ("range-int64", (None, (5, "exclusive")))),
    ("numrange", ("range-decimal", (("1.5", "exclusive"), ("2.50", "inclusive")))),
    ("int4[]", ("array-int32", [1, None, -3])),
    ("int8[]", ("array-int64", [])),
    ("numeric[]", ("array-decimal", ["1.0", None])),
    ("text[]", ("array-str", ["a", None, ""])),
    ("varchar[]", ("array-str", ["a"])),
    ("interval", ("interval", {"micros": 3_000_000, "days": -2, "months": 1})),
]


@pytest.mark.parametrize(("type_", "value"), BOTH_WAYS)
def test_values_come_back_as_they_went(
    state: InstanceState, connection: Connection, type_: str, value: Value
) -> None:
    """A parameter of each case is returned in the same, with its name as the data type."""
    # PG-30 to PG-43, V-11, V-13 to V-18
    found = query(state, connection, f"SELECT $1::{type_} AS v", value)
    assert found == {"columns": [{"name": "v", "data-type": (value[0], None)}], "rows": [[value]]}


@pytest.mark.parametrize(
    ("expression", "type_name", "data"),
    [
        ("'x'::name", "name", b"x"),
        ("'A'::\"char\"", "char", b"A"),
        ("'{}'::json", "json", b"{}"),
        ("pg_sleep(0)", "void", b""),
        ("'{1}'::int2[]", "_int2", None),
        ("'1.2.3.4'::inet", "inet", None),
    ],
)
def test_other_types_keep_their_bytes(
    state: InstanceState,
    connection: Connection,
    expression: str,
    type_name: str,
    data: bytes | None,
) -> None:
    """They are unsupported, with the bytes of the server and its name of the type."""
    # PG-44, V-9, V-10, V-14, V-17, V-19
    found = query(state, connection, f"SELECT {expression} AS v")
    assert found["columns"] == [{"name": "v", "data-type": ("other", type_name)}]
    ((case, value),) = found["rows"][0]
    assert case == "unsupported"
    assert data is None or value == data


def test_a_type_of_the_database_has_its_name(state: InstanceState, connection: Connection) -> None:
    """The server is asked for the name of a type that nobody else has; the statement still runs."""
    query(state, connection, "CREATE TYPE pg_temp.mood AS ENUM ('sad')")
    found = query(state, connection, "SELECT 'sad'::pg_temp.mood AS v, $1::int4", ("int32", 1))
    assert found["columns"][0]["data-type"] == ("other", "mood")
    assert found["rows"] == [[("unsupported", b"sad"), ("int32", 1)]]
    case, (kind, text) = error_of(state, connection, "SELECT $1::pg_temp.mood", ("str", "sad"))
    assert (case, kind) == ("query-failed", "text")
    assert "`mood`" in text


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'ab'::char(4)", ("str", "ab  ")),
        ("'(1,40]'::int4range", ("range-int32", ((2, "inclusive"), (41, "exclusive")))),
        ("'empty'::int4range", ("range-int32", (None, None))),
        ("'24:00'::time", ("time", (0, 0, 0, 0))),
        ("1::numeric(9,2)", ("decimal", "1.00")),
        ("to_timestamp(0)", ("datetime", (1970, 1, 1, 0, 0, 0, 0))),
        ("NULL::inet", ("db-null", None)),
        ("0.12345678901234567890123456785", ("decimal", "0.1234567890123456789012345679")),
    ],
)
def test_what_the_server_makes_of_values(
    state: InstanceState, connection: Connection, expression: str, value: Value
) -> None:
    """Padding, canonical ranges, scale, UTC and NULL are as the server has them."""
    # PG-34, PG-35, PG-41, PG-44 to PG-46
    assert query(state, connection, f"SELECT {expression}")["rows"] == [[value]]


@pytest.mark.parametrize(
    ("sql", "value", "expected"),
    [
        ("extract(epoch from $1::timestamptz)::int8", ("timestamp", 3600), ("int64", 3600)),
        ("$1::uuid::text", ("uuid", "{12345678-1234-1234-1234-123456789ABC}"), UUID),
        ("$1::uuid::text", ("uuid", "urn:uuid:12345678-1234-1234-1234-123456789abc"), UUID),
        ("$1::uuid::text", ("uuid", "12345678123412341234123456789abc"), UUID),
        ("$1::json::text", ("jsonb", b'{"a":  1}'), ("str", '{"a":  1}')),
        ("$1::name::text", ("str", "x"), ("str", "x")),
        ('$1::"char"::text', ("int8", 65), ("str", "A")),
        ("$1::int4 IS NULL", ("db-null", None), ("boolean", True)),
        ("$1::varchar[]::text", ("array-str", ["a", None]), ("str", "{a,NULL}")),
        ("$1::numeric::text", ("decimal", "-.50"), ("str", "-0.50")),
        ("$1::time::text", ("time", (1, 2, 3, 999)), ("str", "01:02:03")),
    ],
)
def test_what_the_server_gets(
    state: InstanceState, connection: Connection, sql: str, value: Value, expected: Value
) -> None:
    """Other forms of a parameter, and other types that take its case."""
    # PG-31, PG-34, PG-37 to PG-40, PG-44, V-9, V-12, V-13
    assert query(state, connection, f"SELECT {sql}", value)["rows"] == [[expected]]


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("date", ("date", (2023, 2, 29))),
        ("time", ("time", (24, 0, 0, 0))),
        ("timestamp", ("datetime", (2023, 13, 1, 0, 0, 0, 0))),
        ("timestamp", ("datetime", (2**31 - 1, 1, 1, 0, 0, 0, 0))),
        ("timestamptz", ("timestamp", 2**62)),
        ("uuid", ("uuid", "xyz")),
        ("jsonb", ("jsonb", b"nope")),
        ("jsonb", ("jsonb", b"NaN")),
        ("jsonb", ("jsonb", b"[" * 100_000)),
        ("numeric", ("decimal", "1e3")),
        ("numeric", ("decimal", ".")),
        ("numeric", ("decimal", "79228162514264337593543950336")),
        ("numeric", ("decimal", "9" * 5000)),
        ("numrange", ("range-decimal", (("x", "inclusive"), None))),
        ("numeric[]", ("array-decimal", ["x"])),
        ("text", ("str", "a\0b")),
    ],
)
def test_values_that_are_none(
    state: InstanceState, connection: Connection, type_: str, value: Value
) -> None:
    """A malformed value is a bad parameter of a query, a failed conversion of `execute`."""
    # PG-57, V-11, V-13 to V-15
    sql = f"SELECT $1::{type_}"
    assert error_of(state, connection, sql, value)[0] == "bad-parameter"
    case = error_of(state, connection, sql, value, method="execute")[0]
    assert case == "value-conversion-failed"
    assert query(state, connection, "SELECT 1")["rows"] == [[("int32", 1)]]


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("SELECT $1::int8", [("int32", 5)]),
        ("SELECT $1::int2", [("int8", 1)]),
        ("SELECT $1::timestamptz", [("datetime", (2024, 1, 1, 0, 0, 0, 0))]),
        ("SELECT $1::text", [("int32", 1)]),
        ("SELECT $1::int2[]", [("array-int32", [1])]),
        ("SELECT $1::int4", []),
        ("SELECT 1", [("int32", 1)]),
    ],
)
def test_parameters_that_do_not_fit(
    state: InstanceState, connection: Connection, sql: str, values: list[Value]
) -> None:
    """Another type than the inferred one, or another number, fails with a text."""  # PG-58, V-8
    case, (kind, _) = error_of(state, connection, sql, *values)
    assert (case, kind) == ("query-failed", "text")


@pytest.mark.parametrize(
    "expression",
    [
        "'NaN'::numeric",
        "'Infinity'::numeric",
        "1e30::numeric",
        "'infinity'::date",
        "'5874897-12-31'::date",
        "'-infinity'::timestamp",
        "'infinity'::timestamptz",
        "'{{1},{2}}'::int4[]",
        "ARRAY['NaN'::numeric]",
    ],
)
def test_values_that_wit_has_no_form_for(
    state: InstanceState, connection: Connection, expression: str
) -> None:
    """They fail by name of the column, and the connection goes on."""  # PG-46, PG-61
    case, (kind, text) = error_of(state, connection, f"SELECT 1, {expression}")
    assert (case, kind) == ("query-failed", "text")
    assert text.startswith("error deserializing column 1: ")
    assert query(state, connection, "SELECT 1")["rows"] == [[("int32", 1)]]


@pytest.mark.parametrize(
    ("interface", "sql", "data_type", "value"),
    [
        ("spin:postgres/postgres@3.0.0", "date '2024-01-02'", "date", ("date", (2024, 1, 2))),
        ("spin:postgres/postgres@3.0.0", "gen_random_uuid()", "other", ("unsupported", None)),
        ("spin:postgres/postgres@3.0.0", "1.5::numeric", "other", ("unsupported", None)),
        ("fermyon:spin/postgres@2.0.0", "date '2024-01-02'", "other", ("unsupported", None)),
        ("fermyon:spin/postgres@2.0.0", "NULL::date", "other", ("db-null", None)),
        ("fermyon:spin/postgres@2.0.0", "7::int8", "int64", ("int64", 7)),
    ],
)
def test_older_versions_have_fewer_types(
    state: InstanceState, server: Server, interface: str, sql: str, data_type: str, value: Value
) -> None:
    """What they lack is unsupported, without its bytes."""  # PG-48, V-20
    connection = call(state, f"{interface} [static]connection.open", server.address())
    found = query(state, connection, f"SELECT {sql} AS v", interface=interface)
    assert found == {"columns": [{"name": "v", "data-type": data_type}], "rows": [[value]]}
    connection.drop(state)


def test_unsigned_parameters(state: InstanceState, server: Server) -> None:
    """Version 2 has their cases, and PostgreSQL has not."""  # PG-49, V-20
    interface = "fermyon:spin/postgres@2.0.0"
    connection = call(state, f"{interface} [static]connection.open", server.address())
    for method in ("query", "execute"):
        assert error_of(
            state, connection, "SELECT $1", ("uint32", 1), method=method, interface=interface
        ) == ("value-conversion-failed", "Postgres does not support unsigned integers")
    connection.drop(state)
