"""The worker pool: places, queue, sleepers, jobs that do not end."""

import threading
from collections.abc import Iterator

import pytest

from edgezero_spin.host.execution import workers
from edgezero_spin.host.execution.workers import Overloaded, WorkerPool

WAIT_S = 10


class Job:
    """A job that a test lets go on."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.go_on = threading.Event()
        self.ended = threading.Event()

    def __call__(self) -> None:
        self.started.set()
        self.go_on.wait(WAIT_S)
        self.ended.set()


@pytest.fixture
def jobs() -> Iterator[list[Job]]:
    """Four jobs, let go at the end whatever happened."""
    made = [Job() for _ in range(4)]
    yield made
    for job in made:
        job.go_on.set()


def test_more_than_the_parallel_wait_in_order(jobs: list[Job]) -> None:
    """A third job starts when one of two running ones ends, not before."""
    pool = WorkerPool(max_running=4, max_queued=4, parallel=2)
    for job in jobs[:3]:
        pool.submit(job)
    assert jobs[0].started.wait(WAIT_S)
    assert jobs[1].started.wait(WAIT_S)
    assert not jobs[2].started.is_set()
    jobs[0].go_on.set()
    assert jobs[2].started.wait(WAIT_S)


def test_a_sleeping_job_gives_its_place_away(jobs: list[Job]) -> None:
    """While a job sleeps another computes; coming back needs no place."""
    pool = WorkerPool(max_running=4, max_queued=4, parallel=1)
    pool.submit(jobs[0])
    pool.submit(jobs[1])
    assert jobs[0].started.wait(WAIT_S)
    assert not jobs[1].started.is_set()
    pool.sleeping(True)
    assert jobs[1].started.wait(WAIT_S)
    pool.sleeping(False)


def test_a_job_that_computes_for_ever_does_not_hold_up_the_rest(
    jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``relieve`` starts a waiting job beside one that does not end."""
    monkeypatch.setattr(workers, "PATIENCE_S", 0)
    pool = WorkerPool(max_running=2, max_queued=4, parallel=1)
    for job in jobs[:3]:
        pool.submit(job)
    assert jobs[0].started.wait(WAIT_S)
    pool.relieve()
    assert jobs[1].started.wait(WAIT_S)
    pool.relieve()
    assert not jobs[2].started.is_set()


def test_a_full_queue_refuses(jobs: list[Job]) -> None:
    """What does not fit is refused at once and what waits is kept."""
    pool = WorkerPool(max_running=1, max_queued=1, parallel=1)
    pool.submit(jobs[0])
    pool.submit(jobs[1])
    with pytest.raises(Overloaded, match="1 requests are running and 1 are waiting"):
        pool.submit(jobs[2])
    jobs[0].go_on.set()
    assert jobs[1].started.wait(WAIT_S)


def test_jobs_that_others_wait_for_are_bounded(
    jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They start beyond the places of the pool, and past that they are refused."""
    monkeypatch.setattr(workers, "EXTRA_PLACES", 2)
    pool = WorkerPool(max_running=1, max_queued=4, parallel=1)
    for job in jobs[:3]:
        pool.submit(job, at_once=True)
        assert job.started.wait(WAIT_S)
    with pytest.raises(Overloaded, match="3 requests wait for each other"):
        pool.submit(jobs[3], at_once=True)


def test_a_job_that_raises_costs_no_worker(jobs: list[Job]) -> None:
    """The thread of a failing job serves the next one."""

    def fail() -> None:
        raise RuntimeError("no")

    pool = WorkerPool(max_running=1, max_queued=4, parallel=1)
    pool.submit(fail)
    pool.submit(jobs[0])
    assert jobs[0].started.wait(WAIT_S)


def test_close_drops_the_queue_and_waits(jobs: list[Job]) -> None:
    """Closing ends idle threads, lets running jobs end and refuses new ones."""
    pool = WorkerPool(max_running=2, max_queued=4, parallel=1)
    pool.submit(jobs[0])
    assert jobs[0].started.wait(WAIT_S)
    pool.submit(jobs[1])
    jobs[0].go_on.set()
    assert jobs[1].started.wait(WAIT_S)
    pool.submit(jobs[2])
    assert not pool.close(0)
    jobs[1].go_on.set()
    assert jobs[1].ended.wait(WAIT_S)
    assert not jobs[2].started.is_set()
    with pytest.raises(Overloaded, match="closed"):
        pool.submit(jobs[3])


@pytest.mark.parametrize(("running", "queued"), [(0, 1), (1, -1)])
def test_useless_sizes_are_refused(running: int, queued: int) -> None:
    """A pool without a place, or with a negative queue, is a caller's mistake."""
    with pytest.raises(ValueError, match="at least 1 running and 0 queued"):
        WorkerPool(max_running=running, max_queued=queued)


def test_spare_jobs_wait_for_quiet(jobs: list[Job]) -> None:
    """They start when no other job waits and a place is free, and never take the last turn."""
    pool = WorkerPool(max_running=4, max_queued=4, parallel=1)
    pool.submit(jobs[0])
    pool.submit_spare(jobs[1])
    pool.submit(jobs[2])
    assert jobs[0].started.wait(WAIT_S)
    jobs[0].go_on.set()
    assert jobs[2].started.wait(WAIT_S)
    assert not jobs[1].started.is_set()
    jobs[2].go_on.set()
    assert jobs[1].started.wait(WAIT_S)
    jobs[1].go_on.set()
    assert pool.close(WAIT_S)
    pool.submit_spare(jobs[3])
    assert not jobs[3].started.wait(0.01)


def test_a_job_does_not_wait_for_a_spare_one(jobs: list[Job]) -> None:
    """It starts beside it; further spare jobs wait for both."""
    pool = WorkerPool(max_running=4, max_queued=4, parallel=1)
    pool.submit_spare(jobs[0])
    pool.submit_spare(jobs[1])
    assert jobs[0].started.wait(WAIT_S)
    pool.submit(jobs[2])
    assert jobs[2].started.wait(WAIT_S)
    pool.submit(jobs[3])
    jobs[0].go_on.set()
    jobs[2].go_on.set()
    assert jobs[3].started.wait(WAIT_S)
    assert not jobs[1].started.is_set()
    jobs[3].go_on.set()
    assert jobs[1].started.wait(WAIT_S)


def test_a_job_on_the_callers_thread_takes_a_place(jobs: list[Job]) -> None:
    """It is one of ``max_running`` while it runs; the next job starts when it ends."""
    pool = WorkerPool(max_running=1, max_queued=1, parallel=1)
    assert pool.reserve()
    assert pool.unfinished == 1
    computing: list[int] = []

    def job() -> None:
        computing.append(pool.computing)
        pool.submit(jobs[0])
        computing.append(pool.unfinished)
        assert not jobs[0].started.is_set()

    assert pool.run_reserved(job)
    assert computing == [1, 2]
    assert jobs[0].started.wait(WAIT_S)


def test_a_job_on_the_callers_thread_waits_for_a_place(jobs: list[Job]) -> None:
    """While all are taken it is not run, and may go to the queue in time."""
    pool = WorkerPool(max_running=1, max_queued=1, parallel=1)
    assert pool.reserve()
    pool.submit(jobs[0])
    assert jobs[0].started.wait(WAIT_S)
    assert not pool.run_reserved(jobs[1])
    pool.give_back(jobs[1])
    jobs[0].go_on.set()
    assert jobs[1].started.wait(WAIT_S)


def test_no_more_is_let_in_than_may_run_and_wait() -> None:
    """Places and queue together are the bound."""
    pool = WorkerPool(max_running=2, max_queued=1)
    assert [pool.reserve() for _ in range(4)] == [True, True, True, False]
    assert pool.run_reserved(lambda: None)
    assert pool.reserve()
    assert not pool.reserve()


def test_a_crowd_on_the_workers_does_not_keep_others_from_the_callers_thread(
    jobs: list[Job],
) -> None:
    """A queue counts against the bound, and no more."""
    pool = WorkerPool(max_running=2, max_queued=3, parallel=1)
    for job in jobs[:3]:
        pool.submit(job)
    assert [pool.reserve() for _ in range(3)] == [True, True, False]


def test_a_reserved_job_that_fails_gives_its_place_up() -> None:
    """The thread that runs it goes on, and the place is free."""

    def fail() -> None:
        raise ValueError("no")

    pool = WorkerPool(max_running=1, max_queued=0)
    assert pool.reserve()
    assert pool.run_reserved(fail)
    assert (pool.unfinished, pool.computing) == (0, 0)


def test_a_place_given_back_is_the_next_to_be_served(jobs: list[Job]) -> None:
    """A job that cannot be done by its caller goes before those that wait."""
    pool = WorkerPool(max_running=2, max_queued=4, parallel=1)
    assert pool.reserve()
    pool.submit(jobs[0])
    pool.submit(jobs[1])
    pool.give_back(jobs[2])
    assert jobs[0].started.wait(WAIT_S)
    assert pool.unfinished == 3
    jobs[0].go_on.set()
    assert jobs[2].started.wait(WAIT_S)
    assert not jobs[1].started.is_set()


def test_closing_waits_for_a_reserved_job() -> None:
    """It is told of when the time is up, and a place is not to be had any more."""
    pool = WorkerPool(max_running=2, max_queued=0)
    go_on = threading.Event()
    running = threading.Event()

    def job() -> None:
        running.set()
        go_on.wait(WAIT_S)

    assert pool.reserve()
    thread = threading.Thread(target=pool.run_reserved, args=(job,))
    thread.start()
    assert running.wait(WAIT_S)
    assert not pool.close(0)
    assert not pool.reserve()
    go_on.set()
    assert pool.close(WAIT_S)
    thread.join(WAIT_S)
