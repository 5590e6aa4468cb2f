"""Instances that wait for their next request: made ahead of time, or used before.

In: components. Out: instances that a request can be given without making one first. A
*ready* instance was never used: it is made while the worker threads have nothing better to
do, and every request still has one to itself. A *used* one served a request to its clean
end, and serves more only where the settings say so (``max_instance_reuse_count``); then
what a guest leaves in its memory is there for the next request.

Both kinds are bounded and hold a slot of the engine's pool each; a request that finds the
pool full takes theirs.

Source: contract spin-host.md, LIFE-2, LIFE-3, FLAG-6.
"""

import logging
import random
import threading
from collections.abc import Callable
from typing import Protocol

import attrs
from attrs.validators import ge

from edgezero_spin.errors import HostError
from edgezero_spin.host.engine import InstanceLimits
from edgezero_spin.host.errors import EngineBusy
from edgezero_spin.host.instance import Grants, InstanceState
from edgezero_spin.host.linking import LinkedComponent
from edgezero_spin.host.running import Instance
from edgezero_spin.host.workers import WorkerPool

__all__ = ["Guest", "ReusePolicy", "Standby", "Started"]

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
    """

    ready: int = attrs.field(default=0, validator=ge(0))
    least_served: int = attrs.field(default=1, validator=ge(1))
    most_served: int = attrs.field(default=1, validator=[ge(1), _at_least_least])
    most_kept: int = attrs.field(default=8, validator=ge(0))

    @property
    def most_idle(self) -> int:
        """Engine slots that one component's waiting instances take at most."""
        return self.ready + (self.most_kept if self.most_served > 1 else 0)

    def draw(self) -> int:
        """How many requests a new instance serves."""
        if self.least_served == self.most_served:
            return self.most_served
        return random.randint(self.least_served, self.most_served)


class Guest(Protocol):
    """What instances are made from; ``trigger.http.GuestComponent``."""

    @property
    def linked(self) -> LinkedComponent:
        """The component with its imports defined."""

    @property
    def grants(self) -> Grants:
        """What its instances may use."""

    @property
    def limits(self) -> InstanceLimits:
        """What each of its instances may spend."""


@attrs.define(eq=False)
class Started:
    """One instance and what belongs to it.

    Attributes:
        instance: The instance.
        state: Its state.
        left: Requests that it may still serve, the present one included.
    """

    instance: Instance
    state: InstanceState
    left: int

    def close(self) -> None:
        """End it. Twice is harmless."""
        self.instance.close()
        self.state.close()


@attrs.define(eq=False)
class _Shelf:
    """The waiting instances of one component."""

    ready: list[Started] = attrs.field(factory=list)
    used: list[Started] = attrs.field(factory=list)
    coming: int = 0


class Standby:
    """The waiting instances of one host."""

    def __init__(self, pool: WorkerPool, policy: ReusePolicy) -> None:
        """Keep nothing yet.

        Args:
            pool: Whose threads make instances when they have nothing else to do.
            policy: How many, and how long they live.
        """
        self.policy = policy
        self._pool = pool
        self._lock = threading.Lock()
        self._shelves: dict[Guest, _Shelf] = {}
        self._closed = False

    @property
    def waiting(self) -> int:
        """Instances that wait at this moment."""
        with self._lock:
            return sum(len(shelf.ready) + len(shelf.used) for shelf in self._shelves.values())

    def take(self, component: Guest) -> Started | None:
        """Return an instance that waits, a used one first; ``None`` when there is none."""
        with self._lock:
            shelf = self._shelves.get(component)
            if shelf is None:
                return None
            if shelf.used:
                return shelf.used.pop()
            return shelf.ready.pop() if shelf.ready else None

    def put_back(self, component: Guest, started: Started) -> bool:
        """Keep an instance whose request came to a clean end, if it may serve another.

        Returns:
            Whether it was kept; the caller closes it otherwise.
        """
        started.left -= 1
        if started.left < 1:
            return False
        with self._lock:
            if self._closed:
                return False
            shelf = self._shelves.setdefault(component, _Shelf())
            if len(shelf.used) >= self.policy.most_kept:
                return False
            shelf.used.append(started)
        return True

    def refill(self, component: Guest) -> None:
        """Have instances made until enough are ready, when there is nothing better to do."""
        wanted = self.policy.ready
        if not wanted:
            return
        with self._lock:
            if self._closed:
                return
            shelf = self._shelves.setdefault(component, _Shelf())
            missing = wanted - len(shelf.ready) - shelf.coming
            if missing < 1:
                return
            shelf.coming += missing
        for _ in range(missing):
            self._pool.submit_spare(lambda: self._make(component, shelf))

    def _make(self, component: Guest, shelf: _Shelf) -> None:
        try:
            started = self.start(component, self._prepare(component))
            # Time begins with a request.
            started.instance.restart_deadline(None)
        except HostError as error:
            # The request that needs an instance will meet the same and tell it.
            logger.debug("no instance could be made ahead of time: %s", error)
            started = None
        with self._lock:
            shelf.coming -= 1
            if started is not None and not self._closed:
                shelf.ready.append(started)
                return
        if started is not None:
            started.close()

    def _prepare(self, component: Guest) -> InstanceState:
        state = InstanceState(component.grants)
        state.around_wait = self._pool.sleeping
        return state

    def start(self, component: Guest, state: InstanceState) -> Started:
        """Make an instance; where the engine has no room, one that waits makes way.

        Raises:
            GuestTrapped: The component trapped while it started.
            EngineBusy: All slots serve requests.
            OutOfMemory: The component needs more than its limits to start.
        """
        while True:
            try:
                instance = component.linked.instantiate(state, component.limits)
            except EngineBusy:
                if not self._make_way():
                    raise
            else:
                return Started(instance, state, self.policy.draw())

    def _make_way(self) -> bool:
        """Close one instance that waits; ``False`` when there is none."""
        with self._lock:
            for shelf in self._shelves.values():
                kept = shelf.ready or shelf.used
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
            gone = [component for component in self._shelves if not keep(component)]
            shelves = [self._shelves.pop(component) for component in gone]
        for shelf in shelves:
            for started in (*shelf.ready, *shelf.used):
                started.close()

    def close(self) -> None:
        """Close what waits, and keep nothing from now on. Twice is harmless."""
        with self._lock:
            self._closed = True
        self.clear()
