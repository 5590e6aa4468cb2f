"""A push that is killed, raced, starved or refused leaves the old entries or the new ones."""

import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from edgezero_spin.host.factors.key_value.backends.sqlite import SqliteFile, SqliteKeyValue
from edgezero_spin.project.config_sqlite import SqlitePushError, SqliteTarget
from tests.project.config_project import ConfigProject
from tests.project.doomed_pushes import KEYS, generation, the_one_generation
from tests.rights import public_folder, without_rights
from tests.small_disk import fill, small_disk

KILLS = 100


def doomed(*arguments: str | Path) -> str:
    """Run ``tests.project.doomed_pushes`` and return what it prints."""
    program = [sys.executable, "-m", "tests.project.doomed_pushes"]
    done = subprocess.run(
        [*program, *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_killed_push_leaves_one_generation(tmp_path: Path, journal: str) -> None:
    """Whenever the process dies, the store holds one push whole and the file opens."""
    path = tmp_path / f"{journal}.db"
    SqliteTarget(path, "app_config").write(generation(0))
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA journal_mode={journal}")
    connection.close()
    caught = int(doomed("kill", path, str(KILLS // 2)))
    # Otherwise no process died inside a transaction, and nothing was shown. In WAL mode
    # nothing beside the file tells.
    assert caught or journal == "wal"
    assert the_one_generation(path)[:6] != b"000000"


def test_a_killed_command_leaves_nothing_half_done(config_project: ConfigProject) -> None:
    """The whole command, from the first moment of the interpreter to its end."""
    config_project.write("app-demo.toml", "".join(f"key_{n} = {n}\n" for n in range(KEYS)))
    config_project.write(
        "app/runtime-config.toml",
        '[key_value_store.app_config]\ntype = "spin"\npath = "kv.db"\n',
    )
    target = SqliteTarget(config_project.folder / "app" / "kv.db", "app_config")
    moments = random.Random(6)
    for _ in range(8):
        push = subprocess.Popen(
            [sys.executable, "-m", "edgezero_spin.cli", "config", "push", "--local"],
            cwd=config_project.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # As above.
        time.sleep(moments.uniform(0.0, 0.4))
        push.kill()
        push.wait(timeout=20)
        assert len(target.stored(())) in (0, KEYS)


def test_an_unfinished_push_is_undone_by_a_reader(tmp_path: Path) -> None:
    """A comparison after a crash sees the old entries, and leaves a file that is in order."""
    path, crashed = tmp_path / "kv.db", tmp_path / "crashed.db"
    SqliteTarget(path, "app_config").write(generation(1))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE spin_key_value SET value = zeroblob(600)")
    # What a crash at this moment would leave: pages of the new, a journal of the old.
    shutil.copyfile(path, crashed)
    shutil.copyfile(f"{path}-journal", f"{crashed}-journal")
    connection.execute("ROLLBACK")
    connection.close()
    assert crashed.read_bytes() != path.read_bytes()
    assert SqliteTarget(crashed, "app_config").stored(())["key.000"] == b"000001" * 100
    assert the_one_generation(crashed) == b"000001" * 100


def test_two_pushes_at_once(tmp_path: Path) -> None:
    """Each waits for the other; the later one wins whole."""
    path = tmp_path / "deep" / "kv.db"
    target = SqliteTarget(path, "app_config")
    start = threading.Barrier(2)

    def push(first: int) -> None:
        start.wait(timeout=20)
        for number in range(first, first + 20):
            target.write(generation(number))

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(push, first) for first in (100, 200)]:
            done.result()
    assert the_one_generation(path)[:6] in (b"000119", b"000219")


def test_pushes_of_two_labels_do_not_meet(tmp_path: Path) -> None:
    """One file may hold the configuration of several apps."""
    path = tmp_path / "kv.db"
    labels = ("app_config", "other")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda label: SqliteTarget(path, label).write(generation(1)), labels))
    assert {len(SqliteTarget(path, label).stored(())) for label in labels} == {KEYS}


def test_a_running_host_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pushes and a host share the file; the host sees each push whole and keeps its own."""
    # On a busy machine one of them may find the lock taken again and again.
    monkeypatch.setattr("edgezero_spin.project.config_sqlite._BUSY_TIMEOUT_S", 60)
    path = tmp_path / "kv.db"
    file = SqliteFile(path, busy_timeout_s=60)
    config, notes = SqliteKeyValue(file, "app_config"), SqliteKeyValue(file, "notes")
    target = SqliteTarget(path, "app_config")
    stop = threading.Event()

    def push() -> None:
        try:
            for number in range(30):
                target.write(generation(number))
        finally:
            stop.set()

    with ThreadPoolExecutor(1) as pool:
        pushing = pool.submit(push)
        written = 0
        while not stop.is_set():
            notes.set(f"note.{written}", b"mine")
            written += 1
            assert config.get("key.000") in (None, *(b"%06d" % n * 100 for n in range(30)))
        pushing.result()
    assert len(list(notes.keys())) == written > 0
    assert config.get("key.199") == b"000029" * 100
    file.close()
    assert the_one_generation(path)[:6] == b"000029"


def test_a_busy_file_is_an_error_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Someone who never lets go of the file does not hang the push."""
    monkeypatch.setattr("edgezero_spin.project.config_sqlite._BUSY_TIMEOUT_S", 0.05)
    target = SqliteTarget(tmp_path / "kv.db", "app_config")
    target.write(generation(1))
    other = apsw.Connection(str(tmp_path / "kv.db"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SqlitePushError, match="locked"):
        target.write(generation(2))
    other.execute("ROLLBACK")
    other.close()
    assert the_one_generation(tmp_path / "kv.db")[:6] == b"000001"


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A folder that every user can reach."""
    with public_folder() as folder:
        yield folder


def test_a_folder_that_cannot_be_written(shelf: Path) -> None:
    """A missing file cannot be made and a present one not changed; both are told."""
    path = shelf / "kv.db"
    SqliteTarget(path, "app_config").write(generation(1))
    before = path.read_bytes()
    path.chmod(0o444)
    shelf.chmod(0o555)
    with without_rights():
        with pytest.raises(SqlitePushError, match="readonly") as caught:
            SqliteTarget(path, "app_config").write(generation(2))
        assert str(path) in str(caught.value)
        with pytest.raises(SqlitePushError, match="unable to open"):
            SqliteTarget(shelf / "new.db", "app_config").write(generation(2))
        with pytest.raises(SqlitePushError, match="Permission denied"):
            SqliteTarget(shelf / "deep" / "new.db", "app_config").write(generation(2))
        assert len(SqliteTarget(path, "app_config").stored(())) == KEYS
    path.chmod(0o644)
    assert path.read_bytes() == before
    assert [child.name for child in shelf.iterdir()] == ["kv.db"]


def test_a_disk_without_a_free_byte(tmp_path: Path) -> None:
    """On a real file system that is full, a push is an error and the store holds what it held."""
    with small_disk(tmp_path, 512):
        path = tmp_path / "kv.db"
        target = SqliteTarget(path, "app_config")
        target.write(generation(0))
        fill(tmp_path)
        with pytest.raises(SqlitePushError):
            target.write(generation(1))
        assert the_one_generation(path) == b"000000" * 100
        (tmp_path / "filler").unlink()
        target.write(generation(1))
        assert the_one_generation(path) == b"000001" * 100


def test_a_full_disk(tmp_path: Path) -> None:
    """Entries that find no room leave those that were there."""
    path = tmp_path / "kv.db"
    SqliteTarget(path, "app_config").write(generation(1))
    said = doomed("starve", path)
    assert str(path) in said and "no entry was changed" in said
    assert the_one_generation(path) == b"000001" * 100
