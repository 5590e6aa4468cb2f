"""Observed calls: functions of the host that tell an observer of each call.

In: the interfaces that components can import, and an ``Observer``. Out: the same interfaces, where
the functions that the observer follows are wrapped. Others stay as they are, so a call of them
costs what it costs without an observer.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from edgezero_spin.host.factors.backend_names import backend_namer
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.observers import CallEnded, HostCall, Observer
from edgezero_spin.host.runtime.host_sources import Promise
from edgezero_spin.host.runtime.interface import HostFunction, Interface
from edgezero_spin.host.runtime.scheduler import is_coroutine

__all__ = ["ObservedInterfaces"]


class ObservedInterfaces(Mapping[str, Interface]):
    """Interfaces by name, as ``linking.link`` takes them; each is wrapped when it is asked for."""

    def __init__(self, interfaces: Mapping[str, Interface], observer: Observer) -> None:
        """Wrap nothing yet."""
        self._interfaces = interfaces
        self._observer = observer
        self._wrapped: dict[str, Interface] = {}

    def __getitem__(self, name: str) -> Interface:
        found = self._wrapped.get(name)
        if found is None:
            found = self._wrapped[name] = self._wrap(self._interfaces[name])
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._interfaces)

    def __len__(self) -> int:
        return len(self._interfaces)

    def _wrap(self, table: Interface) -> Interface:
        followed = {
            name: _observed(table.name, name, function)
            for name, function in table.functions.items()
            if self._observer.follows(table.name, name)
        }
        return attrs.evolve(table, functions={**table.functions, **followed}) if followed else table


def _observed(interface: str, name: str, function: HostFunction) -> HostFunction:
    name_backend = backend_namer(interface, name)

    def call(state: InstanceState, *arguments: Any) -> Any:
        request = state.request_observer
        if request is None or not request.sees_component:
            return function(state, *arguments)
        backend = None if name_backend is None else name_backend(state, arguments)
        ended = request.call_began(HostCall(interface, name, arguments, backend))
        if ended is None:
            return function(state, *arguments)
        try:
            value = function(state, *arguments)
        except BaseException as error:
            ended(error)
            raise
        if value.__class__ is Promise:
            value.when(lambda outcome: ended(_error_in(outcome)))
        elif is_coroutine(value):
            return _awaited(value, ended)
        else:
            ended(None)
        return value

    return call


def _error_in(outcome: Any) -> BaseException | None:
    return outcome if isinstance(outcome, BaseException) else None


async def _awaited(work: Any, ended: CallEnded) -> Any:
    failure: BaseException | None = None
    try:
        return await work
    except BaseException as error:
        failure = error
        raise
    finally:
        ended(failure)
