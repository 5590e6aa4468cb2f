"""Canonical ABI: size, alignment and flattening of component types.

In: a value type. Out: its ``Layout`` in linear memory and as core values. A flat
value is described by a format character of ``struct``, which says signedness as well, so that
most integers need no conversion on their way: ``I``/``i`` for ``i32``, ``Q``/``q`` for ``i64``,
``f`` and ``d``.

Source: ``CanonicalABI.md``, "Alignment", "Element Size" and "Flattening".
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from struct import Struct

import attrs

from edgezero_spin.wasm.component import types as wit

__all__ = [
    "MAX_FLAT_ASYNC_PARAMETERS",
    "MAX_FLAT_PARAMETERS",
    "CoreSignature",
    "Formats",
    "Layout",
    "cases_of",
    "core_signature",
    "core_types",
    "discriminant_size",
    "encoded_types",
    "fields_of",
    "layout_of",
    "offsets_of",
    "payload_offset",
    "slots",
]

MAX_FLAT_PARAMETERS = 16
MAX_FLAT_ASYNC_PARAMETERS = 4

Formats = tuple[str, ...]
"""One character for each core value; see the module."""

I32, I64 = b"\x7f", b"\x7e"
_CORE_TYPES = {"I": "i32", "i": "i32", "Q": "i64", "q": "i64", "f": "f32", "d": "f64"}
_ENCODED = {"i32": I32, "i64": I64, "f32": b"\x7d", "f64": b"\x7c"}


@attrs.frozen
class Layout:
    """How values of a type lie in memory and among core values.

    Attributes:
        size, alignment: Bytes.
        flat: Its core values, ``None`` if there are more than may ever be passed so.
    """

    size: int
    alignment: int
    flat: Formats | None


_PRIMITIVES = {
    wit.Primitive.BOOL: Layout(1, 1, ("I",)),
    wit.Primitive.S8: Layout(1, 1, ("i",)),
    wit.Primitive.U8: Layout(1, 1, ("I",)),
    wit.Primitive.S16: Layout(2, 2, ("i",)),
    wit.Primitive.U16: Layout(2, 2, ("I",)),
    wit.Primitive.S32: Layout(4, 4, ("i",)),
    wit.Primitive.U32: Layout(4, 4, ("I",)),
    wit.Primitive.S64: Layout(8, 8, ("q",)),
    wit.Primitive.U64: Layout(8, 8, ("Q",)),
    wit.Primitive.F32: Layout(4, 4, ("f",)),
    wit.Primitive.F64: Layout(8, 8, ("d",)),
    wit.Primitive.CHAR: Layout(4, 4, ("I",)),
    wit.Primitive.ERROR_CONTEXT: Layout(4, 4, ("I",)),
}


@lru_cache(4096)
def layout_of(type_: wit.ValueType, pointer: int = 4) -> Layout:
    """Return the layout of a type in a memory with addresses of so many bytes."""
    match type_:
        case wit.Primitive.STRING | wit.ListType(_, None):
            return Layout(2 * pointer, pointer, ("I", "I"))
        case wit.Primitive():
            return _PRIMITIVES[type_]
        case wit.RecordType() | wit.TupleType():
            return _record([layout_of(part, pointer) for part in fields_of(type_)[1]])
        case wit.ListType(element, int(length)):
            item = layout_of(element, pointer)
            flat = None
            if item.flat is not None and len(item.flat) * length <= MAX_FLAT_PARAMETERS:
                flat = item.flat * length
            return Layout(item.size * length, item.alignment, flat)
        case wit.FlagsType():
            size = 1 if len(type_.labels) <= 8 else 2 if len(type_.labels) <= 16 else 4
            return Layout(size, size, ("I",))
        case wit.EnumType():
            size = discriminant_size(len(type_.labels))
            return Layout(size, size, ("I",))
        case wit.OwnType() | wit.BorrowType() | wit.StreamType() | wit.FutureType():
            return Layout(4, 4, ("I",))
        case wit.VariantType() | wit.OptionType() | wit.ResultType():
            cases = cases_of(type_)
            payloads = [layout_of(case, pointer) for case in cases if case is not None]
            return _variant(discriminant_size(len(cases)), payloads)
    raise TypeError(type_)


def cases_of(type_: wit.AnyVariant) -> tuple[wit.ValueType | None, ...]:
    """Return the payload types of the cases."""
    match type_:
        case wit.VariantType():
            return tuple(payload for _, payload in type_.cases)
        case wit.OptionType():
            return (None, type_.payload)
        case wit.ResultType():
            return (type_.ok, type_.error)


def fields_of(type_: wit.AnyRecord) -> tuple[tuple[str, ...] | None, tuple[wit.ValueType, ...]]:
    """Return the names of a record's fields, ``None`` for a tuple, and their types."""
    if isinstance(type_, wit.TupleType):
        return None, type_.elements
    return tuple(name for name, _ in type_.fields), tuple(part for _, part in type_.fields)


def offsets_of(types: Iterable[wit.ValueType]) -> tuple[int, ...]:
    """Return where the fields of a record with these types begin."""
    offsets = []
    end = 0
    for type_ in types:
        field = layout_of(type_)
        at = _aligned(end, field.alignment)
        offsets.append(at)
        end = at + field.size
    return tuple(offsets)


def discriminant_size(cases: int) -> int:
    """Return how many bytes tell this many cases apart."""
    return 1 if cases <= 1 << 8 else 2 if cases <= 1 << 16 else 4


def payload_offset(cases: tuple[wit.ValueType | None, ...]) -> int:
    """Return where the payload of a variant begins."""
    alignment = max((layout_of(case).alignment for case in cases if case is not None), default=1)
    return _aligned(discriminant_size(len(cases)), alignment)


def _aligned(at: int, alignment: int) -> int:
    return -(-at // alignment) * alignment


def _record(fields: Sequence[Layout]) -> Layout:
    end = 0
    for field in fields:
        end = _aligned(end, field.alignment) + field.size
    alignment = max(field.alignment for field in fields)
    flat: Formats | None = ()
    for field in fields:
        flat = None if flat is None or field.flat is None else flat + field.flat
        if flat is not None and len(flat) > MAX_FLAT_PARAMETERS:
            flat = None
    return Layout(_aligned(end, alignment), alignment, flat)


def _variant(discriminant: int, payloads: Sequence[Layout]) -> Layout:
    inner = max((payload.alignment for payload in payloads), default=1)
    alignment = max(discriminant, inner)
    end = _aligned(discriminant, inner) + max((payload.size for payload in payloads), default=0)
    joined: list[str] = []
    flat: Formats | None = None
    if all(payload.flat is not None for payload in payloads):
        for payload in payloads:
            for index, format_ in enumerate(payload.flat or ()):
                if index < len(joined):
                    joined[index] = _join(joined[index], format_)
                else:
                    joined.append(format_)
        if len(joined) < MAX_FLAT_PARAMETERS:
            flat = ("I", *joined)
    return Layout(_aligned(end, alignment), alignment, flat)


def _join(one: str, other: str) -> str:
    if one == other:
        return one
    kinds = {_CORE_TYPES[one], _CORE_TYPES[other]}
    return "I" if kinds <= {"i32", "f32"} else "Q"


@attrs.frozen
class CoreSignature:
    """The core function type of a lifted or lowered function.

    Attributes:
        parameters: Formats of the parameters, a pointer to results included.
        results: Formats of the results, at most one.
        spilled: The parameters are in memory, and the first core parameter points to them.
        returned: The result is in memory: where the last parameter says for a lowered
            function, where the core result says for a lifted one.
    """

    parameters: Formats
    results: Formats
    spilled: bool
    returned: bool


def core_signature(
    type_: wit.FunctionType, *, lowered: bool, is_async: bool = False, callback: bool = False
) -> CoreSignature:
    """Return the core signature of a function.

    Args:
        type_: The component function's type.
        lowered: As ``canon lower`` makes it; else what ``canon lift`` expects.
        is_async: The option ``async`` is given.
        callback: The option ``callback`` is given.
    """
    most = MAX_FLAT_ASYNC_PARAMETERS if lowered and is_async else MAX_FLAT_PARAMETERS
    flat: Formats | None = ()
    for _, parameter in type_.parameters:
        part = layout_of(parameter).flat
        flat = None if flat is None or part is None else flat + part
        if flat is not None and len(flat) > most:
            flat = None
    spilled = flat is None
    parameters = flat if flat is not None else ("I",)
    result = () if type_.result is None else layout_of(type_.result).flat
    if is_async:
        if lowered:
            returned = type_.result is not None
            return CoreSignature(
                (*parameters, "I") if returned else parameters, ("I",), spilled, returned
            )
        return CoreSignature(parameters, ("I",) if callback else (), spilled, False)
    returned = result is None or len(result) > 1
    if not returned:
        return CoreSignature(parameters, result or (), spilled, False)
    if lowered:
        return CoreSignature((*parameters, "I"), (), spilled, True)
    return CoreSignature(parameters, ("I",), spilled, True)


def slots(formats: Formats) -> Struct:
    """Return how core values lie in the engine's slots of 16 bytes."""
    return Struct("<" + "".join(f"{one}{8 if one in 'Qqd' else 12}x" for one in formats))


def encoded_types(formats: Formats) -> tuple[bytes, ...]:
    """Return the core types in binary form."""
    return tuple(_ENCODED[name] for name in core_types(formats))


def core_types(formats: Formats) -> tuple[str, ...]:
    """Return the names of the core types."""
    return tuple(_CORE_TYPES[one] for one in formats)
