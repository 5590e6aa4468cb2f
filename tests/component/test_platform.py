"""Every interface beside HTTP, called by a Python guest: the types fit, and errors arrive.

What each function does is tested without wasm in ``tests/host/factors``.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.factors.database_servers.pools import ConnectionPools
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
from edgezero_spin.host.factors.postgres.factor import PostgresConnections
from edgezero_spin.host.factors.sqlite.factor import Database
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.host.load.interfaces import HostInterfaces
from edgezero_spin.host.runtime.component_loading import load_component
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.host.runtime.prepared import PreparedComponent
from edgezero_spin.stores.memory import MemoryKeyValue
from tests.host.debian_servers import running_mariadb, running_mosquitto, running_postgres
from tests.host.redis_server import running_redis
from tests.host.support import instance_state

FOLDER = Path(__file__).parent / "guests" / "platform"

Run = Callable[[str], str]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine for one instance at a time."""
    with make_engine(EngineSettings(pooling=False)) as made:
        yield made


@pytest.fixture(scope="module")
def linked(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> PreparedComponent:
    """The guest, compiled from its own world."""
    output = tmp_path_factory.mktemp("platform") / "platform.wasm"
    tool = str(Path(sys.executable).with_name("componentize-py"))
    world = ["-q", "-d", str(FOLDER / "wit"), "-w", "everything"]
    subprocess.run(
        [tool, *world, "componentize", "-p", str(FOLDER), "-o", str(output), "app"], check=True
    )
    return link(engine, load_component(engine, output), HostInterfaces())


def run_in(linked: PreparedComponent, state: InstanceState, code: str) -> str:
    """Run code in a fresh instance and return its answer."""
    instance = linked.instantiate(state)
    try:
        answer: str = instance.call(None, "run", code)
    finally:
        instance.close()
        state.close()
    assert len(state.table) == 0
    return answer


@pytest.fixture
def run(linked: PreparedComponent) -> Run:
    """Run code in an instance that may use a store, a database, a variable and a model."""
    store = MemoryKeyValue()
    grants: dict[str, Any] = {
        "stores": {"default": store},
        "databases": {"default": Database(label="default")},
        "variables": VariableResolver({}, {"test": {"colour": "red"}}),
        "ai_models": ("llama2",),
        "outbound": OutboundHosts(["*://allowed:*"]),
    }
    return lambda code: run_in(linked, instance_state(**grants), code)


def test_buckets(run: Run) -> None:
    """Buckets, batches and counters (KV-31)."""
    answer = run("""
denied = caught(buckets.open, "forbidden")
bucket = buckets.open("default")
bucket.set("bar", b"baz")
batch.set_many(bucket, [("a", b"1"), ("b", b"")])
found = batch.get_many(bucket, ["b", "none", "a"])
batch.delete_many(bucket, ["a", "b"])
cursor = caught(bucket.list_keys, "0")
counts = [atomics.increment(bucket, "n", 10), atomics.increment(bucket, "n", 5)]
answer = denied, found, bucket.list_keys(None), cursor, counts, bucket.get("none")
""")
    assert answer == (
        "('Error_AccessDenied()', [('b', b''), ('a', b'1')], "
        "KeyResponse(keys=['bar', 'n'], cursor=None), "
        "\"Error_Other(value='list_keys: cursor not supported')\", [10, 15], None)"
    )


def test_swaps(run: Run) -> None:
    """A handle is used up by a swap, and a lost one brings another (KV-26, KV-27)."""
    answer = run("""
from componentize_py_types import Err
bucket = buckets.open("default")
bucket.set("a", b"old")
cas = atomics.Cas.new(bucket, "a")
seen = cas.current()
bucket.set("a", b"theirs")
try:
    atomics.swap(cas, b"mine")
except Err as error:
    atomics.swap(error.value.value, b"mine")
answer = seen, bucket.get("a")
""")
    assert answer == "(b'old', b'mine')"


def test_configuration(run: Run) -> None:
    """Variables by their two other names (VAR-12 to VAR-14)."""
    answer = run("""
answer = (
    config_store.get("colour"), config_store.get("none"), config_store.get_all(),
    config1.get_config("colour"), caught(config1.get_config, "A"),
)
""")
    assert answer.startswith("('red', None, [('colour', 'red')], 'red', 'Error_InvalidKey(value=")


def test_stores_of_spin_1(run: Run) -> None:
    """Stores are numbers (KV-13)."""
    answer = run("""
store = key_value1.open("default")
missing = caught(key_value1.get, store, "a")
key_value1.set(store, "a", b"1")
found = key_value1.get(store, "a"), key_value1.exists(store, "a"), key_value1.get_keys(store)
key_value1.close(store)
answer = missing, found, caught(key_value1.get, store, "a")
""")
    assert answer == "('Error_NoSuchKey()', (b'1', True, ['a']), 'Error_InvalidStore()')"


def test_sqlite(run: Run) -> None:
    """Values of every type, in every version (DB-1, CONF-12)."""
    for module in ("sqlite2", "sqlite3"):
        answer = run(f"""
sql = {module}
denied = caught(sql.Connection.open, "forbidden")
connection = sql.Connection.open("default")
connection.execute("CREATE TABLE t(v)", [])
values = [sql.Value_Integer(-1), sql.Value_Real(1.5), sql.Value_Text("ä"),
          sql.Value_Blob(b"\\xff"), sql.Value_Null()]
connection.execute("INSERT INTO t VALUES (?), (?), (?), (?), (?)", values)
result = connection.execute("SELECT v FROM t", [])
same = [row.values[0] for row in result.rows] == values
answer = denied, result.columns, same, caught(connection.execute, "nonsense", [])
""")
        assert answer.startswith("('Error_AccessDenied()', ['v'], True, ")
        assert "Error_Io(value=" in answer
    assert (
        run("""
connection = sqlite3.Connection.open("default")
connection.execute("CREATE TABLE t(v)", [])
connection.execute("INSERT INTO t VALUES (1), (2)", [])
answer = connection.last_insert_rowid(), connection.changes()
""")
        == "(2, 2)"
    )
    assert (
        run("""
connection = sqlite1.open("default")
row = sqlite1.execute(connection, "SELECT ?", [sqlite1.Value_Text("x")]).rows[0].values
sqlite1.close(connection)
answer = row, caught(sqlite1.execute, connection, "SELECT 1", [])
""")
        == "([Value_Text(value='x')], 'Error_InvalidConnection()')"
    )


def test_redis(linked: PreparedComponent, tmp_path: Path) -> None:
    """Payloads, sets and any command, through both versions (CONF-5)."""
    with running_redis(tmp_path) as port:
        state = instance_state(outbound=OutboundHosts([f"redis://localhost:{port}"]))
        answer = run_in(
            linked,
            state,
            f"""
redis = redis2
address = "redis://localhost:{port}"
connection = redis.Connection.open(address)
connection.set("a", b"0")
connection.publish("c", b"x")
numbers = connection.incr("a"), connection.sadd("s", ["x"]), connection.del_(["a"])
payload = redis.RedisParameter_Binary(b"k")
replies = [connection.execute(command, arguments) for command, arguments in [
    ("set", [payload, redis.RedisParameter_Int64(5)]), ("get", [payload]), ("del", [payload]),
    ("get", [payload]),
]]
redis1.set(address, "b", b"1")
answer = (numbers, connection.get("none"), connection.smembers("s"), replies,
    redis1.get(address, "b"), caught(redis.Connection.open, "redis://elsewhere"),
    caught(redis1.get, "redis://elsewhere", "b"), caught(connection.sadd, "k", []))
""",
        )
    assert answer.startswith(
        "((1, 1, 1), None, ['x'], [[RedisResult_Status(value='OK')], "
        "[RedisResult_Binary(value=b'5')], [RedisResult_Int64(value=1)], [RedisResult_Nil()]], "
        "b'1', 'Error_InvalidAddress()', '<Error.ERROR: 1>', 'Error_Other(value="
    )


def test_postgres(linked: PreparedComponent) -> None:
    """Values of every kind go both ways, errors have their fields, through each version."""
    postgres = PostgresConnections()
    with running_postgres() as port:
        state = instance_state(
            outbound=OutboundHosts([f"postgres://localhost:{port}"]), postgres=postgres
        )
        answer = run_in(
            linked,
            state,
            f"""
pg = postgres4
address = "postgres://postgres:postgres@localhost:{port}/postgres?sslmode=disable"
connection = pg.ConnectionBuilder(address).build()
values = [
    ("int4", "Int32", -5), ("text", "Str", "Größe"), ("bytea", "Binary", b"\\0\\xff"),
    ("float8", "Floating64", 0.5), ("date", "Date", (2024, 2, 29)),
    ("timestamp", "Datetime", (2024, 2, 29, 1, 2, 3, 4000)), ("numeric", "Decimal", "1.10"),
    ("int4range", "RangeInt32", ((1, pg.RangeBoundKind.INCLUSIVE), None)),
    ("text[]", "ArrayStr", ["a", None]), ("interval", "Interval", pg.Interval(1, 2, 3)),
]
sql = "SELECT " + ", ".join(f"${{n}}::{{kind}}" for n, (kind, _, _) in enumerate(values, 1))
row_set = connection.query(
    sql, [getattr(pg, f"ParameterValue_{{case}}")(value) for _, case, value in values])
same = row_set.rows == [[getattr(pg, f"DbValue_{{case}}")(value) for _, case, value in values]]
types = [column.data_type for column in row_set.columns] == [
    getattr(pg, f"DbDataType_{{case}}")() for _, case, _ in values]
other = connection.query("SELECT '{{}}'::json AS j", [])
count = connection.execute("CREATE TEMP TABLE t AS SELECT generate_series(1, 3)", [])
old = postgres2.Connection.open(address).query("SELECT 1, current_date", [])
oldest = postgres1.query(address, "SELECT true", [])
answer = (same, types, other, count, old.rows, old.columns[1].data_type.name, oldest.rows,
    caught(connection.query, "SELEC", []))
""",
        )
    postgres.close()
    assert answer.startswith(
        "(True, True, RowSet(columns=[Column(name='j', "
        "data_type=DbDataType_Other(value='json'))], "
        "rows=[[DbValue_Unsupported(value=b'{}')]]), 3, "
        "[[DbValue_Int32(value=1), DbValue_Unsupported()]], 'OTHER', "
        "[[DbValue_Boolean(value=True)]], "
    )
    assert "QueryError_DbError(value=DbError(as_text=" in answer
    assert "42601" in answer


def test_mysql(linked: PreparedComponent) -> None:
    """Values go both ways, through both versions; errors arrive."""
    mysql: ConnectionPools[Any] = ConnectionPools()
    with running_mariadb() as port:
        state = instance_state(outbound=OutboundHosts([f"mysql://localhost:{port}"]), mysql=mysql)
        answer = run_in(
            linked,
            state,
            f"""
from wit_world.imports import fermyon_spin_rdbms_types_2_0_0 as cases
address = "mysql://spin:spin@localhost:{port}/spin_dev"
connection = mysql2.Connection.open(address)
connection.execute("CREATE TABLE t (a int unsigned, b varchar(9), c blob, d double)", [])
names = "Uint32", "Str", "Binary", "Floating64"
row = 2**32 - 1, "Größe", b"\\0\\xff", 0.5
values = [getattr(cases, f"ParameterValue_{{name}}")(value) for name, value in zip(names, row)]
connection.execute("INSERT INTO t VALUES (?, ?, ?, ?)", values)
found = connection.query("SELECT * FROM t", [])
back = [getattr(cases, f"DbValue_{{name}}")(value) for name, value in zip(names, row)]
old = mysql1.query(address, "SELECT NULL", [])
answer = (found.rows == [back], [c.data_type.name for c in found.columns], old.rows,
    caught(connection.query, "SELECT * FROM nope", []))
""",
        )
    mysql.close()
    assert answer.startswith(
        "(True, ['UINT32', 'STR', 'BINARY', 'FLOATING64'], [[DbValue_DbNull()]], "
    )
    assert "Error_QueryFailed" in answer


def test_mqtt(linked: PreparedComponent) -> None:
    """A message is acknowledged, and an error arrives."""
    with running_mosquitto() as port:
        state = instance_state(outbound=OutboundHosts([f"mqtt://localhost:{port}"]))
        answer = run_in(
            linked,
            state,
            f"""
connection = mqtt.Connection.open("mqtt://localhost:{port}?client_id=guest", "", "", 30)
sent = [connection.publish("topic", b"payload", qos) for qos in mqtt.Qos]
answer = sent, caught(connection.publish, "#", b"", mqtt.Qos.AT_MOST_ONCE)
""",
        )
    assert answer.startswith('([None, None, None], "Error_Other(value=')


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("mysql2.Connection.open, 'mysql://evil'", "Error_ConnectionFailed(value='address"),
        ("postgres2.Connection.open, 'host=evil'", "Error_ConnectionFailed(value='address"),
        ("postgres4.Connection.open, 'host=evil'", "Error_ConnectionFailed(value='address"),
        ("postgres4.ConnectionBuilder('host=evil').build", "Error_ConnectionFailed(value='addr"),
        ("mqtt.Connection.open, 'mqtt://allowed', '', '', 1", "Error_InvalidAddress()"),
        ("mqtt.Connection.open, 'mqtt://evil', '', '', 1", "Error_ConnectionFailed(value='addr"),
        ("llm2.infer, 'llama2', 'why?', None", "Error_RuntimeError(value='Local LLM"),
        ("llm1.generate_embeddings, 'none', []", 'Error_InvalidInput(value="The component'),
        ("mysql1.query, 'mysql://evil', '', []", "MysqlError_ConnectionFailed(value='address"),
        ("postgres1.execute, 'host=evil', '', []", "PgError_ConnectionFailed(value='address"),
    ],
)
def test_what_is_not_provided(run: Run, call: str, answer: str) -> None:
    """The component loads, and a call is an error that its SDK knows (DB-10)."""
    assert run(f"answer = caught({call})").startswith(answer)
