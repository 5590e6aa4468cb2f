"""Fused module in binary form.

In: a program with everything reached. Out: the module's bytes. Order is kept as it can be
observed: segments are applied and start functions run member by member. Where a start function
comes before another member's segments, these become passive and the fused start function
applies them.

Source: WebAssembly core specification, 5.5 (modules) and appendix, "Name Section".
"""

from collections.abc import Iterable, Mapping

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
from edgezero_spin.wasm.component.definitions import (
    CoreExternType,
    CoreFunctionType,
    CoreLimits,
)
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
from edgezero_spin.wasm.fuse.entities import Entity, EntityKind, Member, Pieces
from edgezero_spin.wasm.fuse.program import Program

__all__ = [
    "START",
    "Content",
    "Emitted",
    "Layout",
    "code_bytes",
    "content_of",
    "data_bytes",
    "emit",
    "export_bytes",
    "extern_type_bytes",
    "function_type",
    "import_bytes",
    "lay_out",
    "limits_bytes",
    "type_of",
]

# The export that a runtime calls after instantiation.
START = "start"


def code_bytes(pieces: Pieces) -> bytes:
    """Return the bytes of pieces whose indices are known."""
    return b"".join([piece if piece.__class__ is bytes else piece.code for piece in pieces])  # type: ignore[union-attr]


@attrs.define(eq=False)
class Layout:
    """Which entities the fused module has, in the order of their indices.

    Attributes:
        imports: What it imports.
        defined: What it defines, by kind.
    """

    imports: list[Entity]
    defined: dict[EntityKind, list[Entity]]

    @property
    def imported_functions(self) -> int:
        """How many functions are imported."""
        return sum(each.kind == EntityKind.FUNCTION for each in self.imports)


def lay_out(program: Program, first_table: int = 0) -> Layout:
    """Give every reached entity its index; tables are counted from ``first_table``."""
    imports = [each for each in program.imports.values() if each.is_reached]
    imports.sort(key=lambda each: each.kind.value)
    defined: dict[EntityKind, list[Entity]] = {kind: [] for kind in EntityKind}
    counts = dict.fromkeys(EntityKind, 0) | {EntityKind.TABLE: first_table}

    def number(entity: Entity) -> None:
        code = number_bytes(counts[entity.kind])
        entity.reference.code = code
        entity.get.code = b"\x23" + code
        counts[entity.kind] += 1

    for entity in imports:
        number(entity)
    for member in program.members.values():
        for kind in EntityKind:
            for entity in member.spaces[kind]:
                if entity.member is not member or not entity.is_reached or entity.alias:
                    continue
                if kind == EntityKind.GLOBAL and entity.value and not entity.is_assigned:
                    entity.get.code = entity.value
                    continue
                defined[kind].append(entity)
                number(entity)
    for member in program.members.values():
        for entity in member.spaces[EntityKind.FUNCTION]:
            if entity.alias:
                entity.reference.code = _aliased(entity).reference.code
    return Layout(imports, defined)


def _aliased(entity: Entity) -> Entity:
    # A chain longer than that is a cycle, which no fix-up module makes.
    for _ in range(100):
        if entity.alias is None:
            return entity
        entity = entity.alias
    raise MalformedError("functions that do nothing but call each other", 0)


@attrs.frozen
class Emitted:
    """A fused module.

    Attributes:
        module: Its bytes.
        imports: The entities that it imports, in the order of its import section.
        has_start: It exports a function ``START`` to call.
    """

    module: bytes
    imports: tuple[Entity, ...]
    has_start: bool


@attrs.define(eq=False)
class Content:
    """The sections of a fused module, item by item, before they are written.

    Attributes:
        types: Function types; an index is given to a new one.
        sections: Items by section number.
        names: Index and name of functions.
    """

    types: dict[CoreFunctionType, int]
    sections: dict[int, list[bytes]]
    names: list[bytes]

    def type_index(self, type_: CoreFunctionType) -> int:
        """Return the index of a function type."""
        return self.types.setdefault(type_, len(self.types))

    def module(self) -> bytes:
        """Return the module in binary form."""
        parts = [section_bytes(TYPE, vector_bytes(_function_type(each) for each in self.types))]
        data = self.sections.get(DATA)
        for number in _WRITTEN:
            items = self.sections.get(number)
            if number == DATA_COUNT and data:
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


def content_of(
    program: Program,
    layout: Layout,
    exports: Mapping[str, Entity],
    names: Mapping[Entity, tuple[str, str]] | None,
) -> tuple[Content, bool]:
    """Return the sections of the fused module, and whether it has a start function to call.

    Args:
        program: The program, with everything reached.
        layout: What of it the module has.
        exports: What it exports.
        names: The names of each import; ``None`` leaves the imports out.
    """
    content = Content(program.types, {}, [])
    start = _Start(program, layout)
    functions = layout.defined[EntityKind.FUNCTION]
    types = [content.type_index(function_type(each)) for each in functions]
    bodies = [code_bytes(each.pieces) for each in functions]
    given = [(name, each.kind.value, each.reference.code) for name, each in exports.items()]
    if start.entity is not None:
        given.append((START, 0, start.entity.reference.code))
    elif start.body is not None:
        types.append(content.type_index(CoreFunctionType((), ())))
        bodies.append(start.body)
        given.append((START, 0, number_bytes(layout.imported_functions + len(functions))))
    defined = layout.defined
    elements = [_element(program, each, start) for each in defined[EntityKind.ELEMENT]]
    content.sections |= {
        IMPORT: [import_bytes(content, each, names[each]) for each in layout.imports if names],
        FUNCTION: [number_bytes(each) for each in types],
        TABLE: [_table(each) for each in defined[EntityKind.TABLE]],
        MEMORY: [limits_bytes(type_of(each).limits) for each in defined[EntityKind.MEMORY]],
        TAG: [_tag(content, each) for each in defined[EntityKind.TAG]],
        GLOBAL: [_global(each) for each in defined[EntityKind.GLOBAL]],
        EXPORT: [export_bytes(*each) for each in given],
        ELEMENT: [*elements, *_declared(functions)],
        CODE: [number_bytes(len(body)) + body for body in bodies],
        DATA: [
            data_bytes(program, each, is_passive=each in start.passive)
            for each in defined[EntityKind.DATA]
        ],
    }
    content.names = _names(program, functions)
    return content, start.entity is not None or start.body is not None


def emit(
    program: Program, exports: Mapping[str, Entity], names: Mapping[Entity, tuple[str, str]]
) -> Emitted:
    """Return the fused module; see ``content_of`` for the arguments."""
    layout = lay_out(program)
    content, has_start = content_of(program, layout, exports, names)
    return Emitted(content.module(), tuple(layout.imports), has_start)


def export_bytes(name: str, kind: int, index: bytes) -> bytes:
    """Return an export in binary form."""
    return text_bytes(name) + bytes([kind]) + index


class _Start:
    """The start function: ``entity`` if it is one member's, ``body`` if it is made here.

    ``passive`` are the active segments that it applies.
    """

    def __init__(self, program: Program, layout: Layout) -> None:
        self.entity: Entity | None = None
        self.body: bytes | None = None
        self.passive: set[Entity] = set()
        members = list(program.members.values())
        starting = [at for at, each in enumerate(members) if each.content.start is not None]
        if not starting:
            return
        segments = [*layout.defined[EntityKind.ELEMENT], *layout.defined[EntityKind.DATA]]
        later = set(members[starting[0] + 1 :])
        self.passive = {
            each for each in segments if each.member in later and _is_active(program, each)
        }
        if len(starting) == 1 and not self.passive:
            first = members[starting[0]]
            self.entity = first.entity(EntityKind.FUNCTION, first.content.start or 0)
            return
        code = [b"\0"]
        applied: dict[Member | None, list[bytes]] = {}
        for entity in segments:
            if entity in self.passive:
                applied.setdefault(entity.member, []).append(_applied(program, entity))
        for member in members:
            code += applied.get(member, [])
            if member.content.start is not None:
                function = member.entity(EntityKind.FUNCTION, member.content.start)
                code.append(b"\x10" + function.reference.code)
        self.body = b"".join(code) + b"\x0b"


def _is_active(program: Program, entity: Entity) -> bool:
    if entity.kind == EntityKind.DATA:
        return program.data[entity].memory is not None
    return program.elements[entity].table is not None


def _applied(program: Program, entity: Entity) -> bytes:
    """Return code that applies a segment as instantiation would, then drops it."""
    index = entity.reference.code
    if entity.kind == EntityKind.DATA:
        data = program.data[entity]
        offset, size = data.offset, data.end - data.start
        memory = data.memory.reference.code if data.memory else b""
        initialise, drop = b"\xfc\x08" + index + memory, b"\xfc\x09" + index
    else:
        element = program.elements[entity]
        offset, size = element.offset, len(element.items)
        table = element.table.reference.code if element.table else b""
        initialise, drop = b"\xfc\x0c" + index + table, b"\xfc\x0d" + index
    code = code_bytes(offset.pieces())[:-1] if offset else b""
    return code + b"\x41\0\x41" + signed_bytes(size - (size >> 31 << 32)) + initialise + drop


# Definitions


def type_of(entity: Entity) -> CoreExternType:
    """Return the type of what is no segment."""
    if entity.type is None:
        raise MalformedError("an entity without a type", 0)
    return entity.type


def function_type(entity: Entity) -> CoreFunctionType:
    """Return the type of a function or tag."""
    function = type_of(entity).function
    if function is None:
        raise MalformedError("a function without a type", 0)
    return function


def _function_type(type_: CoreFunctionType) -> bytes:
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


def extern_type_bytes(type_: CoreExternType, type_index: int) -> bytes:
    """Return the type of an import in binary form, its kind first.

    Args:
        type_: The type.
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


def import_bytes(content: Content, entity: Entity, names: tuple[str, str]) -> bytes:
    """Return an import in binary form."""
    type_ = type_of(entity)
    index = -1 if type_.function is None else content.type_index(type_.function)
    return text_bytes(names[0]) + text_bytes(names[1]) + extern_type_bytes(type_, index)


def _table(entity: Entity) -> bytes:
    type_ = type_of(entity)
    code = type_.value + limits_bytes(type_.limits)
    member = entity.member
    start = member.content.tables[entity.index].start if member else None
    if member is None or start is None:
        return code
    definition = member.content.tables[entity.index]
    cursor = Cursor(member.content.data, start, definition.end)
    return b"\x40\0" + code + code_bytes(read_expression(member, cursor).pieces())


def _tag(content: Content, entity: Entity) -> bytes:
    return b"\0" + number_bytes(content.type_index(function_type(entity)))


def _global(entity: Entity) -> bytes:
    type_, member = type_of(entity), entity.member
    head = type_.value + bytes([type_.is_mutable])
    if member is None:
        return head
    definition = member.content.globals[entity.index]
    cursor = Cursor(member.content.data, definition.start, definition.end)
    return head + code_bytes(read_expression(member, cursor).pieces())


def _element(program: Program, entity: Entity, start: _Start) -> bytes:
    segment = program.elements[entity]
    return code_bytes(segment.pieces(is_passive=entity in start.passive))


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


def _declared(functions: Iterable[Entity]) -> list[bytes]:
    """Return a declarative segment of the functions that code takes references to."""
    referenced = dict.fromkeys(
        piece.entity.reference.code
        for function in functions
        for before, piece in zip(function.pieces, function.pieces[1:], strict=False)
        if before == b"\xd2" and not isinstance(piece, bytes)
    )
    if not referenced:
        return []
    return [b"\3\0" + vector_bytes(referenced)]


# Names


def _names(program: Program, functions: Iterable[Entity]) -> list[bytes]:
    names = {member: _function_names(member) for member in program.members.values()}
    found = []
    for entity in functions:
        member = entity.member
        if member is not None:
            imported = len(member.spaces[EntityKind.FUNCTION]) - len(member.content.functions)
            name = names[member].get(imported + entity.index)
            if name is not None:
                found.append(entity.reference.code + name)
    return found


def _function_names(member: Member) -> dict[int, bytes]:
    """Return the name of each function, with its length; none where the section is damaged."""
    found: dict[int, bytes] = {}
    for name, start, end in member.content.customs:
        if name != "name":
            continue
        cursor = Cursor(member.content.data, start, end)
        try:
            while cursor.at < end:
                number, part = cursor.byte(), cursor.range()
                if number != 1:
                    continue
                for _ in range(part.u32()):
                    index = part.u32()
                    at = part.at
                    part.take(part.u32()).decode()
                    found[index] = part.data[at : part.at]
        except (MalformedError, UnicodeDecodeError):
            continue
    return found
