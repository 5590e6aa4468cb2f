"""The SQLite writer: Spin's own table, one transaction, and nothing else."""

import sqlite3
from pathlib import Path

import pytest

from edgezero_spin.manifest.app_config import ConfigEntry
from edgezero_spin.manifest.spin.key_value_table import CREATE, SELECT, UPSERT
from edgezero_spin.project.config_sqlite import SqlitePushError, SqliteTarget

TWO = (ConfigEntry("greeting", "héllo"), ConfigEntry("service.timeout_ms", "1500"))

# As the contract prints them, spaces and the blank line included.
CONTRACT_CREATE = (
    "CREATE TABLE IF NOT EXISTS spin_key_value (\n"
    + " " * 27
    + "store TEXT NOT NULL,\n"
    + " " * 27
    + "key   TEXT NOT NULL,\n"
    + " " * 27
    + "value BLOB NOT NULL,\n\n"
    + " " * 27
    + "PRIMARY KEY (store, key)\n"
    + " " * 24
    + ")"
)
CONTRACT_UPSERT = (
    "INSERT INTO spin_key_value (store, key, value) VALUES ($1, $2, $3)\n"
    + " " * 21
    + "ON CONFLICT(store, key) DO UPDATE SET value=$3"
)


def read(path: Path, label: str, key: str) -> bytes | None:
    """One value, by the query that Spin reads with."""
    with sqlite3.connect(path) as connection:
        row = connection.execute(SELECT, {"1": label, "2": key}).fetchone()
    connection.close()
    return None if row is None else bytes(row[0])


def test_statements_are_spins_own() -> None:
    """Texts equal the contract's byte for byte."""  # SQL-7, TV-167, SQL-13
    assert (CREATE, len(CREATE.encode())) == (CONTRACT_CREATE, 266)
    assert (UPSERT, len(UPSERT.encode())) == (CONTRACT_UPSERT, 134)


def test_a_new_file_has_spins_table_and_the_values_as_bytes(tmp_path: Path) -> None:
    """Folders, file and table are made; text and blob columns are not mixed up."""
    path = tmp_path / "a" / "b" / "kv.db"  # SQL-3, SQL-5, TV-164
    line = SqliteTarget(path, "app_config").write(TWO)
    assert line == f"pushed 2 entries to Spin SQLite KV at {path}"  # PSH-22
    assert read(path, "app_config", "greeting") == "héllo".encode()  # SQL-9, SQL-10
    with sqlite3.connect(path) as connection:
        columns = connection.execute("PRAGMA table_info(spin_key_value)").fetchall()
        types = connection.execute(
            "SELECT typeof(store), typeof(key), typeof(value) FROM spin_key_value"
        ).fetchall()
        mode = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()
    assert [column[1:6] for column in columns] == [
        ("store", "TEXT", 1, None, 1),
        ("key", "TEXT", 1, None, 2),
        ("value", "BLOB", 1, None, 0),
    ]  # SQL-8, TV-167
    assert types == [("text", "text", "blob")] * 2
    assert mode == ("delete",)  # SQL-6: no pragma of ours


def test_a_push_overwrites_and_labels_isolate(tmp_path: Path) -> None:
    """The later value wins under one label and leaves another label alone."""
    path = tmp_path / "kv.db"  # SQL-8, TV-165
    SqliteTarget(path, "one").write((ConfigEntry("k", "v1"), ConfigEntry("stays", "x")))
    SqliteTarget(path, "two").write((ConfigEntry("k", "other"),))
    SqliteTarget(path, "one").write((ConfigEntry("k", "v2"),))
    assert read(path, "one", "k") == b"v2"
    assert read(path, "two", "k") == b"other"
    assert read(path, "one", "stays") == b"x"  # PSH-7


def test_any_text_is_a_key_and_a_value(tmp_path: Path) -> None:
    """What a command line could not carry, a file can."""  # CLD-4
    path = tmp_path / "kv.db"
    SqliteTarget(path, "l").write(
        (
            ConfigEntry("a=b", "\0"),
            ConfigEntry("", ""),
        )
    )
    assert SqliteTarget(path, "l").stored(()) == {"a=b": b"\0", "": b""}


def test_a_failure_rolls_everything_back(tmp_path: Path) -> None:
    """The error names key, label and file, and no entry has changed."""  # SQL-4
    path = tmp_path / "kv.db"
    target = SqliteTarget(path, "app_config")
    target.write((ConfigEntry("a", "old"), ConfigEntry("b", "old")))
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TRIGGER no BEFORE UPDATE ON spin_key_value WHEN NEW.key = 'b' "
            "BEGIN SELECT RAISE(ABORT, 'not today'); END"
        )
    connection.close()
    with pytest.raises(SqlitePushError) as caught:
        target.write((ConfigEntry("a", "new"), ConfigEntry("b", "new"), ConfigEntry("c", "new")))
    for part in ("`b`", "`app_config`", str(path), "not today", "no entry was changed"):
        assert part in str(caught.value)
    assert target.stored(()) == {"a": b"old", "b": b"old"}


def test_the_table_stays_when_entries_fail(tmp_path: Path) -> None:
    """It is made before the transaction."""  # SQL-4
    path = tmp_path / "kv.db"
    with pytest.raises(UnicodeEncodeError):
        SqliteTarget(path, "l").write((ConfigEntry("a", "1"), ConfigEntry("b", "\ud800")))
    assert SqliteTarget(path, "l").stored(()) == {}
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM spin_key_value").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"this is no database, but it is long enough" * 9, "not a database"),
        (None, "unable to open|disk I/O"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: bytes | None, part: str) -> None:
    """What SQLite says reaches the person, with the file, for writing and reading."""
    path = tmp_path / "kv.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    target = SqliteTarget(path, "l")
    with pytest.raises(SqlitePushError, match=part):
        target.write(TWO)
    with pytest.raises(SqlitePushError, match=part):
        target.stored(())


def test_a_table_of_another_shape_is_refused(tmp_path: Path) -> None:
    """A file of something else that uses the name is not written to."""
    path = tmp_path / "kv.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE spin_key_value (key TEXT, value TEXT)")
    connection.close()
    with pytest.raises(SqlitePushError, match="no column named store"):
        SqliteTarget(path, "l").write(TWO)


def test_reading_makes_no_file(tmp_path: Path) -> None:
    """A comparison with a store that is not there leaves nothing behind."""
    assert SqliteTarget(tmp_path / "deep" / "kv.db", "l").stored(()) == {}
    assert list(tmp_path.iterdir()) == []
    sqlite3.connect(tmp_path / "empty.db").close()
    assert SqliteTarget(tmp_path / "empty.db", "l").stored(()) == {}


def test_text_put_in_by_hand_is_read(tmp_path: Path) -> None:
    """The sqlite3 command writes text where Spin writes bytes."""
    path = tmp_path / "kv.db"
    SqliteTarget(path, "l").write((ConfigEntry("a", "1"),))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE spin_key_value SET value = 'by hand'")
    connection.close()
    assert SqliteTarget(path, "l").stored(()) == {"a": b"by hand"}
