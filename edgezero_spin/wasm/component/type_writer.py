"""Writer of types, names and external types of components.

In: forms of ``definitions``, and where each type that they name is in what is written. Out: their
bytes, as ``type_reader`` reads them.

Refused: component and instance types within a type, which no interface has.

Source: WebAssembly/component-model, ``design/mvp/Binary.md``, "Type Definitions" and "Import and
Export Definitions".
"""

from collections.abc import Callable

from edgezero_spin.wasm.binary import number_bytes, signed_bytes, text_bytes, vector_bytes
from edgezero_spin.wasm.component.definitions import (
    Bound,
    ExternType,
    FunctionForm,
    ResourceForm,
    Sort,
    TypeForm,
    ValueForm,
    ValueRef,
)
from edgezero_spin.wasm.component.errors import UnsupportedError
from edgezero_spin.wasm.component.type_reader import CORE_SORTS, PRIMITIVES, SORTS

__all__ = [
    "IndexOf",
    "extern_name_bytes",
    "extern_type_bytes",
    "outer_alias_bytes",
    "result_bytes",
    "sort_bytes",
    "type_bytes",
]

IndexOf = Callable[[int], int]
"""Index of a type in the written component, by its index in the one that was read."""

_PRIMITIVES = {primitive: bytes([number]) for number, primitive in PRIMITIVES.items()}
_SORTS = {sort: bytes([number]) for number, sort in SORTS.items()} | {
    sort: b"\0" + bytes([number]) for number, sort in CORE_SORTS.items()
}


def sort_bytes(sort: Sort) -> bytes:
    """Return a sort."""
    return _SORTS[sort]


def extern_name_bytes(name: str, implements: str | None = None) -> bytes:
    """Return the name of an import or export."""
    if implements is None:
        return b"\0" + text_bytes(name)
    return b"\2" + text_bytes(name) + vector_bytes([b"\0" + text_bytes(implements)])


def extern_type_bytes(type_: ExternType, index_of: IndexOf) -> bytes:
    """Return the type of an import or export."""
    if type_.bound is Bound.SUB_RESOURCE or type_.index is None:
        return _SORTS[Sort.TYPE] + b"\1"
    index = number_bytes(index_of(type_.index))
    return _SORTS[type_.sort] + (b"\0" if type_.sort is Sort.TYPE else b"") + index


def outer_alias_bytes(count: int, index: int) -> bytes:
    """Return an alias of a type so many scopes outward."""
    return _SORTS[Sort.TYPE] + b"\2" + number_bytes(count) + number_bytes(index)


def type_bytes(form: TypeForm, index_of: IndexOf, offset: int) -> bytes:
    """Return a value, function or resource type.

    Args:
        form: The type.
        index_of: Where the types are that it names.
        offset: Where it stands in what was read, for errors.

    Raises:
        UnsupportedError: It is a component or instance type.
    """
    if isinstance(form, ValueForm):
        return _value_bytes(form, index_of)
    if isinstance(form, FunctionForm):
        parameters = vector_bytes(
            text_bytes(name) + _ref_bytes(part, index_of) for name, part in form.parameters
        )
        head = b"\x43" if form.is_async else b"\x40"
        return head + parameters + result_bytes(form.result, index_of)
    if isinstance(form, ResourceForm) and form.destructor is None:
        return b"\x3f\x7f\0"
    raise UnsupportedError("a component or instance type within an interface is refused", offset)


def result_bytes(result: ValueRef | None, index_of: IndexOf) -> bytes:
    """Return the result of a function, which may have none."""
    return b"\1\0" if result is None else b"\0" + _ref_bytes(result, index_of)


def _ref_bytes(part: ValueRef, index_of: IndexOf) -> bytes:
    return signed_bytes(index_of(part)) if isinstance(part, int) else _PRIMITIVES[part]


def _optional_bytes(part: ValueRef | None, index_of: IndexOf) -> bytes:
    return b"\0" if part is None else b"\1" + _ref_bytes(part, index_of)


def _value_bytes(form: ValueForm, index_of: IndexOf) -> bytes:
    parts = form.parts
    given = [_ref_bytes(part, index_of) for part in parts if part is not None]
    match form.kind:
        case "primitive":
            return given[0]
        case "record":
            named = zip(form.labels, given, strict=True)
            return b"\x72" + vector_bytes(text_bytes(label) + part for label, part in named)
        case "variant":
            cases = zip(form.labels, parts, strict=True)
            return b"\x71" + vector_bytes(
                text_bytes(label) + _optional_bytes(part, index_of) + b"\0" for label, part in cases
            )
        case "list" if form.length is not None:
            return b"\x67" + given[0] + number_bytes(form.length)
        case "list":
            return b"\x70" + given[0]
        case "tuple":
            return b"\x6f" + vector_bytes(given)
        case "flags":
            return b"\x6e" + vector_bytes(map(text_bytes, form.labels))
        case "enum":
            return b"\x6d" + vector_bytes(map(text_bytes, form.labels))
        case "option":
            return b"\x6b" + given[0]
        case "result":
            return b"\x6a" + b"".join(_optional_bytes(part, index_of) for part in parts)
        case "own" | "borrow":
            resource = parts[0] if isinstance(parts[0], int) else 0
            return (b"\x69" if form.kind == "own" else b"\x68") + number_bytes(index_of(resource))
        case "stream" | "future":
            number = b"\x66" if form.kind == "stream" else b"\x65"
            return number + _optional_bytes(parts[0], index_of)
        case _:
            return b"\x63" + b"".join(given)
