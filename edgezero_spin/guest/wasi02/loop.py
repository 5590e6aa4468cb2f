"""An asyncio event loop that waits on ``wasi:io/poll``.

CPython's ``BaseEventLoop`` keeps the ready queue and the timers; only its selector is
ours: it waits for the next timer with a ``monotonic-clock`` pollable. There are no
threads, no sockets and no signals in a component, so nothing else can wake it.

The request runs as an eager task: when it never suspends, the loop itself never turns.

Source: ``wasi:io/poll@0.2.0``, ``wasi:clocks/monotonic-clock@0.2.0``.
"""

import asyncio
from asyncio import events
from collections.abc import Coroutine
from typing import Any, TypeVar

from wit_world.imports import monotonic_clock

__all__ = ["PollLoop", "run_in_loop"]

T = TypeVar("T")


class _TimerSelector:
    """What ``BaseEventLoop`` asks of a selector: sleep until the next timer is due."""

    def select(self, timeout: float | None) -> list[Any]:
        """Wait ``timeout`` seconds.

        Raises:
            RuntimeError: Nothing is ready and no timer is set: it would wait for ever.
        """
        if timeout is None:
            raise RuntimeError("every task waits, and nothing is left that could wake one")
        if timeout > 0:
            pollable = monotonic_clock.subscribe_duration(int(timeout * 1e9))
            pollable.block()
            pollable.__exit__(None, None, None)
        return []

    def close(self) -> None:
        """There is nothing to close."""


class PollLoop(asyncio.BaseEventLoop):
    """The loop of one instance."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _TimerSelector()

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """No other thread exists that would have to wake this one."""


_loop = PollLoop()


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
