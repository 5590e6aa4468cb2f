"""Running instances of one executor: how many there are, and the order to stop.

Each request has a deadline of its own, which is set when its instance begins to serve it.

Source: contract spin-host.md, LIFE-7, LIFE-8, FLAG-7.
"""

import random
from time import monotonic_ns

import attrs

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.runtime.engine import InstanceLimits

__all__ = ["RunningInstances", "limits_of_request"]


class RunningInstances:
    """The instances that serve a request; used from any thread.

    Attributes:
        cancelled: They were told to stop.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.cancelled = False
        self._states: set[InstanceState] = set()

    def __len__(self) -> int:
        return len(self._states)

    # Either change of the set is one step of the interpreter.

    def begin(self, state: InstanceState, deadline_s: float | None) -> None:
        """Count an instance, and have its time begin; ``end`` has to follow."""
        state.deadline_ns = None if deadline_s is None else monotonic_ns() + int(deadline_s * 1e9)
        self._states.add(state)

    def end(self, state: InstanceState) -> None:
        """Count it no more."""
        self._states.discard(state)

    def cancel(self, reason: str) -> None:
        """Trap every guest at its next wait."""
        self.cancelled = True
        for state in self._states.copy():
            state.cancel(reason)


def limits_of_request(limits: InstanceLimits, least_deadline_s: float | None) -> InstanceLimits:
    """Return what one request may spend.

    Args:
        least_deadline_s: Where the component has a deadline, the request draws its own between
            this and that; ``None`` for just that (FLAG-7).
    """
    if least_deadline_s is None or limits.deadline_s is None:
        return limits
    return attrs.evolve(limits, deadline_s=random.uniform(least_deadline_s, limits.deadline_s))
