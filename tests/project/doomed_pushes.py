"""Pushes that do not end well, each in a process of its own.

Run as a program by the tests: it has one thread, so it can fork as often as it likes.

    python -m tests.project.doomed_pushes kill FILE TIMES
    python -m tests.project.doomed_pushes starve FILE
"""

import os
import random
import resource
import signal
import sqlite3
import sys
import time
from pathlib import Path

from edgezero_spin.manifest.app_config import ConfigEntry
from edgezero_spin.project.config_sqlite import SqlitePushError, SqliteTarget

__all__ = ["KEYS", "generation", "kill_pushes", "starve_a_push", "the_one_generation"]

KEYS = 200
LABEL = "app_config"


def generation(number: int, size: int = 100) -> tuple[ConfigEntry, ...]:
    """As many entries as fill several pages, all of one value."""
    value = f"{number:06}" * size
    return tuple(ConfigEntry(f"key.{key:03}", value) for key in range(KEYS))


def the_one_generation(path: Path) -> bytes:
    """The value that every key has; the file is a whole database."""
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    stored = SqliteTarget(path, LABEL).stored(())
    assert len(stored) == KEYS
    (value,) = set(stored.values())
    return value


def kill_pushes(path: Path, times: int) -> int:
    """Kill process after process that does nothing but push; check the file after each.

    Returns:
        How many left a rollback journal behind: they died inside a transaction.
    """
    moments = random.Random(str(path.name))
    caught = 0
    for _ in range(times):
        child = os.fork()
        if child == 0:
            _push_for_ever(path)
        # The moment of death is what is being tested, so it has to pass.
        time.sleep(moments.uniform(0.001, 0.04))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status)
        caught += path.with_name(f"{path.name}-journal").exists()
        the_one_generation(path)
    return caught


def starve_a_push(path: Path) -> str:
    """Push more than the file may grow, and return what the push says."""
    room = path.stat().st_size + 4096
    # A file that may not grow is what a full disk looks like from here.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        SqliteTarget(path, LABEL).write(generation(2, size=1000))
    except SqlitePushError as error:
        return str(error)
    return ""


def _push_for_ever(path: Path) -> None:
    try:
        for number in range(1, 1_000_000):
            SqliteTarget(path, LABEL).write(generation(number))
    finally:
        os._exit(1)


if __name__ == "__main__":
    if sys.argv[1] == "kill":
        print(kill_pushes(Path(sys.argv[2]), int(sys.argv[3])))
    else:
        print(starve_a_push(Path(sys.argv[2])))
