"""Canonical ABI: sizes, alignments and flattening of component types.

In: resolved types. Out: how many bytes a value takes in memory, and which core values it takes
as parameters and results. Memories have 32-bit addresses.

Source: WebAssembly/component-model, ``design/mvp/CanonicalABI.md``, "Alignment", "Element
Size" and "Flattening".
"""

from functools import lru_cache
from itertools import zip_longest

from edgezero_spin.wasm.component.definitions import CoreFunctionType
from edgezero_spin.wasm.component.types import (
    EnumType,
    FlagsType,
    FunctionType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    ValueType,
    VariantType,
)

__all__ = [
    "I32",
    "I64",
    "MAX_ASYNC_PARAMETERS",
    "MAX_PARAMETERS",
    "core_signature",
    "element_size",
    "flatten",
]

I32 = b"\x7f"
I64 = b"\x7e"
_F32 = b"\x7d"
_F64 = b"\x7c"

MAX_PARAMETERS = 16
_MAX_RESULTS = 1
MAX_ASYNC_PARAMETERS = 4

_SIZES = {
    Primitive.BOOL: 1,
    Primitive.S8: 1,
    Primitive.U8: 1,
    Primitive.S16: 2,
    Primitive.U16: 2,
    Primitive.S32: 4,
    Primitive.U32: 4,
    Primitive.F32: 4,
    Primitive.CHAR: 4,
    Primitive.ERROR_CONTEXT: 4,
    Primitive.S64: 8,
    Primitive.U64: 8,
    Primitive.F64: 8,
}
_FLAT = {
    Primitive.S64: (I64,),
    Primitive.U64: (I64,),
    Primitive.F32: (_F32,),
    Primitive.F64: (_F64,),
    Primitive.STRING: (I32, I32),
}


def _fields(type_: ValueType) -> tuple[ValueType, ...] | None:
    """Return the types that follow each other in a record or tuple, ``None`` for others."""
    if isinstance(type_, RecordType):
        return tuple(field for _, field in type_.fields)
    return type_.elements if isinstance(type_, TupleType) else None


def _payloads(type_: ValueType) -> tuple[ValueType | None, ...] | None:
    """Return the payload types of a variant of any kind, ``None`` for other types."""
    match type_:
        case VariantType():
            return tuple(payload for _, payload in type_.cases)
        case EnumType():
            return (None,) * len(type_.labels)
        case OptionType():
            return (None, type_.payload)
        case ResultType():
            return (type_.ok, type_.error)
        case _:
            return None


def _discriminant_size(cases: int) -> int:
    """Return the bytes of the discriminant of a variant with so many cases."""
    return 1 if cases <= 1 << 8 else 2 if cases <= 1 << 16 else 4


def element_size(type_: ValueType, pointer: int = 4) -> int:
    """Return the bytes of a value in memory, with pointers of so many bytes."""
    return _layout(type_, pointer)[0]


@lru_cache(maxsize=4096)
def _layout(type_: ValueType, pointer: int = 4) -> tuple[int, int]:
    """Return size and alignment of a value in memory."""
    if isinstance(type_, Primitive):
        size = _SIZES.get(type_)
        return (size, size) if size else (2 * pointer, pointer)
    if isinstance(type_, ListType):
        if type_.length is None:
            return 2 * pointer, pointer
        size, align = _layout(type_.element, pointer)
        return size * type_.length, align
    if isinstance(type_, FlagsType):
        size = 1 if len(type_.labels) <= 8 else 2 if len(type_.labels) <= 16 else 4
        return size, size
    parts = _fields(type_)
    if parts is not None:
        at, align = 0, 1
        for part in parts:
            part_size, part_align = _layout(part, pointer)
            at = _aligned(at, part_align) + part_size
            align = max(align, part_align)
        return _aligned(at, align), align
    cases = _payloads(type_)
    if cases is not None:
        head = _discriminant_size(len(cases))
        layouts = [_layout(case, pointer) for case in cases if case is not None]
        inner = max([1, *(each[1] for each in layouts)])
        align = max(head, inner)
        return _aligned(
            _aligned(head, inner) + max([0, *(each[0] for each in layouts)]), align
        ), align
    return 4, 4


def _aligned(at: int, align: int) -> int:
    return -(-at // align) * align


@lru_cache(maxsize=4096)
def flatten(type_: ValueType) -> tuple[bytes, ...]:
    """Return the core value types of a value, as bytes.

    More than ``MAX_PARAMETERS`` + 1 are cut off there: a value never crosses as so many.
    """
    return _flatten(type_)[: MAX_PARAMETERS + 1]


def _flatten(type_: ValueType) -> tuple[bytes, ...]:
    if isinstance(type_, Primitive):
        return _FLAT.get(type_, (I32,))
    if isinstance(type_, ListType):
        if type_.length is None:
            return I32, I32
        return flatten(type_.element) * min(type_.length, MAX_PARAMETERS + 1)
    parts = _fields(type_)
    if parts is not None:
        return _flatten_all(parts)
    cases = _payloads(type_)
    if cases is not None:
        joined: tuple[bytes, ...] = ()
        for case in cases:
            if case is not None:
                joined = tuple(map(_join, *zip(*zip_longest(joined, flatten(case)), strict=True)))
        return (I32, *joined)
    return (I32,)


def _flatten_all(types: tuple[ValueType, ...]) -> tuple[bytes, ...]:
    flat: list[bytes] = []
    for each in types:
        flat += flatten(each)
        if len(flat) > MAX_PARAMETERS:
            break
    return tuple(flat)


def _join(left: bytes | None, right: bytes | None) -> bytes:
    if left is None or right is None or left == right:
        return left or right or I32
    return I32 if {left, right} == {I32, _F32} else I64


def core_signature(
    type_: FunctionType, *, lower: bool, is_async: bool = False, callback: bool = False
) -> CoreFunctionType:
    """Return the type of the core function that a component function is lifted from or lowered to.

    Args:
        type_: Type of the component function.
        lower: It is lowered, not lifted.
        is_async, callback: These options are given.
    """
    parameters = _flatten_all(tuple(part for _, part in type_.parameters))
    results = () if type_.result is None else flatten(type_.result)
    if lower and is_async:
        if len(parameters) > MAX_ASYNC_PARAMETERS:
            parameters = (I32,)
        return CoreFunctionType((*parameters, *((I32,) if results else ())), (I32,))
    if len(parameters) > MAX_PARAMETERS:
        parameters = (I32,)
    if is_async:
        return CoreFunctionType(parameters, (I32,) if callback else ())
    if len(results) > _MAX_RESULTS:
        return (
            CoreFunctionType((*parameters, I32), ())
            if lower
            else CoreFunctionType(parameters, (I32,))
        )
    return CoreFunctionType(parameters, results)
