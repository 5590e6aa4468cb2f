"""Run one HTTP request through an instance of a component, a fresh one as a rule.

In: an ``Exchange`` and a ``GuestComponent``. Out: the same exchange, answered, refused or
broken off, and one line in the log for whatever went wrong. Which component a path belongs
to, which headers it sees and how bytes reach the client are decided elsewhere.

Source: contract spin-host.md, RESP-1 to RESP-11, LIFE-2, LIFE-7, LIFE-8.
"""

import logging
import random
import threading
from collections.abc import Callable
from time import monotonic_ns, thread_time
from typing import Protocol

import attrs

from edgezero_spin.host.compat.wagi import CommandComponent
from edgezero_spin.host.errors import EngineBusy, GuestTrapped
from edgezero_spin.host.exchange.exchange import Exchange, Failure, FailureKind
from edgezero_spin.host.execution.guest import GuestComponent
from edgezero_spin.host.execution.leader import Leadership, leading
from edgezero_spin.host.execution.standby import ReusePolicy, Standby, Started
from edgezero_spin.host.execution.workers import WorkerPool
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.cli import GuestExit
from edgezero_spin.host.runtime.engine import InstanceLimits
from edgezero_spin.host.runtime.instance import Instance

__all__ = [
    "InstanceRunner",
    "InstanceWatch",
    "Served",
]

logger = logging.getLogger("edgezero_spin.host")

NO_RESPONSE = Failure(
    FailureKind.NO_RESPONSE, "guest failed to produce a response prior to returning"
)
UNFINISHED = Failure(FailureKind.UNFINISHED, "guest returned before it finished the response body")

Served = GuestComponent | CommandComponent
"""What can answer requests."""


class InstanceWatch(Protocol):
    """Follows one request through its instance, for whoever measures or tests it.

    Called on the guest's thread, where a host function finds what ``started`` put there.
    """

    def started(self, state: InstanceState) -> None:
        """The instance is about to be made."""

    def ended(self, instance: Instance | None, error: BaseException | None) -> None:
        """It is about to be closed, ``None`` when it could not be made; and how it failed."""


class InstanceRunner:
    """Runs exchanges on the worker pool and can cut them all short.

    Attributes:
        pool: The threads.
        standby: Instances that wait for a request.
    """

    def __init__(
        self,
        pool: WorkerPool,
        policy: ReusePolicy | None = None,
        *,
        least_deadline_s: float | None = None,
    ) -> None:
        """Run nothing yet.

        Args:
            pool: Whose threads to use.
            policy: How long instances live.
            least_deadline_s: Where a component has a deadline, each request draws its own
                between this and that (FLAG-7).
        """
        self._least_deadline_s = least_deadline_s
        self.pool = pool
        self.standby = Standby(pool, policy or ReusePolicy())
        self._lock = threading.Lock()
        self._running: set[InstanceState] = set()
        self._cancelled = False

    @property
    def running(self) -> int:
        """Instances that serve a request at this moment."""
        return len(self._running)

    def start(
        self,
        component: Served,
        exchange: Exchange,
        watch: InstanceWatch | None = None,
        *,
        nested: bool = False,
    ) -> None:
        """Run the exchange on a worker thread.

        Args:
            component: What serves it.
            exchange: The request.
            watch: Told of the instance's start and end, which is a fresh one then.
            nested: Another guest waits for it, so it does not queue behind those.

        Raises:
            Overloaded: There is no place for it.
        """
        if isinstance(component, CommandComponent):
            self.pool.submit(lambda: self._run_command(component, exchange, watch), at_once=nested)
            return
        leadership = None if nested or watch is not None else leading()
        if (
            leadership is not None
            and component.pace.quick
            and self.standby.has_used(component)
            and self.pool.reserve()
        ):
            self._run_here(component, exchange, leadership)
        else:
            self.pool.submit(lambda: self._run_there(component, exchange, watch), at_once=nested)

    def _run_here(
        self, component: GuestComponent, exchange: Exchange, leadership: Leadership
    ) -> None:
        """Run the exchange on the thread that runs the event loop, in its turn."""

        def sleeping(asleep: bool) -> None:
            if asleep:
                leadership.hand_over()
            self.pool.sleeping(asleep)

        def run() -> None:
            component.pace.runs_here()
            begun_s = thread_time()
            slept = False
            try:
                slept = self._run(component, exchange, None, sleeping)
            finally:
                component.pace.ran_here(thread_time() - begun_s, slept=slept)

        def elsewhere() -> None:
            self.pool.give_back(lambda: self._run_there(component, exchange, None))

        def here() -> None:
            if not self.pool.run_reserved(run):
                elsewhere()

        leadership.run_soon(here, elsewhere)

    def _run_there(
        self, component: GuestComponent, exchange: Exchange, watch: InstanceWatch | None
    ) -> None:
        """Run the exchange on a thread of the pool."""
        slept = self._run(component, exchange, watch, self.pool.sleeping)
        component.pace.ran_elsewhere(slept=slept)

    def _run(
        self,
        component: GuestComponent,
        exchange: Exchange,
        watch: InstanceWatch | None,
        sleeping: Callable[[bool], None],
    ) -> bool:
        """Run the exchange on the calling thread.

        Returns:
            Whether the thread slept meanwhile.
        """
        started = None if watch is not None else self.standby.take(component)
        state = InstanceState(component.grants) if started is None else started.state
        limits = self._limits_of(component)
        deadline_s = limits.deadline_s
        state.deadline_ns = None if deadline_s is None else monotonic_ns() + int(deadline_s * 1e9)
        state.slept = False
        state.before_wait = exchange.flush
        state.around_wait = sleeping
        with self._lock:
            self._running.add(state)
        clean = False
        try:
            if watch is not None:
                watch.started(state)
            if started is None:
                started = self._make(component, limits, exchange, state, watch)
            elif deadline_s is not None:
                started.instance.restart_deadline(deadline_s)
            if started is not None:
                clean = self._call(component, exchange, started, watch)
            slept = state.slept
        finally:
            # Before anyone else may be given this instance.
            with self._lock:
                self._running.discard(state)
            if started is None:
                state.close()
            elif not clean or watch is not None or not self._keep(component, started):
                started.close()
        if watch is None:
            self.standby.refill(component)
        return slept

    def _run_command(
        self, component: CommandComponent, exchange: Exchange, watch: InstanceWatch | None
    ) -> None:
        state = InstanceState(component.grants)
        limits = self._limits_of(component)
        deadline_s = limits.deadline_s
        if deadline_s is not None:
            state.deadline_ns = monotonic_ns() + int(deadline_s * 1e9)
        state.around_wait = self.pool.sleeping
        with self._lock:
            self._running.add(state)
        failure: BaseException | None = None
        try:
            if watch is not None:
                watch.started(state)
            attrs.evolve(component, limits=limits).serve(state, exchange)
            exchange.finish(UNFINISHED)
        except BaseException as error:
            failure = error
            left = exchange.abandoned
            exchange.finish(_failure_of(error))
            if not left:
                self._report(component.grants.component_id, error, started=False)
        finally:
            if watch is not None:
                watch.ended(None, failure)
            with self._lock:
                self._running.discard(state)
            state.close()

    def _limits_of(self, component: Served) -> InstanceLimits:
        """What this request may spend."""
        limits, least_s = component.limits, self._least_deadline_s
        if least_s is None or limits.deadline_s is None:
            return limits
        return attrs.evolve(limits, deadline_s=random.uniform(least_s, limits.deadline_s))

    def _make(
        self,
        component: GuestComponent,
        limits: InstanceLimits,
        exchange: Exchange,
        state: InstanceState,
        watch: InstanceWatch | None,
    ) -> Started | None:
        try:
            return self.standby.start(component, state, limits)
        except BaseException as error:
            if watch is not None:
                watch.ended(None, error)
            exchange.finish(_failure_of(error))
            self._report(component.grants.component_id, error, started=False)
            return None

    def _keep(self, component: GuestComponent, started: Started) -> bool:
        if started.left == 1:
            return False
        started.state.before_wait = _nothing
        started.instance.restart_deadline(None)
        return self.standby.put_back(component, started)

    def _call(
        self,
        component: GuestComponent,
        exchange: Exchange,
        started: Started,
        watch: InstanceWatch | None,
    ) -> bool:
        """Have the guest handle the exchange.

        Returns:
            Whether the guest came to a clean end.
        """
        component_id = component.grants.component_id
        instance = started.instance
        # The exchange ends before the instance: what a guest leaves behind is dropped with
        # it, and would otherwise hide why the response breaks off.
        failure: BaseException | None = None
        clean = False
        try:
            component.handle(started, exchange)
            clean = _finish(component_id, exchange)
        except BaseException as error:
            failure = error
            answered = exchange.response is not None
            left = answered and exchange.abandoned
            exchange.finish(_failure_of(error))
            if left:
                # Many guests take the failed write for the end of the world; it is not news.
                logger.info("%s stopped after its client had left: %s", component_id, error)
            else:
                self._report(component_id, error, started=answered)
        finally:
            if watch is not None:
                watch.ended(instance, failure)
        return clean

    def _report(self, component_id: str, error: BaseException, *, started: bool) -> None:
        """Say in the log how a guest ended before its time (RESP-4, RESP-7)."""
        prefix = "Component error after response started" if started else "Error processing request"
        if isinstance(error, GuestExit) and error.code == 0 and started:
            return
        if isinstance(error, GuestTrapped):
            if self._cancelled:
                # Where it was at that moment says nothing; whoever waited was told already.
                logger.info("%s was stopped: %s", component_id, error)
                return
            detail = f"\n{error.backtrace}" if error.backtrace else ""
            logger.error("%s: %s: %s%s", prefix, component_id, error, detail)
        elif isinstance(error, EngineBusy):
            logger.error("%s: %s: %s", prefix, component_id, error)
        else:
            logger.error("%s: %s", prefix, component_id, exc_info=error)

    def cancel_all(self, reason: str) -> None:
        """Trap every guest at its next wait."""
        self._cancelled = True
        with self._lock:
            running = list(self._running)
        for state in running:
            state.cancel(reason)


def _nothing() -> None:
    return None


def _finish(component_id: str, exchange: Exchange) -> bool:
    """Close an exchange whose handler returned (RESP-5, RESP-9).

    Returns:
        Whether it was answered in full.
    """
    response = exchange.response
    if response is not None:
        exchange.finish(UNFINISHED)
        return response.body is None or response.body.failure is None
    failure = exchange.failure or NO_RESPONSE
    exchange.finish(failure)
    logger.error("Error processing request: %s: %s", component_id, failure)
    return False


def _failure_of(error: BaseException) -> Failure:
    kind = FailureKind.BUSY if isinstance(error, EngineBusy) else FailureKind.TRAPPED
    return Failure(kind, str(error) or type(error).__name__)
