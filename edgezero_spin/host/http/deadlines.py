"""Times by which a client has to move on, both ways, with one timer for a connection.

A deadline that moves costs an addition: the timer is only ever too early, and looks again.
"""

import asyncio
import math
from collections.abc import Callable

__all__ = ["Deadlines"]


class Deadlines:
    """When a client has to have sent something, and taken something."""

    __slots__ = ("_due", "_loop", "_on_read", "_on_write", "_read_by", "_timer", "_write_by")

    def __init__(self, on_read: Callable[[], None], on_write: Callable[[], None]) -> None:
        """Expect nothing yet.

        Args:
            on_read: Called when nothing was sent in time.
            on_write: Called when nothing was taken in time.
        """
        self._loop = asyncio.get_running_loop()
        self._on_read = on_read
        self._on_write = on_write
        self._read_by = math.inf
        self._write_by = math.inf
        self._timer: asyncio.TimerHandle | None = None
        # When the timer looks.
        self._due = math.inf

    @property
    def expects_bytes(self) -> bool:
        """Whether something has to be sent."""
        return self._read_by < math.inf

    def read_within(self, seconds: float) -> None:
        """Expect something to be sent."""
        self._read_by = by = self._loop.time() + seconds
        if by < self._due:
            self._arm()

    def read_by(self, time: float) -> None:
        """Expect something to be sent before a time of the loop's clock."""
        self._read_by = time
        self._arm()

    def read_any_time(self) -> None:
        """Expect nothing to be sent."""
        self._read_by = math.inf

    def write_within(self, seconds: float) -> None:
        """Expect something to be taken."""
        self._write_by = self._loop.time() + seconds
        self._arm()

    def write_any_time(self) -> None:
        """Expect nothing to be taken."""
        self._write_by = math.inf

    def close(self) -> None:
        """Call nothing from now on."""
        self._read_by = self._write_by = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._due = None, math.inf

    def _arm(self) -> None:
        due = min(self._read_by, self._write_by)
        if self._due <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer, self._due = None, math.inf
        now = self._loop.time()
        if self._write_by <= now:
            self._write_by = math.inf
            self._on_write()
        if self._read_by <= now:
            self._read_by = math.inf
            self._on_read()
        if self._timer is None and min(self._read_by, self._write_by) < math.inf:
            self._arm()
