"""The client whose request a guest answers, found from within host functions.

An application is loaded once and given to one test after the other. What belongs to a test
(stores, variables, environment, output, clock) is therefore never part of it; the guest's
thread carries a ``GuestContext`` while it answers, and host functions look it up.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgezero_spin.testing.component import ComponentClient

__all__ = ["CURRENT", "GuestContext", "current_client"]


class GuestContext:
    """What the guest's thread carries, and what its request has cost so far.

    A guest that calls another component, or its own application, may end before that does;
    the bill is complete when the last of them has ended.

    Attributes:
        client: Who asked.
        depth: How many guests wait for this one.
        host_calls: Calls of this guest to the host so far.
    """

    def __init__(
        self,
        client: "ComponentClient",
        on_settled: "Callable[[GuestContext], None]",
        depth: int = 0,
    ) -> None:
        """Begin a bill.

        Args:
            client: See the attribute.
            on_settled: Called when this guest and all that it called have ended, on the
                thread of the last.
            depth: See the attribute.
        """
        self.client = client
        self.depth = depth
        self.host_calls = 0
        self._on_settled = on_settled
        self._lock = threading.Lock()
        self._open = 1
        self._called = (0, 0)

    @property
    def total(self) -> tuple[int, int]:
        """Instructions and calls to the host, of all together; final when it is settled."""
        fuel, calls = self._called
        return fuel, calls + self.host_calls

    def call(self) -> "GuestContext":
        """Return what a guest carries that this one calls; it has to be ``ended``."""
        with self._lock:
            self._open += 1
        return GuestContext(self.client, self._add, self.depth + 1)

    def ended(self, fuel: int) -> None:
        """Say that this guest has ended, and how many instructions it took."""
        self._close(fuel, 0)

    def _add(self, called: "GuestContext") -> None:
        self._close(*called.total)

    def _close(self, fuel: int, calls: int) -> None:
        with self._lock:
            self._called = (self._called[0] + fuel, self._called[1] + calls)
            self._open -= 1
            settled = self._open == 0
        if settled:
            self._on_settled(self)


class _Current(threading.local):
    context: GuestContext | None = None


CURRENT = _Current()
"""What the present thread carries."""


def current_client() -> "ComponentClient":
    """Return the client that asked.

    Raises:
        RuntimeError: No guest of the kit runs on this thread.
    """
    context = CURRENT.context
    if context is None:
        raise RuntimeError("a host function of the testing kit was called outside of a request")
    return context.client
