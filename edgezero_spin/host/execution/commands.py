"""The executor of commands: each request runs a program from its start to its end.

Source: contract spin-host.md, WAGI-1, WAGI-3, WAGI-6, LIFE-7.
"""

from time import thread_time
from typing import Any

import attrs

from edgezero_spin.host.compat.wagi import CommandComponent
from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.execution.executor import InstanceWatch
from edgezero_spin.host.execution.outcomes import UNFINISHED, failure_of, report
from edgezero_spin.host.execution.running import RunningInstances, limits_of_request
from edgezero_spin.host.execution.workers import WorkerPool
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.usage import RequestMeter

__all__ = ["CommandExecutor"]


class CommandExecutor:
    """Runs each request as a command of its own; an ``Executor``."""

    def __init__(self, pool: WorkerPool, *, least_deadline_s: float | None = None) -> None:
        """Run nothing yet.

        Args:
            least_deadline_s: See ``limits_of_request``.
        """
        self._pool = pool
        self._running = RunningInstances()
        self._least_deadline_s = least_deadline_s

    @property
    def running(self) -> int:
        """Commands that run at this moment."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """None: a command has nothing that could wait."""
        return 0

    @property
    def queued(self) -> int:
        """None: the worker pool knows of all."""
        return 0

    def prepare(self, component: CommandComponent) -> None:
        """Nothing: a command begins with its request."""

    def start(
        self,
        component: CommandComponent,
        call: Any,
        watch: InstanceWatch | None = None,
        *,
        nested: bool = False,
    ) -> None:
        """Run a request, an ``Exchange``; see ``Executor.start``."""
        self._pool.submit(lambda: self._run(component, call, watch), at_once=nested)

    def cancel(self, reason: str) -> None:
        """Trap every guest at its next wait."""
        self._running.cancel(reason)

    def close(self) -> None:
        """Nothing: no instance waits."""

    def _run(
        self, component: CommandComponent, exchange: Exchange, watch: InstanceWatch | None
    ) -> None:
        state = InstanceState(component.grants)
        state.around_wait = self._pool.sleeping
        limits = limits_of_request(component.limits, self._least_deadline_s)
        failure: BaseException | None = None
        meter = None
        began_s = thread_time()
        observer = None if component.grants.observer is None else exchange.observer
        state.following = observer
        if observer is not None and observer.sees_component:
            meter = RequestMeter(observer, component.grants.component_id, None, executor="wagi")
        try:
            self._running.begin(state, limits.deadline_s)
            if watch is not None:
                watch.started(state)
            attrs.evolve(component, limits=limits).serve(state, exchange)
            exchange.finish(UNFINISHED)
        except BaseException as error:
            failure = error
            left = exchange.abandoned
            exchange.finish(failure_of(error))
            if not left:
                report(
                    component.grants.component_id,
                    exchange.what,
                    error,
                    answered=False,
                    cancelled=self._running.cancelled,
                )
        finally:
            if watch is not None:
                watch.ended(None, failure)
            self._running.end(state)
            state.cpu_s += thread_time() - began_s
            state.following = None
            if meter is not None:
                meter.end(state.cpu_s, None)
            state.close()
