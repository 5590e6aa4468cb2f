"""An asyncio event loop that waits on ``wasi:io/poll``.

CPython's ``BaseEventLoop`` keeps the ready queue and the timers; only its selector is
ours: it waits for the next timer and for what tasks wait for (answers to requests, bytes of
bodies, room for more of them) in one ``poll``. There are no threads and no signals in a
component, so nothing else can wake it.

The request runs as an eager task: when it never suspends, the loop itself never turns.

Source: ``wasi:io/poll@0.2.0``, ``wasi:clocks/monotonic-clock@0.2.0``.
"""

import asyncio
from asyncio import events
from collections.abc import Coroutine
from typing import Any, TypeAlias, TypeVar

from wit_world.imports import monotonic_clock, poll

from edgezero_spin.guest.wasi02.waiting import use_loop

__all__ = ["PollLoop", "run_in_loop"]

T = TypeVar("T")


_Waiter: TypeAlias = "asyncio.Future[None]"


class _PollSelector:
    """What ``BaseEventLoop`` asks of a selector: sleep until something is due.

    Attributes:
        waiting: What tasks wait for, by the future that wakes them.
    """

    def __init__(self) -> None:
        self.waiting: dict[_Waiter, poll.Pollable] = {}

    def select(self, timeout: float | None) -> list[_Waiter]:
        """Wait ``timeout`` seconds, or until a pollable is ready; return the futures of those.

        Raises:
            RuntimeError: Nothing is ready and no timer is set: it would wait for ever.
        """
        waiters = list(self.waiting)
        pollables = list(self.waiting.values())
        if timeout is None:
            if not pollables:
                raise RuntimeError("every task waits, and nothing is left that could wake one")
            return [waiters[index] for index in poll.poll(pollables)]
        if not pollables and timeout <= 0:
            return []
        timer = monotonic_clock.subscribe_duration(max(0, int(timeout * 1e9)))
        try:
            found = poll.poll([*pollables, timer])
        finally:
            timer.__exit__(None, None, None)
        return [waiters[index] for index in found if index < len(waiters)]

    def close(self) -> None:
        """There is nothing to close."""


class PollLoop(asyncio.BaseEventLoop):
    """The loop of one instance."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _PollSelector()

    async def when_ready(self, pollable: poll.Pollable) -> None:
        """Wait for a pollable, which stays the caller's."""
        waiter: _Waiter = self.create_future()
        self._selector.waiting[waiter] = pollable
        try:
            await waiter
        finally:
            del self._selector.waiting[waiter]

    def _process_events(self, event_list: list[_Waiter]) -> None:
        """Wake the tasks whose pollables are ready."""
        for waiter in event_list:
            if not waiter.done():
                waiter.set_result(None)

    def _write_to_self(self) -> None:
        """No other thread exists that would have to wake this one."""


_loop = PollLoop()
use_loop(_loop)


def run_in_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run ``coroutine`` to its end as a task of the loop and return its result.

    Tasks that it left behind are cancelled, as ``asyncio.run`` does.
    """
    events._set_running_loop(_loop)
    try:
        # The bundled interpreter is 3.14; the checker is told of 3.11.
        task = asyncio.Task(coroutine, loop=_loop, eager_start=True)  # type: ignore[call-arg]
    finally:
        events._set_running_loop(None)
    if not task.done():
        _loop.run_until_complete(task)
    left = asyncio.all_tasks(_loop)
    if left:
        for other in left:
            other.cancel()
        _loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    return task.result()
