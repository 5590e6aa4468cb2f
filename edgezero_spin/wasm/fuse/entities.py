"""Entities: what has an index in a core module, before it has one in the fused module.

A member is one core instance with the module that it is made of. Each of its index spaces is
a list of entities; an import of what another member exports is that member's entity, so that
fusing needs no more linking. Indices are given at the end: until then a piece of code that
mentions an index holds an ``IndexReference``, whose ``code`` is set when the index is known.

Source: WebAssembly core specification, 2.5.1 (indices).
"""

from collections.abc import Callable
from enum import Enum
from functools import cached_property

import attrs

from edgezero_spin.wasm.binary import number_at, number_bytes, signed_bytes
from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.definitions import CoreExternType
from edgezero_spin.wasm.component.errors import InvalidError
from edgezero_spin.wasm.component.linked import Canonical, CoreExport
from edgezero_spin.wasm.core_module import CODE, CoreModuleContent

__all__ = ["Entity", "EntityKind", "IndexReference", "Lookup", "Member", "Pieces"]


class EntityKind(Enum):
    """Kinds of entities; those of the first five can be imported and exported."""

    FUNCTION = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3
    TAG = 4
    ELEMENT = 5
    DATA = 6


@attrs.define(eq=False)
class IndexReference:
    """Bytes of an instruction that depend on the index of an entity."""

    entity: "Entity"
    code: bytes = b""


Pieces = list["bytes | IndexReference"]


@attrs.define(eq=False)
class Entity:
    """A function, table, memory, global, tag or segment.

    Attributes:
        member: The member that defines it; ``None`` for an import of the fused module.
        index: Among those that the member defines.
        type: Its type; ``None`` for a segment.
        source: What an import is given.
        is_reached: It is needed.
        is_assigned: Of a global, reached code sets it; of a table, reached code changes it.
        reference: Its index where code mentions it.
        get: Of a global, the instruction that reads it.
        pieces: Of a function, its code.
        alias: Of a function, the one that it does nothing but call.
        value: Of a global, the instruction for its initial value, if that is known.
    """

    kind: EntityKind
    member: "Member | None"
    index: int
    type: CoreExternType | None = None
    source: CoreExport | Canonical | None = None
    is_reached: bool = False
    is_assigned: bool = False
    reference: IndexReference = attrs.Factory(IndexReference, takes_self=True)
    get: IndexReference = attrs.Factory(IndexReference, takes_self=True)
    pieces: Pieces = attrs.Factory(list)
    alias: "Entity | None" = None
    value: bytes | None = None


class Lookup(dict[bytes, IndexReference | bytes]):
    """What stands for an index in the code of a member, by the bytes of the index."""

    def __init__(self, find: Callable[[int], IndexReference | bytes]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, key: bytes) -> IndexReference | bytes:
        found = self[key] = self._find(number_at(key, 0)[0])
        return found


@attrs.define(eq=False)
class Member:
    """A core instance to fuse.

    Attributes:
        number: Its index among the core instances of the component.
        content: Its module.
        spaces: Its entities by kind and index.
        types: Per type of the module, the index in the fused module.
        exports: The entity of each export.
        functions, globals, gets, tables, type_indices, block_types: Lookups.
    """

    number: int
    content: CoreModuleContent
    spaces: dict[EntityKind, list[Entity]] = attrs.Factory(
        lambda: {kind: [] for kind in EntityKind}
    )
    types: list[int] = attrs.Factory(list)
    exports: dict[str, Entity] = attrs.Factory(dict)
    functions: Lookup = attrs.field(init=False)
    globals: Lookup = attrs.field(init=False)
    gets: Lookup = attrs.field(init=False)
    tables: Lookup = attrs.field(init=False)
    type_indices: Lookup = attrs.field(init=False)
    block_types: Lookup = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        spaces = self.spaces
        functions, globals_ = spaces[EntityKind.FUNCTION], spaces[EntityKind.GLOBAL]
        self.functions = Lookup(lambda index: functions[index].reference)
        self.globals = Lookup(lambda index: globals_[index].reference)
        self.gets = Lookup(lambda index: globals_[index].get)
        self.tables = Lookup(lambda index: spaces[EntityKind.TABLE][index].reference)
        self.type_indices = Lookup(lambda index: number_bytes(self.types[index]))
        self.block_types = Lookup(lambda index: signed_bytes(self.types[index]))

    @cached_property
    def bodies(self) -> list[tuple[int, int]]:
        """Start and end of each function body, locals included."""
        cursor = self.section(CODE)
        ranges = [cursor.range() for _ in range(cursor.u32())]
        found = [(body.at, body.end) for body in ranges]
        if len(found) != len(self.content.functions):
            raise InvalidError("function and code section have inconsistent lengths", 0)
        return found

    def section(self, number: int) -> Cursor:
        """Return a cursor in a section of items; one that is absent has none."""
        if number not in self.content.sections:
            return Cursor(b"\0")
        return Cursor(self.content.data, *self.content.sections[number])

    def entity(self, kind: EntityKind, index: int, at: int = 0) -> Entity:
        """Return an entity by its index in the module, which stands at a byte.

        Raises:
            InvalidError: The index is out of bounds.
        """
        space = self.spaces[kind]
        if index >= len(space):
            name = kind.name.lower()
            raise InvalidError(f"unknown {name} {index}: {name} index out of bounds", at)
        return space[index]
