"""Results of events that a test handed over."""

from collections.abc import Callable

from edgezero_spin.testing.errors import KitError
from edgezero_spin.testing.response import Usage
from edgezero_spin.testing.store_log import StoreLog

__all__ = ["EventResult"]

# pytest shows a failure where the test made it happen, not here.
__tracebackhide__ = True


class EventResult:
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
        self.event = event
        self.error = error
        self.usage = usage
        self._calls = calls
        self._output = output

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

    @property
    def calls(self) -> StoreLog:
        """The calls on stores since the event was handed over."""
        return self._calls()

    @property
    def stdout(self) -> str:
        """What was written to standard output since then."""
        return self._output()[0].decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """What was written to standard error since then."""
        return self._output()[1].decode("utf-8", "replace")

    def __repr__(self) -> str:
        return f"<{self.event}: {self.error or 'ok'}>"
