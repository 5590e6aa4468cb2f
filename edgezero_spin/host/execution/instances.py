"""The executor of components whose instances serve one request at a time.

A request has an instance of its own as a rule; ``ReusePolicy`` says when an instance is made ahead
of time or serves several requests, one after the other. Requests run on threads of the worker
pool. A request for an instance that is there already, and of a component that was quick so far,
runs on the thread of the event loop: for those, another thread costs more than it brings.

Source: contract spin-host.md, RESP-1 to RESP-11, LIFE-2, LIFE-7, LIFE-8, FLAG-6, FLAG-7.
"""

from collections.abc import Callable
from time import thread_time
from typing import Any, Protocol

from edgezero_spin.host.exchange.call import GuestCall
from edgezero_spin.host.execution.executor import InstanceWatch
from edgezero_spin.host.execution.instance_pool import (
    Guest,
    InstancePool,
    PooledInstance,
    ReusePolicy,
)
from edgezero_spin.host.execution.loop_owner import LoopOwner, current_loop_owner
from edgezero_spin.host.execution.outcomes import (
    failure_of,
    finish_failed,
    finish_returned,
    report,
)
from edgezero_spin.host.execution.pace import Pace
from edgezero_spin.host.execution.running import RunningInstances, limits_of_request
from edgezero_spin.host.execution.workers import WorkerPool
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.usage import RequestMeter
from edgezero_spin.host.runtime.engine import InstanceLimits

__all__ = ["InstanceExecutor", "SerialComponent"]


class SerialComponent(Guest, Protocol):
    """A component whose instances serve one call at a time."""

    @property
    def pace(self) -> Pace:
        """How long its calls take."""

    def handle(self, started: PooledInstance, call: Any) -> None:
        """Have an instance serve a call. Called on the guest's thread.

        Raises:
            GuestTrapped: The guest stopped.
            HostError: What it returned is not an answer.
        """


class InstanceExecutor:
    """Runs each request in an instance that serves no other at that time; an ``Executor``.

    Attributes:
        instance_pool: Its instances that wait.
    """

    def __init__(
        self, pool: WorkerPool, policy: ReusePolicy, *, least_deadline_s: float | None = None
    ) -> None:
        """Run nothing yet.

        Args:
            least_deadline_s: See ``limits_of_request``.
        """
        self._pool = pool
        self.instance_pool = InstancePool(pool, policy)
        self._running = RunningInstances()
        self._least_deadline_s = least_deadline_s

    @property
    def running(self) -> int:
        """Instances that serve a request at this moment."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Instances that wait for a request at this moment."""
        return self.instance_pool.waiting

    @property
    def queued(self) -> int:
        """None: the worker pool knows of all."""
        return 0

    def prepare(self, component: SerialComponent) -> None:
        """Make the instances that are to be ready, when there is nothing better to do."""
        self.instance_pool.refill(component)

    def start(
        self,
        component: SerialComponent,
        call: GuestCall,
        watch: InstanceWatch | None = None,
        *,
        nested: bool = False,
    ) -> None:
        """Run a request; see ``Executor.start``."""
        loop_owner = None if nested or watch is not None else current_loop_owner()
        if (
            loop_owner is not None
            and component.pace.quick
            and self.instance_pool.has_used(component)
            and self._pool.reserve()
        ):
            self._run_here(component, call, loop_owner)
        else:
            self._pool.submit(lambda: self._run_there(component, call, watch), at_once=nested)

    def cancel(self, reason: str) -> None:
        """Trap every guest at its next wait."""
        self._running.cancel(reason)

    def close(self) -> None:
        """End the instances that wait. Twice is harmless."""
        self.instance_pool.close()

    def _run_here(self, component: SerialComponent, call: GuestCall, loop_owner: LoopOwner) -> None:
        """Run the request on the thread that runs the event loop, in its turn."""

        def sleeping(asleep: bool) -> None:
            if asleep:
                loop_owner.yield_loop()
            self._pool.sleeping(asleep)

        def run() -> None:
            component.pace.runs_here()
            begun_s = thread_time()
            slept, ended_s = False, None
            try:
                slept, ended_s = self._run(component, call, None, sleeping, begun_s)
            finally:
                ended_s = thread_time() if ended_s is None else ended_s
                component.pace.ran_here(ended_s - begun_s, slept=slept)

        def elsewhere() -> None:
            self._pool.give_back(lambda: self._run_there(component, call, None))

        def here() -> None:
            if not self._pool.run_reserved(run):
                elsewhere()

        loop_owner.run_soon(here, elsewhere)

    def _run_there(
        self, component: SerialComponent, call: GuestCall, watch: InstanceWatch | None
    ) -> None:
        """Run the request on a thread of the pool."""
        slept, _ = self._run(component, call, watch, self._pool.sleeping)
        component.pace.ran_elsewhere(slept=slept)

    def _run(
        self,
        component: SerialComponent,
        call: GuestCall,
        watch: InstanceWatch | None,
        sleeping: Callable[[bool], None],
        begun_s: float | None = None,
    ) -> tuple[bool, float | None]:
        """Run the request on the calling thread, whose processor time was ``begun_s``.

        Returns:
            Whether the thread slept meanwhile, and its processor time at the end where that was
            taken and little followed.
        """
        started = None if watch is not None else self.instance_pool.take(component)
        state = InstanceState(component.grants) if started is None else started.state
        limits = component.limits
        if self._least_deadline_s is not None:
            limits = limits_of_request(limits, self._least_deadline_s)
        state.slept = False
        state.before_wait = call.flush
        state.around_wait = sleeping
        clean = False
        meter = ended_s = None
        is_observed = component.grants.observer is not None
        if is_observed:
            begun_s = thread_time() if begun_s is None else begun_s
            state.following = observer = call.observer
            if observer is not None and observer.sees_component:
                instance = None if started is None else started.instance
                meter = RequestMeter(observer, component.grants.component_id, instance)
        try:
            self._running.begin(state, limits.deadline_s)
            if watch is not None:
                watch.started(state)
            if started is None:
                started = self._make(component, limits, call, state, watch)
            elif limits.deadline_s is not None:
                started.instance.restart_deadline(limits.deadline_s)
            if started is not None:
                clean = self._call(component, call, started, watch)
            slept = state.slept
        finally:
            self._running.end(state)
            if is_observed and begun_s is not None:
                ended_s = thread_time()
                state.cpu_s += ended_s - begun_s
                state.following = None
                if meter is not None:
                    instance = None if started is None else started.instance
                    meter.end(ended_s - begun_s, instance)
            # The call has the state by its body.
            state.before_wait = _nothing
            # Only now: until here whoever stops this request would stop the next one, too.
            if started is None:
                state.close()
            elif not clean or watch is not None or not self._keep(component, started):
                started.close()
                ended_s = None
            call.released()
        if watch is None and self.instance_pool.policy.ready:
            self.instance_pool.refill(component)
        return slept, ended_s

    def _make(
        self,
        component: SerialComponent,
        limits: InstanceLimits,
        call: GuestCall,
        state: InstanceState,
        watch: InstanceWatch | None,
    ) -> PooledInstance | None:
        try:
            return self.instance_pool.start(component, state, limits)
        except BaseException as error:
            if watch is not None:
                watch.ended(None, error)
            call.finish(failure_of(error))
            report(
                component.grants.component_id,
                call.what,
                error,
                answered=False,
                cancelled=self._running.cancelled,
            )
            return None

    def _keep(self, component: SerialComponent, started: PooledInstance) -> bool:
        if started.left == 1:
            return False
        if component.limits.deadline_s is not None:
            started.instance.restart_deadline(None)
        return self.instance_pool.put_back(component, started)

    def _call(
        self,
        component: SerialComponent,
        call: GuestCall,
        started: PooledInstance,
        watch: InstanceWatch | None,
    ) -> bool:
        """Have the guest handle the request.

        Returns:
            Whether the guest came to a clean end.
        """
        component_id = component.grants.component_id
        # The call ends before the instance: what a guest leaves behind is dropped with
        # it, and would otherwise hide why the response breaks off.
        failure: BaseException | None = None
        clean = False
        try:
            component.handle(started, call)
            clean = finish_returned(component_id, call)
        except BaseException as error:
            failure = error
            finish_failed(component_id, call, error, cancelled=self._running.cancelled)
        finally:
            if watch is not None:
                watch.ended(started.instance, failure)
        return clean


def _nothing() -> None:
    return None
