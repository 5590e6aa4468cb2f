"""The owner of an event loop: a thread that runs the loop and, between two rounds, short jobs.

Giving a request to another thread and taking its response back costs more than most handlers
do: both threads want the interpreter's lock all the time, and each switch is a call into the
kernel. So the thread that runs the loop leaves it for as long as a short job takes. Where a job
takes longer than was expected, or sleeps, another thread becomes the owner and runs the loop; the
one before ends after its job. A loop does not mind: it belongs to whoever runs it, one thread at a
time.

In: an event loop and its main coroutine. What a job is, and which ones are expected to be
short, is for whoever calls ``run_soon`` to say.

Source: the pattern "Leader/Followers" (Schmidt, O'Ryan, Kircher, Pyarali, 2000); LIFE-7.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from time import monotonic, sleep
from typing import Any

from edgezero_spin.host.exchange.loops import call_in

__all__ = ["LoopOwner", "current_loop_owner"]

LONGEST_JOB_S = 0.005
"""An owner whose job takes longer than this is replaced, within the same time again."""

ROUND_S = 0.001
"""Seconds of jobs after which the loop has its turn."""

LoopJob = Callable[[], object]

_thread = threading.local()
"""``owner``: whose loop this thread runs. ``job``: the number of the job that it runs instead."""


def current_loop_owner() -> "LoopOwner | None":
    """Return the owner whose loop the calling thread runs; ``None`` if it runs none, or a job."""
    found: LoopOwner | None = getattr(_thread, "owner", None)
    return found


class LoopOwner:
    """The threads that run one event loop, one after the other."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take a loop that does not run. Closing it stays the caller's business."""
        self._loop = loop
        self._lock = threading.Lock()
        self._jobs: deque[tuple[LoopJob, LoopJob]] = deque()
        # Callbacks that are not lost with the loop, each with what is called otherwise.
        self._due: deque[tuple[LoopJob, LoopJob]] = deque()
        # The number of the job that the owner runs; 0 while it runs the loop.
        self._running = 0
        self._begun = 0
        # Callbacks for the loop that were posted meanwhile.
        self._pending: list[LoopJob] = []
        self._watched = False
        self._watch = threading.Semaphore(0)
        self._over = False
        # No thread looks at ``_due`` any more.
        self._left = False
        self._ended = threading.Event()
        self._error: BaseException | None = None

    @property
    def runs(self) -> bool:
        """Whether the loop still has a thread that runs it."""
        return not self._over

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine to its end on threads of our own, while the calling one waits.

        A main thread that calls this goes on to handle signals.

        Raises:
            BaseException: What the coroutine raised.
        """
        task = self._loop.create_task(main)
        task.add_done_callback(self._finish)
        threading.Thread(target=self._watch_jobs, name="edgezero-watch", daemon=True).start()
        self._start_owner()
        try:
            self._ended.wait()
        except BaseException:
            call_in(self._loop, task.cancel)
            self._ended.wait()
            raise
        if self._error is not None:
            raise self._error
        task.result()

    def run_soon(self, job: LoopJob, elsewhere: LoopJob) -> None:
        """Run a short job after the present round of the loop. Called in the loop.

        Args:
            job: What to run; it raises nothing.
            elsewhere: Called in its place where another job turned out to be long.
        """
        self._jobs.append((job, elsewhere))
        if len(self._jobs) == 1:
            self._loop.stop()

    def post(self, callback: LoopJob) -> None:
        """Call something in the loop, from any thread; not at all when the loop is over."""
        with self._lock:
            if self._runs_its_job():
                self._pending.append(callback)
                return
        call_in(self._loop, callback)

    def post_or(self, callback: LoopJob, elsewhere: LoopJob) -> None:
        """Call something in the loop, from any thread, or something else when that is over.

        Args:
            callback: Called in the loop.
            elsewhere: Called in its place, on any thread, where the loop ends before it can be.
        """
        with self._lock:
            left = self._left
            if not left:
                self._due.append((callback, elsewhere))
        if left:
            elsewhere()
        else:
            self.post(self._call_due)

    def _call_due(self) -> None:
        try:
            callback, _ = self._due.popleft()
        except IndexError:
            # The loop was run once more after its owner had left it.
            return
        callback()

    def yield_loop(self) -> None:
        """Let another thread run the loop. Called by a job about to sleep; twice is harmless."""
        with self._lock:
            if self._runs_its_job():
                self._replace_owner()

    def _runs_its_job(self) -> bool:
        """Whether the calling thread owns the loop and runs a job; under the lock."""
        return self._running != 0 and self._running == getattr(_thread, "job", 0)

    def _finish(self, task: "asyncio.Task[None]") -> None:
        self._over = True
        self._loop.stop()

    def _start_owner(self) -> None:
        threading.Thread(target=self._run_loop, name="edgezero-loop", daemon=True).start()

    def _run_loop(self) -> None:
        with self._lock:
            # The one before has left everything as it has to be.
            _thread.owner = self
        try:
            while not self._over:
                self._loop.run_forever()
                if not self._run_jobs():
                    return
        except BaseException as error:
            self._error = error
        self._over = True
        with self._lock:
            self._left = True
            left = (*self._jobs, *self._due)
            self._jobs.clear()
            self._due.clear()
        for _, elsewhere in left:
            elsewhere()
        self._watch.release()
        self._ended.set()

    def _run_jobs(self) -> bool:
        """Run jobs in place of the loop; return whether the calling thread still owns it."""
        _thread.owner = None
        until = monotonic() + ROUND_S
        while self._jobs:
            with self._lock:
                job, _ = self._jobs.popleft()
                self._begun += 1
                self._running = _thread.job = number = self._begun
                if not self._watched:
                    self._watched = True
                    self._watch.release()
            job()
            with self._lock:
                if self._running != number:
                    return False
                self._running = 0
                pending, self._pending = self._pending, []
            for callback in pending:
                self._loop.call_soon(callback)
            if self._jobs and monotonic() > until:
                # The loop runs one round.
                self._loop.stop()
                break
        _thread.owner = self
        return True

    def _replace_owner(self) -> None:
        """Have another thread run the loop; under the lock, while nobody does."""
        try:
            self._start_owner()
        except RuntimeError:
            # The system has no thread for us: the next check tries again.
            return
        self._running = 0
        pending, self._pending = self._pending, []
        for callback in pending:
            self._loop.call_soon(callback)
        rest, self._jobs = self._jobs, deque()
        for _, elsewhere in rest:
            elsewhere()

    def _watch_jobs(self) -> None:
        """Replace an owner whose job does not end."""
        while True:
            self._watch.acquire()
            while not self._over:
                before = self._begun
                sleep(LONGEST_JOB_S)
                with self._lock:
                    if self._begun != before:
                        continue
                    if not self._running:
                        self._watched = False
                        break
                    self._replace_owner()
            if self._over:
                return
