"""Cache of code modules: what of a fused component need not be made again after an edit.

The code module of a split program does not depend on the contents of memories (unless code
names data segments) and the initial values of the globals that code assigns. Its key is a
digest of everything else. With the module is kept which imports and globals the data module of
a program with this key takes, and a digest of the values that were folded into the code: if
these have changed, it is made anew.

In: a program whose members are added, nothing of it reached. Out: its key; an entry as bytes.
Where entries are kept is for the host to say.
"""

import hashlib
import json
from typing import Protocol

import attrs

from edgezero_spin.wasm.component.linked import CoreExport
from edgezero_spin.wasm.core_module import DATA, DATA_COUNT, GLOBAL, MEMORY
from edgezero_spin.wasm.fuse.entities import Entity, EntityKind, Member
from edgezero_spin.wasm.fuse.program import Program
from edgezero_spin.wasm.sources import sources_digest

__all__ = ["CodeCache", "CodeEntry", "code_key", "folded_values"]

_MARK = b"\0variable\0"


class CodeCache(Protocol):
    """Entries by key, kept between runs. Losing one costs time and nothing else."""

    def load_bytes(self, key: str) -> bytes | None:
        """Return an entry, ``None`` if there is none."""

    def store_bytes(self, key: str, content: bytes) -> None:
        """Keep an entry."""


@attrs.frozen
class CodeEntry:
    """A code module, and what the data module beside it needs.

    Attributes:
        imports: Positions in ``Program.imports`` of what the data module imports.
        variables: Member and index of the globals whose values it returns.
        folded: Digest of the values that are folded into the code.
    """

    code: bytes
    imports: tuple[int, ...]
    variables: tuple[tuple[int, int], ...]
    folded: str

    def to_bytes(self) -> bytes:
        """Return the entry as bytes."""
        head = {"imports": self.imports, "variables": self.variables, "folded": self.folded}
        return json.dumps(head).encode() + b"\n" + self.code

    @classmethod
    def from_bytes(cls, data: bytes) -> "CodeEntry | None":
        """Return an entry from bytes, ``None`` if they are damaged."""
        line, _, code = data.partition(b"\n")
        try:
            head = json.loads(line)
            return cls(
                code,
                tuple(map(int, head["imports"])),
                tuple((int(member), int(index)) for member, index in head["variables"]),
                str(head["folded"]),
            )
        except (ValueError, KeyError, TypeError):
            return None


def code_key(program: Program, needed: list[CoreExport]) -> str:
    """Return a key with the digest of what the code module of a program is made from.

    Args:
        program: The program, its members added.
        needed: What it exports.
    """
    numbers = {entity: at for at, entity in enumerate(program.imports.values())}
    digest = hashlib.sha256(sources_digest().encode())
    has_segments = program.names_segments()
    for member in program.members.values():
        content = member.content
        for number, (start, end) in content.sections.items():
            digest.update(b"section %d %d:" % (number, end - start if number < GLOBAL else 0))
            is_data = number in (DATA, DATA_COUNT)
            if number == GLOBAL:
                for text in _globals(member):
                    digest.update(text)
            elif number != MEMORY and (has_segments or not is_data):
                digest.update(content.data[start:end])
        for name, start, end in content.customs:
            if name == "name":
                digest.update(content.data[start:end])
        for kind, space in member.spaces.items():
            for entity in space:
                if entity.member is not member:
                    digest.update(_identity(kind, entity, numbers).encode())
    for memory in program.memories:
        limits = memory.type.limits if memory.type else None
        digest.update(b"memory %d" % (limits.page_size_log2 if limits else 0))
    digest.update(repr([(each.instance, each.name) for each in needed]).encode())
    return f"code {digest.hexdigest()}"


def _globals(member: Member) -> list[bytes]:
    data, found = member.content.data, []
    for definition, entity in zip(
        member.content.globals, _defined(member, EntityKind.GLOBAL), strict=True
    ):
        found.append(definition.type.value + bytes([definition.type.is_mutable]))
        varies = definition.type.is_mutable and entity.value is not None
        found.append(_MARK if varies else data[definition.start : definition.end])
    return found


def _defined(member: Member, kind: EntityKind) -> list[Entity]:
    return [each for each in member.spaces[kind] if each.member is member]


def _identity(kind: EntityKind, entity: Entity, numbers: dict[Entity, int]) -> str:
    if entity.member is None:
        return f"{kind.value} import {numbers[entity]};"
    return f"{kind.value} {entity.member.number} {entity.index};"


def folded_values(program: Program, variables: set[Entity]) -> str:
    """Return the digest of the values of mutable globals that are not among the variables."""
    digest = hashlib.sha256()
    for member in program.members.values():
        for entity in _defined(member, EntityKind.GLOBAL):
            if entity.type and entity.type.is_mutable and entity not in variables:
                digest.update(b"%d " % entity.index + (entity.value or b""))
    return digest.hexdigest()
