"""Fused module in binary form.

In: a program with everything reached. Out: the module's bytes. Order is kept as it can be
observed: segments are applied and start functions run member by member. Where a start function
comes before another member's segments, these become passive and the fused start function
applies them.

Source: WebAssembly core specification, 5.5 (modules) and appendix, "Name Section".
"""

from collections.abc import Iterable, Mapping, Sequence

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
from edgezero_spin.wasm.fuse.constants import read_expression
from edgezero_spin.wasm.fuse.entities import Entity, EntityKind, Member, Pieces
from edgezero_spin.wasm.fuse.program import Program

__all__ = ["START", "Emitted", "Layout", "code_bytes", "emit", "extern_type_bytes", "limits_bytes"]

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


def lay_out(program: Program) -> Layout:
    """Give every reached entity its index."""
    imports = [each for each in program.imports.values() if each.is_reached]
    imports.sort(key=lambda each: each.kind.value)
    defined: dict[EntityKind, list[Entity]] = {kind: [] for kind in EntityKind}
    counts = dict.fromkeys(EntityKind, 0)

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


def emit(
    program: Program, exports: Mapping[str, Entity], names: Mapping[Entity, tuple[str, str]]
) -> Emitted:
    """Return the fused module.

    Args:
        program: The program, with everything reached.
        exports: What it exports.
        names: The names of each import.
    """
    layout = lay_out(program)
    start = _Start(program, layout)
    memories = [each for each in program.memories if each.member is not None]
    functions = [each for each in layout.defined[EntityKind.FUNCTION] if each.member is not None]
    types = [program.type_index(_function(each.type)) for each in functions]
    bodies = [code_bytes(each.pieces) for each in functions]
    given = [(name, each.kind.value, each.reference.code) for name, each in exports.items()]
    if start.entity is not None:
        given.append((START, 0, start.entity.reference.code))
    elif start.body is not None:
        types.append(program.type_index(CoreFunctionType((), ())))
        bodies.append(start.body)
        count = sum(each.kind == EntityKind.FUNCTION for each in layout.imports)
        given.append((START, 0, number_bytes(count + len(functions))))
    data = [_data(program, each, start) for each in layout.defined[EntityKind.DATA]]
    elements = [_element(program, each, start) for each in layout.defined[EntityKind.ELEMENT]]
    elements += _declared(layout.imports, functions, program)
    sections = [
        (TYPE, [_function_type(each) for each in program.types]),
        (IMPORT, [_import(program, each, names[each]) for each in layout.imports]),
        (FUNCTION, [number_bytes(each) for each in types]),
        (TABLE, [_table(each) for each in layout.defined[EntityKind.TABLE]]),
        (MEMORY, [limits_bytes(_type(each.type).limits) for each in memories]),
        (TAG, [_tag(program, each) for each in layout.defined[EntityKind.TAG]]),
        (GLOBAL, [_global(each) for each in layout.defined[EntityKind.GLOBAL]]),
        (EXPORT, [text_bytes(n) + bytes([kind]) + index for n, kind, index in given]),
        (ELEMENT, elements),
    ]
    parts = [section_bytes(number, vector_bytes(items)) for number, items in sections if items]
    if data:
        parts.append(section_bytes(DATA_COUNT, number_bytes(len(data))))
    if bodies:
        items = (number_bytes(len(body)) + body for body in bodies)
        parts.append(section_bytes(CODE, vector_bytes(items)))
    if data:
        parts.append(section_bytes(DATA, vector_bytes(data)))
    parts.append(_name_section(program, functions))
    has_start = start.entity is not None or start.body is not None
    return Emitted(MODULE + b"".join(parts), tuple(layout.imports), has_start)


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
        for member in members:
            for entity in segments:
                if entity.member is member and entity in self.passive:
                    code.append(_applied(program, entity))
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


def _type(type_: CoreExternType | None) -> CoreExternType:
    if type_ is None:
        raise MalformedError("an entity without a type", 0)
    return type_


def _function(type_: CoreExternType | None) -> CoreFunctionType:
    function = _type(type_).function
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


def _import(program: Program, entity: Entity, names: tuple[str, str]) -> bytes:
    type_ = _type(entity.type)
    index = -1 if type_.function is None else program.type_index(type_.function)
    return text_bytes(names[0]) + text_bytes(names[1]) + extern_type_bytes(type_, index)


def _table(entity: Entity) -> bytes:
    type_ = _type(entity.type)
    code = type_.value + limits_bytes(type_.limits)
    member = entity.member
    start = member.content.tables[entity.index].start if member else None
    if member is None or start is None:
        return code
    definition = member.content.tables[entity.index]
    cursor = Cursor(member.content.data, start, definition.end)
    return b"\x40\0" + code + code_bytes(read_expression(member, cursor).pieces())


def _tag(program: Program, entity: Entity) -> bytes:
    return b"\0" + number_bytes(program.type_index(_function(entity.type)))


def _global(entity: Entity) -> bytes:
    type_, member = _type(entity.type), entity.member
    head = type_.value + bytes([type_.is_mutable])
    if member is None:
        return head
    definition = member.content.globals[entity.index]
    cursor = Cursor(member.content.data, definition.start, definition.end)
    return head + code_bytes(read_expression(member, cursor).pieces())


def _element(program: Program, entity: Entity, start: _Start) -> bytes:
    segment = program.elements[entity]
    return code_bytes(segment.pieces(is_passive=entity in start.passive))


def _data(program: Program, entity: Entity, start: _Start) -> bytes:
    segment = program.data[entity]
    content = segment.content
    size = number_bytes(len(content))
    if segment.memory is None or segment.offset is None or entity in start.passive:
        return b"\1" + size + content
    offset = code_bytes(segment.offset.pieces())
    memory = segment.memory.reference.code
    head = b"\0" if memory == b"\0" else b"\2" + memory
    return head + offset + size + content


def _declared(
    imports: Sequence[Entity], functions: Sequence[Entity], program: Program
) -> list[bytes]:
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


def _name_section(program: Program, functions: Iterable[Entity]) -> bytes:
    names = {member: _function_names(member) for member in program.members.values()}
    found = []
    for entity in functions:
        member = entity.member
        if member is not None:
            imported = len(member.spaces[EntityKind.FUNCTION]) - len(member.content.functions)
            name = names[member].get(imported + entity.index)
            if name is not None:
                found.append(entity.reference.code + name)
    content = text_bytes("name") + section_bytes(1, vector_bytes(found))
    return section_bytes(CUSTOM, content) if found else b""


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
