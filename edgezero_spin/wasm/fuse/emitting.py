"""Fused module in binary form.

In: a program with everything reached. Out: the module's bytes. Order is kept as it can be
observed: segments are applied and start functions run member by member. Where a start function
comes before another member's segments, these become passive and the fused start function
applies them.

Source: WebAssembly core specification, 5.5 (modules) and appendix, "Name Section".
"""

from collections.abc import Iterable, Mapping

import attrs

from edgezero_spin.wasm.binary import number_bytes, vector_bytes
from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.definitions import CoreFunctionType
from edgezero_spin.wasm.component.errors import MalformedError
from edgezero_spin.wasm.core_module import (
    CODE,
    DATA,
    ELEMENT,
    EXPORT,
    FUNCTION,
    GLOBAL,
    IMPORT,
    MEMORY,
    TABLE,
    TAG,
)
from edgezero_spin.wasm.fuse.encoding import (
    code_bytes,
    data_bytes,
    function_type,
    global_bytes,
    import_bytes,
    limits_bytes,
    table_bytes,
    tag_bytes,
    type_of,
)
from edgezero_spin.wasm.fuse.entities import Entity, EntityKind, Member
from edgezero_spin.wasm.fuse.program import Program
from edgezero_spin.wasm.fuse.start_function import StartFunction
from edgezero_spin.wasm.module_writer import ModuleSections, export_bytes

__all__ = ["START", "Emitted", "ModuleLayout", "content_of", "emit", "lay_out"]

# The export that a runtime calls after instantiation.
START = "start"


@attrs.define(eq=False)
class ModuleLayout:
    """Which entities a fused module imports and defines, in the order of their indices."""

    imports: list[Entity]
    defined: dict[EntityKind, list[Entity]]

    @property
    def imported_functions(self) -> int:
        """How many functions are imported."""
        return sum(each.kind == EntityKind.FUNCTION for each in self.imports)


def lay_out(program: Program, first_table: int = 0) -> ModuleLayout:
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
    return ModuleLayout(imports, defined)


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
        imports: The entities that it imports, in the order of its import section.
        has_start: It exports a function ``START`` to call.
    """

    module: bytes
    imports: tuple[Entity, ...]
    has_start: bool


def content_of(
    program: Program,
    layout: ModuleLayout,
    exports: Mapping[str, Entity],
    names: Mapping[Entity, tuple[str, str]] | None,
) -> tuple[ModuleSections, bool]:
    """Return the sections of the fused module, and whether it has a start function to call.

    Args:
        program: The program, with everything reached.
        layout: What of it the module has.
        names: The names of each import; ``None`` leaves the imports out.
    """
    content = ModuleSections(program.types)
    start = StartFunction(
        program, [*layout.defined[EntityKind.ELEMENT], *layout.defined[EntityKind.DATA]]
    )
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
        TABLE: [table_bytes(each) for each in defined[EntityKind.TABLE]],
        MEMORY: [limits_bytes(type_of(each).limits) for each in defined[EntityKind.MEMORY]],
        TAG: [tag_bytes(content, each) for each in defined[EntityKind.TAG]],
        GLOBAL: [global_bytes(each) for each in defined[EntityKind.GLOBAL]],
        EXPORT: [export_bytes(*each) for each in given],
        ELEMENT: [*elements, *_declared(functions)],
        CODE: [number_bytes(len(body)) + body for body in bodies],
        DATA: [
            data_bytes(program, each, is_passive=each in start.passive)
            for each in defined[EntityKind.DATA]
        ],
    }
    content.names = _names(program, functions)
    content.names_segments = program.names_segments() or bool(start.passive)
    return content, start.entity is not None or start.body is not None


def emit(
    program: Program, exports: Mapping[str, Entity], names: Mapping[Entity, tuple[str, str]]
) -> Emitted:
    """Return the fused module; see ``content_of`` for the arguments."""
    layout = lay_out(program)
    content, has_start = content_of(program, layout, exports, names)
    return Emitted(content.module(), tuple(layout.imports), has_start)


def _element(program: Program, entity: Entity, start: StartFunction) -> bytes:
    segment = program.elements[entity]
    return code_bytes(segment.pieces(is_passive=entity in start.passive))


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
