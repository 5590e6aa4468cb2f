"""Threads that statements run on, so that the guest that waits for one can leave it.

SQLite ends a statement between two operations, not during one, and one operation on long
values may take a long time. A statement therefore runs on a thread of its own while the
guest's thread looks after it: it stops a statement whose time is up or that holds too much,
and where that is not heard it leaves the statement behind, which ends at its next operation.

In: a ``Statement`` that says what to do. Out: what it returns or raises, or ``LeftBehindError``.
"""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

from edgezero_spin.errors import HostError

__all__ = ["GRACE_S", "LOOK_S", "LeftBehindError", "left_behind", "run_statement"]

T = TypeVar("T")

LOOK_S = 0.02
"""How often the guest's thread looks after the statement."""

GRACE_S = 0.2
"""How long a statement that was stopped may take to end before it is left behind."""

MAX_IDLE = 16
"""Threads that wait for the next statement."""


class LeftBehindError(HostError):
    """The statement was stopped and goes on for now, and nobody waits for it."""


class _Job(Generic[T]):
    """One statement and what became of it."""

    def __init__(self, work: Callable[[], T], clean: Callable[[], None]) -> None:
        self.work = work
        self.clean = clean
        self.result: T | None = None
        self.error: BaseException | None = None
        self.ended = threading.Lock()
        self.ended.acquire()

    def run(self) -> None:
        try:
            self.result = self.work()
        except BaseException as error:
            self.error = error


class _Thread(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="edgezero-sql", daemon=True)
        self.job: _Job[object] | None = None
        self.wakeup = threading.Lock()
        self.wakeup.acquire()

    def run(self) -> None:
        while True:
            self.wakeup.acquire()
            job, self.job = self.job, None
            if job is None:
                return
            job.run()
            if not _threads.end(self, job):
                return


class _Threads:
    """All of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Thread] = []
        self._left: dict[_Job[object], object] = {}

    def start(self, job: _Job[object]) -> None:
        with self._lock:
            thread = self._idle.pop() if self._idle else None
        if thread is None:
            thread = _Thread()
            thread.start()
        thread.job = job
        thread.wakeup.release()

    def end(self, thread: _Thread, job: _Job[object]) -> bool:
        """Take back a thread; return whether it is kept."""
        with self._lock:
            left = job in self._left
            keep = len(self._idle) < MAX_IDLE
            if keep and not left:
                self._idle.append(thread)
            job.ended.release()
        if left:
            try:
                job.clean()
            finally:
                with self._lock:
                    self._left.pop(job, None)
            return False
        return keep

    def leave(self, job: _Job[object], owner: object) -> bool:
        """Leave a job behind; return ``False`` for one that has ended after all."""
        with self._lock:
            if job.ended.acquire(blocking=False):
                return False
            self._left[job] = owner
            return True

    def left(self, owner: object) -> int:
        with self._lock:
            return sum(other is owner for other in self._left.values())


_threads = _Threads()


def left_behind(owner: object) -> int:
    """How many statements of an owner go on although nobody waits for them."""
    return _threads.left(owner)


def run_statement(
    work: Callable[[], T],
    *,
    look: Callable[[], bool],
    stop: Callable[[], None],
    clean: Callable[[], None],
    owner: object,
) -> T:
    """Run a statement on a thread of its own.

    Args:
        work: Runs it.
        look: Called now and then; ``False`` stops the statement.
        stop: Asks the statement to end, from another thread.
        clean: Called on the statement's thread when it ended after being left behind.
        owner: Whom ``left_behind`` counts it for.

    Raises:
        LeftBehindError: It was stopped and did not end.
        BaseException: What ``work`` raises.
    """
    job = _Job(work, clean)
    _threads.start(job)  # type: ignore[arg-type]
    stopped_at: float | None = None
    while not job.ended.acquire(timeout=LOOK_S):
        if stopped_at is None:
            if look():
                continue
            stopped_at = monotonic()
        # Again each time: one that has not begun yet does not hear it.
        stop()
        if monotonic() - stopped_at > GRACE_S:
            if _threads.leave(job, owner):  # type: ignore[arg-type]
                raise LeftBehindError("the statement goes on although it was stopped")
            break
    if job.error is not None:
        raise job.error
    return job.result  # type: ignore[return-value]
