"""Many things at a time, until one goes wrong."""

import threading
import time
from collections.abc import Iterator

import pytest

from edgezero_spin.host.registry.images import parallel
from edgezero_spin.host.registry.images.parallel import PARALLEL, PiecesUntilStopped, each
from edgezero_spin.manifest.spin import FetchError


def test_each_is_done_once() -> None:
    """Whether there are few or many, or none."""
    for count in (0, 1, PARALLEL, 10 * PARALLEL):
        done: list[int] = []
        each(lambda item, _, done=done: done.append(item), range(count))  # type: ignore[misc]
        assert sorted(done) == list(range(count))


def test_as_many_at_a_time_as_there_may_be() -> None:
    """They all meet, which fewer could not."""
    meeting = threading.Barrier(PARALLEL)
    each(lambda _item, _pieces: meeting.wait(20), range(PARALLEL))


def test_the_first_failure_ends_it() -> None:
    """What is under way breaks off, and nothing is begun."""
    begun: list[int] = []
    failing = threading.Event()
    broken: list[int] = []

    def endless() -> Iterator[bytes]:
        failing.set()
        while True:
            time.sleep(0.001)
            yield b"x"

    def work(item: int, until_stopped: PiecesUntilStopped) -> None:
        begun.append(item)
        if item:
            assert failing.wait(20)
            raise FetchError("this one")
        try:
            for _ in until_stopped(endless()):
                pass
        except FetchError:
            broken.append(item)
            raise

    with pytest.raises(FetchError, match="this one"):
        each(work, range(1000))
    assert broken == [0]
    assert len(begun) < 1000


def test_nobody_waits_for_what_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent registry holds up neither an error nor Ctrl-C for long."""
    monkeypatch.setattr(parallel, "GRACE_S", 0.05)
    hanging = threading.Event()

    def work(item: int, _: PiecesUntilStopped) -> None:
        if item:
            raise KeyboardInterrupt
        hanging.wait()

    with pytest.raises(KeyboardInterrupt):
        each(work, range(2))
    hanging.set()
