"""Calls: the common part of an HTTP request and of an event, which is all that executors know.

An ``Exchange`` is the call of an HTTP request, a ``TriggerEvent`` that of any other trigger.
"""

import enum
from collections.abc import Callable

import attrs

from edgezero_spin.host.observers import ComponentUsage, RequestObserver

__all__ = ["Failure", "FailureKind", "GuestCall"]


def _nothing() -> None:
    return None


class FailureKind(enum.Enum):
    """What kept a call from its end."""

    NO_RESPONSE = enum.auto()
    """The guest returned without a response, or answered with an error code."""
    UNFINISHED = enum.auto()
    """The guest returned before the end of its response body."""
    TRAPPED = enum.auto()
    """The guest stopped, or could not be started."""
    BUSY = enum.auto()
    """No instance was free."""


@attrs.frozen
class Failure:
    """Why a call has no result, or not a whole one.

    Attributes:
        kind: What happened; programs decide by this alone.
        detail: One sentence for people.
    """

    kind: FailureKind
    detail: str

    def __str__(self) -> str:
        return self.detail


class GuestCall:
    """A call on its way through one instance.

    Attributes:
        what: What it is, for the log.
        failure: Why there will be no result, once that is known.
        returned: The instance is done with it.
        abandoned: Nobody waits for the result any more.
        observer: Follows it; ``None`` where nobody does.
        on_abandon: Tells the guest's side that nobody waits any more; that side sets it.
    """

    __slots__ = ("abandoned", "failure", "observer", "on_abandon", "returned", "what")

    def __init__(self, what: str) -> None:
        self.what = what
        self.failure: Failure | None = None
        self.returned = False
        self.abandoned = False
        self.observer: RequestObserver | None = None
        self.on_abandon: Callable[[], None] = _nothing

    @property
    def answered(self) -> bool:
        """Whether there is a result, or the beginning of one."""
        raise NotImplementedError

    @property
    def whole(self) -> bool:
        """Whether a result that is there is all that was to come."""
        raise NotImplementedError

    def flush(self) -> None:
        """Announce what is still unannounced."""

    def finish(self, failure: Failure) -> None:
        """Close the guest's side: a call without a result ends with ``failure``."""
        raise NotImplementedError

    def end_observation(self) -> None:
        """Tell whoever follows it, once, that a component which others share is done with it."""
        observer, self.observer = self.observer, None
        if observer is not None and observer.sees_component:
            observer.component_ended(ComponentUsage())

    def released(self) -> None:
        """Note that its instance is there for the next call, or gone."""
