"""SQLite databases in tests: filled, read back, watched, and made to fail."""

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

import edgezero_spin
from edgezero_spin import App
from edgezero_spin.project.componentize import componentize_app
from edgezero_spin.testing import (
    ComponentClient,
    KitError,
    PreloadError,
    StoreCall,
    TestClient,
    UnknownLabelError,
)

HERE = Path(__file__).parent
WIT = Path(edgezero_spin.__file__).parent / "wit"
SQLITE_WIT = HERE.parent / "component" / "guests" / "platform" / "wit" / "deps" / "sqlite3"

WORLD = """\
package test:ledger@0.1.0;

world ledger {
  export wasi:http/incoming-handler@0.2.0;
  import spin:sqlite/sqlite@3.0.0;
}
"""

SCHEMA = "CREATE TABLE entries(what TEXT, amount INTEGER); INSERT INTO entries VALUES ('tea', 3)"


# Without a component -------------------------------------------------------------------


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(SCHEMA, id="a text"),
        pytest.param(Path("schema.sql"), id="a file"),
        pytest.param(SCHEMA.split(";"), id="statements"),
        pytest.param([Path("schema.sql"), "UPDATE entries SET amount = 3"], id="both"),
    ],
)
def test_what_fills_a_database(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: Any
) -> None:
    """Statements, a file of them, or several; the test reads back what it likes."""
    (tmp_path / "schema.sql").write_text(SCHEMA)
    monkeypatch.chdir(tmp_path)
    with TestClient(app, sqlite={"default": seed}) as client:
        database = client.sqlite["default"]
        assert database.tables == ["entries"]
        assert database.execute("SELECT * FROM entries WHERE what = ?", ["tea"]) == [("tea", 3)]
        database.execute("INSERT INTO entries VALUES (:what, 4)", {"what": "milk"})
        assert database.rows("SELECT sum(amount) AS total FROM entries") == [{"total": 7}]
        assert client.calls == []


@pytest.mark.parametrize(
    ("seeds", "error", "message"),
    [
        pytest.param({"default": 7}, PreloadError, r"sqlite\['default'\]: .* got a int", id="kind"),
        pytest.param({"default": b"x"}, PreloadError, "got a bytes", id="bytes"),
        pytest.param({"default": {"t": []}}, PreloadError, "got a dict", id="mapping"),
        pytest.param("CREATE TABLE t(v)", PreloadError, r"\{'label': 'CREATE", id="no label"),
        pytest.param(
            {"default": ["CREATE TABLE t(v)", "INSERT INTO u VALUES (1)"]},
            PreloadError,
            r"sqlite\['default'\]: no such table: u, in: INSERT INTO u",
            id="statement",
        ),
        pytest.param(
            {"default": Path("none.sql")}, PreloadError, r"none\.sql: No such file", id="file"
        ),
        pytest.param(
            {"other": ""},
            UnknownLabelError,
            r"no SQLite database has the label 'other' \(there are: default, archive\); add it to "
            r"sqlite_databases in .*spin\.toml",
            id="label",
        ),
    ],
)
def test_wrong_seeds(
    app: App, tmp_path: Path, seeds: Any, error: type[KitError], message: str
) -> None:
    """The message says what, where and what to write instead."""
    manifest = tmp_path / "spin.toml"
    manifest.write_text(MANIFEST)
    with pytest.raises(error, match=message):
        TestClient(app, manifest=manifest, component="ledger", sqlite=seeds)


def test_a_statement_that_fails_says_which(app: App) -> None:
    """In SQLite's words, and with the statement; and a closed client has none."""
    client = TestClient(app, sqlite={"default": SCHEMA})
    database = client.sqlite["default"]
    with pytest.raises(KitError, match=r"sqlite\['default'\]: no such table: nope: SELECT \* FROM"):
        database.execute("SELECT * FROM nope")
    with pytest.raises(UnknownLabelError, match=r"'other' \(there are: default\)"):
        client.sqlite["other"]
    client.close()
    client.close()
    with pytest.raises(KitError, match="is closed"):
        database.tables  # noqa: B018 - a property that raises


def test_a_forgotten_database_is_gone(app: App) -> None:
    """Nobody has to close it, and the next one is empty."""
    client = TestClient(app, sqlite={"default": SCHEMA})
    uri = client.sqlite["default"].uri
    del client
    gc.collect()
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
    again = apsw.Connection(uri, flags=flags)
    assert again.execute("SELECT name FROM sqlite_master").fetchall() == []
    again.close()


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("SELECT 1", "reads"),
        (" \n select 1", "reads"),
        ("EXPLAIN DELETE FROM t", "reads"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "reads"),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", "writes"),
        ("INSERT INTO t VALUES (1)", "writes"),
        ("CREATE TABLE t(v)", "writes"),
        ("BEGIN", "neither"),
        ("COMMIT;", "neither"),
    ],
)
def test_statements_that_read_or_write(statement: str, kind: str) -> None:
    """A log tells them apart by how they begin."""
    call = StoreCall("execute", "default", statement)
    assert (call.reads, call.writes) == (kind == "reads", kind == "writes")


# In a component ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guest, compiled for a world with databases."""
    folder = tmp_path_factory.mktemp("ledger")
    world = folder / "ledger_world"
    dependencies = world / "wit" / "deps"
    shutil.copytree(WIT / "deps", dependencies, ignore=shutil.ignore_patterns("fermyon-*"))
    shutil.copytree(SQLITE_WIT, dependencies / "sqlite3")
    (world / "wit" / "world.wit").write_text(WORLD)
    (world / "componentize-py.toml").write_text('wit_directory = "wit"\n')
    (world / "__init__.py").write_text("")
    shutil.copy(HERE / "guests" / "ledger.py", folder)
    output = folder / "ledger.wasm"
    componentize_app("ledger", output=output, folder=folder, world="test:ledger/ledger@0.1.0")
    return output


@pytest.fixture
def client(ledger: Path) -> Iterator[ComponentClient]:
    """A client with one entry in the database."""
    with ComponentClient(ledger, sqlite={"default": SCHEMA}) as made:
        yield made


@pytest.mark.component
def test_a_component_and_its_test_see_the_same(client: ComponentClient) -> None:
    """What one writes the other reads, from one request to the next."""  # TEST-30
    assert client.get("/total").json() == [[[3]]]
    assert client.post("/entries", json={"what": "milk", "amount": 4}).json() == [[]]
    client.sqlite["default"].execute("DELETE FROM entries WHERE what = 'tea'")
    assert client.get("/total").json() == [[[4]]]
    assert client.sqlite["default"].rows("SELECT * FROM entries") == [{"what": "milk", "amount": 4}]


@pytest.mark.component
def test_clients_do_not_share_databases(client: ComponentClient, ledger: Path) -> None:
    """Each test has its own, under the same label."""
    with ComponentClient(ledger, sqlite={"default": "CREATE TABLE other(v)"}) as another:
        assert another.get("/tables/default").json() == [[["other"]]]
    assert client.get("/tables/default").json() == [[["entries"]]]


@pytest.mark.component
def test_every_statement_is_recorded(client: ComponentClient) -> None:
    """With its parameters, in order; reads and writes can be told apart."""
    answer = client.post("/entries", json={"what": "milk", "amount": 4})
    insert = "INSERT INTO entries VALUES (?, ?)"
    assert answer.calls == [
        StoreCall("connect", "default"),
        StoreCall("execute", "default", insert, parameters=("milk", 4)),
    ]
    client.get("/total")
    assert client.calls.reads.texts == ["execute default SELECT sum(amount) FROM entries"]
    assert client.calls.writes.texts == [f"execute default {insert}"]
    assert len(client.calls.of("default")) == 4


@pytest.mark.component
def test_failures(client: ComponentClient) -> None:
    """At the n-th statement, when connecting, or for want of room; nothing was written."""
    client.stores.fail("execute", label="default", at=2, times=1, message="disk I/O error")
    said = [client.post("/entries", json={"what": "x", "amount": 1}).json()[0] for _ in range(3)]
    assert said == [[], "Error_Io(value='disk I/O error')", []]
    assert client.get("/total").json() == [[[5]]]
    assert client.calls.writes[1].error == "disk I/O error"
    client.stores.fail("execute", message="database-full")
    assert client.get("/total").json() == ["Error_DatabaseFull()"]
    client.stores.heal()
    client.stores.fail("connect", message="no server")
    assert client.get("/total").json() == ["Error_Io(value='no server')"]
    client.stores.heal()
    client.stores.deny("default")
    assert client.get("/total").json() == ["Error_AccessDenied()"]
    assert client.calls[-1] == StoreCall("connect", "default", error="access-denied")


@pytest.mark.component
def test_what_sqlite_refuses_is_recorded_too(ledger: Path) -> None:
    """The guest gets SQLite's words, and so does the log."""
    with ComponentClient(ledger, sqlite={"default": ""}) as client:
        assert client.get("/total").json() == ["Error_Io(value='no such table: entries')"]
        assert client.calls[-1].error == "no such table: entries"


MANIFEST = """\
spin_manifest_version = 2
application = {name = "ledger"}
[[trigger.http]]
route = "/..."
component = "ledger"
[[trigger.http]]
route = {private = true}
component = "other"
[component.ledger]
source = "ledger.wasm"
sqlite_databases = ["default"]
[component.other]
source = "ledger.wasm"
sqlite_databases = ["archive"]
"""


@pytest.mark.component
def test_a_manifest_limits_the_component(ledger: Path) -> None:
    """A label that only another component lists is denied."""  # DB-1
    path = ledger.with_name("spin.toml")
    path.write_text(MANIFEST)
    with ComponentClient(path, sqlite={"default": SCHEMA, "archive": SCHEMA}) as client:
        assert client.get("/tables/default").json() == [[["entries"]]]
        assert client.get("/tables/archive").json() == ["Error_AccessDenied()"]
        assert client.get("/tables/none").json() == ["Error_AccessDenied()"]
        assert client.calls.texts[-1] == "connect none (access-denied)"
