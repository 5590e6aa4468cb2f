"""How a type crosses between a component and its core modules: core values, or bytes in memory.

In: a value type and the instance type that it stands in. Out: core value types; size and
alignment in memory.

Source: the component model's canonical ABI, "Flattening", "Alignment" and "Element Size".
"""

from itertools import zip_longest

from edgezero_spin.wasm.component_types import (
    Compound,
    Form,
    Function,
    Handle,
    InstanceType,
    Plain,
    Primitive,
    ValueType,
)
from edgezero_spin.wasm.module import UnknownFormError

__all__ = [
    "F32",
    "F64",
    "I32",
    "I64",
    "MOST_PARAMETERS",
    "aligned",
    "flattened",
    "flattened_function",
    "layout",
]

# Core value types; the numbers are the binary format's.
I32 = 0x7F
I64 = 0x7E
F32 = 0x7D
F64 = 0x7C

MOST_PARAMETERS = 16
"""Core parameters of a function; past it they all lie in memory."""

_PRIMITIVES = {
    Primitive.STRING: (I32, I32),
    Primitive.F64: (F64,),
    Primitive.F32: (F32,),
    Primitive.U64: (I64,),
    Primitive.S64: (I64,),
}
_FLAGS_IN_ONE = 32
_SIZES = {
    Primitive.BOOL: 1,
    Primitive.S8: 1,
    Primitive.U8: 1,
    Primitive.S16: 2,
    Primitive.U16: 2,
    Primitive.S64: 8,
    Primitive.U64: 8,
    Primitive.F64: 8,
}
"""Of numbers; what is not here has 4 bytes."""


def flattened(type_: ValueType, scope: InstanceType) -> tuple[int, ...]:
    """Return the core values of a type.

    Raises:
        UnknownFormError: The type is defined outside the instance type.
    """
    found = scope.resolved(type_)
    if isinstance(found, Plain):
        return _PRIMITIVES.get(found.type, (I32,))
    if isinstance(found, Handle):
        return (I32,)
    if not isinstance(found, Compound):
        raise UnknownFormError("a type is defined elsewhere")
    if found.form == Form.LIST:
        return (I32, I32)
    if found.form == Form.ENUM:
        return (I32,)
    if found.form == Form.FLAGS:
        return (I32,) * -(-len(found.parts) // _FLAGS_IN_ONE)
    parts = [() if part is None else flattened(part, scope) for _, part in found.parts]
    if found.form in (Form.RECORD, Form.TUPLE):
        return tuple(core for part in parts for core in part)
    joined = parts[0]
    for part in parts[1:]:
        joined = tuple(_join(*pair) for pair in zip_longest(joined, part))
    return (I32, *joined)


def _join(one: int | None, other: int | None) -> int:
    """Return what can hold either of two core values."""
    if one is None or other is None or one == other:
        return one or other or I32
    return I32 if {one, other} == {I32, F32} else I64


def flattened_function(
    function: Function, scope: InstanceType
) -> tuple[tuple[int, ...], tuple[int, ...], bool]:
    """Return a function's core parameters and results, and whether results lie in memory.

    Where they do, the last parameter says where.

    Raises:
        UnknownFormError: A type is defined elsewhere, or the parameters lie in memory, too.
    """
    parameters = tuple(core for _, type_ in function.parameters for core in flattened(type_, scope))
    if len(parameters) > MOST_PARAMETERS:
        raise UnknownFormError("the parameters lie in memory")
    if function.result is None:
        return parameters, (), False
    found = scope.resolved(function.result)
    # Of a result or list, also one of a type from elsewhere, only this is asked.
    several = isinstance(found, Compound) and (
        found.form == Form.LIST
        or (found.form in (Form.OPTION, Form.RESULT) and any(type_ for _, type_ in found.parts))
    )
    if not several:
        results = flattened(function.result, scope)
        if len(results) < 2:
            return parameters, results, False
    return (*parameters, I32), (), True


def layout(type_: ValueType, scope: InstanceType) -> tuple[int, int]:
    """Return size and alignment of a type in memory, in bytes.

    Raises:
        UnknownFormError: The type is defined outside the instance type.
    """
    found = scope.resolved(type_)
    if found == Plain(Primitive.STRING):
        return 8, 4
    if isinstance(found, Plain):
        size = _SIZES.get(found.type, 4)
        return size, size
    if isinstance(found, Handle):
        return 4, 4
    if not isinstance(found, Compound):
        raise UnknownFormError("a type is defined elsewhere")
    count = len(found.parts)
    if found.form == Form.LIST:
        return 8, 4
    if found.form == Form.FLAGS:
        size = next((size for size in (1, 2) if count <= 8 * size), 4 * -(-count // 32))
        return size, min(size, 4)
    parts = [layout(part, scope) for _, part in found.parts if part is not None]
    if found.form in (Form.RECORD, Form.TUPLE):
        return _sequence(parts)
    cases = 2 if found.form == Form.OPTION else count
    tag = next(size for size in (1, 2, 4) if cases <= 1 << 8 * size)
    longest = max((size for size, _ in parts), default=0)
    strictest = max((alignment for _, alignment in parts), default=1)
    return _sequence([(tag, tag), (longest, strictest)])


def _sequence(parts: list[tuple[int, int]]) -> tuple[int, int]:
    """Return size and alignment of parts that lie one behind the other."""
    at, strictest = 0, 1
    for size, alignment in parts:
        at = aligned(at, alignment) + size
        strictest = max(strictest, alignment)
    return aligned(at, strictest), strictest


def aligned(at: int, alignment: int) -> int:
    """Return the next address from ``at`` on with this alignment."""
    return -(-at // alignment) * alignment
