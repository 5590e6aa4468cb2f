"""The threads that guests run on.

Guests compute outside the GIL but are started, served and ended under it, so more of them
running than there are processors makes all of them slower. The pool starts as many jobs as
``parallel`` says; a job that sleeps (``sleeping``) gives its place to the next, and comes
back without asking. A job that neither ends nor sleeps does not hold up the others for
long: ``relieve`` starts another one after ``PATIENCE_S``, up to ``max_running``.

An instance that several requests are in takes a place for as long as it is busy, and no thread:
what it has to do comes as one ``turn`` after the other, before jobs that wait for a place.

Spare jobs are work for later: they start one at a time, when no other job waits and a
place is free, and take no place from jobs that come in.
"""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic

from edgezero_spin.errors import HostError

__all__ = ["Overloaded", "WorkerPool"]

logger = logging.getLogger("edgezero_spin.host")

PATIENCE_S = 0.025

# Places beyond ``max_running`` for jobs that running ones wait for. Enough for requests that
# pass through several components; one that calls itself for ever comes to an end.
EXTRA_PLACES = 64

Job = Callable[[], None]


class Overloaded(HostError):  # noqa: N818 - read as a statement about the host
    """Every place is taken and the queue is full, or the host is closing."""


class _Worker(threading.Thread):
    """One thread; it sleeps on its own lock between jobs."""

    def __init__(self, pool: "WorkerPool", number: int) -> None:
        super().__init__(name=f"edgezero-guest-{number}", daemon=True)
        self.pool = pool
        self.job: Job | None = None
        self.spare = False
        self.placed = False
        self.wakeup = threading.Lock()
        self.wakeup.acquire()

    def run(self) -> None:
        while True:
            self.wakeup.acquire()
            job, self.job = self.job, None
            while job is not None:
                try:
                    job()
                except BaseException:
                    logger.exception("a worker's job failed")
                job = self.pool.next_job(self)
            if self.pool.closed:
                return


class WorkerPool:
    """A bounded number of threads with a bounded queue.

    Attributes:
        closed: No further job is accepted.
    """

    def __init__(self, *, max_running: int, max_queued: int, parallel: int | None = None) -> None:
        """Start no thread yet.

        Args:
            max_running: Jobs begun and not ended, sleeping ones included. At least 1.
            max_queued: Jobs that may wait for a place. At least 0.
            parallel: Jobs that compute at once; ``None`` for one per processor.
        """
        if max_running < 1 or max_queued < 0:
            raise ValueError(
                f"at least 1 running and 0 queued jobs, got {max_running} and {max_queued}"
            )
        self.closed = False
        self._max_running = max_running
        self._max_queued = max_queued
        self._parallel = max(1, parallel if parallel is not None else os.cpu_count() or 1)
        self._lock = threading.Lock()
        self._guest_ended = threading.Condition(self._lock)
        # Jobs on threads of others: let in, and begun.
        self._reserved = 0
        self._guests = 0
        self._jobs: deque[Job] = deque()
        self._turns: deque[Job] = deque()
        self._spare: deque[Job] = deque()
        self._idle: list[_Worker] = []
        self._workers: list[_Worker] = []
        self._running = 0
        self._computing = 0
        self._sparing = 0
        self._last_start = 0.0

    @property
    def places(self) -> int:
        """Jobs that may be begun and not ended at once."""
        return self._max_running

    @property
    def free_places(self) -> int:
        """Jobs that could begin at this moment."""
        return max(0, self._max_running - self._running)

    @property
    def max_queued(self) -> int:
        """Jobs that may wait for a place."""
        return self._max_queued

    @property
    def computing(self) -> int:
        """Jobs that run and do not sleep at this moment."""
        return self._computing

    @property
    def unfinished(self) -> int:
        """Jobs that wait or run at this moment, sleeping ones included."""
        with self._lock:
            return len(self._jobs) + self._reserved + self._running

    def submit(self, job: Job, *, at_once: bool = False) -> None:
        """Run the job on a thread as soon as there is a place.

        Args:
            at_once: Take one of the extra places where there is no other. For a job that a
                running one waits for: in a queue behind it they would wait for each other.

        Raises:
            Overloaded: There is none and the queue is full.
        """
        with self._lock:
            if self.closed:
                raise Overloaded("the host is closed")
            if at_once:
                if self._running >= self._max_running + EXTRA_PLACES:
                    raise Overloaded(f"{self._running} requests wait for each other")
                self._launch(job)
                return
            self._jobs.append(job)
            self._start(self._parallel)
            if len(self._jobs) > self._max_queued:
                self._jobs.pop()
                raise Overloaded(
                    f"{self._running} requests are running and {self._max_queued} are waiting"
                )

    def reserve(self) -> bool:
        """Let a job in that its caller will do on a thread of its own, when its turn comes.

        Returns:
            Whether it may wait for that: ``run_reserved`` or ``give_back`` has to follow. Jobs
            that wait for a worker already are no obstacle, or a crowd would stay one.
        """
        with self._lock:
            room = self._max_running - self._running + self._max_queued
            if self.closed or self._reserved + len(self._jobs) >= room:
                return False
            self._reserved += 1
            return True

    def run_reserved(self, job: Job) -> bool:
        """Run a job that was let in, on the calling thread.

        Returns:
            Whether there was a place for it; ``give_back`` has to follow otherwise.
        """
        with self._lock:
            if self._running >= self._max_running:
                return False
            self._reserved -= 1
            self._running += 1
            self._computing += 1
            self._guests += 1
        self._run_here(job, places=1)
        return True

    def give_back(self, job: Job) -> None:
        """Run a job that was let in on a worker after all, before those that wait."""
        with self._lock:
            self._reserved -= 1
            if not self.closed:
                self._jobs.appendleft(job)
                self._start(self._parallel)

    def claim(self, *, at_once: bool = False) -> bool:
        """Take a place for something that has turns; ``release`` gives it back.

        Args:
            at_once: One of the extra places will do, as for ``submit``.

        Returns:
            Whether there was one.
        """
        with self._lock:
            most = self._max_running + (EXTRA_PLACES if at_once else 0)
            if self.closed or self._running >= most:
                return False
            self._running += 1
            return True

    def release(self) -> None:
        """Give up a place that was claimed."""
        with self._lock:
            self._running -= 1
            if not self.closed and (self._jobs or self._turns or self._spare):
                self._start(self._parallel)

    def turn(self, job: Job) -> None:
        """Run a job of something that has a place, once a processor is free."""
        with self._lock:
            if not self.closed:
                self._turns.append(job)
                self._start(self._parallel)

    def turn_here(self, job: Job) -> None:
        """Run such a job on the calling thread."""
        with self._lock:
            self._computing += 1
            self._guests += 1
        self._run_here(job, places=0)

    def _run_here(self, job: Job, *, places: int) -> None:
        try:
            job()
        except BaseException:
            logger.exception("a worker's job failed")
        with self._lock:
            self._running -= places
            self._computing -= 1
            self._guests -= 1
            if self.closed:
                self._guest_ended.notify_all()
            elif self._jobs or self._turns or self._spare:
                self._start(self._parallel)

    def submit_spare(self, job: Job) -> None:
        """Run the job once no other waits and a processor is free. A closed pool drops it."""
        with self._lock:
            if not self.closed:
                self._spare.append(job)
                self._start(self._parallel)

    def sleeping(self, asleep: bool) -> None:
        """Say that the calling job sleeps, or woke up."""
        with self._lock:
            if asleep:
                self._computing -= 1
                if self._jobs or self._turns or self._spare:
                    self._start(self._parallel)
            else:
                self._computing += 1

    def relieve(self) -> None:
        """Start one more job if those that compute do not come to an end."""
        waiting = self._jobs or self._turns
        if waiting and monotonic() - self._last_start > PATIENCE_S:
            with self._lock:
                self._start(self._computing + 1)

    def _start(self, computing: int) -> None:
        while self._turns and self._computing - self._sparing < computing:
            self._launch(self._turns.popleft(), placed=True)
        while (
            self._jobs
            and self._computing - self._sparing < computing
            and self._running < self._max_running
        ):
            self._launch(self._jobs.popleft())
        if self._may_spare() and self._computing < self._parallel:
            self._launch(self._spare.popleft(), spare=True)

    def _may_spare(self) -> bool:
        # One at a time: a job that comes in next finds a free processor.
        return bool(self._spare) and not self._jobs and not self._turns and not self._sparing

    def _launch(self, job: Job, *, spare: bool = False, placed: bool = False) -> None:
        self._running += not placed
        self._sparing += spare
        self._computing += 1
        self._last_start = monotonic()
        if self._idle:
            worker = self._idle.pop()
        else:
            worker = _Worker(self, len(self._workers) + 1)
            self._workers.append(worker)
            worker.start()
        worker.job = job
        worker.spare = spare
        worker.placed = placed
        worker.wakeup.release()

    def next_job(self, worker: _Worker) -> Job | None:
        """Account for the end of a worker's job; return what it does next."""
        with self._lock:
            self._sparing -= worker.spare
            self._running -= not worker.placed
            worker.spare = worker.placed = False
            if not self.closed:
                job = self._next(worker)
                if job is not None:
                    return job
            self._computing -= 1
            if not self.closed:
                self._idle.append(worker)
            return None

    def _next(self, worker: _Worker) -> Job | None:
        computing = self._computing - self._sparing
        if self._turns and computing <= self._parallel:
            worker.placed = True
            self._last_start = monotonic()
            return self._turns.popleft()
        if self._running >= self._max_running:
            return None
        if self._jobs and computing <= self._parallel:
            self._running += 1
            self._last_start = monotonic()
            return self._jobs.popleft()
        if self._may_spare() and self._computing <= self._parallel:
            self._running += 1
            worker.spare = True
            self._sparing += 1
            return self._spare.popleft()
        return None

    def close(self, timeout_s: float) -> bool:
        """Drop the queue and wait for the jobs that run.

        Returns:
            Whether all of them ended in time.
        """
        with self._lock:
            self.closed = True
            self._jobs.clear()
            self._turns.clear()
            self._spare.clear()
            idle, self._idle = self._idle, []
            workers, self._workers = self._workers, []
            for worker in idle:
                worker.wakeup.release()
        end = monotonic() + timeout_s
        for worker in workers:
            if worker is not threading.current_thread():
                worker.join(max(0.0, end - monotonic()))
        with self._lock:
            self._guest_ended.wait_for(lambda: not self._guests, max(0.0, end - monotonic()))
            done = not self._guests
        return done and not any(worker.is_alive() for worker in workers)
