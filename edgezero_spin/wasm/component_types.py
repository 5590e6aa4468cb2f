"""The types that a component's binary states, as far as functions need them.

``Definition`` values, in which other types stand as ``Reference`` to an index, and
``InstanceType``: what an imported instance has. ``type_section`` reads and writes them,
``flattening`` says how values of them cross.

Source: the component model's binary format, "Type Definitions".
"""

from enum import IntEnum

import attrs

from edgezero_spin.wasm.binary import vector_bytes

__all__ = [
    "INSTANCE_TYPE",
    "Compound",
    "Definition",
    "Form",
    "Function",
    "Handle",
    "InstanceType",
    "Plain",
    "Primitive",
    "Reference",
    "ValueType",
]


class Primitive(IntEnum):
    """Value types without parts; the number is the binary format's."""

    ERROR_CONTEXT = 0x64
    STRING = 0x73
    CHAR = 0x74
    F64 = 0x75
    F32 = 0x76
    U64 = 0x77
    S64 = 0x78
    U32 = 0x79
    S32 = 0x7A
    U16 = 0x7B
    S16 = 0x7C
    U8 = 0x7D
    S8 = 0x7E
    BOOL = 0x7F


@attrs.frozen
class Reference:
    """The type at an index."""

    index: int


ValueType = Primitive | Reference


class Form(IntEnum):
    """Value types with parts; the number is the binary format's."""

    RESULT = 0x6A
    OPTION = 0x6B
    ENUM = 0x6D
    FLAGS = 0x6E
    TUPLE = 0x6F
    LIST = 0x70
    VARIANT = 0x71
    RECORD = 0x72


@attrs.frozen
class Plain:
    """A primitive under an index of its own."""

    type: Primitive


@attrs.frozen
class Compound:
    """A value type with parts.

    Attributes:
        form: Which.
        parts: Name and type of each field, case or element, ``None`` for what it lacks; a
            ``result`` has two.
    """

    form: Form
    parts: tuple[tuple[str | None, ValueType | None], ...]


@attrs.frozen
class Handle:
    """``own`` or ``borrow``."""

    code: int
    resource: int


@attrs.frozen
class Function:
    """A function type.

    Attributes:
        parameters: Name and type of each.
        result: ``None`` for none.
    """

    parameters: tuple[tuple[str, ValueType], ...]
    result: ValueType | None


INSTANCE_TYPE = 0x42
"""What an instance type begins with."""


@attrs.frozen
class InstanceType:
    """What an instance has, with an index space of types of its own.

    Attributes:
        declarations: The declarations in binary form.
        types: What stands at each type index: a definition, the index that an exported type
            is equal to, or ``None`` for a resource and for what the component around it has.
        functions: Exported functions and the index of their type.
        names: All exported names.
    """

    declarations: tuple[bytes, ...]
    types: tuple["Definition | Reference | None", ...]
    functions: dict[str, int]
    names: frozenset[str]

    def resolved(self, type_: ValueType) -> "Definition | None":
        """Return the definition behind a type; ``None`` where another type space has it."""
        found: Definition | ValueType | None = type_
        while isinstance(found, Reference):
            found = self.types[found.index]
        return Plain(found) if isinstance(found, Primitive) else found

    def to_bytes(self) -> bytes:
        """Return it in binary form."""
        return bytes([INSTANCE_TYPE]) + vector_bytes(self.declarations)


Definition = Plain | Compound | Handle | Function | InstanceType
