"""Waitables, waitable sets and subtasks: what the tasks of a component wait for.

A ``Waitable`` has at most one pending event, which is computed when it is delivered. A
``WaitableSet`` knows which of its members have one, and wakes the tasks that wait on it.

Source: ``CanonicalABI.md``, "Waitable State" and "Subtask State"; contract wasi03.md, CA-2,
CA-3, CA-17, CA-32, CA-41.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.runtime.handles import Handle

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.tasks import Task

__all__ = [
    "BLOCKED",
    "NO_EVENT",
    "TASK_CANCELLED",
    "EventCode",
    "Subtask",
    "SubtaskState",
    "Waitable",
    "WaitableEvent",
    "WaitableSet",
]

BLOCKED = 0xFFFF_FFFF
"""Result of an operation that goes on; its event comes later."""

WaitableEvent = tuple[int, int, int]
"""Code and two payloads."""


class EventCode(IntEnum):
    """What an event says."""

    NONE = 0
    SUBTASK = 1
    STREAM_READ = 2
    STREAM_WRITE = 3
    FUTURE_READ = 4
    FUTURE_WRITE = 5
    TASK_CANCELLED = 6


NO_EVENT: WaitableEvent = (0, 0, 0)
TASK_CANCELLED: WaitableEvent = (6, 0, 0)


class Waitable:
    """What can be waited for: a subtask, or an end of a stream or future.

    Attributes:
        index: Its handle.
        event: Computes the pending event; ``None`` where there is none.
        waited: A call that blocks waits for it.
    """

    __slots__ = ("event", "index", "set", "waited")

    def __init__(self) -> None:
        self.index = 0
        self.event: Callable[[], WaitableEvent] | None = None
        self.set: WaitableSet | None = None
        self.waited = False

    def notify(self, event: Callable[[], WaitableEvent]) -> None:
        """Set the pending event, in place of one that was not delivered."""
        self.event = event
        if self.set is not None:
            self.set.note(self)

    def take(self) -> WaitableEvent:
        """Deliver the pending event."""
        event, self.event = self.event, None
        if self.set is not None:
            self.set.ready.pop(self, None)
        if event is None:
            raise RuntimeError("no event is pending")
        return event()

    def join(self, target: "WaitableSet | None") -> None:
        """Move into a set, or out of any.

        Raises:
            Trap: A call that blocks waits for this.
        """
        if self.waited:
            raise Trap("waitable cannot be used synchronously while added to a waitable set")
        if self.set is not None:
            del self.set.members[self]
            self.set.ready.pop(self, None)
        self.set = target
        if target is not None:
            target.members[self] = None
            if self.event is not None:
                target.note(self)

    def check_alone(self) -> None:
        """Check that this can be waited for by itself.

        Raises:
            Trap: It is in a set.
        """
        if self.set is not None:
            raise Trap("waitable cannot be used synchronously while added to a waitable set")


class WaitableSet:
    """Waitables that tasks wait for together.

    Attributes:
        members: In the order they joined.
        ready: Those with a pending event.
        waiting: How many tasks wait.
    """

    __slots__ = ("_sleepers", "members", "ready", "waiting")

    def __init__(self) -> None:
        self.members: dict[Waitable, None] = {}
        self.ready: dict[Waitable, None] = {}
        self.waiting = 0
        self._sleepers: dict[Task, None] = {}

    def note(self, member: Waitable) -> None:
        """Note that a member has an event, and wake a task that sleeps."""
        self.ready[member] = None
        for task in self._sleepers:
            task.wake()

    def sleep(self, task: "Task") -> None:
        """Note a task to wake."""
        self.waiting += 1
        self._sleepers[task] = None

    def leave(self, task: "Task") -> None:
        """Note that a task waits no more."""
        self.waiting -= 1
        del self._sleepers[task]

    def take(self) -> WaitableEvent:
        """Deliver the event that came first."""
        return next(iter(self.ready)).take()

    def check_drop(self) -> None:
        """Check that the set can go.

        Raises:
            Trap: It has members, or tasks wait on it.
        """
        if self.members:
            raise Trap("cannot drop waitable set: resource has children")
        if self.waiting:
            raise Trap("cannot drop waitable set with waiters")


class SubtaskState(IntEnum):
    """How far a call has come, as its caller sees it."""

    STARTING = 0
    STARTED = 1
    RETURNED = 2
    CANCELLED_BEFORE_STARTED = 3
    CANCELLED_BEFORE_RETURNED = 4


class Subtask(Waitable):
    """A call in progress, on its caller's side.

    Attributes:
        state: How far it is.
        lent: Handles that it borrows from, until its end is delivered.
        delivered: Its end was delivered.
        cancel: Asks for its cancellation.
        cancelling: That was done.
    """

    __slots__ = ("cancel", "cancelling", "delivered", "lent", "state")

    def __init__(self) -> None:
        super().__init__()
        self.state = SubtaskState.STARTING
        self.lent: list[Handle] = []
        self.delivered = False
        self.cancel: Callable[[], None] = _nothing
        self.cancelling = False

    @property
    def resolved(self) -> bool:
        """Whether the call came to an end."""
        return self.state >= SubtaskState.RETURNED

    def advance(self, state: SubtaskState) -> None:
        """Note a new state, which becomes an event once the caller has a handle."""
        self.state = state
        if self.index:
            self.notify(self._event)

    def deliver(self) -> None:
        """Give lent handles back: the caller knows that the call ended."""
        self.delivered = True
        lent, self.lent = self.lent, []
        for handle in lent:
            handle.lends -= 1

    def _event(self) -> WaitableEvent:
        if self.resolved:
            self.deliver()
        return EventCode.SUBTASK, self.index, self.state


def _nothing() -> None:
    pass
