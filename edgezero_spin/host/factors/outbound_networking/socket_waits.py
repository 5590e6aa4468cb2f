"""Waiting for the socket of a client library, on a thread that may have to stop waiting.

In: a file descriptor, and what to ask while nothing happens. The library itself never waits.

Source: contract spin-host.md, LIFE-7.
"""

from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from time import monotonic
from typing import Self

__all__ = ["PATIENCE_S", "READ", "WRITE", "Check", "SocketWait"]

READ = EVENT_READ
WRITE = EVENT_WRITE

PATIENCE_S = 0.25
"""Seconds between two looks of a wait at whether it may go on."""

Check = Callable[[], None]
"""Raises what ends a wait."""


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
            check: Called every quarter of a second; what it raises ends the wait.
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
