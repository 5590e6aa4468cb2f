"""The thread that runs an event loop also does quick jobs, between two rounds of the loop.

Giving a request to another thread and taking its response back costs more than most handlers
do: both threads want the interpreter's lock all the time, and each change of hands is a call
into the kernel. So the *leader*, the thread that runs the loop, leaves it for as long as a
quick job takes. Where a job takes longer than was thought, or sleeps, another thread becomes
the leader and goes on with the loop; the one that was away ends after its job. A loop does not
mind: it belongs to whoever runs it, one thread at a time.

In: an event loop and its main coroutine. What a job is, and which ones are thought to be
quick, is for whoever calls ``run_soon`` to say.

Source: the pattern "Leader/Followers" (Schmidt, O'Ryan, Kircher, Pyarali, 2000); LIFE-7.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from time import monotonic, sleep
from typing import Any

from edgezero_spin.host.exchange.loops import call_in

__all__ = ["Leadership", "leading"]

LOOK_S = 0.005
"""A leader that is away longer than this for one job is replaced, within the same time again."""

ROUND_S = 0.001
"""Seconds of jobs after which the loop has its turn."""

LoopJob = Callable[[], object]

_here = threading.local()
"""``leadership``: what this thread leads. ``job``: the number of the job that it is away for."""


def leading() -> "Leadership | None":
    """Return the loop that the calling thread runs; ``None`` where it runs none, or a job."""
    found: Leadership | None = getattr(_here, "leadership", None)
    return found


class Leadership:
    """Who runs one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take a loop that does not run. Closing it stays the caller's business."""
        self._loop = loop
        self._lock = threading.Lock()
        self._jobs: deque[tuple[LoopJob, LoopJob]] = deque()
        # The number of the job that the leader is away for; 0 while it runs the loop.
        self._away = 0
        self._begun = 0
        # What happened meanwhile that the loop has to hear of.
        self._news: list[LoopJob] = []
        self._watched = False
        self._watch = threading.Semaphore(0)
        self._over = False
        self._ended = threading.Event()
        self._error: BaseException | None = None

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine to its end on threads of our own, while the calling one waits.

        A main thread that calls this goes on to handle signals.

        Raises:
            BaseException: What the coroutine raised.
        """
        task = self._loop.create_task(main)
        task.add_done_callback(self._finish)
        threading.Thread(target=self._look, name="edgezero-watch", daemon=True).start()
        self._start_leader()
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
        """Do a quick job when the loop has done what it is at. Called in the loop.

        Args:
            job: What to do; it raises nothing.
            elsewhere: Called in its place where another job turned out not to be quick.
        """
        self._jobs.append((job, elsewhere))
        if len(self._jobs) == 1:
            self._loop.stop()

    def tell(self, action: LoopJob) -> None:
        """Do something in the loop, from any thread."""
        with self._lock:
            if self._away and self._away == getattr(_here, "job", 0):
                self._news.append(action)
                return
        call_in(self._loop, action)

    def hand_over(self) -> None:
        """Let another thread lead. Called by a job that is about to sleep; twice is harmless."""
        with self._lock:
            if self._away and self._away == getattr(_here, "job", 0):
                self._replace_leader()

    def _finish(self, task: "asyncio.Task[None]") -> None:
        self._over = True
        self._loop.stop()

    def _start_leader(self) -> None:
        threading.Thread(target=self._lead, name="edgezero-loop", daemon=True).start()

    def _lead(self) -> None:
        with self._lock:
            # The one before has left everything as it has to be.
            _here.leadership = self
        try:
            while not self._over:
                self._loop.run_forever()
                if not self._do_jobs():
                    return
        except BaseException as error:
            self._error = error
        self._over = True
        for _, elsewhere in self._jobs:
            elsewhere()
        self._watch.release()
        self._ended.set()

    def _do_jobs(self) -> bool:
        """Leave the loop for its jobs; return whether the calling thread still leads."""
        _here.leadership = None
        until = monotonic() + ROUND_S
        while self._jobs:
            with self._lock:
                job, _ = self._jobs.popleft()
                self._begun += 1
                self._away = _here.job = number = self._begun
                if not self._watched:
                    self._watched = True
                    self._watch.release()
            job()
            with self._lock:
                if self._away != number:
                    return False
                self._away = 0
                news, self._news = self._news, []
            for action in news:
                self._loop.call_soon(action)
            if monotonic() > until and self._jobs:
                # The loop goes round once.
                self._loop.stop()
                break
        _here.leadership = self
        return True

    def _replace_leader(self) -> None:
        """Have another thread run the loop; under the lock, while nobody does."""
        try:
            self._start_leader()
        except RuntimeError:
            # The system has no thread for us: we look again in a moment.
            return
        self._away = 0
        news, self._news = self._news, []
        for action in news:
            self._loop.call_soon(action)
        rest, self._jobs = self._jobs, deque()
        for _, elsewhere in rest:
            elsewhere()

    def _look(self) -> None:
        """Replace a leader that does not come back."""
        while True:
            self._watch.acquire()
            while not self._over:
                before = self._begun
                sleep(LOOK_S)
                with self._lock:
                    if self._begun != before:
                        continue
                    if not self._away:
                        self._watched = False
                        break
                    self._replace_leader()
            if self._over:
                return
