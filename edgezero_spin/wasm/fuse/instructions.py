"""Walker of function bodies: code with every index that fusing changes taken out.

One regular expression passes over runs of instructions without such an index and stops at
the common ones that have one; everything else is read by a table of the instruction set, and
an instruction that is not in it is refused. Code is never searched for a byte that might be
an opcode.

In: a member and the range of a body. Out: the pieces of its code.

Source: WebAssembly core specification, 5.4 (instructions), version 3.
"""

import re

from edgezero_spin.wasm.binary import number_bytes
from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.errors import InvalidError, UnsupportedError
from edgezero_spin.wasm.core_types import HEAP_TYPES, read_value_type
from edgezero_spin.wasm.fuse.entities import Entity, EntityKind, Member, Pieces

__all__ = ["walk"]

_LEB = rb"[\x80-\xff]{0,9}+[\x00-\x7f]"
_MEMARG = rb"[\x00-\x3f]" + _LEB
_WITHOUT_INDEX = (
    rb"[\x00\x01\x05\x0b\x0f\x1a\x1b\x45-\xc4\xd1]"
    rb"|[\x0c\x0d\x20-\x22\x41\x42]" + _LEB + rb"|\x43[\x00-\xff]{4}|\x44[\x00-\xff]{8}"
    rb"|[\x02-\x04][\x40\x6f\x70\x7b-\x7f]|\xfc[\x00-\x07]|\xd0[\x6f\x70]"
    rb"|\xfd(?:[\x0c\x0d][\x00-\xff]{16}|[\x15-\x22][\x00-\xff]"
    rb"|[\x0e-\x14\x23-\x53\x5e-\x7f]|[\x80-\xff]\x01)"
)
# Instructions on the first memory, where that is the first of the fused module as well.
_FIRST_MEMORY = (
    rb"|[\x28-\x3e]" + _MEMARG + rb"|[\x3f\x40]\x00|\xfc\x0a\x00\x00|\xfc\x0b\x00"
    rb"|\xfd(?:[\x00-\x0b\x5c\x5d]" + _MEMARG + rb"|[\x54-\x5b]" + _MEMARG + rb"[\x00-\xff])"
)
_STOP = (
    rb"(?:[\x10\x12](" + _LEB + rb")"
    rb"|\x23(" + _LEB + rb")"
    rb"|\x24(" + _LEB + rb")"
    rb"|[\x11\x13](" + _LEB + rb")(" + _LEB + rb")"
    rb"|[\x02-\x04]([\x00-\x3f]|[\x80-\xff]{1,4}[\x00-\x3f])"
    rb")?"
)
_PATTERN = re.compile(rb"(?:" + _WITHOUT_INDEX + _FIRST_MEMORY + rb")*+" + _STOP)
_PATTERN_OTHER_MEMORY = re.compile(rb"(?:" + _WITHOUT_INDEX + rb")*+" + _STOP)
_CALL, _GET, _SET, _INDIRECT, _BLOCK = 1, 2, 3, 5, 6


def walk(member: Member, start: int, end: int, memories: list[bytes]) -> Pieces:
    """Return the pieces of a function body, its locals first.

    Args:
        member: The member that has the body.
        start, end: Where the body is in its module.
        memories: Index in the fused module of each of its memories, as bytes.

    Raises:
        MalformedError, InvalidError: The code is damaged.
        UnsupportedError: It has an instruction that is refused.
    """
    data = member.content.data
    cursor = Cursor(data, start, end)
    for _ in range(cursor.u32()):
        cursor.u32()
        read_value_type(cursor)
    at, last = cursor.at, start
    pieces: Pieces = []
    append = pieces.append
    plain = not memories or memories[0] == b"\0"
    match = (_PATTERN if plain else _PATTERN_OTHER_MEMORY).match
    functions, gets, globals_ = member.functions, member.gets, member.globals
    try:
        while True:
            found = match(data, at, end)
            if found is None:
                cursor.fail("unreadable code", at)
            group = found.lastindex
            at = found.end()
            if group == _CALL:
                append(data[last : found.start(1)])
                append(functions[found[1]])
            elif group == _GET:
                append(data[last : found.start(2) - 1])
                append(gets[found[2]])
            elif group == _SET:
                append(data[last : found.start(3)])
                reference = globals_[found[3]]
                reference.entity.is_assigned = True  # type: ignore[union-attr]
                append(reference)
            elif group == _INDIRECT:
                append(data[last : found.start(4)])
                append(member.type_indices[found[4]])
                append(member.tables[found[5]])
            elif group == _BLOCK:
                append(data[last : found.start(6)])
                append(member.block_types[found[6]])
            elif at == end:
                append(data[last:end])
                return pieces
            else:
                append(data[last:at])
                cursor.at = at
                _step(member, cursor, memories, pieces)
                at = cursor.at
            last = at
    except IndexError:
        raise InvalidError("an index in code is out of bounds", at) from None


def _step(member: Member, cursor: Cursor, memories: list[bytes], pieces: Pieces) -> None:
    """Read one instruction of any kind; add its pieces."""
    start = cursor.at
    opcode = cursor.byte()
    if 0x28 <= opcode <= 0x3E:
        pieces.append(bytes([opcode]) + _memory_argument(cursor, memories))
    elif opcode in (0x3F, 0x40):
        pieces.append(bytes([opcode]) + memories[cursor.u32()])
    elif opcode == 0xFC:
        _bulk(member, cursor, memories, pieces)
    elif opcode == 0xFD:
        _vector(cursor, memories, pieces)
    elif opcode in (0x25, 0x26):
        table = member.entity(EntityKind.TABLE, cursor.u32())
        table.is_assigned |= opcode == 0x26
        pieces += [bytes([opcode]), table.reference]
    elif opcode == 0xD2:
        pieces += [b"\xd2", member.entity(EntityKind.FUNCTION, cursor.u32()).reference]
    elif opcode == 0x08:
        pieces += [b"\x08", member.entity(EntityKind.TAG, cursor.u32()).reference]
    elif opcode == 0x1F:
        _try_table(member, cursor, pieces)
    elif opcode in (0x02, 0x03, 0x04):
        pieces += [bytes([opcode]), _block_type(member, cursor)]
    else:
        _skip(opcode, cursor, start)
        pieces.append(cursor.data[start : cursor.at])


def _skip(opcode: int, cursor: Cursor, start: int) -> None:
    """Pass over the immediates of an instruction without an index."""
    if opcode == 0x0E:
        for _ in range(cursor.u32() + 1):
            cursor.u32()
    elif opcode == 0x1C:
        cursor.vector(read_value_type)
    elif opcode == 0xD0:
        if cursor.byte() not in HEAP_TYPES:
            raise UnsupportedError("references to types by index are refused", start)
    elif opcode in (0x0C, 0x0D, 0xD5, 0xD6):
        cursor.u32()
    elif opcode not in (0x0A, 0xD4):
        what = _REFUSED.get(opcode, f"unknown instruction {opcode:#x}")
        raise UnsupportedError(f"{what} is refused", start)


_REFUSED = {
    0xFE: "an atomic instruction",
    0xFB: "a garbage-collection instruction",
    0x14: "call_ref",
    0x15: "return_call_ref",
    **dict.fromkeys((0x06, 0x07, 0x09, 0x18, 0x19), "a legacy exception instruction"),
}


def _memory_argument(cursor: Cursor, memories: list[bytes]) -> bytes:
    align = cursor.u32()
    memory = memories[cursor.u32() if align & 0x40 else 0]
    offset = cursor.u64()
    align &= 0x3F
    head = bytes([align]) if memory == b"\0" else bytes([align | 0x40]) + memory
    return head + number_bytes(offset)


def _block_type(member: Member, cursor: Cursor) -> bytes:
    byte = cursor.peek()
    if byte == 0x40:
        return cursor.take(1)
    if 0x40 < byte < 0x80:
        return read_value_type(cursor)
    found = member.block_types[number_bytes(cursor.u32())]
    return found if isinstance(found, bytes) else b""


def _try_table(member: Member, cursor: Cursor, pieces: Pieces) -> None:
    pieces += [b"\x1f", _block_type(member, cursor)]
    count = cursor.u32()
    pieces.append(number_bytes(count))
    for _ in range(count):
        kind = cursor.choose("catch clause", 0, 1, 2, 3)
        pieces.append(bytes([kind]))
        if kind < 2:
            pieces.append(member.entity(EntityKind.TAG, cursor.u32()).reference)
        pieces.append(number_bytes(cursor.u32()))


def _bulk(member: Member, cursor: Cursor, memories: list[bytes], pieces: Pieces) -> None:
    start = cursor.at - 1
    code = cursor.u32()
    head = b"\xfc" + number_bytes(code)

    def entity(kind: EntityKind) -> Entity:
        return member.entity(kind, cursor.u32())

    match code:
        case 8:
            pieces += [head, entity(EntityKind.DATA).reference, memories[cursor.u32()]]
        case 9:
            pieces += [head, entity(EntityKind.DATA).reference]
        case 10:
            pieces.append(head + memories[cursor.u32()] + memories[cursor.u32()])
        case 11:
            pieces.append(head + memories[cursor.u32()])
        case 12:
            element, table = entity(EntityKind.ELEMENT), entity(EntityKind.TABLE)
            table.is_assigned = True
            pieces += [head, element.reference, table.reference]
        case 13:
            pieces += [head, entity(EntityKind.ELEMENT).reference]
        case 14:
            table, source = entity(EntityKind.TABLE), entity(EntityKind.TABLE)
            table.is_assigned = True
            pieces += [head, table.reference, source.reference]
        case 15 | 16 | 17:
            table = entity(EntityKind.TABLE)
            table.is_assigned |= code != 16
            pieces += [head, table.reference]
        case _ if code < 8 or 19 <= code <= 22:
            pieces.append(head)
        case _:
            raise UnsupportedError(f"unknown instruction 0xfc {code:#x} is refused", start)


def _vector(cursor: Cursor, memories: list[bytes], pieces: Pieces) -> None:
    start = cursor.at - 1
    code = cursor.u32()
    head = b"\xfd" + number_bytes(code)
    if code <= 0x0B or code in (0x5C, 0x5D):
        pieces.append(head + _memory_argument(cursor, memories))
    elif 0x54 <= code <= 0x5B:
        pieces.append(head + _memory_argument(cursor, memories) + cursor.take(1))
    elif code in (0x0C, 0x0D):
        pieces.append(head + cursor.take(16))
    elif 0x15 <= code <= 0x22:
        pieces.append(head + cursor.take(1))
    elif code <= 0x113:
        pieces.append(head)
    else:
        raise UnsupportedError(f"unknown instruction 0xfd {code:#x} is refused", start)
