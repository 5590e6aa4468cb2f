"""Event loops, as threads that do not run them see them, and one on a thread of its own."""

import asyncio
import threading
from collections.abc import Callable

__all__ = ["LoopThread", "call_in"]


def call_in(loop: asyncio.AbstractEventLoop, action: Callable[[], object]) -> None:
    """Do something in a loop, from any thread; a loop that is closed has no use for it."""
    try:
        loop.call_soon_threadsafe(action)
    except RuntimeError:
        return


class LoopThread:
    """An event loop on a thread of its own, which starts with the first use."""

    def __init__(self, name: str) -> None:
        """Start nothing yet."""
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop; ``None`` once it was closed."""
        with self._lock:
            if self._closed:
                return None
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
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
        call_in(loop, lambda: loop.create_task(_stop(loop)))
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            loop.close()


async def _stop(loop: asyncio.AbstractEventLoop) -> None:
    mine = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not mine]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    loop.stop()
