"""Usage of instances: what observers are told when an instance is made and when it ends.

In: an instance with its state. Out: events of the ``Observer`` of its component's grants. Nothing
here is called for a component that nobody observes.
"""

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.observers import ComponentUsage, InstanceUsage, RequestObserver
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
    """Tells what an instance of its own spends on one request."""

    __slots__ = ("_fuel", "_observer")

    def __init__(
        self,
        observer: RequestObserver,
        component_id: str,
        instance: Instance | None,
        *,
        executor: str = "wasm",
    ) -> None:
        """Begin.

        Args:
            observer: Follows the request, and what its component does.
            component_id: The component.
            instance: Its instance; ``None`` where it is still to be made.
            executor: ``wasm`` or ``wagi``.
        """
        self._observer = observer
        self._fuel = 0 if instance is None else instance.fuel_used or 0
        observer.component_began(component_id, executor=executor)

    def end(self, spent_s: float, instance: Instance | None) -> None:
        """Tell what was spent, and how much processor time."""
        fuel = None if instance is None else instance.fuel_used
        instructions = None if fuel is None else fuel - self._fuel
        self._observer.component_ended(ComponentUsage(spent_s, instructions))
