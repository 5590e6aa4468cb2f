"""Binary form of the parts of a fused module.

In: entities with their indices known. Out: the bytes of imports, tables, globals, tags and
segments.

Source: WebAssembly core specification, 5.5 (modules).
"""

from edgezero_spin.wasm.binary import number_bytes, signed_bytes, text_bytes
from edgezero_spin.wasm.component.definitions import CoreExternType, CoreFunctionType, CoreLimits
from edgezero_spin.wasm.component.errors import MalformedError
from edgezero_spin.wasm.fuse.constants import initial_expression
from edgezero_spin.wasm.fuse.entities import Entity, Pieces
from edgezero_spin.wasm.fuse.program import Program
from edgezero_spin.wasm.module_writer import ModuleSections

__all__ = [
    "code_bytes",
    "data_bytes",
    "entry_call",
    "function_table_bytes",
    "function_type",
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
    """Return the type of an import, its kind first; functions and tags have a type index."""
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
    if member is None or member.content.tables[entity.index].start is None:
        return code
    initial = initial_expression(member, member.content.tables[entity.index])
    return b"\x40\0" + code + code_bytes(initial.pieces())


def tag_bytes(content: ModuleSections, entity: Entity) -> bytes:
    """Return a tag in binary form."""
    return b"\0" + number_bytes(content.type_index(function_type(entity)))


def global_bytes(entity: Entity) -> bytes:
    """Return a global in binary form."""
    type_, member = type_of(entity), entity.member
    head = type_.value + bytes([type_.is_mutable])
    if member is None:
        return head
    initial = initial_expression(member, member.content.globals[entity.index])
    return head + code_bytes(initial.pieces())


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
