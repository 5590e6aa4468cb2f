"""Observed calls: functions of the host that tell an observer of each call.

In: the interfaces that components can import, and an ``Observer``. Out: the same interfaces, where
the functions that the observer follows are wrapped. Others stay as they are, so a call of them
costs what it costs without an observer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.observers import CallEnded, HostCall, Observer
from edgezero_spin.host.runtime.host_sources import Promise
from edgezero_spin.host.runtime.interface import HostFunction, Interface
from edgezero_spin.host.runtime.scheduler import is_coroutine

__all__ = ["NameBackend", "ObservedInterfaces", "backend_namer"]

NameBackend = Callable[[InstanceState, Sequence[Any]], str]
"""Finds, in a state and the arguments of a call, the name of the store, the database or the model
that the call is about. A name holds no credentials (TEL-23, TEL-25, TEL-30)."""


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


def _store(state: InstanceState, arguments: Sequence[Any]) -> str:
    return getattr(state.grants.key_value.get(arguments[0]), "summary", "unknown")


def _database(state: InstanceState, arguments: Sequence[Any]) -> str:
    return getattr(state.grants.databases.get(arguments[0]), "summary", "unknown")


def _database_of(state: InstanceState, arguments: Sequence[Any]) -> str:
    database = getattr(arguments[0].native, "database", None)
    return getattr(database, "summary", "unknown")


def _model(state: InstanceState, arguments: Sequence[Any]) -> str:
    # Spin runs what is not configured on an engine of that name.
    return getattr(state.grants.llm, "summary", "noop model")


def backend_namer(interface: str, function: str) -> NameBackend | None:
    """Return what names the backend of each call of a function; ``None`` for none."""
    if "/key-value@" in interface and function.endswith(".open"):
        return _store
    if "/sqlite@" in interface:
        if function.endswith((".open", ".open-async")):
            return _database
        return _database_of if function.endswith((".execute", ".execute-async")) else None
    return _model if interface.startswith("fermyon:spin/llm") else None
