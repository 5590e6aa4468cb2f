"""Types of a component, read from its binary and written to it.

In: the bytes of a type section or of an instance type. Out: ``Definition`` values, and the
other way round. Types that no function of an import needs (components, cores, resources that
a component defines) are not known here.

Source: the component model's binary format, "Type Definitions", "Import and Export Definitions".
"""

from collections.abc import Iterator

from edgezero_spin.wasm.binary import number_at, number_bytes, text_at, text_bytes, vector_bytes
from edgezero_spin.wasm.component_types import (
    INSTANCE_TYPE,
    Compound,
    Definition,
    Form,
    Function,
    Handle,
    InstanceType,
    Plain,
    Primitive,
    Reference,
    ValueType,
)
from edgezero_spin.wasm.module import UnknownFormError

__all__ = ["definition_bytes", "definitions", "described_item", "export_name"]

_OWN, _BORROW = 0x69, 0x68
_FUNCTION = 0x40
_HAS_RESULT, _NO_RESULT = b"\0", b"\1\0"
_TYPE, _ALIAS, _EXPORT = 1, 2, 4
_OF_FUNCTION, _OF_TYPE, _OF_INSTANCE = 1, 3, 5
_EQUAL, _SUB_RESOURCE = 0, 1
_TYPE_SORT, _OUTER = 3, 2
_INDEX_BITS = 0x40


def definitions(content: bytes) -> Iterator[tuple[Definition, bytes]]:
    """Yield each type of a type section, and its bytes.

    Raises:
        UnknownFormError: One has a form that is not known here.
    """
    count, at = number_at(content, 0)
    for _ in range(count):
        start = at
        found, at = _definition(content, at)
        yield found, content[start:at]


def _definition(data: bytes, at: int) -> tuple[Definition, int]:
    code = data[at]
    at += 1
    if code == _FUNCTION:
        return _function(data, at)
    if code == INSTANCE_TYPE:
        return _instance_type(data, at)
    if code in (_OWN, _BORROW):
        resource, at = number_at(data, at)
        return Handle(code, resource), at
    if code in set(Primitive):
        return Plain(Primitive(code)), at
    if code not in set(Form):
        raise UnknownFormError(f"types of form {code:#x} are not known here")
    return _compound(Form(code), data, at)


def _compound(form: Form, data: bytes, at: int) -> tuple[Compound, int]:
    parts: list[tuple[str | None, ValueType | None]] = []
    name: str | None = None
    type_: ValueType | None = None
    if form in (Form.LIST, Form.OPTION):
        type_, at = _value_type(data, at)
        return Compound(form, ((None, type_),)), at
    if form == Form.RESULT:
        for _ in range(2):
            type_, at = _optional(data, at)
            parts.append((None, type_))
        return Compound(form, tuple(parts)), at
    count, at = number_at(data, at)
    for _ in range(count):
        name, type_ = None, None
        if form != Form.TUPLE:
            name, at = text_at(data, at)
        if form in (Form.RECORD, Form.TUPLE):
            type_, at = _value_type(data, at)
        elif form == Form.VARIANT:
            type_, at = _optional(data, at)
            if data[at]:
                raise UnknownFormError("cases that refine others are not known here")
            at += 1
        parts.append((name, type_))
    return Compound(form, tuple(parts)), at


def _optional(data: bytes, at: int) -> tuple[ValueType | None, int]:
    return _value_type(data, at + 1) if data[at] else (None, at + 1)


def _value_type(data: bytes, at: int) -> tuple[ValueType, int]:
    code = data[at]
    # A signed number: negative ones of one byte are primitives, others are indices.
    if code < _INDEX_BITS or code & 0x80:
        index, at = number_at(data, at)
        return Reference(index), at
    if code not in set(Primitive):
        raise UnknownFormError(f"values of type {code:#x} are not known here")
    return Primitive(code), at + 1


def _function(data: bytes, at: int) -> tuple[Function, int]:
    count, at = number_at(data, at)
    parameters = []
    for _ in range(count):
        name, at = text_at(data, at)
        type_, at = _value_type(data, at)
        parameters.append((name, type_))
    if data[at : at + 2] == _NO_RESULT:
        return Function(tuple(parameters), None), at + 2
    if data[at : at + 1] != _HAS_RESULT:
        raise UnknownFormError("results with names are not known here")
    result, at = _value_type(data, at + 1)
    return Function(tuple(parameters), result), at


def _instance_type(data: bytes, at: int) -> tuple[InstanceType, int]:
    count, at = number_at(data, at)
    declarations: list[bytes] = []
    types: list[Definition | Reference | None] = []
    functions: dict[str, int] = {}
    names: set[str] = set()
    for _ in range(count):
        start = at
        kind = data[at]
        if kind == _TYPE:
            found, at = _definition(data, at + 1)
            types.append(found)
        elif kind == _ALIAS:
            at = _alias_end(data, at + 1)
            types.append(None)
        elif kind == _EXPORT:
            name, at = export_name(data, at + 1)
            names.add(name)
            described, index, at = described_item(data, at)
            if described == _OF_TYPE:
                types.append(None if index is None else Reference(index))
            elif described == _OF_FUNCTION and index is not None:
                functions[name] = index
        else:
            raise UnknownFormError(f"declarations of form {kind} are not known here")
        declarations.append(data[start:at])
    return InstanceType(tuple(declarations), tuple(types), functions, frozenset(names)), at


def _alias_end(data: bytes, at: int) -> int:
    if data[at] != _TYPE_SORT or data[at + 1] != _OUTER:
        raise UnknownFormError("an instance type has aliases of other things than types")
    _, at = number_at(data, at + 2)
    return number_at(data, at)[1]


def export_name(data: bytes, at: int) -> tuple[str, int]:
    """Read the name of an import or export; return it and where it ends."""
    if data[at] > 1:
        raise UnknownFormError("names with more than a text are not known here")
    return text_at(data, at + 1)


def described_item(data: bytes, at: int) -> tuple[int, int | None, int]:
    """Read how an import or export is described.

    Returns:
        What it is (1 function, 3 type, 5 instance), the index of its type (``None`` for a
        new resource), and where the description ends.
    """
    kind = data[at]
    at += 1
    if kind == _OF_TYPE:
        bound = data[at]
        if bound == _SUB_RESOURCE:
            return kind, None, at + 1
        if bound != _EQUAL:
            raise UnknownFormError(f"bounds of form {bound} are not known here")
        at += 1
    elif kind not in (_OF_FUNCTION, _OF_INSTANCE):
        raise UnknownFormError(f"items of kind {kind} are not known here")
    index, at = number_at(data, at)
    return kind, index, at


def definition_bytes(definition: Compound | Function) -> bytes:
    """Return a definition in binary form.

    Raises:
        UnknownFormError: It is of a form that is never made here.
    """
    if isinstance(definition, Function):
        given = vector_bytes(
            text_bytes(name) + _value_bytes(type_) for name, type_ in definition.parameters
        )
        result = definition.result
        end = _NO_RESULT if result is None else _HAS_RESULT + _value_bytes(result)
        return bytes([_FUNCTION]) + given + end
    types = [type_ for _, type_ in definition.parts]
    match definition.form:
        case Form.LIST | Form.OPTION:
            body = _optional_bytes(types[0])[1:]
        case Form.RESULT:
            body = b"".join(map(_optional_bytes, types))
        case Form.TUPLE:
            body = vector_bytes(_optional_bytes(type_)[1:] for type_ in types)
        case _:
            raise UnknownFormError(f"no {definition.form.name} is made here")
    return bytes([definition.form]) + body


def _optional_bytes(type_: ValueType | None) -> bytes:
    return b"\0" if type_ is None else b"\1" + _value_bytes(type_)


def _value_bytes(type_: ValueType) -> bytes:
    if isinstance(type_, Primitive):
        return bytes([type_])
    encoded = number_bytes(type_.index)
    # Signed: the bit that would make the last byte negative needs a byte behind it.
    if encoded[-1] & _INDEX_BITS:
        encoded = encoded[:-1] + bytes([encoded[-1] | 0x80, 0])
    return encoded
