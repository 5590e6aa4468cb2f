"""Scratch files and folders, written beside the target that they become.

Whoever makes one holds a lock on it for as long as it is needed. What a killed process left
behind is locked by nobody: the next one that writes to the same place removes it, after a
while, in which a process that has just begun gets hold of its lock.

Source: our own; POSIX ``rename``, ``flock``.
"""

import contextlib
import errno
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["DEAD_AFTER_S", "scratch_file", "scratch_folder"]

DEAD_AFTER_S = 60.0
"""Age in seconds from which a scratch file that nobody has locked is a dead one's."""

_SUFFIX = ".edgezero"
# Names of folders may be as long as the system allows, and ours is longer.
_MOST_OF_NAME = 40


@contextlib.contextmanager
def scratch_file(target: Path) -> Iterator[Path]:
    """Make an empty file beside a target; what is left of it in the end is removed.

    Raises:
        OSError: It cannot be made, or the target is a folder; the error names the target.
    """
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    _sweep(target)
    with _naming(target):
        handle, name = tempfile.mkstemp(prefix=_prefix(target), suffix=_SUFFIX, dir=target.parent)
    try:
        with _held(handle):
            yield Path(name)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


@contextlib.contextmanager
def scratch_folder(target: Path) -> Iterator[Path]:
    """Make an empty folder beside a target; it is removed in the end.

    Raises:
        OSError: It cannot be made; the error names the target.
    """
    _sweep(target)
    with _naming(target):
        folder = Path(tempfile.mkdtemp(prefix=_prefix(target), suffix=_SUFFIX, dir=target.parent))
    try:
        with _held(os.open(folder, os.O_RDONLY)):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Have errors name the target: nobody knows the name of what is beside it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from error


def _prefix(target: Path) -> str:
    return f".{target.name[:_MOST_OF_NAME]}."


@contextlib.contextmanager
def _held(handle: int) -> Iterator[None]:
    """Hold the lock of an open file or folder, and close it in the end."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _sweep(target: Path) -> None:
    """Remove what dead processes left beside a target; whatever is in the way of it stays."""
    left = re.compile(rf"{re.escape(_prefix(target))}\w{{8}}{re.escape(_SUFFIX)}")
    with contextlib.suppress(OSError):
        for path in target.parent.iterdir():
            if left.fullmatch(path.name):
                with contextlib.suppress(OSError):
                    _remove_if_dead(path)


def _remove_if_dead(path: Path) -> None:
    if time.time() - path.stat().st_mtime < DEAD_AFTER_S:
        return
    with _held(os.open(path, os.O_RDONLY | os.O_NOFOLLOW)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
