"""A guest's connections to a real PostgreSQL server: permission, errors, sessions, limits."""

import asyncio
import logging
import threading
import time
from typing import Any

import pytest

from edgezero_spin.host.errors import DeadlineExceeded
from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES
from edgezero_spin.host.factors.database_servers import pools, sessions
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_networking import connection_slots
from edgezero_spin.host.factors.outbound_networking.blocked import parse_blocked
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules
from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots
from edgezero_spin.host.factors.postgres.interface import PostgresConnectionResource as Connection
from edgezero_spin.host.runtime.interface import Err, Ok
from tests.host.debian_servers import running_postgres
from tests.host.factors.postgres.conftest import V4, MakeState, Server
from tests.host.factors.postgres.test_values import error_of as statement_error
from tests.host.factors.postgres.test_values import query
from tests.host.factors.stream_reader import StreamReader, run_async
from tests.host.support import call, error_of

KIND = Connection.kind
OPEN = f"{V4} [static]connection.open"
NAMES = [f"spin:postgres/postgres@{version}" for version in ("4.2.0", "4.1.0", "4.0.0", "3.0.0")]
NAMES.append("fermyon:spin/postgres@2.0.0")


def execute(state: InstanceState, connection: Connection, sql: str, *values: Any) -> int:
    """Run a statement; return how many rows it touched."""
    count: int = call(state, f"{V4} [method]connection.execute", connection, sql, list(values))
    return count


@pytest.mark.parametrize("interface", NAMES)
def test_every_version_has_the_functions(
    state: InstanceState, server: Server, interface: str
) -> None:
    """A table is made, filled and read."""  # PG-2 to PG-7
    connection = call(state, f"{interface} [static]connection.open", server.address())

    def on(method: str, sql: str, *values: Any) -> Any:
        return call(
            state, f"{interface} [method]connection.{method}", connection, sql, list(values)
        )

    assert on("execute", "CREATE TEMP TABLE t (a int, b text)") == 0
    assert (
        on("execute", "INSERT INTO t VALUES ($1, $2), (2, NULL)", ("int32", 1), ("str", "x")) == 2
    )
    assert on("query", "SELECT a, b FROM t ORDER BY a")["rows"] == [
        [("int32", 1), ("str", "x")],
        [("int32", 2), ("db-null", None)],
    ]
    assert on("query", "SELECT 1 WHERE false") == {"columns": [], "rows": []}  # PG-47, V-19
    assert on("execute", "SELECT * FROM t") == 2
    assert on("execute", "") == 0
    connection.drop(state)


def test_the_interface_without_a_version(state: InstanceState, server: Server) -> None:
    """Each call has a session of its own."""  # PG-1
    name = "fermyon:spin/postgres"
    address = server.address()
    found = call(state, f"{name} query", address, "SELECT $1::int4", [("int32", 3)])
    assert found["rows"] == [[("int32", 3)]]
    assert call(state, f"{name} execute", address, "CREATE TEMP TABLE t ()", []) == 0
    assert error_of(state, f"{name} query", address, "SELECT * FROM t", [])[0] == "query-failed"
    assert error_of(state, f"{name} query", "host=evil", "", [])[0] == "connection-failed"
    assert state.held == {KIND: 0}


@pytest.mark.parametrize(
    ("entries", "address", "denied"),
    [
        (["postgres://localhost"], "host=localhost", None),
        (["postgres://localhost"], "postgresql://u@localhost/d", None),
        (["postgres://localhost"], "host=localhost port=5433", "localhost:5433"),
        (["postgres://localhost"], "host=127.0.0.1", "127.0.0.1"),
        (["postgres://localhost"], "host=localhost,other", "other"),
        (["postgres://localhost"], "host=localhost hostaddr=10.9.9.9", "10.9.9.9"),
        (["postgres://localhost"], "hostaddr=10.9.9.9", "10.9.9.9"),
        (["postgres://localhost"], "host='postgres://localhost'", "[postgres://localhost]"),
        (["postgres://localhost"], "host=x@localhost", "x@localhost"),
        (["postgres://localhost"], "host=localhost/x", "localhost/x"),
        (["postgres://[::1]"], "host=::1", None),
        (["*://*:*"], "host=fe80::1%lo", "[fe80::1%lo]"),
        (["http://localhost:5432"], "postgres://localhost", "localhost:5432"),
        (["*://localhost:5432"], "postgres://localhost", None),
        (["postgres://localhost:5432"], "host=localhost", None),
    ],
)
@pytest.mark.parametrize("opened", ["open", "build"])
def test_what_may_be_connected_to(
    make_state: MakeState, entries: list[str], address: str, denied: str | None, opened: str
) -> None:
    """Each host and each address has to be permitted, before anything is sent."""
    # PG-13, PG-16 to PG-18, V-2, V-3, V-5, NET-24
    state = make_state(*entries, network=NetworkRules(postgres_slots=ConnectionSlots(0)))
    if opened == "open":
        error = error_of(state, OPEN, address)
    else:
        builder = call(state, f"{V4} [constructor]connection-builder", address)
        error = error_of(state, f"{V4} [method]connection-builder.build", builder)
    # What is permitted fails for want of a slot.
    reason = (
        "too many connections"
        if denied is None
        else f"address postgres://{denied} is not permitted"
    )
    assert error == ("connection-failed", reason)
    assert state.held.get(KIND, 0) == 0


def test_blocked_networks(make_state: MakeState, server: Server) -> None:
    """A network that the operator blocks is out of reach by name and by address."""  # SVC-9
    state = make_state("*://*:*", network=NetworkRules(blocked=parse_blocked(["private"])))
    for host in ("localhost", "127.0.0.1", "::1"):
        case, text = error_of(state, OPEN, f"host={host} port={server.port}")
        assert case == "connection-failed"
        assert text.endswith("the runtime configuration prohibits its address")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("postgres://postgres:hunter2@localhost:{port}/postgres?sslmode=disable", "password"),
        ("postgres://postgres@localhost:{port}/postgres?sslmode=disable", "password"),
        ("postgres://postgres:postgres@localhost:{port}/nope?sslmode=disable", '"nope" does not'),
        ("postgres://postgres:postgres@localhost:1/x?sslmode=disable", "refused"),
        ("postgres://postgres:hunter2@nowhere.invalid:{port}/x", "nowhere.invalid"),
        ("postgres://postgres:postgres@localhost:{port}/postgres", "certificate verify failed"),
        ("user=postgres password=hunter2", "both host and hostaddr are missing"),
        ("host=/run/postgresql", "Unix sockets are not supported on WebAssembly"),
        ("postgres://%2Frun/d", "Unix sockets are not supported on WebAssembly"),
    ],
)
def test_connections_that_fail(
    make_state: MakeState,
    server: Server,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    reason: str,
) -> None:
    """The reason is told, and no password; nor is one taken from the host's environment."""
    # PG-14, PG-15, PG-26, PG-54, V-4, V-6, V-7
    monkeypatch.setenv("PGPASSWORD", "postgres")
    caplog.set_level(logging.DEBUG)
    state = make_state("*://*:*")
    case, text = error_of(state, OPEN, address.format(port=server.port))
    assert case == "connection-failed"
    assert reason in text
    assert "hunter2" not in text + caplog.text
    assert state.held.get(KIND, 0) == 0


def test_the_next_host_is_tried(state: InstanceState, server: Server) -> None:
    """Of several servers the first that answers serves."""  # PG-12
    address = f"host=localhost,localhost port=1,{server.port} user=postgres password=postgres"
    connection = call(state, OPEN, f"{address} dbname=postgres sslmode=disable")
    assert query(state, connection, "SELECT 1")["rows"] == [[("int32", 1)]]
    connection.drop(state)


@pytest.mark.parametrize("sslmode", ["prefer", "require"])
def test_tls(make_state: MakeState, server: Server, sslmode: str) -> None:
    """Chain and name are verified, against the roots and the certificate that the guest adds."""
    # PG-25 to PG-27, V-7
    state = make_state()
    address = server.address(sslmode)
    builder = call(state, f"{V4} [constructor]connection-builder", address)
    call(
        state,
        f"{V4} [method]connection-builder.set-ca-root",
        builder,
        server.certificate.roots.read_text(),
    )
    connection = call(state, f"{V4} [method]connection-builder.build", builder)
    used = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert query(state, connection, used)["rows"] == [[("boolean", True)]]
    connection.drop(state)
    # Without the certificate the same address is another connection.
    assert "certificate verify failed" in error_of(state, OPEN, address)[1]


def test_certificates_that_are_none(state: InstanceState) -> None:
    """They are refused where they are set."""  # PG-27, V-7
    builder = call(state, f"{V4} [constructor]connection-builder", "host=localhost")
    for text in ("x", "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        case, message = error_of(
            state, f"{V4} [method]connection-builder.set-ca-root", builder, text
        )
        assert case == "other"
        assert message.startswith("invalid root certificate: ")


def test_a_server_without_tls(make_state: MakeState) -> None:
    """``prefer`` goes on in plain text, ``require`` does not."""  # PG-25
    with running_postgres() as port:
        state = make_state()
        address = f"postgres://postgres:postgres@localhost:{port}/postgres"
        connection = call(state, OPEN, address)
        assert query(state, connection, "SELECT 1")["rows"] == [[("int32", 1)]]
        connection.drop(state)
        assert "does not support SSL" in error_of(state, OPEN, f"{address}?sslmode=require")[1]


@pytest.mark.parametrize(
    ("sql", "code"),
    [("SELEC", "42601"), ("SELECT * FROM nope", "42P01"), ("SELECT 1; SELECT 2", "42601")],
)
@pytest.mark.parametrize("method", ["query", "execute"])
def test_statements_that_the_server_refuses(
    state: InstanceState, connection: Connection, sql: str, code: str, method: str
) -> None:
    """The error has the server's fields."""  # PG-56, PG-64, V-21
    case, (kind, error) = statement_error(state, connection, sql, method=method)
    assert (case, kind, error["code"], error["severity"]) == (
        "query-failed",
        "db-error",
        code,
        "ERROR",
    )
    assert error["message"] in error["as-text"]


def test_a_duplicate_key(state: InstanceState, connection: Connection) -> None:
    """Detail and the names of table and constraint are there, too."""  # PG-64, V-22
    execute(state, connection, "CREATE TEMP TABLE u (a int PRIMARY KEY)")
    execute(state, connection, "INSERT INTO u VALUES (1)")
    sql = "INSERT INTO u VALUES (1)"
    _, (kind, error) = statement_error(state, connection, sql, method="execute")
    assert (kind, error["code"]) == ("db-error", "23505")
    assert error["detail"] == "Key (a)=(1) already exists."
    extras = dict(error["extras"])
    assert (extras["table"], extras["constraint"]) == ("u", "u_pkey")
    assert {"schema", "file", "line", "routine"} <= extras.keys()
    for interface in NAMES[3:]:
        case, text = statement_error(
            state, connection, sql, method="execute", interface=interface
        )  # PG-65
        assert case == "query-failed"
        assert "duplicate key value" in text


def test_an_error_among_the_rows(state: InstanceState, connection: Connection) -> None:
    """A query says a text, ``execute`` what the server says."""  # PG-60, V-23
    sql = "SELECT 1/(g-3) FROM generate_series(1,5) g"
    case, (kind, text) = statement_error(state, connection, sql)
    assert (case, kind) == ("query-failed", "text")
    assert "division by zero" in text
    _, (kind, error) = statement_error(state, connection, sql, method="execute")
    assert (kind, error["code"]) == ("db-error", "22012")


def test_a_parameter_that_is_not_given(state: InstanceState, connection: Connection) -> None:
    """It is missed before the server runs anything, so that a transaction goes on."""
    query(state, connection, "BEGIN")
    _, (_, text) = statement_error(state, connection, "SELECT $1::int4")
    assert text == "expected 1 parameters but got 0"
    assert query(state, connection, "SELECT 1")["rows"] == [[("int32", 1)]]
    query(state, connection, "ROLLBACK")


@pytest.mark.parametrize("parameters", [(), (("str", "x"),)])
def test_the_name_of_a_type_of_the_database(
    state: InstanceState, connection: Connection, parameters: tuple[Any, ...]
) -> None:
    """A column of a type that no client knows has its name, with parameters and without."""
    query(state, connection, "CREATE TYPE pg_temp.mood AS ENUM ('good')")
    sql = "SELECT 'good'::pg_temp.mood AS m" + ", $1::text AS t" * len(parameters)
    column = query(state, connection, sql, *parameters)["columns"][0]
    assert column == {"name": "m", "data-type": ("other", "mood")}


def test_results_are_bounded(
    state: InstanceState, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result that is too large ends its statement, not the connection."""  # PG-62, SVC-8, V-24
    monkeypatch.setattr(sessions, "MAX_RESULT_BYTES", 1_000_000)
    sql = "SELECT repeat('x', 10000), generate_series(1, 100000000)"
    case, (kind, text) = statement_error(state, connection, sql)
    assert (case, kind) == ("query-failed", "text")
    assert text == f"query result exceeds limit of {MAX_RESULT_BYTES} bytes"
    assert query(state, connection, "SELECT 1")["rows"] == [[("int32", 1)]]


@pytest.mark.parametrize("sql", ["COPY pg_class TO STDOUT", "COPY pg_class FROM STDIN"])
def test_copying_is_no_statement(state: InstanceState, connection: Connection, sql: str) -> None:
    """COPY has no rows, and no end that a guest could write."""
    case, (kind, text) = statement_error(state, connection, sql)
    assert (case, kind) == ("query-failed", "text")
    assert "COPY is not supported" in text


def backend(state: InstanceState, connection: Connection) -> Any:
    """Return the process of the server that serves a connection."""
    return query(state, connection, "SELECT pg_backend_pid()")["rows"]


def test_a_session_lasts_as_long_as_its_handle(make_state: MakeState, server: Server) -> None:
    """The next handle has the same server connection, with nothing of the session left."""
    # PG-20 to PG-23, V-25, CONF-38
    state = make_state()
    first = call(state, OPEN, server.address())
    for sql in (
        "CREATE TEMP TABLE mine (a int)",
        "SET application_name = 'mine'",
        "SELECT pg_advisory_lock(7)",
        "LISTEN mine",
        "BEGIN",
        "CREATE TABLE never_committed (a int)",
        "SET ROLE pg_monitor",
    ):
        execute(state, first, sql)
    process = backend(state, first)
    assert backend(state, first) == process
    first.drop(state)
    second = call(state, OPEN, server.address())
    assert backend(state, second) == process
    for sql in (
        "SELECT 1 FROM pg_class WHERE relname IN ('mine', 'never_committed')",
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'",
        "SELECT 1 WHERE current_user <> 'postgres'",
        "SELECT 1 WHERE current_setting('application_name') = 'mine'",
        "SELECT 1 FROM pg_listening_channels()",
    ):
        assert query(state, second, sql)["rows"] == []
    second.drop(state)


def test_components_share_no_connection(make_state: MakeState, server: Server) -> None:
    """Another component's handle has another connection, for the same address."""  # PG-20
    state, other = make_state(), make_state()
    object.__setattr__(other.grants, "component_id", "other")
    first = call(state, OPEN, server.address())
    process = backend(state, first)
    first.drop(state)
    second = call(other, OPEN, server.address())
    assert backend(other, second) != process
    second.drop(other)


def test_slots(make_state: MakeState, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handle waits for a slot, so long; an instance that holds all of them does not."""
    # SVC-5, SVC-6, NET-43
    monkeypatch.setattr(connection_slots, "WAIT_S", 0.05)
    rules = NetworkRules(postgres_slots=ConnectionSlots(1))
    state, other = make_state(network=rules), make_state(network=rules)
    first = call(state, OPEN, server.address())
    full = ("connection-failed", "too many connections")
    assert error_of(other, OPEN, server.address()) == full
    monkeypatch.setattr(connection_slots, "WAIT_S", 3600)
    assert error_of(state, OPEN, server.address()) == full
    opened = threading.Event()

    def wait() -> None:
        call(other, OPEN, server.address()).drop(other)
        opened.set()

    thread = threading.Thread(target=wait)
    thread.start()
    first.drop(state)
    thread.join()
    assert opened.is_set()
    assert state.held == other.held == {KIND: 0}


def test_handles_of_an_instance(
    state: InstanceState, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An instance has so many open handles at most."""  # SVC-7
    monkeypatch.setattr(sessions, "MAX_CONNECTIONS", 2)
    handles = [call(state, OPEN, server.address()) for _ in range(2)]
    assert error_of(state, OPEN, server.address()) == ("connection-failed", "too many connections")
    for handle in handles:
        handle.drop(state)


def test_a_deadline_ends_a_statement(
    state: InstanceState, connection: Connection, server: Server
) -> None:
    """The guest stops in time, and the server is told to stop as well."""
    state.deadline_ns = time.monotonic_ns() + 300_000_000
    with pytest.raises(DeadlineExceeded):
        query(state, connection, "SELECT pg_sleep(3600) AS sleeping")
    state.deadline_ns = None
    other = call(state, OPEN, server.address())
    running = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%s_eeping'"
    until = time.monotonic() + 10
    while query(state, other, running)["rows"]:
        assert time.monotonic() < until
    other.drop(state)
    assert "closed" in str(statement_error(state, connection, "SELECT 1"))


def test_a_server_that_goes_away(make_state: MakeState, server: Server) -> None:
    """The handle is dead, and says so; the next one connects anew."""  # PG-63
    state = make_state()
    first = call(state, OPEN, server.address())
    killer = call(state, OPEN, server.address())
    ((_, process),) = backend(state, first)[0]
    execute(state, killer, "SELECT pg_terminate_backend($1)", ("int32", process))
    for _ in range(2):
        case, (kind, _) = statement_error(state, first, "SELECT 1")
        assert (case, kind) == ("query-failed", "text")
    first.drop(state)
    # One that ends while it waits for its next use is passed over.
    ((_, process),) = backend(state, killer)[0]
    killer.drop(state)
    third = call(state, OPEN, server.address())
    fourth = call(state, OPEN, server.address())
    execute(state, fourth, "SELECT pg_terminate_backend($1, 10000)", ("int32", process))
    third.drop(state)
    third = call(state, OPEN, server.address())
    assert backend(state, third) != [[("int32", process)]]
    third.drop(state)
    fourth.drop(state)


def test_a_server_that_stops_in_the_middle(make_state: MakeState) -> None:
    """A statement that runs ends with an error; then nothing can be connected to."""  # PG-63
    with running_postgres() as port:
        state = make_state()
        address = f"postgres://postgres:postgres@localhost:{port}/postgres"
        connection = call(state, OPEN, address)
        end = "SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(60)"
        case, (kind, text) = statement_error(state, connection, end)
        assert (case, kind) == ("query-failed", "text")
        assert "terminating connection" in text
        connection.drop(state)
    assert error_of(state, OPEN, address)[0] == "connection-failed"


def test_pools_are_bounded(
    make_state: MakeState, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections of the address that was used longest ago are closed."""  # PG-20
    monkeypatch.setattr(pools, "MAX_POOLS", 1)
    state = make_state()
    first = call(state, OPEN, server.address())
    process = backend(state, first)
    first.drop(state)
    call(state, OPEN, f"{server.address()}&application_name=x").drop(state)
    again = call(state, OPEN, server.address())
    assert backend(state, again) != process
    again.drop(state)


def test_without_the_client_library(state: InstanceState, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guest is told which extra is missing."""
    monkeypatch.setattr("edgezero_spin.host.factors.extras._is_installed", lambda package: False)
    case, text = error_of(state, OPEN, "host=localhost")
    assert case == "connection-failed"
    assert "pip install 'edgezero-spin[postgres]'" in text
    assert state.held == {}


async def stream(
    state: InstanceState, connection: Connection, sql: str, *values: Any
) -> tuple[Any, StreamReader]:
    """Begin a statement; return its columns and rows."""
    name = f"{V4} [method]connection.query-async"
    columns, source, future = await call(state, name, connection, sql, list(values))
    return columns, StreamReader(source, future)


def test_asynchronous_functions(state: InstanceState, server: Server) -> None:
    """They return what the synchronous ones do; rows come as a stream."""  # PG-6, PG-66

    async def work() -> None:
        connection = await call(state, f"{V4} [static]connection.open-async", server.address())
        create = "CREATE TEMP TABLE t ()"
        execute = f"{V4} [method]connection.execute-async"
        assert await call(state, execute, connection, create, []) == 0
        sql = "SELECT g, $1::text AS b FROM generate_series(1, 1000) g"
        columns, rows = await stream(state, connection, sql, ("str", "x"))
        assert columns == [
            {"name": "g", "data-type": ("int32", None)},
            {"name": "b", "data-type": ("str", None)},
        ]
        assert rows.outcome is None
        assert await rows.rest() == [[("int32", g), ("str", "x")] for g in range(1, 1001)]
        assert rows.outcome == Ok(None)
        connection.drop(state)

    run_async(work)
    assert state.held == {KIND: 0}


def test_a_stream_without_rows(state: InstanceState, connection: Connection) -> None:
    """It has no columns, and its end is known at once."""  # PG-47

    async def work() -> None:
        columns, rows = await stream(state, connection, "SELECT 1 WHERE false")
        assert (columns, rows.outcome) == ([], Ok(None))

    run_async(work)


def test_a_stream_that_fails(state: InstanceState, connection: Connection) -> None:
    """Rows before the error arrive; the future has what the server says."""  # PG-60, PG-66
    sql = "SELECT 1/(g-3) FROM generate_series(1,5) g"

    async def work() -> Any:
        _, rows = await stream(state, connection, sql)
        return await rows.rest(), rows.outcome

    found, outcome = run_async(work)
    assert found == [[("int32", 0)], [("int32", -1)]]
    assert isinstance(outcome, Err)
    case, (kind, error) = outcome.value
    assert (case, kind, error["code"]) == ("query-failed", "db-error", "22012")


def test_a_stream_that_nobody_reads_to_the_end(
    state: InstanceState, connection: Connection
) -> None:
    """Dropping it ends the statement without an error, and the connection goes on."""  # PG-66

    async def work() -> Any:
        _, rows = await stream(state, connection, "SELECT generate_series(1, 100000000)")
        await rows.read(1)
        rows.source.close()
        return rows.outcome

    assert run_async(work) == Ok(None)
    assert query(state, connection, "SELECT 1")["rows"] == [[("int32", 1)]]


def test_a_stream_outlives_its_handle(state: InstanceState, server: Server) -> None:
    """Its connection goes back to the pool with its last row."""

    async def work() -> Any:
        connection = call(state, OPEN, server.address())
        process = backend(state, connection)
        _, rows = await stream(state, connection, "SELECT g FROM generate_series(1, 500) g")
        connection.drop(state)
        other = call(state, OPEN, server.address())
        assert backend(state, other) != process
        assert len(await rows.rest()) == 500
        again = call(state, OPEN, server.address())
        assert backend(state, again) == process
        other.drop(state)
        again.drop(state)

    run_async(work)


def test_a_statement_while_a_stream_has_rows(state: InstanceState, connection: Connection) -> None:
    """The rows that are left are kept for the stream."""

    async def work() -> Any:
        _, rows = await stream(state, connection, "SELECT g FROM generate_series(1, 500) g")
        found = await rows.read(1)
        assert query(state, connection, "SELECT 1")["rows"] == [[("int32", 1)]]
        found += await rows.rest()
        assert rows.outcome == Ok(None)
        return found

    assert run_async(work) == [[("int32", g)] for g in range(1, 501)]


def test_an_asynchronous_call_that_is_cancelled(
    state: InstanceState, connection: Connection, server: Server
) -> None:
    """Its statement ends on the server, and the connection with it."""

    async def work() -> None:
        sleeping = "SELECT pg_sleep(3600)"
        task = asyncio.ensure_future(
            call(state, f"{V4} [method]connection.execute-async", connection, sleeping, [])
        )
        other = await call(state, f"{V4} [static]connection.open-async", server.address())
        active = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query = $1"
        parameter = ("str", sleeping)
        while not query(state, other, active, parameter)["rows"]:  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while query(state, other, active, parameter)["rows"]:  # noqa: ASYNC110
            await asyncio.sleep(0)
        other.drop(state)

    run_async(work)
