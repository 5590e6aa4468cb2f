"""One event of a trigger and the function of a guest that takes it.

In: the arguments of the function. Out: an ``EventOutcome``, once the guest returned, trapped or
could not be started.

Source: contract services.md, TRG-9, RDT-8, CRN-6, MQT-4.
"""

import enum
from collections.abc import Callable
from typing import Any

import attrs

from edgezero_spin.host.exchange.call import Failure, GuestCall

__all__ = ["EventOutcome", "OutcomeKind", "TriggerEvent"]


class OutcomeKind(enum.Enum):
    """How a component's function ended."""

    OK = "ok"
    """It returned ``ok``."""
    ERROR = "error"
    """It returned an error of its own."""
    FAILED = "failed"
    """It trapped, ran out of time, or no instance could be had."""


@attrs.frozen
class EventOutcome:
    """How one component took one event.

    Attributes:
        kind: How its function ended; programs decide by this alone.
        detail: What it returned or why it failed, for people; empty where it returned ``ok``.
    """

    component_id: str
    kind: OutcomeKind
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether the function returned ``ok``."""
        return self.kind is OutcomeKind.OK


class TriggerEvent(GuestCall):
    """An event on its way through one instance.

    Attributes:
        component_id: The component that takes it.
        arguments: Of its function, in Python form; see ``runtime/interface.py``.
        outcome: How it ended, once it did.
    """

    __slots__ = ("_done", "_told", "arguments", "component_id", "outcome")

    def __init__(
        self,
        component_id: str,
        arguments: tuple[Any, ...],
        *,
        what: str,
        done: Callable[[EventOutcome], None],
    ) -> None:
        """Make an event that no instance has yet.

        Args:
            component_id: See the attribute.
            arguments: See the attribute.
            what: What it is, for the log.
            done: Called once, with the outcome, when the instance is free again; on any thread.
        """
        super().__init__(what)
        self.component_id = component_id
        self.arguments = arguments
        self.outcome: EventOutcome | None = None
        self._done = done
        self._told = False

    @property
    def answered(self) -> bool:
        """Whether the guest's function ended."""
        return self.outcome is not None

    @property
    def whole(self) -> bool:
        """An outcome has no parts."""
        return True

    def returned_ok(self) -> None:
        """Note that the function returned ``ok``."""
        self._settle(OutcomeKind.OK, "")

    def returned_error(self, detail: str) -> None:
        """Note that the function returned an error of its own."""
        self._settle(OutcomeKind.ERROR, detail)

    def finish(self, failure: Failure) -> None:
        """Note that the function failed, unless it ended before."""
        self.returned = True
        if self.outcome is None:
            self.failure = failure
        self._settle(OutcomeKind.FAILED, str(failure))

    def released(self) -> None:
        """Tell the outcome; the instance is there for the next event, or gone."""
        if self.outcome is not None and not self._told:
            self._told = True
            self._done(self.outcome)

    def _settle(self, kind: OutcomeKind, detail: str) -> None:
        if self.outcome is None:
            self.outcome = EventOutcome(self.component_id, kind, detail)
