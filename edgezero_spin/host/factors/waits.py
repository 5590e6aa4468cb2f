"""Waits that a guest's thread may have to end: for a socket, or for another thread's lock.

Source: contract spin-host.md, LIFE-7.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from time import monotonic
from typing import Self

__all__ = ["PATIENCE_S", "READ", "WRITE", "Check", "SocketWait", "locked", "no_check"]

READ = EVENT_READ
WRITE = EVENT_WRITE

PATIENCE_S = 0.25
"""Seconds between two checks of a wait."""

Check = Callable[[], None]
"""Raises what ends a wait; called every quarter of a second."""


def no_check() -> None:
    """Let a wait take as long as it does."""


@contextmanager
def locked(lock: threading.Lock, check: Check) -> Iterator[None]:
    """Hold a lock that another thread may keep for long."""
    while not lock.acquire(timeout=PATIENCE_S):
        check()
    try:
        yield
    finally:
        lock.release()


class SocketWait:
    """Waits for one descriptor. ``close`` it, or use it in ``with``."""

    def __init__(self, descriptor: int) -> None:
        # Not select.select(), which stops at file descriptor 1023.
        self._selector = DefaultSelector()
        self._descriptor = descriptor
        self._events = READ
        self._selector.register(descriptor, READ)

    def __call__(self, events: int, check: Check, until: float | None = None) -> int:
        """Wait until it can be read or written; return which.

        Args:
            events: ``READ``, ``WRITE`` or both.
            until: ``monotonic`` time at which the wait ends.

        Raises:
            TimeoutError: That time has come.
        """
        if events != self._events:
            self._selector.modify(self._descriptor, events)
            self._events = events
        while True:
            left = PATIENCE_S if until is None else min(PATIENCE_S, max(0.0, until - monotonic()))
            ready = self._selector.select(left)
            if ready:
                return ready[0][1]
            check()
            if until is not None and monotonic() >= until:
                raise TimeoutError("timed out")

    def close(self) -> None:
        """Stop watching the descriptor, which stays open. Twice is harmless."""
        self._selector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
