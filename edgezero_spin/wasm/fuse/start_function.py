"""Start function of a fused module.

Active segments are applied and start functions run member by member. Where a start function
comes before another member's segments, these become passive and the fused start function
applies them.

Source: WebAssembly core specification, 4.5.4 (instantiation).
"""

from collections.abc import Sequence

from edgezero_spin.wasm.binary import signed_bytes
from edgezero_spin.wasm.fuse.encoding import code_bytes
from edgezero_spin.wasm.fuse.entities import Entity, EntityKind, Member
from edgezero_spin.wasm.fuse.program import Program

__all__ = ["StartFunction"]


class StartFunction:
    """What runs when a fused module is instantiated.

    Attributes:
        entity: The start function, if it is one member's.
        body: Its body, if it is made here.
        passive: The active segments that it applies.
    """

    def __init__(self, program: Program, segments: Sequence[Entity]) -> None:
        self.entity: Entity | None = None
        self.body: bytes | None = None
        self.passive: set[Entity] = set()
        members = list(program.members.values())
        starting = [at for at, each in enumerate(members) if each.content.start is not None]
        if not starting:
            return
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
