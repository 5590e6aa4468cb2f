"""Names and attributes of the spans of host functions."""

import pytest

from edgezero_spin.host.load.interfaces import HostInterfaces
from edgezero_spin.host.observers import HostCall
from edgezero_spin.host.runtime.interface import WitError
from edgezero_spin.host.telemetry.spans import is_traced, problem_of, span_of

ADDRESS = "postgres://anna:hush@db.example:5433/shop"
AT = {"server.address": "db.example", "server.port": 5433, "db.namespace": "shop"}
PG, MYSQL = {"db.system.name": "postgresql"}, {"db.system.name": "mysql"}
REDIS = {"db.system.name": "redis"}
ME = object()


@pytest.mark.parametrize(
    ("interface", "function", "arguments", "name", "attributes"),
    [
        ("fermyon:spin/key-value@2.0.0", "[static]store.open", ("default",), "spin_key_value.open",
         {}),
        ("spin:key-value/key-value@3.0.0", "[method]store.get-keys", (ME,),
         "spin_key_value.get_keys", {}),
        ("wasi:keyvalue/store@0.2.0-draft2", "[method]bucket.list-keys", (ME, None),
         "wasi_key_value.list_keys", {}),
        ("wasi:keyvalue/batch@0.2.0-draft2", "get-many", (ME, []), "spin_key_value.get_many", {}),
        ("wasi:keyvalue/atomics@0.2.0-draft2", "increment", (ME, "n", 1),
         "spin_key_value.increment", {}),
        ("wasi:keyvalue/atomics@0.2.0-draft2", "[static]cas.new", (ME, "n"),
         "wasi_key_value_cas.new", {}),
        ("fermyon:spin/variables@2.0.0", "get", ("token",), "spin_variables.get",
         {"key": "token"}),
        ("fermyon:spin/config", "get-config", ("token",), "spin_config.get", {"key": "token"}),
        ("wasi:config/store@0.2.0-draft-2024-09-27", "get-all", (), "wasi_config.get_all", {}),
        ("fermyon:spin/sqlite@2.0.0", "[static]connection.open", ("default",), "spin_sqlite.open",
         {"db.system.name": "sqlite", "database": "default"}),
        ("spin:sqlite/sqlite@3.1.0", "[method]connection.execute-async", (ME, "select 1", []),
         "spin_sqlite.execute", {"db.system.name": "sqlite", "query": "select 1"}),
        ("spin:postgres/postgres@4.2.0", "[static]connection.open", (ADDRESS,),
         "spin_outbound_pg.open", PG | AT),
        ("spin:postgres/postgres@4.2.0", "[static]connection.open",
         ("host=db password=hush user=anna",), "spin_outbound_pg.open", PG),
        ("spin:postgres/postgres@4.2.0", "[method]connection.query-async", (ME, "select 1", []),
         "spin_outbound_pg.query_async", PG | {"statement": "select 1"}),
        ("spin:postgres/postgres@4.2.0", "[method]connection.execute-async",
         (ME, "delete", []), "spin_outbound_pg.execute", PG | {"statement": "delete"}),
        ("fermyon:spin/postgres", "query", (ADDRESS, "select 1", []), "spin_outbound_pg.query",
         PG | {"statement": "select 1"}),
        ("spin:mysql/mysql@3.0.0", "[method]connection.query", (ME, "select 1", []), "select 1",
         MYSQL | {"statement": "select 1"}),
        ("fermyon:spin/mysql@2.0.0", "[method]connection.query", (ME, "select 1", []),
         "spin_outbound_mysql.query", MYSQL | {"statement": "select 1"}),
        ("fermyon:spin/redis@2.0.0", "[static]connection.open", ("redis://:hush@r:1/0",),
         "spin_outbound_redis.open_connection",
         REDIS | {"server.address": "r", "server.port": 1, "db.namespace": "0"}),
        ("fermyon:spin/redis@2.0.0", "[method]connection.incr", (ME, "n"), "INCRBY", REDIS),
        ("spin:redis/redis@3.0.0", "[method]connection.execute", (ME, "append", []), "append",
         REDIS),
        ("fermyon:spin/mqtt@2.0.0", "[static]connection.open", ("mqtt://m", "anna", "hush", 30),
         "spin_outbound_mqtt.open_connection", {}),
        ("spin:mqtt/mqtt@3.0.0", "[method]connection.publish", (ME, "topic", b"", "at-most-once"),
         "spin_outbound_mqtt.publish",
         {"messaging.operation": "publish", "messaging.system": "mqtt",
          "messaging.destination.name": "topic"}),
        ("fermyon:spin/llm@2.0.0", "infer", ("llama", "hello", None), "spin_llm.infer",
         {"model": "llama"}),
    ],
)  # fmt: skip
def test_names_and_attributes(
    interface: str,
    function: str,
    arguments: tuple[object, ...],
    name: str,
    attributes: dict[str, object],
) -> None:
    """As Spin has them; nothing of a password."""
    # TEL-23 to TEL-30
    assert is_traced(interface, function)
    span = span_of(HostCall(interface, function, arguments))
    assert span is not None
    assert (span.name, span.attributes) == (name, attributes)
    assert "hush" not in str(span)
    assert span.produces == (name == "spin_outbound_mqtt.publish")


def test_only_functions_that_the_host_has_are_traced_and_few_of_them() -> None:
    """Every interface of a store or server is in traces, streams and clocks are not."""
    traced = {
        f"{name} {function}"
        for name, table in HostInterfaces().items()
        for function in table.functions
        if is_traced(name, function)
    }
    assert not [name for name in traced if name.startswith(("wasi:io", "wasi:http", "wasi:cli"))]
    for part in ("key-value", "keyvalue", "variables", "sqlite", "postgres", "mysql", "redis",
                 "mqtt", "llm", "wasi:config"):  # fmt: skip
        assert [name for name in traced if part in name], part


@pytest.mark.parametrize(
    ("error", "problem", "blame"),
    [
        (WitError(("access-denied", None)), "access-denied", "guest"),
        (WitError("access-denied"), "access-denied", "guest"),
        (
            WitError(("connection-failed", f"cannot reach {ADDRESS}")),
            "connection-failed: cannot reach postgres://***@db.example:5433/shop",
            "host",
        ),
        (
            WitError(("other", "host=a password='hu sh' dbname=b")),
            "other: host=a password=*** dbname=b",
            "host",
        ),
        (
            WitError(("query-failed", ("db-error", {"message": "no such table"}))),
            "query-failed: db-error: no such table",
            "guest",
        ),
        (RuntimeError("gone"), "gone", "host"),
    ],
)
def test_problems(error: BaseException, problem: str, blame: str) -> None:
    """In words, and without credentials."""
    assert problem_of(error) == (problem, blame)


@pytest.mark.parametrize(
    ("interface", "function", "attribute"),
    [
        ("fermyon:spin/key-value@2.0.0", "[static]store.open", "kv.backend"),
        ("spin:key-value/key-value@3.0.0", "[static]store.open", "kv.backend"),
        ("spin:sqlite/sqlite@3.1.0", "[static]connection.open-async", "sqlite.backend"),
        ("fermyon:spin/llm@2.0.0", "infer", "llm.backend"),
    ],
)
def test_the_backend_of_a_call(interface: str, function: str, attribute: str) -> None:
    """Is an attribute where the host knows it (TEL-23, TEL-25, TEL-30)."""
    span = span_of(HostCall(interface, function, ("default", ""), "there"))
    assert span is not None and span.attributes[attribute] == "there"
