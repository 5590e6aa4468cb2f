"""From the engine's values to Python: one closure per type, made at link time.

In: a ``wasmtime.component`` value type. Out: ``lift(scope, address) -> object``. Lifting
frees nothing: the engine owns the arguments of a callback, and ``Instance.call`` owns the
results that it asked for. The Python forms are listed in ``host/interface.py``.
"""

from collections.abc import Callable
from typing import Any

from wasmtime import component as wit

from edgezero_spin.host.errors import LinkError
from edgezero_spin.host.interface import Err, Ok, Some
from edgezero_spin.host.values.raw import (
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    MEMORY,
    RECORD_ENTRY_SIZE,
    U16,
    U32,
    VALUE_SIZE,
    WORDS,
)
from edgezero_spin.host.values.scope import GuestResource, Scope
from edgezero_spin.host.values.types import ResourceTypes, describe

__all__ = ["Lift", "prepare_lift"]

Lift = Callable[[Scope, int], Any]

_NUMBERS: dict[type[wit.ValType], tuple["memoryview[Any]", int]] = {
    wit.S8: (I8, 0),
    wit.U8: (MEMORY, 0),
    wit.S16: (I16, 1),
    wit.U16: (U16, 1),
    wit.S32: (I32, 2),
    wit.U32: (U32, 2),
    wit.S64: (I64, 3),
    wit.U64: (WORDS, 3),
    wit.F32: (F32, 2),
    wit.F64: (F64, 3),
}
"""Which view holds a number, and by how many bits an address is shifted to index it."""


def prepare_lift(type_: wit.ValType, resources: ResourceTypes) -> Lift:
    """Return the converter from the engine's value to Python for one type.

    Args:
        type_: The WIT type.
        resources: The host resources that the component's types may mention.

    Raises:
        LinkError: The type, or a part of it, cannot cross this interface.
    """
    if type(type_) in _NUMBERS:
        view, shift = _NUMBERS[type(type_)]
        return _number(view, shift)
    prepare = _PREPARE.get(type(type_))
    if prepare is None:
        raise LinkError(describe(type_), "this host cannot pass values of this type")
    return prepare(type_, resources)


def _number(view: "memoryview[Any]", shift: int) -> Lift:
    if shift == 0:
        return lambda scope, address: view[address + 8]
    return lambda scope, address: view[(address + 8) >> shift]


def _bool(type_: wit.ValType, resources: ResourceTypes) -> Lift:
    return lambda scope, address: MEMORY[address + 8] != 0


def _char(type_: wit.ValType, resources: ResourceTypes) -> Lift:
    return lambda scope, address: chr(U32[(address + 8) >> 2])


def _string(type_: wit.ValType, resources: ResourceTypes) -> Lift:
    def lift(scope: Scope, address: int) -> str:
        word = address >> 3
        data = WORDS[word + 2]
        return str(MEMORY[data : data + WORDS[word + 1]], "utf-8")

    return lift


def _list(type_: wit.ListType, resources: ResourceTypes) -> Lift:
    element = type_.element
    if type(element) is wit.U8:
        return _lift_bytes
    if type(element) in _NUMBERS:
        return _list_of_numbers(*_NUMBERS[type(element)])
    lift_element = prepare_lift(element, resources)

    def lift(scope: Scope, address: int) -> list[Any]:
        word = address >> 3
        first = WORDS[word + 2]
        last = first + WORDS[word + 1] * VALUE_SIZE
        return [lift_element(scope, at) for at in range(first, last, VALUE_SIZE)]

    return lift


def _lift_bytes(scope: Scope, address: int) -> bytes:
    word = address >> 3
    first = WORDS[word + 2] + 8
    return bytes(MEMORY[first : first + WORDS[word + 1] * VALUE_SIZE : VALUE_SIZE])


def _list_of_numbers(view: "memoryview[Any]", shift: int) -> Lift:
    stride = VALUE_SIZE >> shift

    def lift(scope: Scope, address: int) -> list[Any]:
        word = address >> 3
        first = (WORDS[word + 2] + 8) >> shift
        return view[first : first + WORDS[word + 1] * stride : stride].tolist()

    return lift


def _tuple(type_: wit.TupleType, resources: ResourceTypes) -> Lift:
    lifts = [prepare_lift(element, resources) for element in type_.elements]
    if len(lifts) == 2:
        lift_0, lift_1 = lifts

        def lift_pair(scope: Scope, address: int) -> tuple[Any, Any]:
            data = WORDS[(address >> 3) + 2]
            return (lift_0(scope, data), lift_1(scope, data + VALUE_SIZE))

        return lift_pair
    parts = [(lift, index * VALUE_SIZE) for index, lift in enumerate(lifts)]

    def lift(scope: Scope, address: int) -> tuple[Any, ...]:
        data = WORDS[(address >> 3) + 2]
        return tuple([part(scope, data + offset) for part, offset in parts])

    return lift


def _record(type_: wit.RecordType, resources: ResourceTypes) -> Lift:
    # Entries come in the order of the type, so their names need not be read.
    parts = [
        (name, prepare_lift(field, resources), index * RECORD_ENTRY_SIZE + 16)
        for index, (name, field) in enumerate(type_.fields)
    ]

    def lift(scope: Scope, address: int) -> dict[str, Any]:
        data = WORDS[(address >> 3) + 2]
        return {name: part(scope, data + offset) for name, part, offset in parts}

    return lift


def _variant(type_: wit.VariantType, resources: ResourceTypes) -> Lift:
    cases = {
        name.encode(): (name, None if payload is None else prepare_lift(payload, resources))
        for name, payload in type_.cases
    }

    def lift(scope: Scope, address: int) -> tuple[str, Any]:
        word = address >> 3
        data = WORDS[word + 2]
        name, payload = cases[bytes(MEMORY[data : data + WORDS[word + 1]])]
        if payload is None:
            return (name, None)
        return (name, payload(scope, WORDS[word + 3]))

    return lift


def _enum(type_: wit.EnumType, resources: ResourceTypes) -> Lift:
    names = {name.encode(): name for name in type_.names}

    def lift(scope: Scope, address: int) -> str:
        word = address >> 3
        data = WORDS[word + 2]
        return names[bytes(MEMORY[data : data + WORDS[word + 1]])]

    return lift


def _flags(type_: wit.FlagsType, resources: ResourceTypes) -> Lift:
    names = {name.encode(): name for name in type_.names}

    def lift(scope: Scope, address: int) -> frozenset[str]:
        word = address >> 3
        first = WORDS[word + 2] >> 3
        found = []
        for at in range(first, first + 2 * WORDS[word + 1], 2):
            data = WORDS[at + 1]
            found.append(names[bytes(MEMORY[data : data + WORDS[at]])])
        return frozenset(found)

    return lift


def _option(type_: wit.OptionType, resources: ResourceTypes) -> Lift:
    lift_payload = prepare_lift(type_.payload, resources)
    nested = isinstance(type_.payload, wit.OptionType)

    def lift(scope: Scope, address: int) -> Any:
        payload = WORDS[(address >> 3) + 1]
        return lift_payload(scope, payload) if payload else None

    def lift_nested(scope: Scope, address: int) -> Some | None:
        payload = WORDS[(address >> 3) + 1]
        return Some(lift_payload(scope, payload)) if payload else None

    return lift_nested if nested else lift


def _result(type_: wit.ResultType, resources: ResourceTypes) -> Lift:
    ok = None if type_.ok is None else prepare_lift(type_.ok, resources)
    err = None if type_.err is None else prepare_lift(type_.err, resources)

    def lift(scope: Scope, address: int) -> Ok | Err:
        payload = WORDS[(address >> 3) + 2]
        if MEMORY[address + 8]:
            return Ok(None if ok is None else ok(scope, payload))
        return Err(None if err is None else err(scope, payload))

    return lift


def _own(type_: wit.OwnType, resources: ResourceTypes) -> Lift:
    if resources.find(type_.ty) is None:
        return _lift_guest_resource
    return lambda scope, address: scope.table.take(scope.rep_of(WORDS[(address >> 3) + 1]))


def _borrow(type_: wit.BorrowType, resources: ResourceTypes) -> Lift:
    if resources.find(type_.ty) is None:
        return _lift_guest_resource
    return lambda scope, address: scope.table.get(scope.rep_of(WORDS[(address >> 3) + 1]))


def _lift_guest_resource(scope: Scope, address: int) -> GuestResource:
    return GuestResource(scope, WORDS[(address >> 3) + 1])


_PREPARE: dict[type[wit.ValType], Callable[[Any, ResourceTypes], Lift]] = {
    wit.Bool: _bool,
    wit.Char: _char,
    wit.String: _string,
    wit.ListType: _list,
    wit.TupleType: _tuple,
    wit.RecordType: _record,
    wit.VariantType: _variant,
    wit.EnumType: _enum,
    wit.FlagsType: _flags,
    wit.OptionType: _option,
    wit.ResultType: _result,
    wit.OwnType: _own,
    wit.BorrowType: _borrow,
}
