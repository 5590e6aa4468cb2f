"""Binary form of the parts of a fused module.

In: entities with their indices known. Out: the bytes of imports, exports, tables, globals, tags
and segments, and of a module with its sections.

Source: WebAssembly core specification, 5.5 (modules).
"""

import attrs

from edgezero_spin.wasm.binary import (
    MODULE,
    number_bytes,
    section_bytes,
    signed_bytes,
    text_bytes,
    vector_bytes,
)
from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.definitions import CoreExternType, CoreFunctionType, CoreLimits
from edgezero_spin.wasm.component.errors import MalformedError
from edgezero_spin.wasm.core_module import (
    CODE,
    CUSTOM,
    DATA,
    DATA_COUNT,
    ELEMENT,
    EXPORT,
    FUNCTION,
    GLOBAL,
    IMPORT,
    MEMORY,
    TABLE,
    TAG,
    TYPE,
)
from edgezero_spin.wasm.core_module import START as START_SECTION
from edgezero_spin.wasm.fuse.constants import read_expression
from edgezero_spin.wasm.fuse.entities import Entity, Pieces
from edgezero_spin.wasm.fuse.program import Program

__all__ = [
    "ModuleSections",
    "body_bytes",
    "code_bytes",
    "data_bytes",
    "entry_call",
    "export_bytes",
    "function_table_bytes",
    "function_type",
    "function_type_bytes",
    "global_bytes",
    "import_bytes",
    "limits_bytes",
    "parameters",
    "table_bytes",
    "tag_bytes",
    "type_of",
]


def code_bytes(pieces: Pieces) -> bytes:
    """Return the bytes of pieces whose indices are known."""
    return b"".join([piece if piece.__class__ is bytes else piece.code for piece in pieces])  # type: ignore[union-attr]


@attrs.define(eq=False)
class ModuleSections:
    """The sections of a fused module, item by item, before they are written.

    Attributes:
        types: Function types; an index is given to a new one.
        sections: Items by section number.
        names: Index and name of functions.
        names_segments: Code may name data segments.
    """

    types: dict[CoreFunctionType, int]
    sections: dict[int, list[bytes]]
    names: list[bytes]
    names_segments: bool = False

    def type_index(self, type_: CoreFunctionType) -> int:
        """Return the index of a function type."""
        return self.types.setdefault(type_, len(self.types))

    def module(self) -> bytes:
        """Return the module in binary form."""
        parts = [
            section_bytes(TYPE, vector_bytes(function_type_bytes(each) for each in self.types))
        ]
        data = self.sections.get(DATA)
        for number in _WRITTEN:
            items = self.sections.get(number)
            if number == DATA_COUNT and data and self.names_segments:
                parts.append(section_bytes(DATA_COUNT, number_bytes(len(data))))
            elif number == START_SECTION and items:
                parts.append(section_bytes(START_SECTION, items[0]))
            elif items:
                parts.append(section_bytes(number, vector_bytes(items)))
        if self.names:
            content = text_bytes("name") + section_bytes(1, vector_bytes(self.names))
            parts.append(section_bytes(CUSTOM, content))
        return MODULE + b"".join(parts)


_WRITTEN: tuple[int, ...] = (IMPORT, FUNCTION, TABLE, MEMORY, TAG, GLOBAL, EXPORT, START_SECTION)
_WRITTEN += (ELEMENT, DATA_COUNT, CODE, DATA)


def body_bytes(code: bytes) -> bytes:
    """Return a function body without locals, given its code without the end."""
    return number_bytes(len(code) + 2) + b"\0" + code + b"\x0b"


def parameters(type_: CoreFunctionType) -> bytes:
    """Return code that gets all parameters of a function."""
    return b"".join(b"\x20" + number_bytes(at) for at in range(len(type_.parameters)))


def entry_call(arguments: bytes, entry: int, type_: int) -> bytes:
    """Return code that calls an entry of the first table.

    Args:
        arguments: Code that gets the arguments.
        entry: Index of the entry.
        type_: Index of the function's type.
    """
    return arguments + b"\x41" + signed_bytes(entry) + b"\x11" + number_bytes(type_) + b"\0"


def function_table_bytes(size: int) -> bytes:
    """Return the type of a table of so many functions, no more and no fewer."""
    return b"\x70\1" + number_bytes(size) * 2


def export_bytes(name: str, kind: int, index: bytes) -> bytes:
    """Return an export in binary form."""
    return text_bytes(name) + bytes([kind]) + index


def type_of(entity: Entity) -> CoreExternType:
    """Return the type of what is not a segment."""
    if entity.type is None:
        raise MalformedError("an entity without a type", 0)
    return entity.type


def function_type(entity: Entity) -> CoreFunctionType:
    """Return the type of a function or tag."""
    function = type_of(entity).function
    if function is None:
        raise MalformedError("a function without a type", 0)
    return function


def function_type_bytes(type_: CoreFunctionType) -> bytes:
    """Return a function type in binary form."""
    return b"\x60" + vector_bytes(type_.parameters) + vector_bytes(type_.results)


def limits_bytes(limits: CoreLimits | None) -> bytes:
    """Return limits in binary form."""
    if limits is None:
        raise MalformedError("a memory or table without limits", 0)
    flags = (limits.maximum is not None) | (8 if limits.page_size_log2 != 16 else 0)
    code = bytes([flags]) + number_bytes(limits.minimum)
    if limits.maximum is not None:
        code += number_bytes(limits.maximum)
    return code + (number_bytes(limits.page_size_log2) if flags & 8 else b"")


def _extern_type_bytes(type_: CoreExternType, type_index: int) -> bytes:
    """Return the type of an import in binary form, its kind first.

    Args:
        type_index: Of a function or tag, the index of its type.
    """
    match type_.kind:
        case "func":
            return b"\0" + number_bytes(type_index)
        case "table":
            return b"\1" + type_.value + limits_bytes(type_.limits)
        case "memory":
            return b"\2" + limits_bytes(type_.limits)
        case "global":
            return b"\3" + type_.value + bytes([type_.is_mutable])
        case _:
            return b"\4\0" + number_bytes(type_index)


def import_bytes(content: ModuleSections, entity: Entity, names: tuple[str, str]) -> bytes:
    """Return an import in binary form."""
    type_ = type_of(entity)
    index = -1 if type_.function is None else content.type_index(type_.function)
    return text_bytes(names[0]) + text_bytes(names[1]) + _extern_type_bytes(type_, index)


def table_bytes(entity: Entity) -> bytes:
    """Return a table in binary form."""
    type_ = type_of(entity)
    code = type_.value + limits_bytes(type_.limits)
    member = entity.member
    start = member.content.tables[entity.index].start if member else None
    if member is None or start is None:
        return code
    definition = member.content.tables[entity.index]
    cursor = Cursor(member.content.data, start, definition.end)
    return b"\x40\0" + code + code_bytes(read_expression(member, cursor).pieces())


def tag_bytes(content: ModuleSections, entity: Entity) -> bytes:
    """Return a tag in binary form."""
    return b"\0" + number_bytes(content.type_index(function_type(entity)))


def global_bytes(entity: Entity) -> bytes:
    """Return a global in binary form."""
    type_, member = type_of(entity), entity.member
    head = type_.value + bytes([type_.is_mutable])
    if member is None:
        return head
    definition = member.content.globals[entity.index]
    cursor = Cursor(member.content.data, definition.start, definition.end)
    return head + code_bytes(read_expression(member, cursor).pieces())


def data_bytes(program: Program, entity: Entity, *, is_passive: bool) -> bytes:
    """Return a data segment in binary form."""
    segment = program.data[entity]
    content = segment.content
    size = number_bytes(len(content))
    if segment.memory is None or segment.offset is None or is_passive:
        return b"\1" + size + content
    offset = code_bytes(segment.offset.pieces())
    memory = segment.memory.reference.code
    head = b"\0" if memory == b"\0" else b"\2" + memory
    return head + offset + size + content
