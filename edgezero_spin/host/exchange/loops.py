"""Event loops, as threads that do not run them see them, and one on a thread of its own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any

__all__ = ["LoopThread", "call_in"]


def call_in(loop: asyncio.AbstractEventLoop, action: Callable[[], object]) -> None:
    """Do something in a loop, from any thread; a loop that is closed has no use for it."""
    try:
        loop.call_soon_threadsafe(action)
    except RuntimeError:
        return


class LoopThread:
    """An event loop on a thread of its own, which starts with the first use."""

    def __init__(
        self,
        name: str,
        *,
        begin: Callable[[asyncio.AbstractEventLoop], None] | None = None,
        end: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            begin: Prepares the loop before it runs.
            end: Awaited in the loop behind its last task.
        """
        self._name = name
        self._begin = begin
        self._end = end
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop; ``None`` once it was closed."""
        with self._lock:
            return self._started()

    def submit(self, work: Coroutine[Any, Any, None]) -> "Future[None] | None":
        """Run a coroutine there; ``None`` once the loop was closed."""
        with self._lock:
            loop = self._started()
            if loop is None:
                work.close()
                return None
            return asyncio.run_coroutine_threadsafe(work, loop)

    def _started(self) -> asyncio.AbstractEventLoop | None:
        if self._closed:
            return None
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            if self._begin is not None:
                self._begin(self._loop)
            self._thread = threading.Thread(
                target=self._loop.run_forever, name=self._name, daemon=True
            )
            self._thread.start()
        return self._loop

    def close(self, timeout_s: float) -> None:
        """Cancel what runs there and end the thread. Twice is harmless."""
        with self._lock:
            self._closed = True
            loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        call_in(loop, lambda: loop.create_task(self._stop(loop)))
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            loop.close()

    async def _stop(self, loop: asyncio.AbstractEventLoop) -> None:
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._end is not None:
            await self._end()
        loop.stop()
