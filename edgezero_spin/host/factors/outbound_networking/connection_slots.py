"""The limit on connections of one kind that an application holds at once.

Source: contract spin-host.md, NET-40 to NET-43.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator

__all__ = ["ConnectionSlots"]


class ConnectionSlots:
    """The connections of one kind; used from any thread.

    Attributes:
        most: Connections at once; ``None`` for any number.
        total: The connections of every kind, of which these are some; ``None`` for no such
            limit (NET-41).
    """

    def __init__(self, most: int | None = None, total: "ConnectionSlots | None" = None) -> None:
        self.most = most
        self.total = total
        self._lock = threading.Lock()
        self._held = 0
        self._waiters: list[Callable[[], None]] = []

    @property
    def none_at_all(self) -> bool:
        """Whether waiting for a slot is in vain."""
        return self.most == 0 or (self.total is not None and self.total.none_at_all)

    def claim(self) -> bool:
        """Take a slot; return ``False`` when there is none left."""
        with self._lock:
            if self.most is not None and self._held >= self.most:
                return False
            self._held += 1
        if self.total is not None and not self.total.claim():
            # Nobody is told: who waits for these waits for the total as well.
            with self._lock:
                self._held -= 1
            return False
        return True

    def release(self) -> None:
        """Give a slot back."""
        with self._lock:
            self._held -= 1
            waiters = list(self._waiters)
        if self.total is not None:
            self.total.release()
        # All of them: who is told first may have lost interest.
        for waiter in waiters:
            waiter()

    @contextlib.contextmanager
    def waiter(self, told: Callable[[], None]) -> Iterator[None]:
        """Have ``told`` called after each release, on the thread of the release."""
        with self._lock:
            self._waiters.append(told)
        try:
            with contextlib.nullcontext() if self.total is None else self.total.waiter(told):
                yield
        finally:
            with self._lock:
                self._waiters.remove(told)
