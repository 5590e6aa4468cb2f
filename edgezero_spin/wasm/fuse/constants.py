"""Constant expressions: initial values of globals, offsets of segments, elements.

In: an expression in a member. Out: its tokens, and its value as far as it can be known before
the module is instantiated. Imported globals such as ``__memory_base`` are folded away here.

Source: WebAssembly core specification, 3.4.15 (constant expressions).
"""

from collections.abc import Sequence

import attrs

from edgezero_spin.wasm.binary import number_at, signed_at, signed_bytes
from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.errors import InvalidError
from edgezero_spin.wasm.core_module import CoreDefinition, read_constant
from edgezero_spin.wasm.fuse.entities import Entity, EntityKind, Member, Pieces

__all__ = ["Expression", "initial_expression", "read_expression"]

_END = b"\x0b"
_OPERATORS = {
    0x6A: (32, int.__add__),
    0x6B: (32, int.__sub__),
    0x6C: (32, int.__mul__),
    0x7C: (64, int.__add__),
    0x7D: (64, int.__sub__),
    0x7E: (64, int.__mul__),
}


@attrs.frozen
class Expression:
    """A constant expression.

    Attributes:
        tokens: Instructions as bytes, without the end; a global or function instead of the
            instruction that gets it.
    """

    tokens: tuple[bytes | Entity, ...]

    def pieces(self) -> Pieces:
        """Return its code with the end."""
        pieces: Pieces = []
        for token in self.tokens:
            if isinstance(token, bytes):
                pieces.append(token)
            elif token.kind == EntityKind.GLOBAL:
                pieces.append(token.get)
            else:
                pieces += [b"\xd2", token.reference]
        return [*pieces, _END]

    def mentions(self) -> Sequence[Entity]:
        """Return the globals and functions in it."""
        return [token for token in self.tokens if not isinstance(token, bytes)]

    @property
    def address(self) -> int | None:
        """Its value as an unsigned number of 32 bits, if that is known."""
        value = _integer(self.tokens[0]) if len(self.tokens) == 1 else None
        return None if value is None else value % (1 << 32)


def read_expression(member: Member, cursor: Cursor) -> Expression:
    """Read an expression and its end; fold the globals whose value is known."""
    data, start = cursor.data, cursor.at
    tokens: list[bytes | Entity] = []
    for opcode, at, end in read_constant(cursor):
        if opcode == 0x23:
            entity = member.entity(EntityKind.GLOBAL, number_at(data, at + 1)[0], at)
            tokens.append(entity if entity.value is None else entity.value)
        elif opcode == 0xD2:
            tokens.append(member.entity(EntityKind.FUNCTION, number_at(data, at + 1)[0], at))
        else:
            tokens.append(data[at:end])
    return Expression(_folded(tokens, start))


def initial_expression(member: Member, definition: CoreDefinition) -> Expression:
    """Return what a table or global of a member begins with; nothing for a table of nulls."""
    if definition.start is None:
        return Expression(())
    return read_expression(member, Cursor(member.content.data, definition.start, definition.end))


def _folded(tokens: list[bytes | Entity], at: int) -> tuple[bytes | Entity, ...]:
    stack: list[bytes | Entity] = []
    for token in tokens:
        if isinstance(token, bytes) and len(token) == 1 and token[0] in _OPERATORS:
            bits, operate = _OPERATORS[token[0]]
            values = [value for each in stack[-2:] if (value := _integer(each)) is not None]
            if len(values) < 2:
                if any(isinstance(each, Entity) for each in tokens):
                    return tuple(tokens)
                raise InvalidError("type mismatch in a constant expression", at)
            value = operate(*values) % (1 << bits)
            value -= (value >> (bits - 1)) << bits
            opcode = b"\x41" if bits == 32 else b"\x42"
            stack[-2:] = [opcode + signed_bytes(value)]
        else:
            stack.append(token)
    return tuple(stack)


def _integer(token: bytes | Entity) -> int | None:
    if isinstance(token, bytes) and token[0] in (0x41, 0x42):
        return signed_at(token, 1)[0]
    return None
