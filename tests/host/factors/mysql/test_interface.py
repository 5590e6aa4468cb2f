"""A guest's connections to a real MariaDB server: values, permission, errors, sessions, limits."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edgezero_spin.host.errors import DeadlineExceeded
from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES
from edgezero_spin.host.factors.database_servers import sessions
from edgezero_spin.host.factors.database_servers.pools import ConnectionPools
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.mysql import sockets
from edgezero_spin.host.factors.mysql.interface import MysqlConnectionResource
from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
from edgezero_spin.host.factors.outbound_networking import connection_slots
from edgezero_spin.host.factors.outbound_networking.blocked import parse_blocked
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules
from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots
from edgezero_spin.host.runtime.interface import Err, Ok, WitError
from tests.certificates import Certificate, make_certificate
from tests.host.debian_servers import own, running_mariadb, server_folder
from tests.host.factors.stream_reader import StreamReader, run_async
from tests.host.support import call, error_of, instance_state

V2 = "fermyon:spin/mysql@2.0.0"
V3 = "spin:mysql/mysql@3.0.0"
KIND = MysqlConnectionResource.kind
OPEN = f"{V2} [static]connection.open"
FULL = ("connection-failed", "too many connections")

MakeState = Callable[..., InstanceState]
Value = tuple[str, Any]


@pytest.fixture(scope="module")
def certificate() -> Iterator[Certificate]:
    """What the server shows where TLS is used."""
    with server_folder() as folder:
        made = make_certificate(folder)
        for file in (made.chain, made.key):
            own(file)
        yield made


@pytest.fixture(scope="module")
def port(certificate: Certificate) -> Iterator[int]:
    """A server; tests that need one are skipped where it is not installed."""
    tls = [f"ssl-cert={certificate.chain}", f"ssl-key={certificate.key}"]
    with running_mariadb("max-allowed-packet=32M", *tls) as port:
        yield port


@pytest.fixture
def make_state() -> Iterator[MakeState]:
    """Makes instances of one application, which may connect to anything on this machine."""
    mysql: ConnectionPools[Any] = ConnectionPools()

    def make(*entries: str, **grants: Any) -> InstanceState:
        allowed = entries or ("mysql://localhost:*",)
        return instance_state(outbound=OutboundHosts(allowed), mysql=mysql, **grants)

    yield make
    mysql.close()


@pytest.fixture
def state(make_state: MakeState) -> InstanceState:
    """An instance that may connect to the server."""
    return make_state()


@pytest.fixture
def address(port: int) -> str:
    """The address of the server's database."""
    return f"mysql://spin:spin@localhost:{port}/spin_dev"


@pytest.fixture
def connection(state: InstanceState, address: str) -> Iterator[MysqlConnectionResource]:
    """An open connection."""
    opened: MysqlConnectionResource = call(state, OPEN, address)
    yield opened
    opened.drop(state)


def query(state: InstanceState, connection: Any, sql: str, *values: Value) -> Any:
    """Return the row set of a statement."""
    return call(state, f"{V2} [method]connection.query", connection, sql, list(values))


def execute(state: InstanceState, connection: Any, sql: str, *values: Value) -> None:
    """Run a statement."""
    call(state, f"{V2} [method]connection.execute", connection, sql, list(values))


def refused(
    state: InstanceState, connection: Any, sql: str, *values: Value, method: str = "query"
) -> Any:
    """Return the error of a statement."""
    with pytest.raises(WitError) as raised:
        call(state, f"{V2} [method]connection.{method}", connection, sql, list(values))
    return raised.value.payload


NUMBERS = [
    ("tinyint", ("int8", -128)),
    ("smallint", ("int16", -32768)),
    ("mediumint", ("int32", -8388608)),
    ("int", ("int32", -(2**31))),
    ("bigint", ("int64", -(2**63))),
    ("tinyint unsigned", ("uint8", 255)),
    ("smallint unsigned", ("uint16", 65535)),
    ("mediumint unsigned", ("uint32", 16777215)),
    ("int unsigned", ("uint32", 2**32 - 1)),
    ("bigint unsigned", ("uint64", 2**64 - 1)),
    ("float", ("floating32", 1.5)),
    ("double", ("floating64", -0.1)),
]
OTHERS = [
    ("bool", ("boolean", True), ("int8", 1)),
    ("varchar(300)", ("str", "Größe" * 50), ("str", "Größe" * 50)),
    ("text", ("str", ""), ("str", "")),
    ("longtext", ("str", "x" * 70_000), ("str", "x" * 70_000)),
    ("char(5)", ("str", "c"), ("str", "c")),
    ("binary(10)", ("binary", b"a"), ("binary", b"a" + b"\0" * 9)),
    ("varbinary(9)", ("binary", b"\0\xff"), ("binary", b"\0\xff")),
    ("blob", ("binary", b"b"), ("binary", b"b")),
    ("varchar(9) collate utf8mb4_bin", ("str", "bin"), ("binary", b"bin")),
    ("json", ("str", "{}"), ("binary", b"{}")),
    ("enum('x', 'y')", ("str", "y"), ("str", "y")),
    ("set('x', 'y')", ("str", "x,y"), ("str", "x,y")),
    ("date", ("db-null", None), ("db-null", None)),
]


@pytest.mark.parametrize(
    ("type_", "given", "found"), [*((type_, value, value) for type_, value in NUMBERS), *OTHERS]
)
def test_values(
    state: InstanceState,
    connection: MysqlConnectionResource,
    type_: str,
    given: Value,
    found: Value,
) -> None:
    """Each type takes its parameter, and comes back as the case that it has."""
    # MY-10 to MY-16, MY-20, V-31 to V-33
    execute(state, connection, f"CREATE TEMPORARY TABLE v (v {type_})")
    execute(state, connection, "INSERT INTO v VALUES (?)", given)
    result = query(state, connection, "SELECT v FROM v")
    assert result["rows"] == [[found]]
    expected = "other" if found[0] == "db-null" else found[0]
    assert result["columns"] == [{"name": "v", "data-type": expected}]


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("date", "2024-02-29"),
        ("time", "01:02:03"),
        ("datetime", "2024-02-29 01:02:03"),
        ("timestamp", "2024-02-29 01:02:03"),
        ("year", "2024"),
        ("decimal(5, 2)", "1.50"),
        ("bit(3)", None),
    ],
)
def test_types_that_cannot_be_read(
    state: InstanceState, connection: MysqlConnectionResource, type_: str, text: str | None
) -> None:
    """They take text, fail when a value is read, and can be read as text."""
    # MY-15, MY-20, MY-34, V-34, V-35
    execute(state, connection, f"CREATE TEMPORARY TABLE v (a int, v {type_}, b int)")
    value = ("str", text) if text is not None else ("int8", 5)
    execute(state, connection, "INSERT INTO v VALUES (1, ?, 2)", value)
    case, message = refused(state, connection, "SELECT a, v, b FROM v")
    assert (case, message.startswith("Cannot convert value")) == ("value-conversion-failed", True)
    if text is not None:
        found = query(state, connection, "SELECT CAST(v AS CHAR) AS v FROM v")["rows"]
        assert found == [[("str", text)]]


def test_rows_with_nulls(state: InstanceState, connection: MysqlConnectionResource) -> None:
    """Each bit of a row's NULLs counts for its column."""  # MY-16
    columns = ", ".join(f"IF({n} % 3 = 0, NULL, {n})" for n in range(1, 21))
    (row,) = query(state, connection, f"SELECT {columns}")["rows"]
    assert [value for _, value in row] == [None if n % 3 == 0 else n for n in range(1, 21)]
    parameters = [("db-null", None) if n % 3 == 0 else ("int32", n) for n in range(1, 21)]
    sql = f"SELECT {', '.join('?' * 20)}"
    (row,) = query(state, connection, sql, *parameters)["rows"]
    assert [value for _, value in row] == [None if n % 3 == 0 else n for n in range(1, 21)]


def test_results(state: InstanceState, connection: MysqlConnectionResource) -> None:
    """Columns are there without rows; a procedure's first result counts."""  # MY-17, V-35
    assert query(state, connection, "SELECT 1 AS a FROM dual WHERE false") == {
        "columns": [{"name": "a", "data-type": "int32"}],
        "rows": [],
    }
    execute(state, connection, "CREATE OR REPLACE PROCEDURE two() BEGIN SELECT 1; SELECT 2, 3; END")
    assert query(state, connection, "CALL two()")["rows"] == [[("int32", 1)]]
    execute(state, connection, "CALL two()")
    assert query(state, connection, "SELECT 4")["rows"] == [[("int32", 4)]]


@pytest.mark.parametrize(
    ("sql", "values", "case", "text"),
    [
        ("SELECT * FROM nope", [], "query-failed", "1146 (42S02)"),
        ("SELEC", [], "query-failed", "1064 (42000)"),
        ("SELECT 1; SELECT 2", [], "query-failed", "1064"),
        ("SELECT ?, ?", [("int8", 1)], "query-failed", "takes 2 parameters, but 1 were given"),
        ("SELECT 1", [("int8", 1)], "query-failed", "takes 0 parameters"),
        ("SET @a = 1", [], "other", "unable to stream query result"),
        ("SELECT 1 UNION SELECT (SELECT 1 UNION SELECT 2)", [], "query-failed", "1242"),
    ],
)
def test_statements_that_fail(
    state: InstanceState,
    connection: MysqlConnectionResource,
    sql: str,
    values: list[Value],
    case: str,
    text: str,
) -> None:
    """The server's words have code and SQLSTATE; the connection goes on."""  # MY-31, MY-32, V-36
    found, message = refused(state, connection, sql, *values)
    assert (found, text in message) == (case, True), message
    assert query(state, connection, "SELECT 1")["rows"] == [[("int32", 1)]]


@pytest.mark.parametrize(
    ("entries", "address"),
    [
        ([], "mysql://localhost:{port}"),
        (["mysql://localhost:1"], "mysql://localhost:{port}"),
        (["mysql://localhost"], "mysql://localhost:{port}"),
        (["postgres://localhost:*"], "mysql://localhost:{port}"),
        (["mysql://localhost:*"], "mysql://127.0.0.1:{port}"),
        (["mysql://localhost:*"], "mysql://u:localhost@evil:{port}/localhost"),
        (["mysql://localhost:*"], "hello"),
    ],
)
def test_addresses_that_are_not_permitted(
    make_state: MakeState, port: int, entries: list[str], address: str
) -> None:
    """The denial repeats the address for the guest, and for nobody else."""  # MY-3, NET-23
    state = make_state(*entries or ["http://x"])
    address = address.format(port=port)
    assert error_of(state, OPEN, address) == (
        "connection-failed",
        f"address {address} is not permitted",
    )
    assert state.held == {}


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("mysql://spin:hunter2@localhost:{port}/spin_dev", "1045 (28000)"),
        ("mysql://nobody@localhost:{port}/spin_dev", "1045"),
        ("mysql://spin:spin@localhost:{port}/nope", "1049 (42000)"),
        ("mysql://spin:hunter2@localhost:1/x", "refused"),
        ("mysql://spin:hunter2@nowhere.invalid/x", "nowhere.invalid"),
        ("mysql://spin:spin@localhost:{port}/spin_dev?ssl-mode=REQUIRED", "certificate verify"),
        ("mysql://spin:hunter2@localhost:{port}/?nope=1", "unknown parameter"),
        ("mysql://spin:hunter2@localhost:{port}/?socket=/run/x", "`socket`"),
        ("*://localhost", "starts with mysql://"),
    ],
)
def test_connections_that_fail(
    make_state: MakeState, port: int, caplog: pytest.LogCaptureFixture, address: str, reason: str
) -> None:
    """The reason is told, and no password."""  # MY-6, MY-7, MY-30, V-37
    caplog.set_level(logging.DEBUG)
    state = make_state("*://*:*")
    case, text = error_of(state, OPEN, address.format(port=port).replace("*", "amqp"))
    assert (case, reason in text) == ("connection-failed", True), text
    assert "hunter2" not in text + caplog.text
    assert state.held.get(KIND, 0) == 0


def test_tls(
    state: InstanceState,
    address: str,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Chain and name are verified, and the connection is encrypted."""  # MY-4, V-37
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.roots))
    sockets.tls_context.cache_clear()
    opened = call(state, OPEN, f"{address}?ssl-mode=REQUIRED")
    ((_, cipher),) = query(state, opened, "SHOW STATUS LIKE 'Ssl_cipher'")["rows"]
    assert cipher[1]
    found = query(state, opened, "SELECT REPEAT('x', 1000000)")["rows"]
    assert found == [[("binary", b"x" * 1_000_000)]]
    opened.drop(state)
    sockets.tls_context.cache_clear()


def test_blocked_networks(make_state: MakeState, address: str) -> None:
    """A network that the operator blocks is out of reach."""  # SVC-9
    state = make_state("*://*:*", network=NetworkRules(blocked=parse_blocked(["private"])))
    case, text = error_of(state, OPEN, address)
    assert case == "connection-failed"
    assert text.endswith("the runtime configuration prohibits its address")


def test_a_session_lasts_as_long_as_its_handle(state: InstanceState, address: str) -> None:
    """The next handle has the same server connection, with nothing of the session left."""  # MY-8
    first = call(state, OPEN, address)
    execute(state, first, "CREATE OR REPLACE TABLE kept (a int)")
    for sql in (
        "SET @mine = 1",
        "SET NAMES latin1",
        "CREATE TEMPORARY TABLE mine (a int)",
        "CREATE DATABASE IF NOT EXISTS another",
        "USE another",
        "START TRANSACTION",
        "INSERT INTO spin_dev.kept VALUES (1)",
    ):
        execute(state, first, sql)
    number = query(state, first, "SELECT CONNECTION_ID()")["rows"]
    first.drop(state)
    second = call(state, OPEN, address)
    assert query(state, second, "SELECT CONNECTION_ID()")["rows"] == number
    left = "SELECT @mine, DATABASE(), @@character_set_client, (SELECT COUNT(*) FROM kept)"
    assert query(state, second, left)["rows"] == [
        [("db-null", None), ("str", "spin_dev"), ("str", "utf8mb4"), ("int64", 0)]
    ]
    assert "1146" in refused(state, second, "SELECT * FROM mine")[1]
    second.drop(state)


def test_slots(make_state: MakeState, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handle waits for a slot, so long; an instance that holds all of them does not."""
    # SVC-5 to SVC-7, NET-43
    monkeypatch.setattr(connection_slots, "WAIT_S", 0.05)
    rules = NetworkRules(mysql_slots=ConnectionSlots(1))
    state, other = make_state(network=rules), make_state(network=rules)
    first = call(state, OPEN, address)
    assert error_of(other, OPEN, address) == FULL
    monkeypatch.setattr(connection_slots, "WAIT_S", 3600)
    assert error_of(state, OPEN, address) == FULL
    thread = threading.Thread(target=lambda: call(other, OPEN, address).drop(other))
    thread.start()
    first.drop(state)
    thread.join()
    monkeypatch.setattr(sessions, "MAX_CONNECTIONS", 0)
    assert error_of(state, OPEN, address) == FULL
    assert state.held == other.held == {KIND: 0}


def test_results_are_bounded(
    state: InstanceState, connection: MysqlConnectionResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result that is too large ends its statement, not the connection."""  # MY-36, V-38
    monkeypatch.setattr(sessions, "MAX_RESULT_BYTES", 1_000_000)
    sql = "SELECT REPEAT('x', 10000) FROM seq_1_to_1000"
    expected = ("other", f"query result exceeds limit of {MAX_RESULT_BYTES} bytes")
    assert refused(state, connection, sql) == expected
    assert query(state, connection, "SELECT 1")["rows"] == [[("int32", 1)]]


def test_a_row_that_is_too_large(
    state: InstanceState, connection: MysqlConnectionResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused before it is received, and the connection is closed."""
    monkeypatch.setattr("edgezero_spin.host.factors.mysql.client.MAX_PACKET_BYTES", 1_000_000)
    case, _ = refused(state, connection, "SELECT REPEAT('x', 20000000)")
    assert case == "other"
    assert refused(state, connection, "SELECT 1") == ("query-failed", "the connection is closed")


def test_a_deadline_ends_a_statement(
    state: InstanceState, connection: MysqlConnectionResource, address: str
) -> None:
    """The guest stops in time, and the server is told to stop as well."""
    state.deadline_ns = time.monotonic_ns() + 300_000_000
    with pytest.raises(DeadlineExceeded):
        query(state, connection, "SELECT SLEEP(3600) AS sleeping")
    state.deadline_ns = None
    other = call(state, OPEN, address)
    running = (
        "SELECT 1 FROM information_schema.processlist "
        "WHERE info LIKE '%s_eeping%' AND id <> CONNECTION_ID()"
    )
    until = time.monotonic() + 10
    while query(state, other, running)["rows"]:
        assert time.monotonic() < until
    other.drop(state)
    assert refused(state, connection, "SELECT 1") == ("query-failed", "the connection is closed")


def test_a_server_that_goes_away(state: InstanceState, address: str) -> None:
    """The handle is dead, and says so; the next one connects anew."""
    first, killer = call(state, OPEN, address), call(state, OPEN, address)
    ((number,),) = query(state, first, "SELECT CONNECTION_ID()")["rows"]
    execute(state, killer, f"KILL {number[1]}")
    for _ in range(2):
        assert refused(state, first, "SELECT 1")[0] == "query-failed"
    first.drop(state)
    # One that ends while it waits for its next use is passed over.
    third, fourth = call(state, OPEN, address), call(state, OPEN, address)
    ((number,),) = query(state, third, "SELECT CONNECTION_ID()")["rows"]
    third.drop(state)
    execute(state, fourth, f"KILL {number[1]}")
    again = call(state, OPEN, address)
    assert query(state, again, "SELECT CONNECTION_ID()")["rows"] != [[number]]
    for handle in (again, fourth, killer):
        handle.drop(state)


def test_a_server_that_stops(make_state: MakeState) -> None:
    """A statement after its end fails; then nothing can be connected to."""
    with running_mariadb() as port:
        state = make_state()
        address = f"mysql://spin:spin@localhost:{port}/spin_dev"
        connection = call(state, OPEN, address)
        assert "SSL is required" in error_of(state, OPEN, f"{address}?ssl-mode=REQUIRED")[1]
    assert refused(state, connection, "SELECT 1")[0] == "query-failed"
    connection.drop(state)
    assert error_of(state, OPEN, address)[0] == "connection-failed"


def test_the_interface_without_a_version(state: InstanceState, address: str) -> None:
    """Each call has a session of its own, and another name for one case."""  # MY-1
    name = "fermyon:spin/mysql"
    found = call(state, f"{name} query", address, "SELECT ?", [("int32", 3)])
    assert found["rows"] == [[("int32", 3)]]
    assert call(state, f"{name} execute", address, "SET @a = 1", []) is None
    assert error_of(state, f"{name} query", address, "SET @a = 1", [])[0] == "other-error"
    assert error_of(state, f"{name} query", "mysql://evil", "", [])[0] == "connection-failed"
    assert state.held == {KIND: 0}


def test_without_the_client_library(state: InstanceState, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guest is told which extra is missing."""
    monkeypatch.setattr("edgezero_spin.host.factors.extras._is_installed", lambda package: False)
    case, text = error_of(state, OPEN, "mysql://localhost:3307")
    assert case == "connection-failed"
    assert "pip install 'edgezero-spin[mysql]'" in text


async def stream(
    state: InstanceState, connection: Any, sql: str, *values: Value
) -> tuple[Any, StreamReader]:
    """Begin a statement; return its columns and rows."""
    name = f"{V3} [method]connection.query"
    columns, source, future = await call(state, name, connection, sql, list(values))
    return columns, StreamReader(source, future)


def test_version_3(state: InstanceState, address: str) -> None:
    """Its functions are asynchronous; rows come as a stream."""  # MY-1, MY-32, MY-37, V-38

    async def work() -> None:
        connection = await call(state, f"{V3} [static]connection.open", address)
        run = f"{V3} [method]connection.execute"
        assert await call(state, run, connection, "SET @a = ?", [("int8", 1)]) is None
        columns, rows = await stream(state, connection, "SELECT seq AS s FROM seq_1_to_1000")
        assert columns == [{"name": "s", "data-type": "uint64"}]
        assert rows.outcome is None
        assert await rows.rest() == [[("uint64", n)] for n in range(1, 1001)]
        assert rows.outcome == Ok(None)
        columns, rows = await stream(state, connection, "SET @a = 1")
        assert columns == []
        assert await rows.rest() == []
        assert rows.outcome == Err(("other", "unable to stream query result"))
        with pytest.raises(WitError) as raised:
            await stream(state, connection, "SELECT * FROM nope")
        assert raised.value.payload[0] == "query-failed"
        connection.drop(state)

    run_async(work)
    assert state.held == {KIND: 0}


def test_a_stream_that_is_too_large(
    state: InstanceState, connection: MysqlConnectionResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit holds for all rows together, and the future tells of it."""  # MY-36
    monkeypatch.setattr(sessions, "MAX_RESULT_BYTES", 1_000_000)

    async def work() -> Any:
        sql = "SELECT REPEAT('x', 10000) FROM seq_1_to_1000"
        _, rows = await stream(state, connection, sql)
        return len(await rows.rest()), rows.outcome

    count, outcome = run_async(work)
    assert 90 < count < 100
    assert isinstance(outcome, Err)
    assert outcome.value[0] == "other"


def test_a_stream_that_nobody_reads_to_the_end(
    state: InstanceState, connection: MysqlConnectionResource
) -> None:
    """The connection goes on when it was dropped, and keeps its rows when it was not."""

    async def work() -> Any:
        _, rows = await stream(state, connection, "SELECT seq FROM seq_1_to_100000")
        await rows.read(1)
        rows.source.close()
        assert rows.outcome == Ok(None)
        _, rows = await stream(state, connection, "SELECT seq FROM seq_1_to_500")
        assert query(state, connection, "SELECT 1")["rows"] == [[("int32", 1)]]
        return len(await rows.rest())

    assert run_async(work) == 500
