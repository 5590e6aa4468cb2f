"""How long a statement takes, and how much it holds: what the instance may, and no more."""

import itertools
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from edgezero_spin.host.errors import DeadlineExceeded
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.sqlite import connections as sqlite_connections
from edgezero_spin.host.factors.sqlite.connections import SqliteError
from edgezero_spin.host.factors.sqlite.factor import Database
from edgezero_spin.host.factors.sqlite.memory import MemoryAccount
from edgezero_spin.host.factors.sqlite.threads import left_behind
from tests.host.support import call, instance_state

V3 = "spin:sqlite/sqlite@3.0.0 "
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "

ENDLESS = [
    pytest.param(f"{NUMBERS} SELECT max(i) FROM n", id="many steps"),
    pytest.param(
        f"{NUMBERS} SELECT sum(length(hex(randomblob(10000000)))) FROM n", id="heavy steps"
    ),
    pytest.param(
        f"SELECT {' + '.join(['length(hex(randomblob(5000000)))'] * 60)}", id="no step between"
    ),
    pytest.param(
        "SELECT hex(zeroblob(2000000)) LIKE '%' || hex(zeroblob(240)) || '1'", id="one pattern"
    ),
    pytest.param(
        f"{NUMBERS} SELECT count(*) FROM n WHERE hex(zeroblob(500000 + i)) GLOB '*0*0*1'",
        id="many patterns",
    ),
    pytest.param(
        f"{NUMBERS} SELECT count(*) FROM n WHERE replace(hex(zeroblob(99999 + i)), '0', 'ab') = ''",
        id="replace",
    ),
    pytest.param(f"{NUMBERS} SELECT max(length(printf('%.*c', 9000000, 'x'))) FROM n", id="printf"),
    pytest.param(
        f"{NUMBERS} SELECT max(r) FROM (SELECT random() r FROM n ORDER BY 1 LIMIT -1 OFFSET 1)",
        id="sort",
    ),
    pytest.param(
        f"INSERT INTO f SELECT hex(randomblob(50)) FROM ({NUMBERS} SELECT i FROM n)", id="search"
    ),
]


@pytest.mark.parametrize("statement", ENDLESS)
def test_a_statement_ends_with_its_instance(tmp_path: Path, statement: str) -> None:
    """Whatever it does at that moment (LIFE-7)."""
    database = Database(label="default", path=tmp_path / "x.db")
    granted = instance_state(databases={"default": database}).grants
    state = InstanceState(granted)
    connection = call(state, f"{V3}[static]connection.open", "default")
    execute = f"{V3}[method]connection.execute"
    call(state, execute, connection, "CREATE VIRTUAL TABLE f USING fts5(a)", [])
    state.deadline_ns = time.monotonic_ns() + 100_000_000
    with pytest.raises(DeadlineExceeded):
        call(state, execute, connection, statement, [])
    connection.drop(state)
    until(lambda: left_behind(database) == 0)


def until(true: object) -> None:
    """Wait for what happens on another thread."""
    assert callable(true)
    while not true():
        time.sleep(0.01)


STUCK = "SELECT hex(zeroblob(1500000)) LIKE '%' || hex(zeroblob(240)) || '1'"


def test_a_statement_that_hears_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is of no use, others go on, and there are not many of its kind."""
    monkeypatch.setattr(sqlite_connections, "MAX_LEFT_BEHIND", 1)
    database = Database(label="x", path=tmp_path / "x.db")
    stuck = database.connect(lambda: False)
    with pytest.raises(SqliteError, match="interrupted"):
        stuck.execute(STUCK, max_bytes=100)
    assert left_behind(database) == 1
    with pytest.raises(SqliteError, match="busy with a statement that was stopped"):
        stuck.execute("SELECT 1", max_bytes=100)
    assert (stuck.changes(), stuck.last_insert_rowid()) == (0, 0)
    stuck.close()
    with pytest.raises(SqliteError, match="too many statements that were stopped"):
        database.connect().execute("SELECT 1", max_bytes=100)
    other = Database(label="other").connect()
    assert other.execute("SELECT 1", max_bytes=100)[1] == [(1,)]
    other.close()
    until(lambda: left_behind(database) == 0)
    again = database.connect()
    assert again.execute("SELECT 1", max_bytes=100)[1] == [(1,)]
    again.close()


def test_waiting_for_a_lock_ends_with_the_instance(tmp_path: Path) -> None:
    """The busy timeout is longer than the time that is left; a pragma does not prolong it."""
    database = Database(label="x", path=tmp_path / "x.db")
    holder = database.connect()
    holder.execute("BEGIN IMMEDIATE", max_bytes=100)
    looks = itertools.count()
    waiting = database.connect(lambda: next(looks) < 3)
    waiting.execute("PRAGMA busy_timeout = 100000000", max_bytes=100)
    with pytest.raises(SqliteError, match=r"interrupted|locked"):
        waiting.execute("BEGIN IMMEDIATE", max_bytes=100)
    assert next(looks) < 10
    holder.close()
    waiting.close()


def test_a_shorter_wait_for_a_lock(tmp_path: Path) -> None:
    """``PRAGMA busy_timeout`` says how long, as in any SQLite."""
    database = Database(label="x", path=tmp_path / "x.db")
    holder, waiting = database.connect(), database.connect()
    holder.execute("BEGIN IMMEDIATE", max_bytes=100)
    waiting.execute("PRAGMA busy_timeout = 0", max_bytes=100)
    with pytest.raises(SqliteError, match="locked"):
        waiting.execute("BEGIN IMMEDIATE", max_bytes=100)
    waiting.execute("PRAGMA busy_timeout = 5000", max_bytes=100)
    timer = threading.Timer(0.05, holder.close)
    timer.start()
    waiting.execute("BEGIN IMMEDIATE", max_bytes=100)
    timer.join()
    waiting.close()


LIMIT_BYTES = 32 * 1024 * 1024

BLOBS = f"SELECT zeroblob(4000000) FROM ({NUMBERS} SELECT i FROM n LIMIT 1000)"

GREEDY = [
    pytest.param([], f"{NUMBERS} SELECT randomblob(100000) FROM n", id="a result"),
    pytest.param([], f"SELECT {', '.join(['hex(randomblob(9000000))'] * 200)}", id="one row"),
    pytest.param(["CREATE TABLE t(v)"], f"INSERT INTO t {BLOBS}", id="in memory"),
    pytest.param(["CREATE TEMP TABLE t(v)"], f"INSERT INTO t {BLOBS}", id="temporary"),
    pytest.param(
        ["ATTACH ':memory:' AS x", "CREATE TABLE x.t(v)"], f"INSERT INTO x.t {BLOBS}", id="attached"
    ),
    pytest.param(
        ["ATTACH '' AS x", "CREATE TABLE x.t(v)"], f"INSERT INTO x.t {BLOBS}", id="attached file"
    ),
    pytest.param(
        [], f"{NUMBERS} SELECT count(*) FROM (SELECT DISTINCT randomblob(90000) FROM n)", id="set"
    ),
    pytest.param(
        [],
        f"{NUMBERS} SELECT max(r) FROM (SELECT randomblob(90000) r FROM n ORDER BY 1 "
        "LIMIT -1 OFFSET 1)",
        id="sort",
    ),
    pytest.param(
        [], f"{NUMBERS} SELECT json_group_array(hex(randomblob(9999))) FROM n", id="aggregate"
    ),
]


@pytest.mark.parametrize(("before", "statement"), GREEDY)
def test_a_statement_holds_what_its_instance_may(before: list[str], statement: str) -> None:
    """In a process of its own, whose peak is a few times the limit and not gigabytes."""
    program = f"""\
        import resource
        from edgezero_spin.host.factors.sqlite.connections import SqliteError
        from edgezero_spin.host.factors.sqlite.factor import Database
        from edgezero_spin.host.factors.sqlite.memory import MemoryAccount
        connection = Database(label="x").connect(account=MemoryAccount({LIMIT_BYTES}))
        for statement in {before!r}:
            connection.execute(statement, max_bytes=100)
        begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            connection.execute({statement!r}, max_bytes=128 << 20)
            print("done")
        except SqliteError as error:
            print("full" if error.full else error.message)
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begin) * 1024)
        connection.close()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    message, grown_bytes = done.stdout.splitlines()
    assert message.startswith(("out of memory", "full", "query result exceeds", "string or blob"))
    assert int(grown_bytes) < 10 * LIMIT_BYTES


@pytest.fixture
def account() -> Iterator[MemoryAccount]:
    """What an instance may hold; afterwards it holds nothing."""
    made = MemoryAccount(LIMIT_BYTES)
    yield made
    assert made.held_bytes == 0


def test_connections_of_an_instance_share_its_limit(account: MemoryAccount) -> None:
    """What one holds another cannot have; closing gives it back."""
    database = Database(label="x")
    open_ones = []
    with pytest.raises(SqliteError, match=f"out of memory .limit of {LIMIT_BYTES} bytes"):
        for _ in range(20):
            one = database.connect(account=account)
            open_ones.append(one)
            one.execute("CREATE TABLE t(v)", max_bytes=100)
            one.execute("INSERT INTO t VALUES (zeroblob(9000000))", max_bytes=100)
    assert 3 <= len(open_ones) <= 6
    for one in open_ones:
        one.close()
    again = database.connect(account=account)
    assert again.execute("SELECT 1", max_bytes=100)[1] == [(1,)]
    again.close()


def test_a_full_database_can_be_emptied(account: MemoryAccount) -> None:
    """At its limit it says so, and deleting works (DB-1)."""
    connection = Database(label="x").connect(account=account)
    connection.execute("CREATE TABLE t(v)", max_bytes=100)
    with pytest.raises(SqliteError) as caught:
        for _ in range(100):
            connection.execute("INSERT INTO t VALUES (zeroblob(1000000))", max_bytes=100)
    assert caught.value.full
    connection.execute("DELETE FROM t", max_bytes=100)
    connection.execute("INSERT INTO t VALUES (zeroblob(1000000))", max_bytes=100)
    connection.close()


def test_the_process_has_a_limit() -> None:
    """Whatever all guests do together, SQLite stops there."""
    connection = Database(label="x").connect()
    connection.execute("SELECT 1", max_bytes=100)
    connection.close()
    assert apsw.hard_heap_limit(-1) > 0
