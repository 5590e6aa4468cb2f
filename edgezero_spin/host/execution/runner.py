"""The runner: gives each request and event to the executor of its component.

In: a ``GuestCall`` and a component. Out: the same call, answered, refused or broken off.
Which component a path belongs to, which headers it sees and how bytes reach the client are
decided elsewhere.
"""

from collections.abc import Collection, Mapping
from typing import Any

from edgezero_spin.host.exchange.call import GuestCall
from edgezero_spin.host.exchange.handler_type import HandlerType
from edgezero_spin.host.execution.concurrency_policy import ConcurrencyPolicy
from edgezero_spin.host.execution.executor import Executor, InstanceWatch, Served
from edgezero_spin.host.execution.instance_pool import ReusePolicy
from edgezero_spin.host.execution.instances import InstanceExecutor
from edgezero_spin.host.execution.workers import WorkerPool

__all__ = ["Runner", "executors_of"]


def executors_of(
    pool: WorkerPool,
    policy: ReusePolicy,
    concurrency: ConcurrencyPolicy,
    types: Collection[HandlerType],
    *,
    least_deadline_s: float | None = None,
) -> Mapping[HandlerType, Executor[Any]]:
    """Return an executor for every handler type of an application.

    Args:
        concurrency: The same of instances that several requests share.
        types: The handler types of its components.
        least_deadline_s: Where a component has a deadline, each request draws its own between
            this and that (FLAG-7).
    """
    instances = InstanceExecutor(pool, policy, least_deadline_s=least_deadline_s)
    executors: dict[HandlerType, Executor[Any]] = dict.fromkeys(types, instances)
    # These bring all of WASI 0.3, or of Wagi, which most applications start without.
    shareable = {HandlerType.WASI_0_3, HandlerType.ASYNC_FUNCTION} & set(types)
    if shareable:
        from edgezero_spin.host.execution.concurrent import ConcurrentExecutor

        shared = ConcurrentExecutor(
            pool, concurrency, instances.instance_pool.make_way, least_deadline_s=least_deadline_s
        )
        instances.instance_pool.make_way_elsewhere = shared.make_way
        executors.update(dict.fromkeys(shareable, shared))
    if HandlerType.WAGI in types:
        from edgezero_spin.host.execution.commands import CommandExecutor

        executors[HandlerType.WAGI] = CommandExecutor(pool, least_deadline_s=least_deadline_s)
    return executors


class Runner:
    """Runs requests of any component and can cut them all short; a ``RequestStarter``."""

    def __init__(self, pool: WorkerPool, executors: Mapping[HandlerType, Executor[Any]]) -> None:
        """Run nothing yet.

        Args:
            executors: One for each handler type; one may be there for several.
        """
        self.pool = pool
        self._executors = dict(executors)
        self._each = tuple({id(executor): executor for executor in executors.values()}.values())

    @property
    def places(self) -> int:
        """Requests that may be under way at once."""
        return self.pool.places

    @property
    def running(self) -> int:
        """Instances that serve a request at this moment."""
        return sum(executor.running for executor in self._each)

    @property
    def waiting(self) -> int:
        """Instances that wait for a request at this moment."""
        return sum(executor.waiting for executor in self._each)

    @property
    def idle(self) -> bool:
        """Whether no request waits for an instance or has one."""
        return self.pool.unfinished == 0 and not any(executor.queued for executor in self._each)

    def prepare(self, component: Served) -> None:
        """Get ready for the first request of a component, in the background."""
        self._executors[component.handler_type].prepare(component)

    def start(
        self,
        component: Served,
        call: GuestCall,
        watch: InstanceWatch | None = None,
        *,
        nested: bool = False,
    ) -> None:
        """Run a request or an event; see ``Executor.start``.

        Raises:
            Overloaded: There is no place for it.
        """
        executor = self._executors[component.handler_type]
        executor.start(component, call, watch, nested=nested)

    def cancel(self, reason: str) -> None:
        """Trap every guest at its next wait."""
        for executor in self._each:
            executor.cancel(reason)

    def close(self) -> None:
        """End the instances that wait, and keep none from now on. Twice is harmless."""
        for executor in self._each:
            executor.close()
