"""Timers, on one thread that sleeps until the first of them is due."""

import heapq
import logging
import threading
from collections.abc import Callable
from itertools import count
from time import monotonic

__all__ = ["Clock"]

logger = logging.getLogger("edgezero_spin.host")


class Clock:
    """Calls what is due. What it calls must be quick and raise nothing."""

    def __init__(self) -> None:
        """Start no thread yet."""
        self._condition = threading.Condition()
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def at(self, when_s: float, action: Callable[[], None]) -> None:
        """Call this at a time; a closed clock calls nothing.

        Args:
            when_s: As ``time.monotonic`` counts.
            action: What to call, on the clock's thread.
        """
        with self._condition:
            if self._closed:
                return
            heapq.heappush(self._entries, (when_s, next(self._numbers), action))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="edgezero-clock", daemon=True
                )
                self._thread.start()
            elif self._entries[0][0] == when_s:
                self._condition.notify_all()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._closed:
                    if not self._entries:
                        self._condition.wait()
                        continue
                    left = self._entries[0][0] - monotonic()
                    if left <= 0:
                        break
                    self._condition.wait(min(left, threading.TIMEOUT_MAX))
                if self._closed:
                    return
                _, _, action = heapq.heappop(self._entries)
            try:
                action()
            except Exception:
                logger.exception("what was due failed")

    def close(self) -> None:
        """Call nothing any more. Twice is harmless."""
        with self._condition:
            self._closed = True
            self._entries.clear()
            self._condition.notify_all()
