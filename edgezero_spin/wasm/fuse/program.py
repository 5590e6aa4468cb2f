"""Program of a fused module: its members, and which of their entities are needed.

In: the linked component and the core instances to fuse. Out: members with their entities
connected, and everything reached that exports, start functions and segments need.

The functions with which wit-component breaks cycles (a shim calls a table entry that a
fix-up module fills) become the functions that they call, as long as no code changes the table.

Source: WebAssembly core specification, 4.5.4 (instantiation).
"""

import re
from collections.abc import Iterable, Sequence

import attrs

from edgezero_spin.wasm.binary import number_at, number_bytes, signed_at
from edgezero_spin.wasm.component.definitions import CoreExternType, CoreFunctionType
from edgezero_spin.wasm.component.errors import UnsupportedError
from edgezero_spin.wasm.component.linked import (
    Canonical,
    CoreExport,
    CoreInstance,
    LiftedFunction,
    Options,
    ResourceFunction,
    WasiFunction,
)
from edgezero_spin.wasm.core_module import CODE, DATA_COUNT, CoreModuleContent
from edgezero_spin.wasm.core_types import KINDS
from edgezero_spin.wasm.fuse.constants import initial_expression
from edgezero_spin.wasm.fuse.entities import Entity, EntityKind, IndexReference, Member
from edgezero_spin.wasm.fuse.instructions import walk
from edgezero_spin.wasm.fuse.segments import DataSegment, ElementSegment, read_data, read_elements

__all__ = ["Program", "core_exports"]

_LEB = rb"[\x80-\xff]{0,4}+[\x00-\x7f]"
_FORWARD = re.compile(
    rb"\x00((?:\x20" + _LEB + rb")*)\x41(" + _LEB + rb")\x11(" + _LEB + rb")(" + _LEB + rb")\x0b"
)


def core_exports(function: Canonical | LiftedFunction) -> list[CoreExport]:
    """Return the core definitions that a canonical or lifted function needs."""
    if isinstance(function, ResourceFunction):
        return []
    if isinstance(function, WasiFunction):
        return [] if function.memory is None else [function.memory]
    options: Options = function.options
    found = [options.memory, options.realloc, options.post_return, options.callback]
    if isinstance(function, LiftedFunction):
        found.append(function.core)
    return [each for each in found if each is not None]


@attrs.define(eq=False)
class Program:
    """The members of a fused module.

    Attributes:
        keeps_shims: Functions that call a table entry are left as they are.
        members: Its members, in the order of their instantiation.
        types: Index of each function type of the fused module.
        imports: Entity for each import that the fused module may have.
        data, elements: The segments of all members, by entity.
        memories: The memories, imported ones first; their position is their index.
    """

    keeps_shims: bool = False
    members: dict[int, Member] = attrs.Factory(dict)
    types: dict[CoreFunctionType, int] = attrs.Factory(dict)
    imports: dict[Canonical | CoreExport, Entity] = attrs.Factory(dict)
    elements: dict[Entity, ElementSegment] = attrs.Factory(dict)
    data: dict[Entity, DataSegment] = attrs.Factory(dict)
    memories: list[Entity] = attrs.Factory(list)
    _indices: dict[Entity, bytes] = attrs.Factory(dict)
    _slots: dict[Entity, dict[int, Entity] | None] = attrs.Factory(dict)
    _segments: dict[Entity, list[ElementSegment]] = attrs.Factory(dict)
    _forwarded: set[Entity] = attrs.Factory(set)
    _waiting: list[Entity] = attrs.Factory(list)

    def type_index(self, type_: CoreFunctionType) -> int:
        """Return the index of a function type in the fused module."""
        return self.types.setdefault(type_, len(self.types))

    def add(self, at: int, instance: CoreInstance, content: CoreModuleContent) -> None:
        """Add a core instance; those that it imports from come before.

        Raises:
            InvalidError: Its module is damaged.
            UnsupportedError: It has something that is refused.
        """
        member = self.members[at] = Member(at, content)
        member.types = [self.type_index(each) for each in content.types]
        for given, (_, _, type_) in zip(instance.imports, content.imports, strict=True):
            kind = EntityKind(KINDS.index(type_.kind))
            member.spaces[kind].append(self._imported(given.source, kind, type_))
        for kind in (EntityKind.FUNCTION, EntityKind.TABLE, EntityKind.MEMORY, EntityKind.TAG):
            self._define(member, kind, content.spaces[kind.value])
        for index, definition in enumerate(content.globals):
            entity = Entity(EntityKind.GLOBAL, member, index, definition.type)
            tokens = initial_expression(member, definition).tokens
            if len(tokens) == 1 and isinstance(tokens[0], bytes):
                entity.value = tokens[0]
            member.spaces[EntityKind.GLOBAL].append(entity)
        self.elements |= {each.entity: each for each in read_elements(member)}
        self.data |= {each.entity: each for each in read_data(member)}
        for name, number, index in content.exports:
            member.exports[name] = member.spaces[EntityKind(number)][index]

    def _define(self, member: Member, kind: EntityKind, types: Sequence[CoreExternType]) -> None:
        imported = len(member.spaces[kind])
        for index, type_ in enumerate(types[imported:]):
            entity = Entity(kind, member, index, type_)
            member.spaces[kind].append(entity)
            _check(type_)
            if kind == EntityKind.MEMORY:
                self.memories.append(entity)

    def _imported(
        self, source: CoreExport | Canonical, kind: EntityKind, type_: CoreExternType
    ) -> Entity:
        if isinstance(source, CoreExport) and source.instance in self.members:
            return self.members[source.instance].exports[source.name]
        if source not in self.imports:
            self.imports[source] = entity = Entity(kind, None, 0, type_, source)
            _check(type_)
            if kind == EntityKind.MEMORY:
                self.memories.append(entity)
        return self.imports[source]

    def entity(self, export: CoreExport) -> Entity:
        """Return the entity of what a member exports."""
        return self.members[export.instance].exports[export.name]

    def names_segments(self) -> bool:
        """Return whether code may have instructions that name data segments."""
        return any(
            {CODE, DATA_COUNT} <= member.content.sections.keys() for member in self.members.values()
        )

    # Reaching

    def reach(self, exports: Iterable[CoreExport]) -> bool:
        """Reach everything that these exports, start functions and segments need.

        Returns:
            Whether the functions that call a table entry could become what they call; if not,
            the program has to be made anew with ``keeps_shims``.
        """
        self._indices = {each: number_bytes(at) for at, each in enumerate(self.memories)}
        self._find_slots()
        exposed = [self.entity(each) for each in exports]
        for each in exposed:
            self._need(each)
        for memory in self.memories:
            self._need(memory)
        for member in self.members.values():
            if member.content.start is not None:
                self._need(member.entity(EntityKind.FUNCTION, member.content.start))
        for data in self.data.values():
            if data.memory is not None:
                self._need(data.entity)
        for element in self.elements.values():
            if element.table is not None and not self._is_within(element):
                self._need(element.entity)
        while self._waiting:
            self._visit(self._waiting.pop())
        return not any(table.is_assigned or table in exposed for table in self._forwarded)

    def _need(self, entity: Entity) -> None:
        if not entity.is_reached:
            entity.is_reached = True
            self._waiting.append(entity)

    def _visit(self, entity: Entity) -> None:
        member, kind = entity.member, entity.kind
        if kind == EntityKind.ELEMENT:
            self._visit_element(self.elements[entity])
        elif kind == EntityKind.DATA:
            data = self.data[entity]
            self._need_all(data.offset.mentions() if data.offset else ())
        elif member is None:
            source = entity.source
            if source is not None and not isinstance(source, CoreExport):
                inside = [each for each in core_exports(source) if each.instance in self.members]
                self._need_all(self.entity(each) for each in inside)
        elif kind == EntityKind.FUNCTION:
            self._visit_function(entity, member)
        elif kind == EntityKind.TABLE:
            self._visit_table(entity, member)
        elif kind == EntityKind.GLOBAL:
            definition = member.content.globals[entity.index]
            self._need_all(initial_expression(member, definition).mentions())

    def _need_all(self, entities: Iterable[Entity]) -> None:
        for each in entities:
            self._need(each)

    def _visit_function(self, entity: Entity, member: Member) -> None:
        start, end = member.bodies[entity.index]
        entity.alias = self._forward(entity, member, start, end)
        if entity.alias is not None:
            self._need(entity.alias)
            return
        memories = [self._indices[each] for each in member.spaces[EntityKind.MEMORY]]
        entity.pieces = walk(member, start, end, memories)
        for piece in entity.pieces:
            if piece.__class__ is IndexReference and not piece.entity.is_reached:
                self._need(piece.entity)

    def _visit_element(self, segment: ElementSegment) -> None:
        self._need_all(segment.functions())
        for item in segment.items:
            self._need_all(() if isinstance(item, Entity) else item.mentions())
        if segment.table is not None and segment.offset is not None:
            self._need(segment.table)
            self._need_all(segment.offset.mentions())

    def _visit_table(self, entity: Entity, member: Member) -> None:
        self._need_all(each.entity for each in self._segments.get(entity, ()))
        definition = member.content.tables[entity.index]
        self._need_all(initial_expression(member, definition).mentions())

    # Functions that call a table entry

    def _find_slots(self) -> None:
        for segment in self.elements.values():
            table = segment.table
            if table is None:
                continue
            self._segments.setdefault(table, []).append(segment)
            if table.member is None or segment.offset is None:
                continue
            slots = self._slots.setdefault(table, {})
            at = segment.address
            if at is None or not all(isinstance(item, Entity) for item in segment.items):
                self._slots[table] = None
            elif slots is not None:
                slots |= {
                    at + place: item
                    for place, item in enumerate(segment.items)
                    if isinstance(item, Entity)
                }

    def _forward(self, entity: Entity, member: Member, start: int, end: int) -> Entity | None:
        """Return what a function calls that does nothing else, through a table entry."""
        if self.keeps_shims or end - start > 200:
            return None
        found = _FORWARD.fullmatch(member.content.data, start, end)
        if found is None or entity.type is None or entity.type.function is None:
            return None
        parameters = entity.type.function.parameters
        if found[1] != b"".join(b"\x20" + number_bytes(at) for at in range(len(parameters))):
            return None
        table = member.entity(EntityKind.TABLE, number_at(found[4], 0)[0])
        target = (self._slots.get(table) or {}).get(signed_at(found[2], 0)[0])
        if target is None or target.type is None or target is entity:
            return None
        called = number_at(found[3], 0)[0]
        if called >= len(member.types) or member.content.types[called] != target.type.function:
            return None
        if target.type.function != entity.type.function:
            return None
        self._forwarded.add(table)
        return target

    def _is_within(self, segment: ElementSegment) -> bool:
        table = segment.table
        if table is None or table.type is None or table.type.limits is None:
            return True
        at = segment.address
        return at is not None and at + len(segment.items) <= table.type.limits.minimum


def _check(type_: CoreExternType) -> None:
    if type_.limits is not None and type_.limits.is_64:
        raise UnsupportedError(f"a {type_.kind} with 64-bit indices is refused", 0)
    if type_.limits is not None and type_.limits.is_shared:
        raise UnsupportedError("shared memories are refused", 0)
