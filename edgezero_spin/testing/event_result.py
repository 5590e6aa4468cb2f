"""Results of events that a test handed over."""

from collections.abc import Callable

from edgezero_spin.testing.errors import KitError
from edgezero_spin.testing.response import Recorded, Usage
from edgezero_spin.testing.store_log import StoreLog

__all__ = ["EventResult"]

# pytest shows a failure where the test made it happen, not here.
__tracebackhide__ = True


class EventResult(Recorded):
    """How a handler took an event.

    Attributes:
        event: The event, for messages.
        error: Why the handler failed, in one line; ``None`` where it did not.
        usage: What it cost, in a component.
    """

    def __init__(
        self,
        event: str,
        error: str | None,
        *,
        calls: Callable[[], StoreLog],
        output: Callable[[], tuple[bytes, bytes]],
        usage: Usage | None = None,
    ) -> None:
        """Made by a client."""
        super().__init__(calls, output)
        self.event = event
        self.error = error
        self.usage = usage

    @property
    def ok(self) -> bool:
        """Whether the handler came to its end."""
        return self.error is None

    def raise_for_error(self) -> "EventResult":
        """Return the result of a handler that did not fail.

        Raises:
            KitError: It failed; with what it wrote to standard error.
        """
        if self.error is not None:
            raise KitError(f"{self.event} failed: {self.error}\n{self.stderr}".rstrip())
        return self

    def __repr__(self) -> str:
        return f"<{self.event}: {self.error or 'ok'}>"
