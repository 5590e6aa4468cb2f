"""SQL for guests: labels, values, limits, and what a statement may not do to the host."""

import itertools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.errors import DeadlineExceeded
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.sqlite import interface as sqlite
from edgezero_spin.host.factors.sqlite.connections import SqliteError
from edgezero_spin.host.factors.sqlite.factor import Database
from edgezero_spin.host.factors.sqlite.interface import SqliteConnectionResource
from tests.host.support import call, error_of, instance_state

V2 = "fermyon:spin/sqlite@2.0.0 "
V3 = "spin:sqlite/sqlite@3.0.0 "
DENIED = ("access-denied", None)
STATM = Path("/proc/self/statm")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """A database in a file that is not there yet."""
    return Database(label="default", path=tmp_path / "made" / "db.sqlite")


@pytest.fixture
def state(database: Database) -> InstanceState:
    """The state of an instance that may open ``default`` and, in memory, ``scratch``."""
    return instance_state(databases={"default": database, "scratch": Database(label="scratch")})


@pytest.fixture
def connection(state: InstanceState) -> Iterator[SqliteConnectionResource]:
    """An open connection to the file."""
    opened: SqliteConnectionResource = call(state, f"{V3}[static]connection.open", "default")
    yield opened
    opened.drop(state)


def run(
    state: InstanceState,
    connection: SqliteConnectionResource,
    statement: str,
    *values: tuple[str, Any],
) -> tuple[list[str], list[list[tuple[str, Any]]]]:
    """Run a statement; return columns and rows."""
    result = call(state, f"{V3}[method]connection.execute", connection, statement, list(values))
    return result["columns"], [row["values"] for row in result["rows"]]


def failure(
    state: InstanceState,
    connection: SqliteConnectionResource,
    statement: str,
    *values: tuple[str, Any],
) -> Any:
    """Run a statement that fails; return the error."""
    return error_of(state, f"{V3}[method]connection.execute", connection, statement, list(values))


@pytest.mark.parametrize("interface", [V2, V3, "spin:sqlite/sqlite@3.1.0 "])
def test_the_sequence_of_the_conformance_test(state: InstanceState, interface: str) -> None:
    """Denied, created, inserted and selected as CONF-12 has it, in every version."""
    assert error_of(state, f"{interface}[static]connection.open", "forbidden") == DENIED
    connection = call(state, f"{interface}[static]connection.open", "default")
    execute = f"{interface}[method]connection.execute"
    create = "CREATE TABLE IF NOT EXISTS test_data(key TEXT NOT NULL, value TEXT NOT NULL)"
    assert call(state, execute, connection, create, []) == {"columns": [], "rows": []}
    insert = "INSERT INTO test_data(key, value) VALUES('my_key', 'my_value')"
    call(state, execute, connection, insert, [])
    select = "SELECT key, value FROM test_data WHERE key = ?"
    assert call(state, execute, connection, select, [("text", "my_key")]) == {
        "columns": ["key", "value"],
        "rows": [{"values": [("text", "my_key"), ("text", "my_value")]}],
    }
    connection.drop(state)
    assert state.held == {"sqlite connection": 0}


def test_without_a_grant_everything_is_denied() -> None:
    """Not even the default label opens (CONF-13)."""
    assert error_of(instance_state(), f"{V2}[static]connection.open", "default") == DENIED


@pytest.mark.parametrize(
    "value",
    [
        ("integer", -(2**63)),
        ("integer", 2**63 - 1),
        ("real", 1.5),
        ("text", "ä\0b'"),
        ("text", ""),
        ("blob", b"\0\xff"),
        ("blob", b""),
        ("null", None),
    ],
)
def test_values_keep_their_type(
    state: InstanceState, connection: SqliteConnectionResource, value: tuple[str, Any]
) -> None:
    """What is bound comes back as what it was, through a column too (DB-1, DB-3)."""
    run(state, connection, "CREATE TABLE t(v)")
    run(state, connection, "INSERT INTO t VALUES (?)", value)
    assert run(state, connection, "SELECT v, typeof(v), ?1 FROM t", value) == (
        ["v", "typeof(v)", "?1"],
        [[value, ("text", value[0]), value]],
    )


@pytest.mark.parametrize(
    ("statement", "values", "found"),
    [
        ("SELECT ?, ?", [1, 2], [1, 2]),
        ("SELECT ?2, ?1", [1, 2], [2, 1]),
        ("SELECT :a, @b, :a", [1, 2], [1, 2, 1]),
        ("SELECT ?; SELECT ?", [1], [1]),
        ("SELECT 1; nonsense", [], [1]),
    ],
)
def test_parameters_are_positional(
    state: InstanceState,
    connection: SqliteConnectionResource,
    statement: str,
    values: list[int],
    found: list[int],
) -> None:
    """Whatever they are called; only the first statement runs (DB-3)."""
    _, [row] = run(state, connection, statement, *[("integer", value) for value in values])
    assert row == [("integer", value) for value in found]


@pytest.mark.parametrize(
    ("statement", "count", "message"),
    [
        ("SELECT ?", 0, "Got 0, needed 1"),
        ("SELECT ?", 2, "Got 2, needed 1"),
        ("INSERT INTO t VALUES (1)", 1, "Got 1, needed 0"),
        ("SELECT FROM", 0, "syntax error"),
        ("SELECT * FROM nowhere", 0, "no such table: nowhere"),
        ("SELECT CAST(x'ff' AS TEXT)", 0, "UTF-8"),
        ("SELECT zeroblob(1000000000)", 0, "too big"),
        ("SELECT load_extension('x')", 0, "not authorized"),
        ("SELECT ?99999999", 0, "variable number"),
        ("SELECT ?32767", 0, "variable number must be between ?1 and ?32766"),
    ],
)
def test_what_sqlite_says_is_io(
    state: InstanceState,
    connection: SqliteConnectionResource,
    statement: str,
    count: int,
    message: str,
) -> None:
    """Mistakes reach the guest as text, and nothing has run (DB-3)."""
    run(state, connection, "CREATE TABLE t(v)")
    case, text = failure(state, connection, statement, *[("integer", 1)] * count)
    assert case == "io"
    assert message in text
    assert run(state, connection, "SELECT count(*) FROM t")[1] == [[("integer", 0)]]


@pytest.mark.parametrize("statement", ["", " \n", ";", ";;", "-- nothing", "/* nothing", "-- a\n;"])
def test_an_empty_statement_is_refused(
    state: InstanceState, connection: SqliteConnectionResource, statement: str
) -> None:
    """In the words of SQLite, as Spin has them; values for it are too many."""  # DB-3
    misuse = ("io", "bad parameter or other API misuse")
    assert failure(state, connection, statement) == misuse
    case, text = failure(state, connection, statement, ("integer", 1))
    assert (case, text) == (
        "io",
        "Wrong number of parameters passed to query. Got 1, needed 0",
    )


def test_what_is_empty_in_front_counts_for_nothing(
    state: InstanceState, connection: SqliteConnectionResource
) -> None:
    """The first statement is the first that does something."""
    assert run(state, connection, ";; /* a */ ; SELECT 1; nonsense")[1] == [[("integer", 1)]]


def test_rows_and_changes(state: InstanceState, connection: SqliteConnectionResource) -> None:
    """Version 3 tells the last row and how many changed; reading does not count (DB-1)."""

    def counters() -> tuple[int, int]:
        return (
            call(state, f"{V3}[method]connection.last-insert-rowid", connection),
            call(state, f"{V3}[method]connection.changes", connection),
        )

    assert counters() == (0, 0)
    run(state, connection, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    run(state, connection, "INSERT INTO t VALUES (41, 'a'), (42, 'b')")
    assert counters() == (42, 2)
    run(state, connection, "SELECT * FROM t")
    run(state, connection, "UPDATE t SET v = 'c' WHERE id = 41")
    assert counters() == (42, 1)
    assert run(state, connection, "INSERT INTO t(v) VALUES ('d') RETURNING id, v") == (
        ["id", "v"],
        [[("integer", 43), ("text", "d")]],
    )


def test_a_file_is_shared_and_memory_is_not(
    state: InstanceState, connection: SqliteConnectionResource
) -> None:
    """Every open of a database in memory is empty (DB-2)."""
    other = call(state, f"{V2}[static]connection.open", "default")
    run(state, connection, "CREATE TABLE t(v)")
    assert run(state, other, "SELECT * FROM t") == (["v"], [])
    first, second = (call(state, f"{V3}[static]connection.open", "scratch") for _ in range(2))
    run(state, first, "CREATE TABLE t(v)")
    assert failure(state, second, "SELECT * FROM t") == ("io", "no such table: t")
    for one in (other, first, second):
        one.drop(state)


def test_a_name_is_shared_in_memory() -> None:
    """Connections to one name see the same, to another they do not; the last one ends it."""
    one, other = (
        Database(label="x", uri=f"file:/shared-{name}?vfs=memdb") for name in ("one", "other")
    )
    first, second = one.connect(), one.connect()
    first.execute_script("CREATE TABLE t(v); INSERT INTO t VALUES (1)")
    assert second.execute("SELECT v FROM t", max_bytes=100) == (["v"], [(1,)])
    apart = other.connect()
    with pytest.raises(SqliteError, match="no such table"):
        apart.execute("SELECT v FROM t", max_bytes=100)
    with pytest.raises(SqliteError, match="not authorized"):
        apart.execute("ATTACH 'file:/shared-one?vfs=memdb' AS one", max_bytes=100)
    for connection in (first, second, apart):
        connection.close()
    again = one.connect()
    assert again.execute("SELECT name FROM sqlite_master", max_bytes=100)[1] == []
    again.close()


def test_a_dropped_connection_undoes_its_transaction(
    state: InstanceState, connection: SqliteConnectionResource
) -> None:
    """A guest that ends in the middle leaves no lock and no half of it."""
    run(state, connection, "CREATE TABLE t(v)")
    other = call(state, f"{V3}[static]connection.open", "default")
    run(state, other, "BEGIN IMMEDIATE")
    run(state, other, "INSERT INTO t VALUES (1)")
    other.drop(state)
    assert run(state, connection, "SELECT * FROM t")[1] == []
    run(state, connection, "INSERT INTO t VALUES (2)")


def test_connections_are_bounded(state: InstanceState) -> None:
    """The 257th is refused until one is dropped, whichever version opens it (DB-2)."""
    connections = [call(state, f"{V2}[static]connection.open", "scratch") for _ in range(256)]
    assert error_of(state, f"{V3}[static]connection.open", "scratch") == (
        "io",
        "too many connections opened",
    )
    connections[0].drop(state)
    call(state, f"{V3}[static]connection.open", "scratch")


def test_results_are_bounded(
    state: InstanceState, connection: SqliteConnectionResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are too many are an error, and the next statement works."""
    monkeypatch.setattr(sqlite, "MAX_RESULT_BYTES", 10_000)
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    assert failure(state, connection, many) == (
        "io",
        "query result exceeds limit of 10000 bytes",
    )
    assert run(state, connection, "SELECT 1")[1] == [[("integer", 1)]]


@pytest.mark.skipif(not STATM.exists(), reason="only Linux says how much memory is in use")
def test_statements_are_not_kept(
    state: InstanceState, connection: SqliteConnectionResource
) -> None:
    """A guest that makes its statements long has the host hold one of them at a time."""

    def resident_pages() -> int:
        return int(STATM.read_text().split()[1])

    begin = resident_pages()
    for number in range(32):
        run(state, connection, f"SELECT {number} -- {'x' * 4_000_000}")
    grown_bytes = (resident_pages() - begin) * os.sysconf("SC_PAGESIZE")
    assert grown_bytes < 64_000_000


def test_an_endless_statement_ends_with_its_instance(database: Database) -> None:
    """The deadline of the request stops SQLite, too (LIFE-7)."""
    state = InstanceState(
        instance_state(databases={"default": database}).grants,
        deadline_ns=time.monotonic_ns() + 20_000_000,
    )
    connection = call(state, f"{V3}[static]connection.open", "default")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(DeadlineExceeded):
        run(state, connection, endless)
    connection.drop(state)


def test_a_long_statement_within_its_time_comes_to_its_end(database: Database) -> None:
    """Being asked whether it may go on does not stop it."""
    asked = itertools.count()
    connection = database.connect(lambda: next(asked) >= 0)
    long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000)"
    found = connection.execute(f"{long} SELECT max(i) FROM n", max_bytes=100)
    connection.close()
    assert found == (["max(i)"], [(1000000,)])
    assert next(asked) > 0


def test_another_thread_may_end_a_connection(
    state: InstanceState, connection: SqliteConnectionResource
) -> None:
    """An instance that waits for its next request is closed by whoever closes the host."""
    other = call(state, f"{V3}[static]connection.open", "default")
    run(state, other, "CREATE TABLE t(v)")
    run(state, other, "BEGIN IMMEDIATE")
    closing = threading.Thread(target=other.drop, args=(state,))
    closing.start()
    closing.join()
    run(state, connection, "INSERT INTO t VALUES (1)")


def test_a_full_database_has_its_own_case(
    state: InstanceState, connection: SqliteConnectionResource
) -> None:
    """No more room is ``database-full`` (DB-1)."""
    run(state, connection, "CREATE TABLE t(v)")
    run(state, connection, "PRAGMA max_page_count = 2")
    assert failure(state, connection, "INSERT INTO t VALUES (zeroblob(100000))") == (
        "database-full",
        None,
    )


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """A folder where the file should be is told at the first statement."""
    state = instance_state(databases={"default": Database(label="default", path=tmp_path)})
    connection = call(state, f"{V3}[static]connection.open", "default")
    assert failure(state, connection, "SELECT 1") == ("io", "unable to open database file")
    blocked = tmp_path / "file"
    blocked.write_text("")
    state = instance_state(databases={"d": Database(label="d", path=blocked / "x" / "y.db")})
    connection = call(state, f"{V3}[static]connection.open", "d")
    case, message = failure(state, connection, "SELECT 1")
    assert (case, "Not a directory" in message) == ("io", True)


ATTACHED_BY_VALUE = ("text", "/PLACE/stolen.db")


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("ATTACH '/PLACE/stolen.db' AS x", []),
        ("ATTACH 'file:/PLACE/stolen.db?mode=rwc' AS x", []),
        ("ATTACH ? AS x", [ATTACHED_BY_VALUE]),
        ("ATTACH '/PLACE/' || 'stolen.db' AS x", []),
        ("VACUUM INTO '/PLACE/stolen.db'", []),
        ("VACUUM INTO ?", [ATTACHED_BY_VALUE]),
        ("PRAGMA hard_heap_limit = 1000", []),
        ("PRAGMA Soft_Heap_Limit(1000)", []),
        ("PRAGMA temp_store_directory = '/PLACE'", []),
    ],
)
def test_a_guest_stays_in_its_database(
    state: InstanceState,
    connection: SqliteConnectionResource,
    tmp_path: Path,
    statement: str,
    values: list[tuple[str, str]],
) -> None:
    """No other file of the host is reached, and no setting of the process (DB-2)."""

    def placed(text: str) -> str:
        return text.replace("/PLACE", str(tmp_path))

    bound = [(case, placed(value)) for case, value in values]
    assert failure(state, connection, placed(statement), *bound) in (
        ("io", "not authorized"),
        ("io", "authorization denied"),
    )
    assert not (tmp_path / "stolen.db").exists()


@pytest.mark.parametrize("name", ["", ":memory:"])
def test_attaching_nothing_of_the_host_is_allowed(
    state: InstanceState, connection: SqliteConnectionResource, name: str
) -> None:
    """Temporary databases and ones in memory are fine, and so is VACUUM (DB-2)."""
    run(state, connection, f"ATTACH '{name}' AS x")
    run(state, connection, "CREATE TABLE x.t(v)")
    run(state, connection, "VACUUM")


def test_attaching_files_can_be_allowed(tmp_path: Path) -> None:
    """``allow_attach_file`` opens the door (DB-1)."""
    database = Database(label="default", allow_attach_file=True)
    state = instance_state(databases={"default": database})
    connection = call(state, f"{V3}[static]connection.open", "default")
    run(state, connection, f"ATTACH '{tmp_path}/other.db' AS x")
    run(state, connection, "CREATE TABLE x.t(v)")
    connection.drop(state)
    assert (tmp_path / "other.db").exists()
