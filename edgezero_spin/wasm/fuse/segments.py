"""Element and data segments of core modules.

Source: WebAssembly core specification, 5.5.12 (element section) and 5.5.14 (data section).
"""

import attrs

from edgezero_spin.wasm.binary import number_bytes
from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.core_module import DATA, ELEMENT
from edgezero_spin.wasm.core_types import read_value_type
from edgezero_spin.wasm.fuse.constants import Expression, read_expression
from edgezero_spin.wasm.fuse.entities import Entity, EntityKind, Member, Pieces

__all__ = ["DataSegment", "ElementSegment", "read_data", "read_elements"]

_FUNCREF = b"\x70"


@attrs.define(eq=False)
class _Segment:
    """A segment; ``offset`` says where in the table or memory it goes."""

    entity: Entity
    offset: Expression | None

    @property
    def address(self) -> int | None:
        """Where it starts in the table or memory, if that is known."""
        return None if self.offset is None else self.offset.address


@attrs.define(eq=False)
class ElementSegment(_Segment):
    """An element segment.

    Attributes:
        table: The table that it initialises; ``None`` if it is passive or declarative.
        type: Type of the elements.
        items: The elements: a function, or an expression.
    """

    table: Entity | None
    type: bytes
    items: list[Entity | Expression]

    def functions(self) -> list[Entity]:
        """Return the functions among its elements."""
        found: list[Entity] = []
        for item in self.items:
            found += [item] if isinstance(item, Entity) else item.mentions()
        return [each for each in found if each.kind == EntityKind.FUNCTION]

    def pieces(self, *, is_passive: bool) -> Pieces:
        """Return it in binary form."""
        as_functions = all(isinstance(item, Entity) for item in self.items)
        as_functions = as_functions and self.type == _FUNCREF
        flags = 0 if as_functions else 4
        if self.table is None or self.offset is None or is_passive:
            pieces: Pieces = [bytes([flags | 1]), b"\0" if as_functions else self.type]
        else:
            pieces = [bytes([flags | 2]), self.table.reference, *self.offset.pieces()]
            pieces.append(b"\0" if as_functions else self.type)
        pieces.append(number_bytes(len(self.items)))
        for item in self.items:
            if isinstance(item, Entity):
                pieces += [item.reference] if as_functions else [b"\xd2", item.reference, b"\x0b"]
            else:
                pieces += item.pieces()
        return pieces


@attrs.define(eq=False)
class DataSegment(_Segment):
    """A data segment.

    Attributes:
        memory: The memory that it initialises; ``None`` if it is passive.
        start, end: Where its bytes are in the module of its member.
    """

    memory: Entity | None
    start: int
    end: int

    @property
    def content(self) -> bytes:
        """Its bytes."""
        member = self.entity.member
        return b"" if member is None else member.content.data[self.start : self.end]


def read_elements(member: Member) -> list[ElementSegment]:
    """Read the element segments of a member, and give it an entity for each."""
    cursor = member.section(ELEMENT)
    found = []
    for index in range(cursor.u32()):
        entity = Entity(EntityKind.ELEMENT, member, index)
        member.spaces[EntityKind.ELEMENT].append(entity)
        found.append(_element(member, cursor, entity))
    return found


def _element(member: Member, cursor: Cursor, entity: Entity) -> ElementSegment:
    flags = cursor.choose("element segment", *range(8))
    table = offset = None
    if not flags & 1:
        table = member.entity(EntityKind.TABLE, cursor.u32() if flags & 2 else 0, cursor.at)
        offset = read_expression(member, cursor)
    type_ = _FUNCREF
    if flags & 3:
        if flags & 4:
            type_ = read_value_type(cursor)
        else:
            cursor.choose("element kind", 0)
    items: list[Entity | Expression] = []
    for _ in range(cursor.u32()):
        if flags & 4:
            items.append(read_expression(member, cursor))
        else:
            items.append(member.entity(EntityKind.FUNCTION, cursor.u32(), cursor.at))
    return ElementSegment(entity, offset, table, type_, items)


def read_data(member: Member) -> list[DataSegment]:
    """Read the data segments of a member, and give it an entity for each."""
    cursor = member.section(DATA)
    found = []
    for index in range(cursor.u32()):
        entity = Entity(EntityKind.DATA, member, index)
        member.spaces[EntityKind.DATA].append(entity)
        flags = cursor.choose("data segment", 0, 1, 2)
        memory = offset = None
        if flags != 1:
            number = cursor.u32() if flags == 2 else 0
            memory = member.entity(EntityKind.MEMORY, number, cursor.at)
            offset = read_expression(member, cursor)
        content = cursor.range()
        found.append(DataSegment(entity, offset, memory, content.at, content.end))
    return found
