"""Tasks: calls of lifted functions that may wait.

A function lifted ``async`` with a callback returns to the host whenever it waits and is called
back with an event; its task lives in between. A function lifted synchronously runs from its
call to its end, on the stack. Functions of asynchronous type begin only when their component
instance lets them: no other task of it runs, and it asked for no backpressure.

Source: ``CanonicalABI.md``, "Tasks" and "``canon lift``"; contract wasi03.md, CA-1, CA-30 to
CA-41.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.runtime.handles import Call, ComponentInstance
from edgezero_spin.host.runtime.scheduler import Frame, Scheduler
from edgezero_spin.host.runtime.traps import cannot_enter
from edgezero_spin.host.runtime.waitables import (
    NO_EVENT,
    TASK_CANCELLED,
    WaitableEvent,
    WaitableSet,
)

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.callees import Callee
    from edgezero_spin.host.runtime.instance import Instance

__all__ = ["CANCELLED", "Arguments", "Cancel", "Resolve", "Task", "scheduler_of"]

CANCELLED = object()
"""What a task resolves to that was cancelled."""

_EXIT, _YIELD, _WAIT = 0, 1, 2

Arguments = Callable[[], tuple[Any, ...]]
Resolve = Callable[[Any], None]


class _State(Enum):
    STARTING = 0
    RUNNING = 1
    WAITING = 2
    ENDED = 3


class Cancel(Enum):
    """How far the cancellation of a task is."""

    NONE = 0
    PENDING = 1
    DELIVERED = 2


class Task:
    """One call of a lifted function.

    Attributes:
        owner: The running instance.
        callee: The function; ``None`` for a call of the host's own, as of a start function.
        arguments: Lifts or returns the parameters; called when the task starts.
        resolve: Gets the result, or ``CANCELLED``.
        reject: Gets the error where the arguments do not fit; ``None`` raises it.
        resolved: There is a result.
        cancel: How far its cancellation is.
        call: The call that borrowed handles end with.
        storage: What ``context.set`` stores.
        context: What whoever started it put there; the tasks that it calls have the same.
        queued: It stands in the queue of the scheduler.
    """

    __slots__ = (
        "_needs_exclusive",
        "_set",
        "_state",
        "arguments",
        "call",
        "callee",
        "cancel",
        "component",
        "context",
        "owner",
        "queued",
        "reject",
        "resolve",
        "resolved",
        "storage",
    )

    def __init__(
        self,
        owner: "Instance",
        component: ComponentInstance,
        callee: "Callee | None" = None,
        arguments: Arguments = tuple,
        resolve: Resolve = lambda _: None,
        reject: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.owner = owner
        self.component = component
        self.callee = callee
        self.arguments = arguments
        self.resolve = resolve
        self.reject = reject
        self.resolved = False
        self.cancel = Cancel.NONE
        self.call = Call()
        self.storage = [0, 0]
        tasks = owner.tasks
        self.context: Any = None if tasks is None else tasks.current.context
        self.queued = False
        self._needs_exclusive = callee is not None and callee.needs_exclusive
        self._set: WaitableSet | None = None
        self._state = _State.STARTING

    @property
    def must_not_block(self) -> bool:
        """Whether the function has to return before anything may block."""
        callee = self.callee
        return not self.resolved and (callee is None or not callee.is_async)

    def start(self, frame: Frame) -> None:
        """Begin, or wait for the turn.

        Raises:
            Trap: The call may not enter the component instance.
        """
        component, callee = self.component, self.callee
        self._check_enter(frame[0])
        tasks = scheduler_of(self.owner)
        tasks.live.add(self)
        if callee is not None and callee.is_async and not self._is_free(waiting=True):
            component.starting += 1
            self.wake()
        else:
            self._begin(frame)

    def _check_enter(self, entered: Sequence[int]) -> None:
        components = self.owner.components
        for index in entered:
            if not components[index].may_enter:
                raise cannot_enter()

    def _is_free(self, *, waiting: bool) -> bool:
        component = self.component
        return (
            (component.exclusive is None or not self._needs_exclusive)
            and not component.backpressure
            and not (waiting and component.starting)
        )

    def wake(self) -> None:
        """Stand in the queue."""
        if not self.queued:
            self.queued = True
            scheduler_of(self.owner).enqueue(self)

    def runnable(self) -> bool:
        """Tell whether the task can go on now; leave the queue if so, or if it never can."""
        callee = self.callee
        if callee is None or self._state not in (_State.STARTING, _State.WAITING):
            self.queued = False
            return False
        if self._state is _State.WAITING:
            wset = self._set
            if wset is not None and not wset.ready and self.cancel is not Cancel.PENDING:
                self.queued = False
                return False
            if self.component.exclusive is not None:
                return False
        elif not self._is_free(waiting=False):
            return False
        components = self.owner.components
        for index in callee.entered:
            if not components[index].may_enter:
                return False
        self.queued = False
        return True

    def turn(self) -> None:
        """Run until the task waits or ends."""
        callee = self.callee
        if callee is None:
            return
        frame = (callee.entered, False)
        if self._state is _State.STARTING:
            self.component.starting -= 1
            self._begin(frame)
            return
        wset = self._set
        if self.cancel is Cancel.PENDING:
            self.cancel, event = Cancel.DELIVERED, TASK_CANCELLED
        else:
            event = NO_EVENT if wset is None else wset.take()
        self._call_back(event, frame)

    def _begin(self, frame: Frame) -> None:
        callee = self.callee
        self._state = _State.RUNNING
        if callee is not None:
            self._within(frame, callee.begin, self)

    def _call_back(self, event: WaitableEvent, frame: Frame) -> None:
        callee = self.callee
        if callee is None:
            return
        wset, self._set = self._set, None
        if wset is not None:
            wset.leave(self)
        self._state = _State.RUNNING
        self._within(frame, callee.call_back, self, event)

    def _within(self, frame: Frame, work: Callable[..., None], *arguments: Any) -> None:
        """Run code of the component instance as this task."""
        owner, component = self.owner, self.component
        components, tasks = owner.components, scheduler_of(owner)
        exclusive = self._needs_exclusive
        previous = tasks.enter(frame, self)
        for index in frame[0]:
            components[index].may_enter = False
        if exclusive:
            component.exclusive = self
        try:
            work(*arguments)
        finally:
            if exclusive:
                component.exclusive = None
            for index in frame[0]:
                components[index].may_enter = True
            tasks.leave(previous)

    def react(self, packed: int) -> None:
        """Do what a function lifted with a callback returned: exit, yield or wait.

        Raises:
            Trap: It returned anything else, or exits without a result.
        """
        code = packed & 15
        if code == _EXIT:
            self.end()
            return
        if code == _WAIT:
            wset = self.component.entry(packed >> 4, WaitableSet)
            self._set = wset
            wset.sleep(self)
            if wset.ready or self.cancel is Cancel.PENDING:
                self.wake()
        elif code == _YIELD:
            self.wake()
        else:
            raise Trap(f"unsupported callback code: {code}")
        self._state = _State.WAITING

    def end(self) -> None:
        """Note that the last code of the task ran.

        Raises:
            Trap: There is no result.
        """
        if not self.resolved:
            raise Trap("wasm trap: async-lifted export failed to produce a result")
        self._state = _State.ENDED
        scheduler_of(self.owner).live.discard(self)

    def finish(self, value: Any) -> None:
        """Give the result to the caller, or ``CANCELLED``.

        Raises:
            Trap: There is one already, or borrowed handles are left.
        """
        if self.resolved:
            raise Trap("`task.return` or `task.cancel` called more than once")
        self.call.finish()
        self.resolved = True
        self.resolve(value)

    def refuse(self, error: BaseException) -> None:
        """End before the start: the arguments do not fit."""
        if self.reject is None:
            raise error
        self._state = _State.ENDED
        scheduler_of(self.owner).live.discard(self)
        self.reject(error)

    def request_cancel(self, entered: Sequence[int]) -> None:
        """Cancel a task whose caller wants no result.

        Args:
            entered: What a call from that caller enters.
        """
        if self._state is _State.STARTING:
            self.component.starting -= 1
            self._state, self.queued = _State.ENDED, False
            scheduler_of(self.owner).live.discard(self)
            self.cancel = Cancel.DELIVERED
            self.finish(CANCELLED)
            return
        components = self.owner.components
        if (
            self._state is _State.WAITING
            and self.component.exclusive is None
            and all(components[index].may_enter for index in entered)
        ):
            self.cancel = Cancel.DELIVERED
            self._call_back(TASK_CANCELLED, (entered, True))
        else:
            self.cancel = Cancel.PENDING
            if self._state is _State.WAITING:
                self.wake()

    def take_cancel(self) -> bool:
        """Deliver a pending cancellation to a call that can take it."""
        if self.cancel is not Cancel.PENDING:
            return False
        self.cancel = Cancel.DELIVERED
        return True


def scheduler_of(owner: "Instance") -> Scheduler:
    """Return the scheduler of an instance that runs tasks."""
    tasks = owner.tasks
    if tasks is None:
        raise RuntimeError("the component has no asynchronous functions")
    return tasks
