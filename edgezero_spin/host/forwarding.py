"""Calls from one component into another that lives in the same store.

In: the C values that the engine hands to a host function. Out: the same values handed to
the function of a dependency's instance, and its result handed back. Nothing is converted
but handles: what a dependency defines is a host resource for the component that uses it,
whose rep stands for the dependency's own handle.

Each instance of a component has its own instances of the dependencies, which begin before
it and end with it.

Source: contract spin-host.md, 1.7; ``wasmtime/component/{val,linker,instance}.h``.
"""

import ctypes
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import attrs
from wasmtime import _ffi as ffi
from wasmtime import component as wit

from edgezero_spin.host.callbacks import Callback, Destructor
from edgezero_spin.host.values import ResourceTypes
from edgezero_spin.host.values.raw import (
    MEMORY,
    RECORD_ENTRY_SIZE,
    VALUE_SIZE,
    WORDS,
    Size,
    any_clone,
    any_delete,
    any_drop,
    any_to_host,
    error_delete,
    error_new,
    host_delete,
    host_new,
    host_rep,
    host_to_any,
    keeping,
    releasing,
)

__all__ = ["Lent", "Provider", "end", "forward", "handle_destructor", "start"]

_instantiate = releasing("wasmtime_component_linker_instantiate", Size, Size, Size, Size, Size)
_get_function = keeping("wasmtime_component_instance_get_func", ctypes.c_bool, *[Size] * 4)
_call = releasing("wasmtime_component_func_call", Size, *[Size] * 6)

_INSTANCE_BYTES = ctypes.sizeof(ffi.wasmtime_component_instance_t)
_FUNCTION_BYTES = ctypes.sizeof(ffi.wasmtime_component_func_t)

_NAME_BYTES = 16


class Provider(Protocol):
    """A dependency with its imports defined; a ``linking.LinkedComponent``."""

    linker_address: int
    component_address: int


class Lent:
    """Stands for the handles of one resource that a dependency defines; subclassed for each."""


@attrs.define(eq=False)
class _Started:
    """The dependencies of one running instance.

    Attributes:
        instances: Dependency to the engine's instance.
        functions: Export index to the engine's function.
        handles: Rep to a dependency's handle that its user holds.
        reps: Gives out the next one.
    """

    instances: dict[Provider, Any] = attrs.field(factory=dict)
    functions: dict[int, Any] = attrs.field(factory=dict)
    handles: dict[int, int] = attrs.field(factory=dict)
    reps: "itertools.count[int]" = attrs.field(factory=lambda: itertools.count(1))


_started: dict[int, _Started] = {}
"""By the address of the store's context."""


def start(context: int, providers: Sequence[Provider]) -> int:
    """Make instances of the dependencies in a store.

    Returns:
        An engine error, 0 for none. ``end`` has to be called in any case.
    """
    started = _started[context] = _Started()
    for provider in providers:
        instance = (ctypes.c_char * _INSTANCE_BYTES)()
        problem: int = _instantiate(
            provider.linker_address,
            context,
            provider.component_address,
            ctypes.addressof(instance),
        )
        if problem:
            return problem
        started.instances[provider] = instance
    return 0


def end(context: int) -> None:
    """Forget the dependencies of an instance whose store is about to go."""
    started = _started.pop(context, None)
    if started is not None:
        for handle in started.handles.values():
            any_delete(handle)


def forward(
    provider: Provider,
    index: int,
    type_: wit.FuncType,
    resources: ResourceTypes,
) -> Any:
    """Return the C callback that calls a function of a dependency.

    Args:
        provider: The dependency.
        index: Address of the engine's index of the function.
        type_: The function as its user imports it.
        resources: The resources of the user; those that the dependency defines are ``Lent``.
    """
    parameters = [_slots_of(part, resources) for _, part in type_.params]
    result = None if type_.result is None else _slots_of(type_.result, resources)
    plain = result is None and not any(parameters)

    def callback(
        _data: int, context: int, _type: int, args: int, count: int, results: int, room: int
    ) -> int:
        started = _started[context]
        function = started.functions.get(index)
        if function is None:
            function = started.functions[index] = (ctypes.c_char * _FUNCTION_BYTES)()
            instance = ctypes.addressof(started.instances[provider])
            if not _get_function(instance, context, index, ctypes.addressof(function)):
                return _error("the dependency has no such function")
        at = ctypes.addressof(function)
        if plain:
            problem: int = _call(at, context, args, count, results, room)
            return problem
        crossing = _Crossing(context, started)
        try:
            for number, slots in enumerate(parameters):
                if slots is not None:
                    crossing.give(slots(args + number * VALUE_SIZE))
            problem = _call(at, context, args, count, results, room)
            crossing.settle()
            if not problem and result is not None:
                crossing.take(result(results))
        except _HandleError as error:
            return error.problem
        return problem

    return Callback(callback)


def handle_destructor() -> Any:
    """Return the C callback for a handle of a dependency's resource that its user drops."""

    def destructor(_data: int, context: int, rep: int) -> int:
        started = _started.get(context)
        handle = None if started is None else started.handles.pop(rep, None)
        if handle is None:
            return 0
        problem: int = any_drop(context, handle)
        any_delete(handle)
        return problem

    return Destructor(destructor)


def _error(message: str) -> int:
    problem: int = error_new(message.encode())
    return problem


class _HandleError(Exception):
    """The engine refuses a handle."""

    def __init__(self, problem: int) -> None:
        self.problem = problem


@attrs.frozen
class _Slot:
    """A handle in a value.

    Attributes:
        word: ``WORDS`` index of the pointer to it.
        lent: The engine's number of a resource that the dependency defines; ``None`` for
            one of this host, whose handles are the same for both.
        owned: ``own``, no ``borrow``.
    """

    word: int
    lent: int | None
    owned: bool


class _Crossing:
    """The handles of one call, on their way to a dependency and back."""

    def __init__(self, context: int, started: _Started) -> None:
        self._context = context
        self._started = started
        self._borrowed: list[int] = []
        self._cell = ctypes.c_size_t()

    def give(self, slots: Iterator[_Slot]) -> None:
        """Put the dependency's own handles in the place of its user's."""
        for slot in slots:
            if slot.lent is None:
                if not slot.owned:
                    # The user lends it to this host, which lends it on for the call.
                    self._borrowed.append(any_clone(WORDS[slot.word]))
                continue
            rep = self._rep_of(WORDS[slot.word])
            handles = self._started.handles
            own = handles.pop(rep, None) if slot.owned else handles.get(rep)
            if own is None:
                raise _HandleError(_error("a handle of the dependency is gone"))
            any_delete(WORDS[slot.word])
            # An owned one moves, a lent one is a copy that ends with the arguments.
            WORDS[slot.word] = own if slot.owned else any_clone(own)

    def take(self, slots: Iterator[_Slot]) -> None:
        """Put handles for the user in the place of the dependency's."""
        for slot in slots:
            if slot.lent is None:
                continue
            rep = next(self._started.reps)
            self._started.handles[rep] = WORDS[slot.word]
            WORDS[slot.word] = self._handle_of(rep, slot.lent)

    def settle(self) -> None:
        """End what was lent for the call."""
        for handle in self._borrowed:
            problem = any_drop(self._context, handle)
            if problem:
                # After a trap the engine may refuse; it ends with the instance then.
                error_delete(problem)
            any_delete(handle)
        self._borrowed.clear()

    def _rep_of(self, handle: int) -> int:
        problem = any_to_host(self._context, handle, ctypes.addressof(self._cell))
        if problem:
            raise _HandleError(problem)
        host = self._cell.value
        rep: int = host_rep(host)
        host_delete(host)
        return rep

    def _handle_of(self, rep: int, type_id: int) -> int:
        host = host_new(True, rep, type_id)
        problem = host_to_any(self._context, host, ctypes.addressof(self._cell))
        host_delete(host)
        if problem:
            raise _HandleError(problem)
        return self._cell.value


Slots = Callable[[int], Iterator[_Slot]]
"""Yields the handles in the value at an address."""


def _slots_of(type_: wit.ValType, resources: ResourceTypes) -> Slots | None:
    """Return what finds the handles in values of a type, ``None`` where there are none."""
    match type_:
        case wit.OwnType() | wit.BorrowType():
            found = resources.find(type_.ty)
            lent = None if found is None or not issubclass(found.class_, Lent) else found.type_id
            owned = isinstance(type_, wit.OwnType)
            return lambda at: iter([_Slot((at >> 3) + 1, lent, owned)])
        case wit.ListType():
            element = _slots_of(type_.element, resources)
            return None if element is None else lambda at: _of_elements(at, element)
        case wit.TupleType():
            elements = [_slots_of(part, resources) for part in type_.elements]
            return _in_parts(elements, VALUE_SIZE, 0)
        case wit.RecordType():
            fields = [_slots_of(part, resources) for _, part in type_.fields]
            return _in_parts(fields, RECORD_ENTRY_SIZE, _NAME_BYTES)
        case wit.OptionType():
            payload = _slots_of(type_.payload, resources)
            return None if payload is None else lambda at: _of_option(at, payload)
        case wit.ResultType():
            return _in_cases(
                {
                    True: None if type_.ok is None else _slots_of(type_.ok, resources),
                    False: None if type_.err is None else _slots_of(type_.err, resources),
                },
                lambda at: bool(MEMORY[at + 8]),
                2,
            )
        case wit.VariantType():
            return _in_cases(
                {
                    name.encode(): None if part is None else _slots_of(part, resources)
                    for name, part in type_.cases
                },
                _case_of,
                3,
            )
    return None


def _of_elements(at: int, element: Slots) -> Iterator[_Slot]:
    count, data = WORDS[(at >> 3) + 1], WORDS[(at >> 3) + 2]
    for number in range(count):
        yield from element(data + number * VALUE_SIZE)


def _of_option(at: int, payload: Slots) -> Iterator[_Slot]:
    inner = WORDS[(at >> 3) + 1]
    if inner:
        yield from payload(inner)


def _in_parts(parts: list[Slots | None], size: int, offset: int) -> Slots | None:
    if not any(parts):
        return None

    def slots(at: int) -> Iterator[_Slot]:
        data = WORDS[(at >> 3) + 2]
        for number, part in enumerate(parts):
            if part is not None:
                yield from part(data + number * size + offset)

    return slots


def _case_of(at: int) -> bytes:
    count, data = WORDS[(at >> 3) + 1], WORDS[(at >> 3) + 2]
    return bytes(MEMORY[data : data + count])


def _in_cases(
    cases: Mapping[Any, Slots | None], case_of: Callable[[int], Any], payload_word: int
) -> Slots | None:
    if not any(cases.values()):
        return None

    def slots(at: int) -> Iterator[_Slot]:
        payload = cases[case_of(at)]
        if payload is not None:
            yield from payload(WORDS[(at >> 3) + payload_word])

    return slots
