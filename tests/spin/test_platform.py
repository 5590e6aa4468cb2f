"""Every interface beside HTTP: the same Python in the same component, on both hosts."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgezero_spin
from tests.spin.applications import probe_manifest
from tests.spin.conftest import Both, Serve

HERE = Path(__file__).parent / "platform"
PLATFORM = Path(__file__).parents[1] / "component" / "guests" / "platform"
WIT = Path(edgezero_spin.__file__).parent / "wit" / "deps"

GRANTS = """
key_value_stores = ["default"]
sqlite_databases = ["default"]
variables = { colour = "red", other = "{{ size }}" }
allowed_outbound_hosts = ["*://allowed.invalid:*"]
ai_models = ["llama2-chat"]
"""
VARIABLES = '[variables]\nsize = { default = "large" }\n'


def build(output: Path) -> None:
    """Compile ``served.py`` for its world."""
    wit = output.with_name("wit")
    shutil.copytree(PLATFORM / "wit" / "deps", wit / "deps")
    for package in ("wasi-http@0.2.0", "wasi-io@0.2.0", "wasi-clocks@0.2.0"):
        shutil.copytree(WIT / package, wit / "deps" / package)
    shutil.copy(HERE / "wit" / "world.wit", wit)
    nowhere = output.with_name("no-environment")
    (nowhere / "lib" / "site-packages").mkdir(parents=True)
    tool = str(Path(sys.executable).with_name("componentize-py"))
    argv = ["-q", "-d", str(wit), "-w", "test:served/served", "componentize"]
    subprocess.run(
        [tool, *argv, "-p", str(PLATFORM), "-p", str(HERE), "-o", str(output), "served"],
        env={**os.environ, "VIRTUAL_ENV": str(nowhere), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )


@pytest.fixture(scope="module")
def both(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The component with rights to some of everything."""
    folder = tmp_path_factory.mktemp("platform")
    build(folder / "served.wasm")
    probe_manifest(folder, folder / "served.wasm", GRANTS, more=VARIABLES)
    with serve(folder) as programs:
        yield programs


CODE = {
    "buckets": """
denied = caught(buckets.open, "forbidden")
bucket = buckets.open("default")
bucket.set("bar", b"baz")
batch.set_many(bucket, [("a", b"1"), ("b", b"")])
found = sorted(batch.get_many(bucket, ["b", "none", "a"]))
some = bucket.get("bar"), bucket.get("none"), bucket.exists("bar"), bucket.exists("none")
batch.delete_many(bucket, ["a", "b", "none"])
cursor = caught(bucket.list_keys, "0")
nothing = batch.get_many(bucket, []), batch.set_many(bucket, []), batch.delete_many(bucket, [])
listed = sorted(bucket.list_keys(None).keys), bucket.list_keys(None).cursor
bucket.delete("bar")
bucket.delete("bar")
answer = denied, found, some, cursor, nothing, listed
""",
    "counters": """
bucket = buckets.open("default")
bucket.delete("n")
counts = [atomics.increment(bucket, "n", by) for by in (10, 5, -20, 0)]
answer = counts, bucket.get("n")
bucket.delete("n")
""",
    "swaps": """
from componentize_py_types import Err
bucket = buckets.open("default")
bucket.set("a", b"old")
cas = atomics.Cas.new(bucket, "a")
seen = cas.current()
bucket.set("a", b"theirs")
try:
    atomics.swap(cas, b"mine")
    lost = None
except Err as error:
    lost = type(error.value).__name__
    atomics.swap(error.value.value, b"mine")
new = atomics.Cas.new(bucket, "missing")
none = new.current()
atomics.swap(new, b"made")
answer = seen, lost, bucket.get("a"), none, bucket.get("missing")
bucket.delete("missing")
bucket.delete("a")
""",
    "stores of Spin 1": """
store = key_value1.open("default")
denied = caught(key_value1.open, "forbidden")
missing = caught(key_value1.get, store, "k")
key_value1.set(store, "k", b"1")
found = key_value1.get(store, "k"), key_value1.exists(store, "k"), key_value1.get_keys(store)
key_value1.delete(store, "k")
key_value1.close(store)
answer = denied, missing, found
""",
    "configuration": """
names = ["colour", "other", "none", "A", "", "a-b", "size"]
answer = [caught(config1.get_config, name) for name in names], [
    config_store.get(name) for name in names
], sorted(config_store.get_all())
""",
    "SQLite of Spin 1": """
denied = caught(sqlite1.open, "forbidden")
number = sqlite1.open("default")
text = getattr(sqlite1, "ValueParam_Text", None) or sqlite1.Value_Text
rows = sqlite1.execute(number, "SELECT 1, 'a', 1.5, NULL, x'00ff' WHERE ? = 'x'", [text("x")])
sqlite1.close(number)
answer = denied, [list(map(repr, row.values)) for row in rows.rows], rows.columns, caught(
    sqlite1.execute, number, "SELECT 1", [])
""",
    "SQLite 3": """
connection = sqlite3.Connection.open("default")
connection.execute("CREATE TABLE IF NOT EXISTS t (a)", [])
connection.execute("DELETE FROM t", [])
connection.execute("INSERT INTO t VALUES (1), (2)", [])
answer = caught(sqlite3.Connection.open, "forbidden"), connection.changes(), \\
    connection.last_insert_rowid(), caught(connection.execute, "SELECT", [])
""",
    "SQLite without a statement": """
connection = sqlite3.Connection.open("default")
texts = ["", " ", ";", ";;", "-- nothing", "/* nothing */", "/* open", "-- a\\n;", "; SELECT 1",
         "-- a\\nSELECT 1", "/* a */ SELECT 1 -- b", "SELECT 1;", "SELECT 1; SELECT 2", " SELECT 1",
         "SELECT 1; nonsense", "SELECT 1; -- b", ";SELECT ?"]
empty = [(text, caught(connection.execute, text, [])) for text in texts]
given = caught(connection.execute, "", [sqlite3.Value_Integer(1)])
old = sqlite1.open("default")
answer = empty, given, [caught(sqlite1.execute, old, text, []) for text in ("", "-- a", ";")]
sqlite1.close(old)
""",
    "Redis": """
answer = [caught(redis2.Connection.open, address) for address in
          ("redis://denied.invalid", "nonsense", "http://allowed.invalid", "")], [
    caught(redis1.get, address, "k") for address in ("redis://denied.invalid", "nonsense")]
""",
    "MySQL": """
answer = [caught(mysql2.Connection.open, address) for address in
          ("mysql://denied.invalid/x", "mysql://u:p@denied.invalid:3306/x")], [
    caught(mysql1.query, "mysql://denied.invalid/x", "SELECT 1", [])]
""",
    "PostgreSQL": """
addresses = ["postgres://denied.invalid", "host=denied.invalid port=5432 user=u", "host=/var/run",
             "postgres://u:p@denied.invalid:99/d", "host=denied.invalid", "postgres://a.invalid,b"]
answer = [caught(postgres2.Connection.open, address) for address in addresses], [
    caught(postgres4.Connection.open, address) for address in addresses], [
    caught(postgres1.query, address, "SELECT 1", []) for address in addresses]
""",
    "MQTT": """
answer = [caught(mqtt.Connection.open, address, "u", "p", 30) for address in
          ("mqtt://denied.invalid:1883?client_id=a", "mqtt://denied.invalid:1883")]
""",
    "LLM": """
answer = caught(llm2.infer, "other-model", "hello", None), caught(
    llm2.generate_embeddings, "other-model", ["a"])
""",
}


@pytest.mark.parametrize("name", CODE)
def test_interfaces(both: Both, name: str) -> None:
    """Values and errors are the same."""  # KV-13, KV-20 to KV-27, VAR-12 to VAR-14, DB-1 to DB-9
    answer = both.same("/", method="POST", body=CODE[name].encode())
    assert answer.status == 200
