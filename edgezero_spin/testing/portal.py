"""An event loop on a thread of its own, so that a test has a deadline whatever it calls.

In: coroutines, from any thread. Out: their results, or ``NoAnswerError`` with the place
where the thread was stuck. A loop that is stuck is left behind and replaced; what it computes
is interrupted, so that it does not slow down the tests that follow.
"""

import asyncio
import contextlib
import ctypes
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any, TypeVar

from edgezero_spin.testing.errors import NoAnswerError
from edgezero_spin.testing.request_tasks import task_factory

__all__ = ["Portal"]

# pytest shows a failure where the test made it happen, not here.
__tracebackhide__ = True

T = TypeVar("T")

# Frames that say nothing about a test: the loop's, the thread's and the kit's.
_INNER = (
    str(Path(asyncio.__file__).parent),
    threading.__file__,
    str(Path(__file__).parent),
)


# Code that may hold a lock which others need.
_NOT_THE_APPS = (str(Path(asyncio.__file__).parents[1]), str(Path(__file__).parents[1]), "<")

LOOKS = 20
BETWEEN_LOOKS_S = 0.001


class _LeftBehind(SystemExit):
    """Ends a thread that nobody waits for; threads end with this quietly."""


class _Worker:
    """One thread with one loop. It ends when ``stop`` is called."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_task_factory(task_factory)
        self.thread = threading.Thread(target=self._run, name="edgezero-testing", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            with contextlib.suppress(_LeftBehind):
                self.loop.run_forever()
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            # Where it was interrupted, the loop may still have to stop.
            with contextlib.suppress(_LeftBehind, RuntimeError):
                self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    def stop(self) -> None:
        """End the loop and, if it is idle, wait for the thread. Twice is harmless."""
        if not self.loop.is_closed():
            try:
                self.loop.call_soon_threadsafe(self.loop.stop)
            except RuntimeError:
                return  # it closed between the two looks
        if threading.current_thread() is not self.thread:
            self.thread.join(0.5)

    def leave_behind(self) -> None:
        """End the loop without waiting, and interrupt what it computes.

        Only code of the application is interrupted: elsewhere a lock may be held, and would
        stay so. A call that does not come back to Python goes on until it does.
        """
        if self.loop.is_closed():
            return
        # Nobody is to hear what becomes of it.
        self.loop.set_exception_handler(lambda loop, context: None)
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.loop.stop)
        ident = self.thread.ident
        for _ in range(LOOKS):
            if ident is None or asyncio.current_task(self.loop) is None:
                return
            # Nothing moves between this look and the exception: this thread has the GIL.
            frame = sys._current_frames().get(ident)
            if frame is not None and not frame.f_code.co_filename.startswith(_NOT_THE_APPS):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(ident), ctypes.py_object(_LeftBehind)
                )
                return
            time.sleep(BETWEEN_LOOKS_S)

    def where(self, coroutine: Any) -> str:
        """Where a coroutine is: the frames that it waits in, or those that it runs."""
        found = traceback.StackSummary()
        while (frame := getattr(coroutine, "cr_frame", None)) is not None:
            if coroutine.cr_running:
                running = sys._current_frames().get(self.thread.ident or 0)
                found += traceback.extract_stack(running) if running is not None else []
                break
            found += traceback.extract_stack(frame, limit=1)
            coroutine = coroutine.cr_await
        shown = [entry for entry in found if not entry.filename.startswith(_INNER)]
        return "".join(traceback.format_list(shown)).rstrip()


def _is_left(future: "Future[Any]") -> bool:
    """Whether there will be no result: none came in time, or its thread was given up."""
    if not future.done() or future.cancelled():
        return True
    return isinstance(future.exception(), _LeftBehind)


class Portal:
    """Runs coroutines for tests. ``close`` it; a forgotten one closes itself.

    Attributes:
        deadline_s: Seconds that one of them may take; ``None`` for no limit.
        on_give_up: Called when one of them was left behind.
    """

    def __init__(self, deadline_s: float | None, grace_s: float = 0.0) -> None:
        """Start no thread yet.

        Args:
            deadline_s: See ``deadline_s``.
            grace_s: Seconds more that are given to one which ends by itself.
        """
        self.deadline_s = deadline_s
        self._timeout_s = None if deadline_s is None else deadline_s + grace_s
        self.on_give_up: Callable[[], None] = lambda: None
        self._worker: _Worker | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None

    def _submit(self, coroutine: Coroutine[Any, Any, T]) -> "tuple[_Worker, Future[T]]":
        """Start a coroutine on the loop."""
        worker = self._worker
        if worker is None:
            worker = self._worker = _Worker()
            self._finalizer = weakref.finalize(self, worker.stop)
        return worker, asyncio.run_coroutine_threadsafe(coroutine, worker.loop)

    def call(self, coroutine: Coroutine[Any, Any, T], what: str) -> T:
        """Run a coroutine to its end and return its result.

        Raises:
            NoAnswerError: The deadline passed; ``what`` says for whom.
        """
        worker, future = self._submit(coroutine)
        try:
            return future.result(self._timeout_s)
        except (TimeoutError, CancelledError, _LeftBehind):
            if not _is_left(future):
                raise  # the coroutine's own
            raise self._give_up(worker, coroutine, future, what) from None

    async def acall(self, coroutine: Coroutine[Any, Any, T], what: str) -> T:
        """``call`` for a caller with an event loop of its own."""
        worker, future = self._submit(coroutine)
        try:
            waiting = asyncio.shield(asyncio.wrap_future(future))
            return await asyncio.wait_for(waiting, self._timeout_s)
        except (TimeoutError, asyncio.CancelledError, _LeftBehind) as error:
            cancelled = isinstance(error, asyncio.CancelledError) and not future.cancelled()
            if cancelled or not _is_left(future):
                raise
            raise self._give_up(worker, coroutine, future, what) from None

    def _give_up(
        self, worker: _Worker, coroutine: Any, future: "Future[Any]", what: str
    ) -> NoAnswerError:
        """Leave a coroutine behind and return the error that says where it is."""
        where = worker.where(coroutine)
        future.cancel()
        if worker is self._worker:
            # Other requests on this thread are left behind with it.
            if self._finalizer is not None:
                self._finalizer.detach()
            self._worker = None
            self.on_give_up()
        worker.leave_behind()
        return NoAnswerError(what, self.deadline_s or 0.0, where)

    def close(self) -> None:
        """End the thread. Twice is harmless; a later call starts another one."""
        if self._finalizer is not None:
            self._finalizer()
        self._worker = None
