"""The limit on connections of one kind that an application holds at once.

Spin waits for a slot without end; here the wait has a limit, and an instance that holds
every slot itself does not wait.

Source: contract spin-host.md, NET-40 to NET-43; services.md, SVC-5 to SVC-7, TEL-43.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Literal

from edgezero_spin.host.factors.waits import PATIENCE_S, Check
from edgezero_spin.host.observers import ConnectionUse, Observer

__all__ = ["MAX_CONNECTIONS", "WAIT_S", "ConnectionSlots"]

WAIT_S = 30.0
"""Seconds to wait for a slot."""

MAX_CONNECTIONS = 1024
"""Open handles of one kind that an instance may hold (SVC-7)."""


class ConnectionSlots:
    """The connections of one kind; used from any thread.

    Attributes:
        most: Connections at once; ``None`` for any number.
        total: The connections of every kind, of which these are some; ``None`` for no such
            limit (NET-41).
        kind: What an observer is told that they are.
        observer: Told of each; ``None`` where nobody is.
    """

    def __init__(
        self, most: int | None = None, total: "ConnectionSlots | None" = None, kind: str = ""
    ) -> None:
        self.most = most
        self.total = total
        self.kind = kind
        self.observer: Observer | None = None
        self._lock = threading.Lock()
        self._held = 0
        self._waiters: list[Callable[[], None]] = []

    @property
    def none_at_all(self) -> bool:
        """Whether there can never be a slot."""
        return self.most == 0 or (self.total is not None and self.total.none_at_all)

    @property
    def _utilization(self) -> float | None:
        return self._held / self.most if self.most else None

    def claim(self, waited_s: float | None = None) -> bool:
        """Take a slot; return ``False`` when there is none left.

        Args:
            waited_s: Seconds that the caller waited for it; ``None`` where it did not.
        """
        with self._lock:
            if self.most is not None and self._held >= self.most:
                return False
            self._held += 1
        if self.total is not None and not self.total.claim():
            # No waiter is called: those of these slots wait for the total as well.
            with self._lock:
                self._held -= 1
            return False
        if self.observer is not None:
            self._report("acquired", waited_s=waited_s)
        return True

    def wait(self, held: int, check: Check) -> bool:
        """Take a slot, waiting for one if need be; return whether it was had.

        Args:
            held: How many of them the instance that wants it holds.
            check: What it raises ends the wait.
        """
        if self.claim():
            return True
        if self.none_at_all or (self.most is not None and held >= self.most):
            self.report_rejection()
            return False
        began = monotonic()
        released = threading.Event()
        with self.waiter(released.set):
            while not self.claim(monotonic() - began):
                if monotonic() >= began + WAIT_S:
                    self.report_rejection()
                    return False
                released.wait(PATIENCE_S)
                released.clear()
                check()
        return True

    def report_rejection(self) -> None:
        """Tell the observer that a connection is refused for lack of a slot."""
        if self.observer is not None:
            total = self.total
            exhausted = total is not None and total.most is not None and total._held >= total.most
            self._report("rejected", limit="global" if exhausted else "factor")

    def release(self) -> None:
        """Give a slot back."""
        with self._lock:
            self._held -= 1
            waiters = list(self._waiters)
        if self.total is not None:
            self.total.release()
        # All of them: the first may not wait any more.
        for waiter in waiters:
            waiter()
        if self.observer is not None:
            self._report("released")

    def _report(
        self,
        event: Literal["acquired", "rejected", "released"],
        *,
        waited_s: float | None = None,
        limit: Literal["factor", "global"] | None = None,
    ) -> None:
        total = None if self.total is None else self.total._utilization
        use = ConnectionUse(self.kind, event, waited_s, limit, self._utilization, total)
        if self.observer is not None:
            self.observer.connection_used(use)

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
