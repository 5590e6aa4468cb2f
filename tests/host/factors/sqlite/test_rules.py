"""What the SQL of a guest may name: nothing that reaches the process, all that apps use."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgezero_spin.host.factors.sqlite.connections import DatabaseConnection, SqliteError
from edgezero_spin.host.factors.sqlite.factor import Database
from edgezero_spin.host.factors.sqlite.functions import replace_functions
from edgezero_spin.host.factors.sqlite.rules import FUNCTIONS, MODULES, PRAGMAS

DENIED = "not authorized"
NO_TABLE = "no such table"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[DatabaseConnection]:
    """A connection of a guest to a file with one table."""
    made = Database(label="x", path=tmp_path / "x.db").connect()
    made.execute_script("CREATE TABLE t(a, b); CREATE VIRTUAL TABLE f USING fts5(a)")
    yield made
    made.close()


def said(connection: DatabaseConnection, statement: str) -> str:
    """What SQLite says of a statement that it refuses."""
    with pytest.raises(SqliteError) as caught:
        connection.execute(statement, max_bytes=10_000)
    return caught.value.message


HOSTILE = [
    # The process: pointers, extensions, its log.
    ("SELECT hex(fts3_tokenizer('simple'))", DENIED),
    ("SELECT FTS3_Tokenizer('x', x'4141414141414141')", DENIED),
    ("SELECT * FROM fts3tokenize", NO_TABLE),
    ("CREATE VIRTUAL TABLE x USING fts3tokenize('simple')", DENIED),
    ("CREATE VIRTUAL TABLE x USING fts3(a, tokenize=x)", "unknown tokenizer"),
    ("SELECT fts5(NULL)", DENIED),
    ("SELECT * FROM carray(1, 1000000, 'int64')", "prohibited"),
    ("SELECT load_extension('/x.so')", DENIED),
    ("SELECT load_extension('/x.so', 'entry')", DENIED),
    ("SELECT sqlite_log(1, 'x')", DENIED),
    ("CREATE VIEW v AS SELECT load_extension('/x.so') x", "ok, then"),
    # Files.
    ("SELECT readfile('/etc/passwd')", "no such function"),
    ("SELECT writefile('/tmp/x', 'x')", "no such function"),
    ("SELECT edit('x')", "no such function"),
    ("CREATE VIRTUAL TABLE x USING zipfile('/tmp/x.zip')", DENIED),
    ("CREATE VIRTUAL TABLE x USING csv(filename='/etc/passwd')", DENIED),
    ("CREATE VIRTUAL TABLE x USING fsdir", DENIED),
    ("CREATE VIRTUAL TABLE x USING sqlite_dbpage", DENIED),
    ("SELECT * FROM sqlite_dbpage", NO_TABLE),
    ("SELECT * FROM sqlite_stmt", NO_TABLE),
    ("SELECT * FROM bytecode('SELECT 1')", NO_TABLE),
    ("ATTACH 'file::memory:?cache=shared' AS x", DENIED),
    ("ATTACH 'file:/tmp/x?vfs=unix-none' AS x", DENIED),
    ("PRAGMA database_list", DENIED),
    ("SELECT * FROM pragma_database_list", DENIED),
    ("PRAGMA temp_store_directory = '/tmp'", DENIED),
    ("PRAGMA data_store_directory = '/tmp'", DENIED),
    ("PRAGMA lock_proxy_file = '/tmp/x'", DENIED),
    # The schema and pages of the file.
    ("PRAGMA writable_schema = 1", DENIED),
    ("PRAGMA Writable_Schema(RESET)", DENIED),
    ("PRAGMA trusted_schema = 1", DENIED),
    ("PRAGMA schema_version = 7", DENIED),
    ("UPDATE sqlite_schema SET sql = 'x'", "may not be modified"),
    ("INSERT INTO f_data VALUES (1, x'00')", "may not be modified"),
    ("PRAGMA journal_mode = OFF", DENIED),
    # Memory, and settings of the process.
    ("PRAGMA temp_store = MEMORY", DENIED),
    ("PRAGMA cache_size = -4000000", DENIED),
    ("PRAGMA main.cache_size = 4000000", DENIED),
    ("PRAGMA temp.cache_size = 4000000", DENIED),
    ("PRAGMA default_cache_size = 4000000", DENIED),
    ("PRAGMA cache_spill = OFF", DENIED),
    ("PRAGMA mmap_size = 100000000000", DENIED),
    ("PRAGMA journal_mode = MEMORY", DENIED),
    ("PRAGMA temp.journal_mode = MEMORY", DENIED),
    ("PRAGMA locking_mode = EXCLUSIVE", DENIED),
    ("PRAGMA temp.max_page_count = 4294967294", DENIED),
    ("PRAGMA temp.max_page_count = -1", DENIED),
    ("PRAGMA temp.page_size = 65536", DENIED),
    ("PRAGMA hard_heap_limit = 1000", DENIED),
    ("PRAGMA soft_heap_limit = 1000", DENIED),
    ("PRAGMA hard_heap_limit", DENIED),
    ("PRAGMA threads = 8", DENIED),
    ("PRAGMA parser_trace = 1", DENIED),
    ("PRAGMA made_up_later = 1", DENIED),
    ("SELECT zeroblob(100000000)", "too big"),
    (f"SELECT 'x' LIKE '{'a' * 501}'", "too complex"),
]


@pytest.mark.parametrize(("statement", "message"), [one for one in HOSTILE if one[1] != "ok, then"])
def test_what_is_refused(connection: DatabaseConnection, statement: str, message: str) -> None:
    """By SQLite's own words, and the connection goes on."""
    assert message in said(connection, statement)
    assert connection.execute("SELECT 1", max_bytes=100)[1] == [(1,)]


def test_hostile_statements_one_after_the_other() -> None:
    """In a process of its own, which they do not end."""
    program = """\
import json, sys
from edgezero_spin.host.factors.sqlite.connections import SqliteError
from edgezero_spin.host.factors.sqlite.factor import Database
connection = Database(label="x").connect()
refused = 0
for statement in json.load(sys.stdin):
    try:
        connection.execute(statement, max_bytes=10_000)
    except SqliteError:
        refused += 1
print(refused)
"""
    statements = [statement for statement, _ in HOSTILE] * 2
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([*statements, "SELECT * FROM v"]),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    # The view may be made once, and what is in it is refused when it is read.
    assert int(done.stdout) >= len(statements) - 1


ALLOWED = [
    "SELECT upper('a'), abs(-1), coalesce(NULL, 1), iif(1, 2, 3), hex('a'), soundex('a')",
    "SELECT date('now'), strftime('%Y', 'now'), unixepoch(), current_timestamp, timediff('now', 0)",
    "SELECT json_extract('[1]', '$[0]'), '[1]' ->> 0, json_patch('{}', '{}'), jsonb('1')",
    "SELECT value FROM json_each('[1, 2]')",
    "SELECT key FROM json_tree('[1, [2]]')",
    "SELECT sin(1), pow(2, 3), ceil(1.2), ln(2), median(1), percentile(1, 50)",
    "SELECT row_number() OVER (ORDER BY a), lag(a) OVER (), group_concat(a) OVER () FROM t",
    "SELECT count(*) FILTER (WHERE a), string_agg(a, ',' ORDER BY b), total(a) FROM t",
    "SELECT replace('a', 'b', 'c'), instr('a', 'b'), trim(' a '), unhex('4-1', '-')",
    "SELECT name FROM pragma_table_info('t')",
    "SELECT count(*) FROM dbstat",
    "SELECT highlight(f, 0, '<', '>'), bm25(f), snippet(f, 0, '', '', '', 3) FROM f('a')",
    "INSERT INTO f(f) VALUES ('optimize')",
    "CREATE VIRTUAL TABLE r USING rtree(id, low, high)",
    "CREATE VIRTUAL TABLE g USING geopoly()",
    "CREATE VIRTUAL TABLE old USING fts4(a)",
    "CREATE VIRTUAL TABLE words USING fts5vocab(f, 'row')",
    "CREATE TABLE u(a INTEGER PRIMARY KEY, b DEFAULT (lower('A')), c AS (length(b)))",
    "CREATE INDEX i ON t(replace(a, 'x', 'y'))",
    "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET b = trim(a, 'x'); END",
    "CREATE VIEW v AS SELECT replace(a, 'x', 'y') FROM t",
    "ALTER TABLE t RENAME TO s",
    "ALTER TABLE t RENAME COLUMN a TO c",
    "ALTER TABLE t ADD COLUMN c",
    "ALTER TABLE t DROP COLUMN b",
    "CREATE TEMP TABLE s(a)",
    "CREATE TEMP VIEW s AS SELECT 1",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9) SELECT sum(i) FROM n",
    "INSERT INTO t VALUES (1, 2) ON CONFLICT DO NOTHING RETURNING a",
    "EXPLAIN QUERY PLAN SELECT * FROM t",
    "ANALYZE",
    "REINDEX",
    "VACUUM",
    "SAVEPOINT s",
    "BEGIN IMMEDIATE",
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_mode = WAL",
    "PRAGMA journal_mode",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA user_version = 3",
    "PRAGMA busy_timeout = 100",
    "PRAGMA table_info(t)",
    "PRAGMA index_list('t')",
    "PRAGMA integrity_check",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA optimize",
    "PRAGMA page_size = 8192",
    "PRAGMA page_count",
    "PRAGMA cache_size",
    "PRAGMA max_page_count = 100",
    "PRAGMA temp.max_page_count = 100",
    "PRAGMA recursive_triggers = ON",
]


@pytest.mark.parametrize("statement", ALLOWED)
def test_what_apps_use(connection: DatabaseConnection, statement: str) -> None:
    """The core functions, dates, JSON, mathematics, search, R-trees and pragmas work."""
    connection.execute(statement, max_bytes=100_000)


def test_a_view_cannot_do_what_a_statement_cannot(connection: DatabaseConnection) -> None:
    """Nor a trigger, nor a default: each is looked at when it is used."""
    connection.execute("CREATE VIEW v AS SELECT load_extension('x') x", max_bytes=100)
    assert "unsafe use of load_extension" in said(connection, "SELECT x FROM v")


def test_names_come_from_lists() -> None:
    """What this SQLite has and what is left out are both known."""
    native = apsw.Connection(":memory:")
    functions = {row[0] for row in native.execute("PRAGMA function_list")}
    assert functions - FUNCTIONS == {
        "fts3_tokenizer",
        "fts5",
        "fts5_source_id",
        "load_extension",
        "sqlite_log",
    }
    assert {row[0] for row in native.execute("PRAGMA module_list")} - MODULES == {"fts3tokenize"}
    assert {row[0] for row in native.execute("PRAGMA pragma_list")} - PRAGMAS == {
        "database_list",
        "hard_heap_limit",
        "mmap_size",
        "soft_heap_limit",
        "temp_store_directory",
    }
    native.close()


VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(alphabet=" abAB1-é\0", max_size=8),
    st.text(alphabet="ab41", max_size=4).map(str.encode),
)


@settings(max_examples=300, deadline=None)
@given(VALUES, VALUES, VALUES)
def test_replaced_functions_answer_as_sqlites_own(
    first: object, second: object, third: object
) -> None:
    """``replace``, ``instr``, ``trim`` and ``unhex`` for every mixture of types."""
    theirs, ours = apsw.Connection(":memory:"), apsw.Connection(":memory:")
    replace_functions(ours)
    query = (
        "SELECT replace(?1, ?2, ?3), instr(?1, ?2), trim(?1, ?2), ltrim(?1, ?2), "
        "rtrim(?1, ?2), unhex(?1, ?2)"
    )
    bindings = (first, second, third)
    answers = [one.execute(query, bindings).fetchall() for one in (theirs, ours)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Robert", "R163"),
        ("Ashcraft", "A226"),
        ("Tymczak", "T522"),
        ("12 ab", "A100"),
        ("", "?000"),
        (None, "?000"),
    ],
)
def test_soundex(connection: DatabaseConnection, text: str | None, code: str) -> None:
    """Spin's SQLite has it; these are its answers."""
    assert connection.execute("SELECT soundex(?)", [text], max_bytes=100)[1] == [(code,)]


@pytest.mark.parametrize("place", ["x", "temp"])
def test_no_database_of_a_connection_grows_without_bound(place: str) -> None:
    """Neither one that was attached in memory nor the temporary one (DB-2)."""
    connection = Database(label="x").connect()
    connection.execute("ATTACH ':memory:' AS x", max_bytes=100)
    connection.execute(f"CREATE TABLE {place}.t(v)", max_bytes=100)
    assert connection.execute(f"PRAGMA {place}.max_page_count", max_bytes=100)[1] == [(65536,)]
    with pytest.raises(SqliteError, match="not authorized"):
        connection.execute(f"PRAGMA {place}.max_page_count = 65537", max_bytes=100)
    connection.close()


LONG = 300_000


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("SELECT json_patch(?, '{}')", ["[" + "1," * LONG + "1]"]),
        ("SELECT json_patch('{}', printf('%.*c', 300000, 'x'))", []),
        ("SELECT json_extract(jsonb_patch('{}', '{}'), '$.a'), zeroblob(300000)", []),
        ("SELECT p, zeroblob(300000) FROM patched", []),
        ("SELECT zeroblob(17000000) LIKE '%a%'", []),
        ("SELECT ? GLOB '*a*'", ["x" * 17_000_000]),
        ("SELECT glob('*a*', ?)", ["x" * 17_000_000]),
        ("SELECT snippet(long, 0, '<', '>', '', 9) FROM long WHERE long MATCH 'a'", []),
        ("SELECT highlight(long, 0, '<', '>') FROM long WHERE long MATCH 'a'", []),
        ("SELECT geopoly_overlap(?, '[[0,0],[1,0],[0,1],[0,0]]')", ["x" * 2_000_000]),
    ],
)
def test_values_of_slow_functions_are_shorter(
    connection: DatabaseConnection, statement: str, values: list[str]
) -> None:
    """Each time, compiled before or not, in a view too; other statements have their room."""
    for text in (
        "CREATE VIEW patched AS SELECT json_patch('{}', '{}') AS p",
        "CREATE VIRTUAL TABLE long USING fts5(a)",
        "INSERT INTO long SELECT replace(hex(zeroblob(200000)), '0', 'a ')",
    ):
        connection.execute(text, max_bytes=100)
    for _ in range(3):
        with pytest.raises(SqliteError, match="too big"):
            connection.execute(statement, values, max_bytes=1 << 28)
        whole = "SELECT length(?)"
        long = "x" * 20_000_000
        assert connection.execute(whole, [long], max_bytes=100)[1] == [(20_000_000,)]


def test_short_values_of_slow_functions(connection: DatabaseConnection) -> None:
    """They work, one inside the other as well."""
    query = "SELECT json_object('a', json_patch('{\"b\": 1}', '{\"c\": 2}')), 'abc' LIKE 'A%'"
    for _ in range(2):
        rows = connection.execute(query, max_bytes=1000)[1]
        assert rows == [('{"a":{"b":1,"c":2}}', 1)]


def test_functions_take_as_many_arguments_as_people_write(connection: DatabaseConnection) -> None:
    """Each path of a JSON function is looked for in the whole document."""
    few, many = (", ".join(["1"] * count) for count in (127, 128))
    assert connection.execute(f"SELECT max({few})", max_bytes=100)[1] == [(1,)]
    with pytest.raises(SqliteError, match="too many arguments"):
        connection.execute(f"SELECT max({many})", max_bytes=100)
