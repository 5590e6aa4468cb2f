"""Usage of instances: what observers are told when an instance is made and when it ends.

In: an instance with its state. Out: events of the ``Observer`` of its component's grants. Nothing
here is called for a component that nobody observes.
"""

from time import thread_time

from edgezero_spin.host.exchange.call import GuestCall
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.observers import ComponentUsage, InstanceUsage
from edgezero_spin.host.runtime.instance import Instance

__all__ = ["RequestMeter", "note_ended", "note_made"]


def note_made(instance: Instance, state: InstanceState) -> None:
    """Tell that an instance was made."""
    observer = state.grants.observer
    if observer is not None:
        state.initial_memory_bytes = instance.memory_bytes
        observer.instance_made(state.grants.component_id)


def note_ended(instance: Instance, state: InstanceState) -> None:
    """Tell what an instance spent; it is still open. Once for each."""
    observer = state.grants.observer
    initial, state.initial_memory_bytes = state.initial_memory_bytes, None
    if observer is not None and initial is not None:
        observer.instance_ended(
            InstanceUsage(
                state.grants.component_id,
                state.cpu_s,
                initial,
                instance.memory_bytes,
                instance.fuel_used,
            )
        )


class RequestMeter:
    """Measures what an instance of its own spends on one request, on the calling thread."""

    __slots__ = ("_began_s", "_call", "_fuel", "_state")

    def __init__(
        self,
        call: GuestCall,
        state: InstanceState,
        instance: Instance | None,
        *,
        executor: str = "wasm",
        began_s: float | None = None,
    ) -> None:
        """Begin.

        Args:
            call: The request or event.
            state: Of the instance.
            instance: The instance; ``None`` where it is still to be made.
            executor: ``wasm`` or ``wagi``.
            began_s: The thread's processor time, where it was taken already.
        """
        self._call = call
        self._state = state
        self._began_s = thread_time() if began_s is None else began_s
        self._fuel = 0 if instance is None else instance.fuel_used or 0
        state.following = observer = call.observer
        if observer is not None and observer.sees_component:
            observer.component_began(state.grants.component_id, executor=executor)

    def end(self, instance: Instance | None) -> float:
        """Tell what was spent; return the thread's processor time."""
        ended_s = thread_time()
        spent_s = ended_s - self._began_s
        state, observer = self._state, self._call.observer
        state.cpu_s += spent_s
        state.following = None
        if observer is not None and observer.sees_component:
            fuel = None if instance is None else instance.fuel_used
            instructions = None if fuel is None else fuel - self._fuel
            observer.component_ended(ComponentUsage(spent_s, instructions))
        return ended_s
