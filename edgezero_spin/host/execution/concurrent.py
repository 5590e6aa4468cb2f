"""The executor of WASI 0.3: instances that requests share, when one is made and when it ends.

A request goes to an instance that is *available*: one that may accept more, whose tasks all
wait. Where there is none it waits for one that is about to be, unless that takes too long;
then another instance is made. So requests that wait share instances, and those that compute do
not. While it is busy an instance holds a place of the worker pool, so that busy instances of
either generation are bounded together.

In: calls for components. Out: the calls answered.

Source: contract wasi03.md, section 2; IL-10 to IL-46.
"""

import asyncio
import logging
import math
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic, thread_time

import attrs

from edgezero_spin.host.errors import DeadlineExceeded, EngineBusy, GuestTrapped
from edgezero_spin.host.exchange.call import Failure, FailureKind, GuestCall
from edgezero_spin.host.exchange.loops import LoopThread
from edgezero_spin.host.execution.clock import Clock
from edgezero_spin.host.execution.concurrency_policy import ConcurrencyPolicy
from edgezero_spin.host.execution.concurrent_instance import ConcurrentInstance
from edgezero_spin.host.execution.executor import InstanceWatch
from edgezero_spin.host.execution.loop_owner import LoopOwner, current_loop_owner
from edgezero_spin.host.execution.outcomes import failure_of, report
from edgezero_spin.host.execution.running import limits_of_request
from edgezero_spin.host.execution.shared_call import TIMED_OUT, SharedCall, SharedComponent
from edgezero_spin.host.execution.workers import Overloaded, WorkerPool
from edgezero_spin.host.factors.blocking import with_service_threads
from edgezero_spin.host.factors.usage import note_made
from edgezero_spin.host.runtime.engine import InstanceLimits
from edgezero_spin.host.runtime.instance import Instance

__all__ = ["ConcurrentExecutor"]

logger = logging.getLogger("edgezero_spin.host")

PATIENCE_S = 0.025
"""Seconds that a request waits for an instance that computes, before another one is made."""

BLOCKED_S = 1.0
"""Seconds of one turn after which the log says that other requests wait for it."""

LOOP_TIMEOUT_S = 2.0


@attrs.define(eq=False)
class _Waiting:
    """A request that has no instance yet."""

    call: SharedCall
    limits: InstanceLimits
    watch: InstanceWatch | None
    nested: bool
    loop_owner: LoopOwner | None = attrs.field(factory=current_loop_owner)


@attrs.define(eq=False)
class _Queue:
    """The instances of one component and the requests that wait for one."""

    component: SharedComponent
    instances: list[ConcurrentInstance] = attrs.field(factory=list)
    waiting: deque[_Waiting] = attrs.field(factory=deque)
    looked_after: bool = False
    expires_s: float = math.inf


class ConcurrentExecutor:
    """Runs calls in instances that they share.

    Attributes:
        policy: How long instances live and how many requests share one.
    """

    def __init__(
        self,
        pool: WorkerPool,
        policy: ConcurrencyPolicy,
        make_way: Callable[[], bool],
        *,
        least_deadline_s: float | None = None,
    ) -> None:
        """Run nothing yet.

        Args:
            policy: See the attribute.
            make_way: Frees a slot of the engine that something else holds idle.
            least_deadline_s: See ``limits_of_request``.
        """
        self._least_deadline_s = least_deadline_s
        self.policy = policy
        self._pool = pool
        self._make_way_elsewhere = make_way
        self._lock = threading.RLock()
        self._queues: dict[SharedComponent, _Queue] = {}
        self._clock = Clock()
        self._loop = LoopThread("edgezero-host", begin=with_service_threads)
        self._closed: str | None = None

    @property
    def running(self) -> int:
        """Instances that have a request or a task at this moment."""
        with self._lock:
            return sum(
                shared.placed for queue in self._queues.values() for shared in queue.instances
            )

    @property
    def waiting(self) -> int:
        """Instances that wait for a request at this moment."""
        with self._lock:
            instances = [shared for queue in self._queues.values() for shared in queue.instances]
            return sum(not shared.placed for shared in instances)

    @property
    def queued(self) -> int:
        """Requests that have no instance yet."""
        with self._lock:
            return sum(len(queue.waiting) for queue in self._queues.values())

    def start(
        self,
        component: SharedComponent,
        call: GuestCall,
        watch: InstanceWatch | None = None,
        *,
        nested: bool = False,
    ) -> None:
        """Run a call; see ``Executor.start``."""
        limits = component.limits
        if self._least_deadline_s is not None:
            limits = limits_of_request(limits, self._least_deadline_s)
        shared_call = component.shared_call(call)
        entry = _Waiting(shared_call, limits, watch, nested)
        with self._lock:
            if self._closed is not None:
                raise Overloaded("the host is closed")
            queue = self._queues.get(component)
            if queue is None:
                queue = self._queues[component] = _Queue(component)
            if limits.deadline_s is not None:
                shared_call.until_s = monotonic() + limits.deadline_s
                self._expire_at(queue, shared_call.until_s)
            shared = None if queue.waiting else self._choose(queue, entry)
            if shared is None:
                self._check_queue(queue)
                queue.waiting.append(entry)
                self._look_after(queue)
            else:
                self._accept(shared, entry)
        if shared is not None:
            shared.wake()

    def _check_queue(self, queue: _Queue) -> None:
        """Refuse a request that would wait behind too many, beside those that soon find room.

        Raises:
            Overloaded: It would.
        """
        waiting = self.queued
        if waiting < self._pool.max_queued:
            return
        room = self._pool.free_places * max(1, self.policy.least_concurrent)
        room += sum(
            min(shared.left, shared.capacity - shared.unanswered)
            for shared in queue.instances
            if shared.has_room
        )
        if waiting >= self._pool.max_queued + room:
            raise Overloaded(f"{self._pool.places} instances are busy and {waiting} requests wait")

    def prepare(self, component: SharedComponent) -> None:
        """Nothing: the first request makes the first instance."""

    # Choosing, under the lock

    def _choose(self, queue: _Queue, entry: _Waiting) -> ConcurrentInstance | None:
        """Return the instance that a request goes to; ``None`` where it has to wait."""
        alone = entry.watch is not None or queue.component.is_fresh
        if not alone:
            about = False
            now = monotonic()
            for shared in queue.instances:
                if not shared.has_room:
                    continue
                if not shared.rested:
                    # It is about to rest, unless it computes for long already.
                    made = shared.instance is not None
                    about |= not made or now - shared.progressed_s < PATIENCE_S
                elif shared.placed or self._pool.claim(at_once=entry.nested):
                    shared.placed = True
                    return shared
            if about:
                return None
        if not self._pool.claim(at_once=entry.nested):
            return None
        policy = self.policy
        left = capacity = 1
        if not alone:
            left = random.randint(policy.least_served, policy.most_served)
            capacity = random.randint(policy.least_concurrent, policy.most_concurrent)
        shared = ConcurrentInstance(
            self, queue.component, entry.limits, left, capacity, entry.watch
        )
        queue.instances.append(shared)
        return shared

    def _accept(self, shared: ConcurrentInstance, entry: _Waiting) -> None:
        shared.loop_owner = entry.loop_owner
        shared.accept(entry.call)

    def _look_after(self, queue: _Queue) -> None:
        """Look again at requests that wait, in a moment."""
        if not queue.looked_after:
            queue.looked_after = True
            self._clock.at(monotonic() + PATIENCE_S, lambda: self._serve(queue, again=True))

    def _serve(self, queue: _Queue, *, again: bool = False) -> None:
        """Find instances for requests that wait."""
        woken = []
        with self._lock:
            if again:
                queue.looked_after = False
            waiting = queue.waiting
            while waiting and self._closed is None:
                entry = waiting[0]
                if entry.call.call.abandoned or entry.call.answered:
                    # Nobody wants it any more.
                    waiting.popleft()
                    entry.call.expire()
                    continue
                shared = self._choose(queue, entry)
                if shared is None:
                    break
                waiting.popleft()
                self._accept(shared, entry)
                woken.append(shared)
            if waiting:
                self._look_after(queue)
            self._warn(queue)
        for shared in woken:
            shared.wake()

    def _warn(self, queue: _Queue) -> None:
        """Say which instances keep their requests waiting."""
        for shared in queue.instances:
            since_s = shared.turn_since_s
            if since_s and monotonic() - since_s > BLOCKED_S and not shared.warned:
                shared.warned = True
                logger.warning(
                    "%s: an instance computes or blocks for more than %g s; meanwhile no other "
                    "request in it goes on, as handlers of WASI 0.3 share a thread",
                    shared.component.grants.component_id,
                    BLOCKED_S,
                )

    # What instances ask

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """Where coroutines of the host run."""
        return self._loop.loop

    def make(self, shared: ConcurrentInstance) -> Instance:
        """Make the engine's instance, whose slot may have to be freed first.

        Raises:
            GuestTrapped: The component trapped while it started.
            EngineBusy: All slots serve requests.
            OutOfMemory: The component needs more than its limits to start.
        """
        while True:
            try:
                instance = shared.component.linked.instantiate(shared.state, shared.limits)
            except EngineBusy:
                if not self.make_way() and not self._make_way_elsewhere():
                    raise
            else:
                note_made(instance, shared.state)
                return instance

    def make_way(self) -> bool:
        """End one instance that has nothing to do; ``False`` when there is none."""
        found = None
        with self._lock:
            for queue in self._queues.values():
                for shared in queue.instances:
                    if not shared.placed and shared.seize():
                        found = shared
                        break
        if found is None:
            return False
        self._end(found, _GONE, None, at_once=True)
        return True

    def schedule(self, shared: ConcurrentInstance) -> None:
        """Have the instance take a turn: here, between two rounds of the loop, or elsewhere."""
        loop_owner = current_loop_owner()
        if shared.instance is None or not shared.component.pace.quick:
            loop_owner = None
        elif loop_owner is None and shared.loop_owner is not None and shared.loop_owner.runs:
            # Two threads would want the interpreter's lock all the time.
            shared.loop_owner.post_or(
                lambda: self.schedule(shared), lambda: self._schedule_elsewhere(shared)
            )
            return
        if loop_owner is None:
            self._schedule_elsewhere(shared)
            return

        def here() -> None:
            self._pool.turn_here(lambda: self._turn_here(shared, loop_owner))

        loop_owner.run_soon(here, lambda: self._schedule_elsewhere(shared))

    def _schedule_elsewhere(self, shared: ConcurrentInstance) -> None:
        self._pool.turn(lambda: self._turn(shared))

    def _turn(self, shared: ConcurrentInstance) -> None:
        shared.state.slept = False
        more = shared.turn(self._pool.sleeping)
        shared.component.pace.ran_elsewhere(slept=shared.state.slept)
        if more:
            self.schedule(shared)

    def _turn_here(self, shared: ConcurrentInstance, loop_owner: LoopOwner) -> None:
        def sleeping(asleep: bool) -> None:
            if asleep:
                loop_owner.yield_loop()
            self._pool.sleeping(asleep)

        pace = shared.component.pace
        pace.runs_here()
        shared.state.slept = False
        since_s = thread_time()
        more = True
        try:
            more = shared.turn(sleeping)
        finally:
            spent_s = (thread_time() - since_s) / max(1, shared.begun)
            pace.ran_here(spent_s, slept=shared.state.slept)
        if more:
            loop_owner.post_or(
                lambda: self.schedule(shared), lambda: self._schedule_elsewhere(shared)
            )

    def rested(self, shared: ConcurrentInstance) -> bool:
        """Note that all tasks wait; return whether there is a request to begin with."""
        with self._lock:
            if shared.ended:
                return False
            if shared.expired:
                self._tell_expired(shared)
            queue = self._queues[shared.component]
            shared.calls = [call for call in shared.calls if not call.over]
            if not shared.has_accepted:
                shared.rested = True
                if queue.waiting:
                    self._take_next(queue, shared)
            if queue.waiting and not shared.has_room:
                # The last one that they could have waited for is full (IL-13).
                self._serve(queue)
            if shared.has_accepted:
                return True
            ending = self._ending_of(shared)
        if ending is not None:
            self._end(shared, ending.failure, ending.error)
        return False

    def _take_next(self, queue: _Queue, shared: ConcurrentInstance) -> None:
        waiting = queue.waiting
        while waiting and shared.has_room and not shared.has_accepted:
            entry = waiting[0]
            if entry.watch is not None or queue.component.is_fresh:
                return
            if entry.call.call.abandoned or entry.call.answered:
                waiting.popleft()
                entry.call.expire()
                continue
            if not shared.placed and not self._pool.claim(at_once=entry.nested):
                return
            shared.placed = True
            waiting.popleft()
            self._accept(shared, entry)

    def _ending_of(self, shared: ConcurrentInstance) -> "_Ending | None":
        """Return how an instance ends now; ``None`` for one that lives on. Under the lock."""
        if self._closed is not None:
            return _Ending(Failure(FailureKind.TRAPPED, self._closed))
        done = shared.tasks.idle and not shared.calls
        accepts = shared.left > 0
        if done:
            if not accepts or not self.policy.idle_timeout_s:
                return _Ending(_GONE)
            self._rest(shared)
            return None
        awaited = any(not call.answered and not call.call.abandoned for call in shared.calls)
        deadline_s = shared.limits.deadline_s
        if not shared.moves and not accepts:
            # Neither the host nor another request can have it go on.
            if awaited:
                return _Ending(_STUCK, GuestTrapped(str(_STUCK)))
            return _Ending(_OPEN, GuestTrapped(str(_OPEN)) if shared.calls else None)
        if not shared.moves and not awaited:
            if shared.until_s is None:
                self._rest(shared)
        elif deadline_s is not None and not awaited:
            # What is left of its work has a time limit of its own (IL-41).
            if shared.answered_since_s is None:
                shared.answered_since_s = monotonic()
            self._arm(shared, shared.answered_since_s + deadline_s)
        else:
            shared.until_s = None
        return None

    def _rest(self, shared: ConcurrentInstance) -> None:
        """Let an instance wait for another request."""
        if shared.placed:
            shared.placed = False
            self._pool.release()
        self._arm(shared, self.policy.idle_until())

    def _arm(self, shared: ConcurrentInstance, until_s: float) -> None:
        shared.until_s = until_s
        if not shared.timer_set:
            shared.timer_set = True
            self._clock.at(until_s, lambda: self._lapse(shared))

    def _lapse(self, shared: ConcurrentInstance) -> None:
        """End an instance whose time is up."""
        with self._lock:
            shared.timer_set = False
            until_s = shared.until_s
            if shared.ended or until_s is None:
                return
            if until_s > monotonic():
                self._arm(shared, until_s)
                return
            if not shared.seize():
                # It has a turn, after which this is looked at again.
                return
        if not shared.calls and not shared.moves:
            self._end(shared, _GONE, None)
        elif shared.moves:
            self._end(shared, TIMED_OUT, DeadlineExceeded(str(TIMED_OUT)))
        else:
            self._end(shared, _OPEN, GuestTrapped(str(_OPEN)))

    def _expire_at(self, queue: _Queue, until_s: float) -> None:
        """Look for requests whose time is up then. Under the lock.

        One timer for all of them, which would hold on to those that are answered.
        """
        if until_s < queue.expires_s:
            queue.expires_s = until_s
            self._clock.at(until_s, lambda: self._expire(queue, until_s))

    def _expire(self, queue: _Queue, until_s: float) -> None:
        """Answer the requests whose time is up; their instances accept no more (IL-40)."""
        with self._lock:
            if until_s != queue.expires_s:
                return
            queue.expires_s = math.inf
            now = monotonic()
            calls: list[tuple[SharedCall, ConcurrentInstance | None]] = [
                (entry.call, None) for entry in queue.waiting
            ]
            calls += [(call, shared) for shared in queue.instances for call in shared.calls]
            calls = [each for each in calls if not each[0].answered]
            due = [each for each in calls if each[0].until_s <= now]
            for _, shared in due:
                if shared is not None:
                    # Before anybody is told, who might ask again at once.
                    shared.left = 0
            later = (call.until_s for call, _ in calls if call.until_s > now)
            self._expire_at(queue, min(later, default=math.inf))
        for call, shared in due:
            if not call.expire():
                continue
            if shared is None:
                _log_expired(call)
                continue
            # Its turn may end by the deadline, too, which says more: where the guest was.
            shared.expired.append(call)
            if shared.ended:
                self._tell_expired(shared)
            shared.wake()
        if due:
            self._serve(queue)

    def _tell_expired(self, shared: ConcurrentInstance) -> None:
        """Say which requests of an instance ran out of time, each once."""
        with self._lock:
            if shared.told_deadline:
                shared.expired.clear()
            while shared.expired:
                shared.told_expired = True
                _log_expired(shared.expired.popleft())

    # Ends

    def end(self, shared: ConcurrentInstance, error: BaseException) -> None:
        """Break an instance off with all requests in it (IL-20). It has no turn but this."""
        self._end(shared, failure_of(error), error)

    def _end(
        self,
        shared: ConcurrentInstance,
        failure: Failure,
        error: BaseException | None,
        *,
        at_once: bool = False,
    ) -> None:
        with self._lock:
            if shared.ended:
                return
            shared.ended = True
            queue = self._queues[shared.component]
            queue.instances.remove(shared)
        left = [call for call in shared.calls if not call.over]
        self._report(shared, error, left)
        shared.break_off(failure, error)
        if shared.instance is None and not isinstance(error, EngineBusy):
            # What it was made for would meet the same (IL-15).
            with self._lock:
                refused = [entry.call for entry in queue.waiting]
                queue.waiting.clear()
            for call in refused:
                call.fail(failure)
        if at_once or self._closed is not None or shared.watch is not None:
            self._free(shared, queue)
        else:
            # Not here, where others may wait for the thread.
            self._pool.turn(lambda: self._free(shared, queue))

    def _free(self, shared: ConcurrentInstance, queue: _Queue) -> None:
        shared.close()
        with self._lock:
            placed, shared.placed = shared.placed, False
        if placed:
            self._pool.release()
        self._serve(queue)

    def _report(
        self, shared: ConcurrentInstance, error: BaseException | None, left: Sequence[SharedCall]
    ) -> None:
        """Say in the log how an instance ended, once for those whose time was up."""
        component_id = shared.component.grants.component_id
        cancelled = self._closed is not None
        abandoned = bool(left) and all(call.call.abandoned for call in left)
        if isinstance(error, DeadlineExceeded) and not cancelled and not abandoned:
            if not left and shared.told_expired and not shared.expired:
                logger.info("%s was stopped after its time was up: %s", component_id, error)
                return
            # Of a request that is just being answered in its place, this line is enough, too.
            shared.told_deadline = True
        self._tell_expired(shared)
        if abandoned and error is not None:
            # Many guests take the failed write for the end of the world; it is not news.
            logger.info("%s stopped after its clients had left: %s", component_id, error)
        elif error is not None:
            answered = bool(left) and all(call.answered for call in left)
            what = shared.called_with
            report(component_id, what, error, answered=answered, cancelled=cancelled)

    def cancel(self, reason: str) -> None:
        """End every instance, at once or when its guest comes to a wait."""
        with self._lock:
            self._closed = self._closed or reason
            queues = list(self._queues.values())
            refused = [entry.call for queue in queues for entry in queue.waiting]
            for queue in queues:
                queue.waiting.clear()
            instances = [shared for queue in queues for shared in queue.instances]
        self._clock.close()
        failure = Failure(FailureKind.TRAPPED, reason)
        for call in refused:
            call.fail(failure)
        for shared in instances:
            if shared.seize():
                self._end(shared, failure, None)
            else:
                shared.state.cancel(reason)

    def close(self) -> None:
        """Keep no instance from now on. Twice is harmless."""
        self.cancel("the host was closed")
        self._loop.close(LOOP_TIMEOUT_S)


def _log_expired(call: SharedCall) -> None:
    logger.error("Error processing %s: %s: %s", call.call.what, call.component_id, TIMED_OUT)


@attrs.frozen
class _Ending:
    """How an instance ends."""

    failure: Failure
    error: BaseException | None = None


_GONE = Failure(FailureKind.UNFINISHED, "its instance came to an end")
_STUCK = Failure(
    FailureKind.NO_RESPONSE,
    "the handler waits for something that nothing can bring any more, and was stopped",
)
_OPEN = Failure(
    FailureKind.UNFINISHED,
    "the guest left a response body or a task open that nothing can end any more",
)
