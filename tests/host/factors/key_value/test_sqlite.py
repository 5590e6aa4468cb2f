"""The SQLite file: Spin's schema, other processes, faults."""

import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from edgezero_spin.host.factors.key_value.backends.sqlite import (
    SqliteFile,
    SqliteKeyValue,
    StoreFileError,
)
from edgezero_spin.manifest.spin.key_value_table import CREATE, UPSERT
from edgezero_spin.stores.backend import BackendError
from tests.rights import public_folder, without_rights


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SqliteFile]:
    """A database that does not wait long."""
    made = SqliteFile(tmp_path / "deep" / "er" / "kv.db", busy_timeout_s=0.05)
    yield made
    made.close()


def test_statements_are_spins_own() -> None:
    """Texts equal the reference byte for byte (SQL-7)."""
    assert (len(CREATE), len(UPSERT)) == (266, 134)


def test_the_table_is_spins(file: SqliteFile) -> None:
    """Columns, types and key are what Spin makes and expects (KV-40, SQL-8)."""
    SqliteKeyValue(file, "label").set("key", b"\x00\xff")
    with apsw.Connection(str(file.path)) as other:
        columns = other.execute("PRAGMA table_info(spin_key_value)").fetchall()
        assert [(name, kind, notnull, key) for _, name, kind, notnull, _, key in columns] == [
            ("store", "TEXT", 1, 1),
            ("key", "TEXT", 1, 2),
            ("value", "BLOB", 1, 0),
        ]
        row = other.execute("SELECT store, key, value, typeof(value) FROM spin_key_value")
        assert row.fetchall() == [("label", "key", b"\x00\xff", "blob")]
    other.close()


def test_a_file_that_spin_made_is_read(tmp_path: Path) -> None:
    """A table in another journal mode, and a value put in as text, are served."""
    path = tmp_path / "kv.db"
    with apsw.Connection(str(path)) as other:
        other.execute(CREATE)
        other.execute(UPSERT, {"1": "default", "2": "k", "3": "text"})
    other.close()
    file = SqliteFile(path)
    assert SqliteKeyValue(file, "default").get("k") == b"text"
    file.close()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("'k'", "5", "the value is a number (5) and no bytes"),
        ("'k'", "1.5", "the value is a number (1.5) and no bytes"),
        ("'k'", "CAST(x'ff' AS TEXT)", "Could not decode to UTF-8"),
        ("x'6b'", "x''", "a key is not text: b'k'"),
        ("CAST(x'ff' AS TEXT)", "x''", "Could not decode to UTF-8"),
    ],
)
def test_what_spin_would_not_have_written(
    file: SqliteFile, key: str, value: str, message: str
) -> None:
    """Another type, put in by hand, is an error of the store and no trap."""
    file.connection().execute(f"INSERT INTO spin_key_value VALUES ('default', {key}, {value})")
    store = SqliteKeyValue(file, "default")
    with pytest.raises(BackendError) as caught:
        store.get("k")
        list(store.keys())
    assert message in caught.value.message


def test_a_file_that_may_only_be_read_is_read() -> None:
    """As under Spin: what is written is refused then, not at the start."""
    with public_folder() as folder:
        path = folder / "kv.db"
        with apsw.Connection(str(path)) as other:
            other.execute(CREATE)
            other.execute(UPSERT, {"1": "default", "2": "k", "3": b"v"})
        other.close()
        path.chmod(0o444)
        folder.chmod(0o555)
        with without_rights():
            file = SqliteFile(path)
            store = SqliteKeyValue(file, "default")
            assert store.get("k") == b"v"
            with pytest.raises(BackendError, match="readonly database"):
                store.set("k", b"w")
            file.close()


def test_another_process_sees_writes_at_once(file: SqliteFile) -> None:
    """Readers and writers of other processes work on the open file."""
    store = SqliteKeyValue(file, "default")
    store.set("a", b"1")
    other = apsw.Connection(str(file.path))
    read = "SELECT value FROM spin_key_value WHERE store=$1 AND key=$2"
    assert other.execute(read, {"1": "default", "2": "a"}).fetchone() == (b"1",)
    with other:
        other.execute(UPSERT, {"1": "default", "2": "a", "3": b"2"})
    assert store.get("a") == b"2"
    other.close()


def test_threads_write_without_losing_each_others_keys(tmp_path: Path) -> None:
    """Many threads at once, each with a connection of its own, lose nothing."""
    file = SqliteFile(tmp_path / "kv.db")
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            store = SqliteKeyValue(file, "default")
            for count in range(20):
                store.set(f"{number}-{count}", b"x")
                assert store.exists(f"{number}-{count}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list(SqliteKeyValue(file, "default").keys())) == 160
    file.close()


def test_what_was_written_survives_a_killed_process(tmp_path: Path) -> None:
    """A process that is killed right after a write leaves the value."""
    path = tmp_path / "kv.db"
    program = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from edgezero_spin.host.factors.key_value.backends.sqlite import *
        SqliteKeyValue(SqliteFile(Path({str(path)!r})), "default").set("a", b"kept")
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    file = SqliteFile(path)
    assert SqliteKeyValue(file, "default").get("a") == b"kept"
    file.close()


@pytest.mark.parametrize(("durable", "synchronous"), [(True, 2), (False, 1)])
def test_what_a_write_promises(tmp_path: Path, durable: bool, synchronous: int) -> None:
    """That it is on the disk (FULL), unless the operator gives that up (NORMAL)."""
    file = SqliteFile(tmp_path / "kv.db", durable=durable)
    for _ in range(2):
        # Every thread has a connection of its own.
        with ThreadPoolExecutor(1) as fresh:
            found = fresh.submit(lambda: file.connection().pragma("synchronous")).result()
        assert found == synchronous
    assert file.connection().pragma("journal_mode") == "wal"
    file.close()


def test_a_closed_file_is_one_file(tmp_path: Path) -> None:
    """What was written is in it, so that it can be copied, and Spin opens it as it is."""
    file = SqliteFile(tmp_path / "kv.db")
    SqliteKeyValue(file, "default").set("k", b"v")
    file.close()
    assert [path.name for path in tmp_path.iterdir()] == ["kv.db"]


def test_a_locked_file_is_an_error_for_the_guest(file: SqliteFile) -> None:
    """After the busy timeout a write fails with SQLite's words; reading goes on."""
    store = SqliteKeyValue(file, "default")
    store.set("a", b"1")
    other = apsw.Connection(str(file.path))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BackendError, match="locked"):
        store.set("a", b"2")
    with pytest.raises(BackendError, match="locked"):
        store.delete("a")
    assert store.get("a") == b"1"
    other.execute("ROLLBACK")
    store.set("a", b"2")
    other.close()


def test_a_file_damaged_while_it_is_served_is_an_error_for_the_guest(file: SqliteFile) -> None:
    """Every operation fails with SQLite's words and none of them raises anything else."""
    store = SqliteKeyValue(file, "default")
    for number in range(2000):
        store.set(f"{number}", b"x" * 100)
    file.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with file.path.open("r+b") as raw:
        raw.write(b"\xff" * 100_000)
    operations: tuple[Callable[[], object], ...] = (
        lambda: store.get("1"),
        lambda: list(store.keys()),
        lambda: store.exists("1"),
    )
    for operation in operations:
        # A thread of its own has a connection with nothing of the file cached.
        with ThreadPoolExecutor(1) as fresh:
            assert isinstance(fresh.submit(operation).exception(), BackendError)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"not a database, but long enough" * 100, "damaged", id="other content"),
        pytest.param(b"SQLite format 3\0" + b"\xff" * 4096, "key-value store", id="damaged head"),
    ],
)
def test_a_damaged_file_is_named_at_the_start(tmp_path: Path, content: bytes, problem: str) -> None:
    """The error names the file and what to do, and the file stays as it was."""
    path = tmp_path / "kv.db"
    path.write_bytes(content)
    with pytest.raises(StoreFileError, match=problem) as caught:
        SqliteFile(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


def test_a_locked_file_is_named_at_the_start(tmp_path: Path) -> None:
    """A process that keeps the file for itself is the reason given."""
    path = tmp_path / "kv.db"
    other = apsw.Connection(str(path))
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreFileError, match="another process keeps the database locked"):
        SqliteFile(path, busy_timeout_s=0.01)
    other.close()


def test_a_table_of_another_shape_is_named_at_the_start(tmp_path: Path) -> None:
    """A table of the same name with other columns is not written to."""
    path = tmp_path / "kv.db"
    with apsw.Connection(str(path)) as other:
        other.execute("CREATE TABLE spin_key_value (k TEXT, v TEXT)")
    other.close()
    with pytest.raises(StoreFileError, match="other columns than Spin's"):
        SqliteFile(path)


def test_a_folder_that_cannot_be_made_is_named_at_the_start(tmp_path: Path) -> None:
    """A file in the way of the state directory is the reason given."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFileError, match=r"kv\.db: (File exists|Not a directory)"):
        SqliteFile(tmp_path / "file" / "kv.db")


def test_a_closed_file_is_an_error_and_closing_twice_is_none(file: SqliteFile) -> None:
    """Guests that outlive the host get an error."""
    store = SqliteKeyValue(file, "default")
    file.close()
    file.close()
    with pytest.raises(BackendError):
        store.get("a")


def test_a_thread_that_ends_leaves_no_connection(file: SqliteFile) -> None:
    """A program that handles each request on a thread of its own does not run out of files."""
    store = SqliteKeyValue(file, "label")

    def used_by_a_thread() -> int:
        thread = threading.Thread(target=store.set, args=("key", b"value"))
        thread.start()
        thread.join()
        return sum(1 for _ in Path("/dev/fd").iterdir())

    # SQLite keeps a descriptor for the next connection while the file is locked.
    assert {used_by_a_thread() for _ in range(5)} == {used_by_a_thread()}
    assert store.get("key") == b"value"
