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
import traceback
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from edgezero_spin.testing.errors import NoAnswerError

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


class _LeftBehind(SystemExit):
    """Ends a thread that nobody waits for; threads end with this quietly."""


class _Worker:
    """One thread with one loop. It ends when ``stop`` is called."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
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
            if left:
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

    def leave_behind(self, *, computing: bool) -> None:
        """End the loop without waiting.

        Args:
            computing: The thread is in a coroutine and has to be interrupted. A call that does
                not come back to Python, such as a sleep, goes on until it does.
        """
        # Nobody is to hear what becomes of it.
        self.loop.set_exception_handler(lambda loop, context: None)
        self.loop.call_soon_threadsafe(self.loop.stop)
        if computing and self.thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self.thread.ident), ctypes.py_object(_LeftBehind)
            )

    def computes(self, coroutine: Any) -> bool:
        """Whether the thread is in a coroutine, and not waiting for what it awaits."""
        while coroutine is not None:
            if getattr(coroutine, "cr_running", False):
                return True
            coroutine = getattr(coroutine, "cr_await", None)
        return False

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

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start a coroutine on the loop."""
        worker = self._worker
        if worker is None:
            worker = self._worker = _Worker()
            self._finalizer = weakref.finalize(self, worker.stop)
        return asyncio.run_coroutine_threadsafe(coroutine, worker.loop)

    def call(self, coroutine: Coroutine[Any, Any, T], what: str) -> T:
        """Run a coroutine to its end and return its result.

        Raises:
            NoAnswerError: The deadline passed; ``what`` says for whom.
        """
        future = self.submit(coroutine)
        try:
            return future.result(self._timeout_s)
        except TimeoutError:
            if future.done():
                raise  # the coroutine's own
            raise self._give_up(coroutine, future, what) from None

    async def acall(self, coroutine: Coroutine[Any, Any, T], what: str) -> T:
        """``call`` for a caller with an event loop of its own."""
        future = self.submit(coroutine)
        try:
            waiting = asyncio.shield(asyncio.wrap_future(future))
            return await asyncio.wait_for(waiting, self._timeout_s)
        except TimeoutError:
            if future.done():
                raise
            raise self._give_up(coroutine, future, what) from None

    def _give_up(self, coroutine: Any, future: "Future[Any]", what: str) -> NoAnswerError:
        """Leave a coroutine behind and return the error that says where it is."""
        worker = self._worker
        where = "" if worker is None else worker.where(coroutine)
        computing = worker is not None and worker.computes(coroutine)
        future.cancel()
        if self._finalizer is not None:
            self._finalizer.detach()
        self._worker = None
        self.on_give_up()
        if worker is not None:
            worker.leave_behind(computing=computing)
        return NoAnswerError(what, self.deadline_s or 0.0, where)

    def close(self) -> None:
        """End the thread. Twice is harmless; a later call starts another one."""
        if self._finalizer is not None:
            self._finalizer()
        self._worker = None
