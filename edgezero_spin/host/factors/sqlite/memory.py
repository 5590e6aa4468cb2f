"""Memory that SQLite holds for the statements of an instance, and its limit.

Bytes that SQLite holds for a guest count as the guest's own memory: pages of databases in
memory, caches and schemas, whatever a statement takes while it runs, and temporary files.

SQLite tells how much it holds for the process, not for whom. What is taken while one statement
runs is that statement's; while several run, each is charged an equal share, and the one that
was charged most ends first. So one guest alone never holds more than its limit and what a
statement takes between two looks, and ``set_process_limit`` bounds all of them together.
"""

import contextlib
import os
import stat
import threading

import apsw

__all__ = ["DEFAULT_LIMIT_BYTES", "MemoryAccount", "StatementMemory", "set_process_limit"]

DEFAULT_LIMIT_BYTES = 256 * 1024 * 1024
"""For an instance whose memory is not limited."""

SQUEEZED_BYTES = 16 * 1024 * 1024
"""What SQLite may take while a statement is to end that does not hear it."""

_DESCRIPTORS = "/dev/fd"

_lock = threading.Lock()
_running: set["StatementMemory"] = set()
_squeezing: set["StatementMemory"] = set()


class MemoryAccount:
    """What one instance may have SQLite hold.

    Attributes:
        limit_bytes: The limit. A quarter more is there for statements that give room back.
        held_bytes: What its connections hold between statements.
    """

    __slots__ = ("held_bytes", "limit_bytes")

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.limit_bytes = DEFAULT_LIMIT_BYTES if limit_bytes is None else limit_bytes
        self.held_bytes = 0

    @property
    def left_bytes(self) -> int:
        """What the next statement may take."""
        return self.limit_bytes + self.limit_bytes // 4 - self.held_bytes


class StatementMemory:
    """What one running statement takes, until ``end``.

    Attributes:
        taken_bytes: What it was charged so far.
    """

    __slots__ = ("_account", "_seen", "taken_bytes")

    def __init__(self, account: MemoryAccount) -> None:
        self._account = account
        self.taken_bytes = 0.0
        self._seen = 0
        with _lock:
            _running.add(self)

    def end(self) -> None:
        """The statement takes no more. Twice is harmless."""
        with _lock:
            _running.discard(self)
            if self in _squeezing:
                _squeezing.discard(self)
                if not _squeezing:
                    apsw.hard_heap_limit(_process_bytes)

    def is_within_limit(self) -> bool:
        """Charge what was taken since the last look; ``False`` when it is too much."""
        used = apsw.memory_used() + _bytes_of_temporary_files()
        with _lock:
            if self._seen:
                share = (used - self._seen) / max(1, len(_running))
                self.taken_bytes = max(0.0, self.taken_bytes + share)
            self._seen = used
            if self.taken_bytes <= self._account.left_bytes:
                return True
            return self.taken_bytes < max(other.taken_bytes for other in _running)

    def squeeze(self) -> None:
        """Let SQLite take little more until this statement ends.

        It was stopped and has not ended: what it takes next makes it end, while others, which
        take little at a time, go on.
        """
        with _lock:
            if self in _running and not _squeezing:
                apsw.hard_heap_limit(min(apsw.memory_used() + SQUEEZED_BYTES, _process_bytes))
            if self in _running:
                _squeezing.add(self)


def _bytes_of_temporary_files() -> int:
    """Bytes of open files that have no name any more, as SQLite's temporary ones have none."""
    size = 0
    try:
        with os.scandir(_DESCRIPTORS) as entries:
            descriptors = [int(entry.name) for entry in entries]
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                status = os.fstat(descriptor)
                if status.st_nlink == 0 and stat.S_ISREG(status.st_mode):
                    size += status.st_size
    except OSError:
        return 0
    return size


def _half_of_the_machine() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return 2 * 1024**3


_process_bytes = _half_of_the_machine()


def set_process_limit() -> None:
    """Bound what SQLite holds for the whole process: half of the machine's memory.

    SQLite refuses to take more, whoever asks.
    """
    if apsw.hard_heap_limit(-1) == 0:
        apsw.hard_heap_limit(_process_bytes)
