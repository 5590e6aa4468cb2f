"""Instance pool: instances that wait for a request, made ahead of time or used before.

In: components. Out: instances that a request can be given without making one first. A
*ready* instance was never used: it is made while the worker threads have nothing better to
do, and every request still has one to itself. A *used* one served a request to its clean
end, and serves more only where the settings say so (``max_instance_reuse_count``); then
what a guest leaves in its memory is there for the next request.

Both kinds are bounded and hold a slot of the engine's pool each; a request that finds the
pool full takes theirs. A used one that nobody needs for a while is closed.

Source: contract spin-host.md, LIFE-2, LIFE-3, FLAG-6, FLAG-7.
"""

import logging
import math
import random
import threading
from collections.abc import Callable
from time import monotonic
from typing import Protocol

import attrs
from attrs.validators import ge, optional

from edgezero_spin.errors import HostError
from edgezero_spin.host.errors import EngineBusy
from edgezero_spin.host.execution.workers import WorkerPool
from edgezero_spin.host.factors.instance import Grants, InstanceState
from edgezero_spin.host.factors.usage import note_ended, note_made
from edgezero_spin.host.runtime.engine import InstanceLimits
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.prepared import PreparedComponent

__all__ = ["Guest", "InstancePool", "PooledInstance", "ReusePolicy"]

logger = logging.getLogger("edgezero_spin.host")


def _at_least_least(policy: "ReusePolicy", attribute: object, most: int) -> None:
    if most < policy.least_served:
        raise ValueError(f"most_served {most} is below least_served {policy.least_served}")


@attrs.frozen(kw_only=True)
class ReusePolicy:
    """How long instances live and how many are kept.

    Attributes:
        ready: Instances of each component made ahead of time. 0 for none.
        least_served: Requests that an instance serves at least, unless it fails. 1 means
            that none is used again.
        most_served: Requests that it serves at most; each instance draws its own number
            between the two (FLAG-6).
        most_kept: Used instances of each component that wait at once.
        idle_timeout_s: Seconds that a used instance waits for its next request;
            ``math.inf`` for ever, 0 for not at all.
        least_idle_timeout_s: Each wait draws its own time between this and
            ``idle_timeout_s``; ``None`` for just that (FLAG-7).
    """

    ready: int = attrs.field(default=0, validator=ge(0))
    least_served: int = attrs.field(default=1, validator=ge(1))
    most_served: int = attrs.field(default=1, validator=[ge(1), _at_least_least])
    most_kept: int = attrs.field(default=8, validator=ge(0))
    idle_timeout_s: float = attrs.field(default=1.0, validator=ge(0))
    least_idle_timeout_s: float | None = attrs.field(default=None, validator=optional(ge(0)))

    @property
    def most_idle(self) -> int:
        """Engine slots that one component's waiting instances take at most."""
        return self.ready + (self.most_kept if self.most_served > 1 else 0)

    def draw(self) -> int:
        """How many requests a new instance serves."""
        if self.least_served == self.most_served:
            return self.most_served
        return random.randint(self.least_served, self.most_served)

    def idle_until(self) -> float:
        """``monotonic`` time until which an instance waits that begins to wait now."""
        most_s = self.idle_timeout_s
        least_s = self.least_idle_timeout_s
        return monotonic() + (most_s if least_s is None else random.uniform(least_s, most_s))


class Guest(Protocol):
    """What instances are made from; ``guest.GuestComponent``."""

    @property
    def linked(self) -> PreparedComponent:
        """The component with its imports defined."""

    @property
    def grants(self) -> Grants:
        """What its instances may use."""

    @property
    def limits(self) -> InstanceLimits:
        """What each of its instances may spend."""


@attrs.define(eq=False)
class PooledInstance:
    """One instance and what belongs to it.

    Attributes:
        left: Requests that it may still serve, the present one included.
        until: ``monotonic`` time after which it waits no longer, once it waits.
    """

    instance: Instance
    state: InstanceState
    left: int
    until: float = math.inf

    def close(self) -> None:
        """End it. Twice is harmless."""
        if self.state.grants.observer is not None:
            note_ended(self.instance, self.state)
        self.instance.close()
        self.state.close()


@attrs.define(eq=False)
class _Idle:
    """The waiting instances of one component."""

    ready: list[PooledInstance] = attrs.field(factory=list)
    used: list[PooledInstance] = attrs.field(factory=list)
    coming: int = 0


class InstancePool:
    """The waiting instances of one host.

    Attributes:
        policy: How many, and how long they live.
        make_way_elsewhere: Frees a slot of the engine that something else holds idle.
    """

    def __init__(self, pool: WorkerPool, policy: ReusePolicy) -> None:
        """Keep nothing yet.

        Args:
            pool: Whose threads make instances when they have nothing else to do.
            policy: How many, and how long they live.
        """
        self.policy = policy
        self.make_way_elsewhere: Callable[[], bool] = lambda: False
        self._pool = pool
        self._lock = threading.Lock()
        self._by_component: dict[Guest, _Idle] = {}
        self._sweeper: threading.Timer | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """Instances that wait at this moment."""
        with self._lock:
            return sum(len(idle.ready) + len(idle.used) for idle in self._by_component.values())

    def has_used(self, component: Guest) -> bool:
        """Whether an instance waits that was used before. Takes no lock."""
        idle = self._by_component.get(component)
        return idle is not None and bool(idle.used)

    def take(self, component: Guest) -> PooledInstance | None:
        """Return an instance that waits, a used one first; ``None`` when there is none."""
        with self._lock:
            idle = self._by_component.get(component)
            if idle is None:
                return None
            if idle.used:
                return idle.used.pop()
            return idle.ready.pop() if idle.ready else None

    def put_back(self, component: Guest, started: PooledInstance) -> bool:
        """Keep an instance whose request came to a clean end, if it may serve another.

        Returns:
            Whether it was kept; the caller closes it otherwise.
        """
        started.left -= 1
        if started.left < 1 or not self.policy.idle_timeout_s:
            return False
        with self._lock:
            if self._closed:
                return False
            idle = self._by_component.get(component)
            if idle is None:
                idle = self._by_component[component] = _Idle()
            if len(idle.used) >= self.policy.most_kept:
                return False
            started.until = self.policy.idle_until()
            idle.used.append(started)
            if self._sweeper is None:
                self._sweep_at(started.until)
        return True

    def _sweep_at(self, until: float) -> None:
        """Look for instances that waited too long, if nobody does; under the lock."""
        if self._sweeper is None and until < math.inf:
            self._sweeper = threading.Timer(max(0.0, until - monotonic()), self._sweep)
            self._sweeper.daemon = True
            self._sweeper.start()

    def _sweep(self) -> None:
        now = monotonic()
        gone: list[PooledInstance] = []
        with self._lock:
            self._sweeper = None
            if self._closed:
                return
            for idle in self._by_component.values():
                gone += [started for started in idle.used if started.until <= now]
                idle.used = [started for started in idle.used if started.until > now]
            left = [started.until for idle in self._by_component.values() for started in idle.used]
            if left:
                self._sweep_at(min(left))
        for started in gone:
            started.close()

    def refill(self, component: Guest) -> None:
        """Have instances made until enough are ready, when there is nothing better to do."""
        wanted = self.policy.ready
        if not wanted:
            return
        with self._lock:
            if self._closed:
                return
            idle = self._by_component.setdefault(component, _Idle())
            missing = wanted - len(idle.ready) - idle.coming
            if missing < 1:
                return
            idle.coming += missing
        for _ in range(missing):
            self._pool.submit_spare(lambda: self._make(component, idle))

    def _make(self, component: Guest, idle: _Idle) -> None:
        try:
            started = self.start(component, self._prepare(component))
            # Time begins with a request.
            started.instance.restart_deadline(None)
        except HostError as error:
            # The request that needs an instance will meet the same and tell it.
            logger.debug("no instance could be made ahead of time: %s", error)
            started = None
        with self._lock:
            idle.coming -= 1
            if started is not None and not self._closed:
                idle.ready.append(started)
                return
        if started is not None:
            started.close()

    def _prepare(self, component: Guest) -> InstanceState:
        state = InstanceState(component.grants)
        state.around_wait = self._pool.sleeping
        return state

    def start(
        self, component: Guest, state: InstanceState, limits: InstanceLimits | None = None
    ) -> PooledInstance:
        """Make an instance; where the engine has no room, one that waits makes way.

        Args:
            limits: What it may spend; ``None`` for what the component has.

        Raises:
            GuestTrapped: The component trapped while it started.
            EngineBusy: All slots serve requests.
            OutOfMemory: The component needs more than its limits to start.
        """
        while True:
            try:
                instance = component.linked.instantiate(state, limits or component.limits)
            except EngineBusy:
                if not self.make_way() and not self.make_way_elsewhere():
                    raise
            else:
                if state.grants.observer is not None:
                    note_made(instance, state)
                return PooledInstance(instance, state, self.policy.draw())

    def make_way(self) -> bool:
        """Close one instance that waits; ``False`` when there is none."""
        with self._lock:
            for idle in self._by_component.values():
                kept = idle.ready or idle.used
                if kept:
                    started = kept.pop()
                    break
            else:
                return False
        started.close()
        return True

    def clear(self, keep: Callable[[Guest], bool] = lambda component: False) -> None:
        """Close what waits, but for components that ``keep`` is true of."""
        with self._lock:
            gone = [component for component in self._by_component if not keep(component)]
            removed = [self._by_component.pop(component) for component in gone]
        for idle in removed:
            for started in (*idle.ready, *idle.used):
                started.close()

    def close(self) -> None:
        """Close what waits, and keep nothing from now on. Twice is harmless."""
        with self._lock:
            self._closed = True
            if self._sweeper is not None:
                self._sweeper.cancel()
        self.clear()
