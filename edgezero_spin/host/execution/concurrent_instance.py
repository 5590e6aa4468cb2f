"""One instance of WASI 0.3 and the requests in it.

An instance has no thread of its own: it runs in *turns*. A turn begins what was accepted, lets
every task go on that can, and ends when all of them wait. Whatever an instance waits for is
posted to it, which makes another turn due.

In: requests that the executor chose it for. Out: their answers. When it is chosen, and when it
ends, is the executor's business.

Source: contract wasi03.md, IL-10 to IL-27, IL-40 to IL-46.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic, monotonic_ns, thread_time
from typing import Protocol

import attrs

from edgezero_spin.host.errors import InstanceError
from edgezero_spin.host.exchange.call import Failure
from edgezero_spin.host.execution.executor import InstanceWatch
from edgezero_spin.host.execution.loop_owner import LoopOwner
from edgezero_spin.host.execution.shared_call import SharedCall, SharedComponent
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.usage import note_ended
from edgezero_spin.host.runtime.engine import InstanceLimits
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.scheduler import Scheduler

__all__ = ["ConcurrentInstance", "Owner"]

ROUND_S = 0.002
"""Seconds after which a turn that finds more to do lets others have theirs."""


class Owner(Protocol):
    """Whoever chose an instance: the executor."""

    def make(self, shared: "ConcurrentInstance") -> Instance:
        """Make the engine's instance, whose slot may have to be freed first."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """Where coroutines of the host run."""

    def schedule(self, shared: "ConcurrentInstance") -> None:
        """Have the instance take a turn."""

    def rested(self, shared: "ConcurrentInstance") -> bool:
        """All tasks wait. Return whether there is more to begin with."""

    def end(self, shared: "ConcurrentInstance", error: BaseException) -> None:
        """The instance is of no more use."""


@attrs.define(eq=False)
class ConcurrentInstance:
    """An instance, from its choice for the first request to its end.

    What is not said to be otherwise is the executor's, under its lock.

    Attributes:
        owner: The executor.
        component: What it is an instance of.
        limits: What it may spend; the deadline counts for each request.
        left: Requests that it may still accept.
        capacity: Requests that it may have without a response at once.
        watch: Who follows its only request.
        loop_owner: Of the event loop that the last request came from, where it has one.
        state: Of the instance.
        calls: Requests whose clients have not all that they get.
        rested: All of its tasks waited since it accepted the last request.
        placed: It holds a place of the worker pool.
        ended: It is of no more use.
        progressed_s: When its present turn last began something.
        turn_since_s: When its present turn began; 0 while it has none.
        until_s: When it ends unless something happens; ``None`` for never.
        answered_since_s: Since when no request waits for its response.
        warned: The log says that it blocks its requests.
        expired: Requests whose time was up and of which the log does not say so yet.
        told_expired: The log says of one that its time was up.
        told_deadline: The log says of the instance that it ended for that.
        called_with: What its last call was, for the log.
    """

    owner: Owner
    component: SharedComponent
    limits: InstanceLimits
    left: int
    capacity: int
    watch: InstanceWatch | None = None
    loop_owner: LoopOwner | None = attrs.field(default=None, init=False)
    state: InstanceState = attrs.field(init=False)
    instance: Instance | None = attrs.field(default=None, init=False)
    calls: list[SharedCall] = attrs.field(factory=list, init=False)
    rested: bool = attrs.field(default=True, init=False)
    placed: bool = attrs.field(default=True, init=False)
    ended: bool = attrs.field(default=False, init=False)
    progressed_s: float = attrs.field(factory=monotonic, init=False)
    turn_since_s: float = attrs.field(default=0.0, init=False)
    until_s: float | None = attrs.field(default=None, init=False)
    answered_since_s: float | None = attrs.field(default=None, init=False)
    timer_set: bool = attrs.field(default=False, init=False)
    warned: bool = attrs.field(default=False, init=False)
    expired: deque[SharedCall] = attrs.field(factory=deque, init=False)
    told_expired: bool = attrs.field(default=False, init=False)
    told_deadline: bool = attrs.field(default=False, init=False)
    begun: int = attrs.field(default=0, init=False)
    called_with: str = attrs.field(default="request", init=False)
    _accepted: deque[SharedCall] = attrs.field(factory=deque, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _due: bool = attrs.field(default=False, init=False)
    _again: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.state = InstanceState(self.component.grants)
        self.state.before_wait = self._flush

    @property
    def unanswered(self) -> int:
        """Requests without a response."""
        return sum(not call.answered for call in self.calls)

    @property
    def has_room(self) -> bool:
        """Whether it may accept a request, now or when its tasks wait (IL-11)."""
        if self.left < 1 or self.ended:
            return False
        if len(self.calls) >= self.capacity and self.unanswered >= self.capacity:
            return False
        if self.instance is not None:
            for part in self.instance.components:
                if part.backpressure:
                    return False
        return True

    @property
    def tasks(self) -> Scheduler:
        """What runs its tasks.

        Raises:
            InstanceError: It has none.
        """
        tasks = None if self.instance is None else self.instance.tasks
        if tasks is None:
            raise InstanceError("the component has no asynchronous functions")
        return tasks

    @property
    def moves(self) -> bool:
        """Whether the host has something that will let it go on."""
        return self.tasks.operations > 0 or any(call.moving for call in self.calls)

    @property
    def has_accepted(self) -> bool:
        """Whether there is a request that it has not begun with."""
        return bool(self._accepted)

    def seize(self) -> bool:
        """Take the right to a turn, to end it; ``False`` where it has one or is due for it."""
        with self._lock:
            if self._due:
                return False
            self._due = True
            return True

    def accept(self, call: SharedCall) -> None:
        """Let a request in; ``wake`` has to follow."""
        self.left -= 1
        self.rested = False
        self.until_s = self.answered_since_s = None
        self.called_with = call.call.what
        self.calls.append(call)
        self._accepted.append(call)
        call.call.on_abandon = self.wake

    def wake(self) -> None:
        """Have a turn taken; from any thread."""
        with self._lock:
            is_due, self._due = self._due, True
            self._again = True
        if is_due:
            # Within a turn, it may sleep in a call that blocks.
            self.state.wake()
        elif not self.ended:
            self.owner.schedule(self)

    def turn(self, sleeping: Callable[[bool], None]) -> bool:
        """Take a turn on the calling thread.

        Args:
            sleeping: Told before and after the thread sleeps.

        Returns:
            Whether another one is due at once, which is the caller's to arrange.
        """
        if self.component.grants.observer is None:
            return self._turn(sleeping)
        since_s = thread_time()
        try:
            return self._turn(sleeping)
        finally:
            self.state.cpu_s += thread_time() - since_s

    def _turn(self, sleeping: Callable[[bool], None]) -> bool:
        since = self.turn_since_s = self.progressed_s = monotonic()
        self.state.around_wait = sleeping
        self.begun = 0
        while not self.ended:
            with self._lock:
                self._again = False
            self._run()
            if self.ended:
                break
            more = self.owner.rested(self)
            with self._lock:
                if not more and not self._again:
                    self._due = False
                    break
            if monotonic() - since > ROUND_S:
                self.turn_since_s = 0.0
                return not self.ended
        self.turn_since_s = 0.0
        return False

    def _run(self) -> None:
        """Begin what was accepted, and let every task go on that can."""
        watch = self.watch
        try:
            if self.instance is None:
                if watch is not None:
                    watch.started(self.state)
                self.instance = self.owner.make(self)
                self._join(self.tasks)
            tasks = self.tasks
            while self._accepted:
                self._begin(self._accepted.popleft(), tasks)
            if tasks.is_due:
                tasks.pump()
        except BaseException as error:
            self.owner.end(self, error)
        self._flush()

    def _join(self, tasks: Scheduler) -> None:
        state = self.state
        tasks.loop = self.owner.loop
        tasks.on_wake = self.wake
        tasks.sleep = state.wait
        state.tasks = tasks
        if self.limits.deadline_s is not None:
            tasks.on_turn = self._restart_deadline

    def _begin(self, call: SharedCall, tasks: Scheduler) -> None:
        instance = self.instance
        if instance is None:
            return
        self.begun += 1
        self.progressed_s = monotonic()
        if tasks.on_turn is not None:
            tasks.on_turn()

        observer = call.call.observer
        if observer is not None:
            if observer.sees_component:
                observer.component_began(call.component_id)
            # The task of the handler has it from the one that starts it.
            tasks.current.context = observer
        try:
            call.start(instance, tasks.post)
        finally:
            tasks.current.context = None

    def _restart_deadline(self) -> None:
        """Let nothing compute longer than one request may take (IL-44)."""
        deadline_s, instance = self.limits.deadline_s, self.instance
        if deadline_s is not None and instance is not None:
            instance.restart_deadline(deadline_s)
            self.state.deadline_ns = monotonic_ns() + int(deadline_s * 1e9)

    def _flush(self) -> None:
        for call in self.calls:
            call.call.flush()

    def break_off(self, failure: Failure, error: BaseException | None) -> None:
        """Tell whoever waits for it that it ended. It has no turn at this moment."""
        for call in self.calls:
            if not call.over:
                call.fail(failure)
        self.calls.clear()
        self._accepted.clear()
        if self.watch is not None:
            self.watch.ended(self.instance, error)

    def close(self) -> None:
        """Free it, which may take a few milliseconds."""
        if self.instance is not None:
            note_ended(self.instance, self.state)
            self.instance.close()
        self.state.close()
