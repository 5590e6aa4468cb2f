"""From Python to the engine's values: one closure per type, made at link time.

In: a ``wasmtime.component`` value type. Out: ``lower(scope, address, value)``, which
writes the value at an address that held ``bool false`` before.

Ownership: whatever a closure allocates hangs below the address at once, and vectors come
from the engine filled with ``bool false``. So the tree can be freed from its root at any
moment, also when a value deep inside turns out not to fit; nobody below the root frees.

A value that does not fit raises ``ValueMismatchError``, whose place grows from the inside
out: ``[3].status-code`` in a list of records.
"""

import ctypes
from collections.abc import Callable, Mapping
from typing import Any

from wasmtime import component as wit

from edgezero_spin.host.errors import LinkError, ValueMismatchError
from edgezero_spin.host.interface import Err, Ok, Some
from edgezero_spin.host.values.bulk import lower_in_bulk
from edgezero_spin.host.values.raw import (
    BLANK,
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
    Kind,
    byte_vec_new,
    flags_new,
    list_new,
    list_new_copy,
    record_new,
    tuple_new,
    value_new,
)
from edgezero_spin.host.values.scope import GuestResource, Scope
from edgezero_spin.host.values.types import ResourceTypes, describe

__all__ = ["Lower", "prepare_case", "prepare_lower"]

Lower = Callable[[Scope, int, Any], None]

_NUMBERS: dict[type[wit.ValType], tuple["memoryview[Any]", int, int, str]] = {
    wit.S8: (I8, 0, Kind.S8, "s8 (-128 to 127)"),
    wit.U8: (MEMORY, 0, Kind.U8, "u8 (0 to 255)"),
    wit.S16: (I16, 1, Kind.S16, "s16 (-32768 to 32767)"),
    wit.U16: (U16, 1, Kind.U16, "u16 (0 to 65535)"),
    wit.S32: (I32, 2, Kind.S32, "s32 (-2**31 to 2**31-1)"),
    wit.U32: (U32, 2, Kind.U32, "u32 (0 to 2**32-1)"),
    wit.S64: (I64, 3, Kind.S64, "s64 (-2**63 to 2**63-1)"),
    wit.U64: (WORDS, 3, Kind.U64, "u64 (0 to 2**64-1)"),
    wit.F32: (F32, 2, Kind.F32, "f32"),
    wit.F64: (F64, 3, Kind.F64, "f64"),
}
"""View, shift from address to index, kind, and what a message calls the type."""

_BOOL = int(Kind.BOOL)
_CHAR = int(Kind.CHAR)
_STRING = int(Kind.STRING)
_LIST = int(Kind.LIST)
_RECORD = int(Kind.RECORD)
_TUPLE = int(Kind.TUPLE)
_VARIANT = int(Kind.VARIANT)
_ENUM = int(Kind.ENUM)
_OPTION = int(Kind.OPTION)
_RESULT = int(Kind.RESULT)
_FLAGS = int(Kind.FLAGS)
_RESOURCE = int(Kind.RESOURCE)
_U8 = int(Kind.U8)


def prepare_lower(type_: wit.ValType, resources: ResourceTypes) -> Lower:
    """Return the converter from Python to the engine's value for one type.

    Args:
        type_: The WIT type.
        resources: The host resources that the component's types may mention.

    Raises:
        LinkError: The type, or a part of it, cannot cross this interface.
    """
    if type(type_) in _NUMBERS:
        return _number(*_NUMBERS[type(type_)])
    prepare = _PREPARE.get(type(type_))
    if prepare is None:
        raise LinkError(describe(type_), "this host cannot pass values of this type")
    return prepare(type_, resources)


def _number(view: "memoryview[Any]", shift: int, kind: int, expected: str) -> Lower:
    def lower(scope: Scope, address: int, value: Any) -> None:
        try:
            view[(address + 8) >> shift] = value
        except (TypeError, ValueError, OverflowError):
            raise ValueMismatchError("", expected, value) from None
        MEMORY[address] = kind

    return lower


def _bool(type_: wit.ValType, resources: ResourceTypes) -> Lower:
    def lower(scope: Scope, address: int, value: Any) -> None:
        if value is not True and value is not False:
            raise ValueMismatchError("", "bool", value)
        MEMORY[address + 8] = value
        MEMORY[address] = _BOOL

    return lower


def _char(type_: wit.ValType, resources: ResourceTypes) -> Lower:
    def lower(scope: Scope, address: int, value: Any) -> None:
        if not isinstance(value, str) or len(value) != 1 or "\ud800" <= value <= "\udfff":
            raise ValueMismatchError("", "char (a str of one Unicode scalar value)", value)
        U32[(address + 8) >> 2] = ord(value)
        MEMORY[address] = _CHAR

    return lower


def _string(type_: wit.ValType, resources: ResourceTypes) -> Lower:
    if resources.in_bulk:
        return lower_in_bulk

    def lower(scope: Scope, address: int, value: Any) -> None:
        try:
            data = value.encode()
        except (AttributeError, UnicodeEncodeError):
            raise ValueMismatchError("", "string (a str without surrogates)", value) from None
        byte_vec_new(address + 8, len(data), data)
        MEMORY[address] = _STRING

    return lower


def _list(type_: wit.ListType, resources: ResourceTypes) -> Lower:
    element = type_.element
    if type(element) is wit.U8:
        return _lower_bytes
    lower_element = prepare_lower(element, resources)
    expected = f"{describe(type_)} (a list or tuple)"

    def lower(scope: Scope, address: int, value: Any) -> None:
        if not isinstance(value, list | tuple):
            raise ValueMismatchError("", expected, value)
        list_new(address + 8, len(value))
        MEMORY[address] = _LIST
        at = WORDS[(address >> 3) + 2]
        try:
            for item in value:
                lower_element(scope, at, item)
                at += VALUE_SIZE
        except ValueMismatchError as error:
            index = (at - WORDS[(address >> 3) + 2]) // VALUE_SIZE
            error.place = f"[{index}]{error.place}"
            raise

    return lower


_SCRATCH_BYTES = 64 * 1024
"""Bytes of ``list<u8>`` that one kept scratch array has room for (32 times as large)."""

_scratch_pool: list[ctypes.Array[ctypes.c_char]] = []
"""Arrays of values of kind ``u8``, lent to one conversion at a time."""


def _new_scratch(count: int) -> ctypes.Array[ctypes.c_char]:
    scratch = ctypes.create_string_buffer(count * VALUE_SIZE)
    address = ctypes.addressof(scratch)
    MEMORY[address : address + count * VALUE_SIZE : VALUE_SIZE] = bytes([_U8]) * count
    return scratch


def _lower_bytes(scope: Scope, address: int, value: Any) -> None:
    """Write a ``list<u8>``.

    The kinds stand ready in a scratch array, the bytes go in with one strided copy, and the
    engine copies the array: twice as fast as filling a fresh vector's kinds and payloads.
    """
    try:
        data = value if type(value) is bytes else memoryview(value).cast("B")
        count = len(data)
    except TypeError:
        raise ValueMismatchError("", "list<u8> (bytes, or a contiguous buffer)", value) from None
    if count <= _SCRATCH_BYTES:
        try:
            scratch = _scratch_pool.pop()
        except IndexError:
            scratch = _new_scratch(_SCRATCH_BYTES)
    else:
        scratch = _new_scratch(count)
    array = ctypes.addressof(scratch)
    first = array + 8
    MEMORY[first : first + count * VALUE_SIZE : VALUE_SIZE] = data
    list_new_copy(address + 8, count, array)
    MEMORY[address] = _LIST
    if count <= _SCRATCH_BYTES:
        _scratch_pool.append(scratch)


def _tuple(type_: wit.TupleType, resources: ResourceTypes) -> Lower:
    lowers = [prepare_lower(element, resources) for element in type_.elements]
    count = len(lowers)
    expected = f"{describe(type_)} (a tuple of {count})"

    def lower(scope: Scope, address: int, value: Any) -> None:
        if not isinstance(value, tuple) or len(value) != count:
            raise ValueMismatchError("", expected, value)
        tuple_new(address + 8, count)
        MEMORY[address] = _TUPLE
        first = at = WORDS[(address >> 3) + 2]
        try:
            for part, item in zip(lowers, value, strict=True):
                part(scope, at, item)
                at += VALUE_SIZE
        except ValueMismatchError as error:
            error.place = f"[{(at - first) // VALUE_SIZE}]{error.place}"
            raise

    return lower


def _record(type_: wit.RecordType, resources: ResourceTypes) -> Lower:
    parts = [(name, name.encode(), prepare_lower(field, resources)) for name, field in type_.fields]
    names = {name for name, _ in type_.fields}
    count = len(parts)
    expected = f"{describe(type_)} (a dict with exactly these keys)"

    def lower(scope: Scope, address: int, value: Any) -> None:
        if not isinstance(value, Mapping) or value.keys() != names:
            raise ValueMismatchError("", expected, value)
        record_new(address + 8, count)
        MEMORY[address] = _RECORD
        at = WORDS[(address >> 3) + 2]
        for name, encoded, part in parts:
            byte_vec_new(at, len(encoded), encoded)
            try:
                part(scope, at + 16, value[name])
            except ValueMismatchError as error:
                error.place = f".{name}{error.place}"
                raise
            at += RECORD_ENTRY_SIZE

    return lower


def _variant(type_: wit.VariantType, resources: ResourceTypes) -> Lower:
    cases = {
        name: (
            name.encode(),
            len(name.encode()),
            None if payload is None else prepare_lower(payload, resources),
        )
        for name, payload in type_.cases
    }
    expected = f"{describe(type_)} (a tuple of case name and payload)"

    def lower(scope: Scope, address: int, value: Any) -> None:
        try:
            name, payload = value
            encoded, size, part = cases[name]
        except (TypeError, ValueError, KeyError):
            raise ValueMismatchError("", expected, value) from None
        if part is None and payload is not None:
            raise ValueMismatchError(f".{name}", "no payload (None)", payload)
        byte_vec_new(address + 8, size, encoded)
        word = (address >> 3) + 3
        WORDS[word] = 0
        MEMORY[address] = _VARIANT
        if part is not None:
            WORDS[word] = box = value_new(BLANK)
            try:
                part(scope, box, payload)
            except ValueMismatchError as error:
                error.place = f".{name}{error.place}"
                raise

    return lower


def _enum(type_: wit.EnumType, resources: ResourceTypes) -> Lower:
    names = {name: name.encode() for name in type_.names}
    expected = describe(type_)

    def lower(scope: Scope, address: int, value: Any) -> None:
        try:
            encoded = names[value]
        except (KeyError, TypeError):
            raise ValueMismatchError("", expected, value) from None
        byte_vec_new(address + 8, len(encoded), encoded)
        MEMORY[address] = _ENUM

    return lower


def _flags(type_: wit.FlagsType, resources: ResourceTypes) -> Lower:
    names = {name: name.encode() for name in type_.names}
    known = frozenset(names)
    expected = f"{describe(type_)} (a set of these names)"

    def lower(scope: Scope, address: int, value: Any) -> None:
        if not isinstance(value, frozenset | set) or not value <= known:
            raise ValueMismatchError("", expected, value)
        flags_new(address + 8, len(value))
        MEMORY[address] = _FLAGS
        at = WORDS[(address >> 3) + 2]
        for name in value:
            encoded = names[name]
            byte_vec_new(at, len(encoded), encoded)
            at += 16

    return lower


def _option(type_: wit.OptionType, resources: ResourceTypes) -> Lower:
    part = prepare_lower(type_.payload, resources)
    nested = isinstance(type_.payload, wit.OptionType)
    expected = f"{describe(type_)} (None or Some)"

    def lower(scope: Scope, address: int, value: Any) -> None:
        word = (address >> 3) + 1
        WORDS[word] = 0
        MEMORY[address] = _OPTION
        if value is not None:
            if nested:
                if not isinstance(value, Some):
                    raise ValueMismatchError("", expected, value)
                value = value.value
            WORDS[word] = box = value_new(BLANK)
            part(scope, box, value)

    return lower


def prepare_case(payload: wit.ValType | None, is_ok: bool, resources: ResourceTypes) -> Lower:
    """Return the converter for one case of a ``result``, given its payload."""
    part = None if payload is None else prepare_lower(payload, resources)
    case = "ok" if is_ok else "err"

    def lower_empty(scope: Scope, address: int, value: Any) -> None:
        if value is not None:
            raise ValueMismatchError(f".{case}", "no payload (None)", value)
        MEMORY[address + 8] = is_ok
        WORDS[(address >> 3) + 2] = 0
        MEMORY[address] = _RESULT

    if part is None:
        return lower_empty

    def lower(scope: Scope, address: int, value: Any) -> None:
        MEMORY[address + 8] = is_ok
        WORDS[(address >> 3) + 2] = box = value_new(BLANK)
        MEMORY[address] = _RESULT
        try:
            part(scope, box, value)
        except ValueMismatchError as error:
            error.place = f".{case}{error.place}"
            raise

    return lower


def _result(type_: wit.ResultType, resources: ResourceTypes) -> Lower:
    ok = prepare_case(type_.ok, True, resources)
    err = prepare_case(type_.err, False, resources)
    expected = f"{describe(type_)} (Ok or Err)"

    def lower(scope: Scope, address: int, value: Any) -> None:
        if isinstance(value, Ok):
            ok(scope, address, value.value)
        elif isinstance(value, Err):
            err(scope, address, value.value)
        else:
            raise ValueMismatchError("", expected, value)

    return lower


def _own(type_: wit.OwnType, resources: ResourceTypes) -> Lower:
    resource = resources.find(type_.ty)
    if resource is None:
        return _lower_guest_own
    class_, type_id = resource.class_, resource.type_id
    expected = f"own<{resource.name}> ({class_.__name__})"

    def lower(scope: Scope, address: int, value: Any) -> None:
        if not isinstance(value, class_):
            raise ValueMismatchError("", expected, value)
        WORDS[(address >> 3) + 1] = scope.handle_of(scope.table.push(value), type_id)
        MEMORY[address] = _RESOURCE

    return lower


def _borrow(type_: wit.BorrowType, resources: ResourceTypes) -> Lower:
    resource = resources.find(type_.ty)
    if resource is None:
        return _lower_guest_borrow
    class_, type_id = resource.class_, resource.type_id
    expected = f"borrow<{resource.name}> ({class_.__name__})"

    def lower(scope: Scope, address: int, value: Any) -> None:
        if not isinstance(value, class_):
            raise ValueMismatchError("", expected, value)
        WORDS[(address >> 3) + 1] = scope.lend(scope.table.push(value), type_id)
        MEMORY[address] = _RESOURCE

    return lower


def _lower_guest_borrow(scope: Scope, address: int, value: Any) -> None:
    try:
        WORDS[(address >> 3) + 1] = GuestResource.copy_for(value, scope)
    except (AttributeError, TypeError, ValueError):
        raise ValueMismatchError("", "a live GuestResource of this instance", value) from None
    MEMORY[address] = _RESOURCE


def _lower_guest_own(scope: Scope, address: int, value: Any) -> None:
    _lower_guest_borrow(scope, address, value)
    value.end()


_PREPARE: dict[type[wit.ValType], Callable[[Any, ResourceTypes], Lower]] = {
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
