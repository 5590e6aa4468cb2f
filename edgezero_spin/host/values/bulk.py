"""Bytes that cross as text, in functions that were rewritten so (``wasm/bulk_bytes.py``).

In such a function every text is a run of bytes in Latin-1: bytes for what was ``list<u8>``,
UTF-8 for what was text before. The engine hands it over and takes it as UTF-8 of those
characters. Plain ASCII is the same in all three.

A text at an odd address is given from the byte before it; the last parameter has a bit for
each. A result with a text in it comes behind the length of that text.
"""

from collections.abc import Callable, Sequence
from typing import Any

from wasmtime import component as wit

from edgezero_spin.host.errors import Trap, ValueMismatchError
from edgezero_spin.host.values.lift import Lift, prepare_lift
from edgezero_spin.host.values.raw import (
    MEMORY,
    U32,
    VALUE_SIZE,
    WORDS,
    Kind,
    byte_vec_new,
    tuple_new,
)
from edgezero_spin.host.values.scope import Scope
from edgezero_spin.host.values.types import ResourceTypes
from edgezero_spin.wasm.bulk_names import IN_BULK, UNALIGNED

__all__ = ["behind_length", "lower_in_bulk", "prepare_bulk_lifts"]

_STRING = int(Kind.STRING)
_TUPLE = int(Kind.TUPLE)
_U32 = int(Kind.U32)


def prepare_bulk_lifts(
    parameters: Sequence[tuple[str, wit.ValType]], resources: ResourceTypes
) -> list[Lift]:
    """Return the converters of a bulk function's parameters, as its plain form has them.

    Args:
        parameters: Names and types.
        resources: As for ``prepare_lift``.
    """
    given = [part for part in parameters if part[0] != UNALIGNED]
    lifts = []
    bit = 1
    for place, (name, type_) in enumerate(given):
        if isinstance(type_, wit.String):
            bits_at = (len(given) - place) * VALUE_SIZE + 8
            lifts.append((_bytes if name.endswith(IN_BULK) else _text)(bits_at, bit))
            bit <<= 1
        else:
            lifts.append(prepare_lift(type_, resources))
    return lifts


def _bytes(bits_at: int, bit: int) -> Lift:
    def lift(scope: Scope, address: int) -> bytes:
        word = address >> 3
        data = WORDS[word + 2]
        found = bytes(MEMORY[data : data + WORDS[word + 1]])
        if not found.isascii():
            found = found.decode().encode("latin-1")
        return found[1:] if U32[(address + bits_at) >> 2] & bit else found

    return lift


def _text(bits_at: int, bit: int) -> Lift:
    lift_bytes = _bytes(bits_at, bit)

    def lift(scope: Scope, address: int) -> str:
        try:
            return str(lift_bytes(scope, address), "utf-8")
        except UnicodeDecodeError as error:
            raise Trap(f"the guest passed a string that is not UTF-8: {error.reason}") from None

    return lift


def lower_in_bulk(scope: Scope, address: int, value: Any) -> None:
    """Write bytes, or text as UTF-8 bytes."""
    try:
        if isinstance(value, str):
            data = value.encode()
        else:
            data = value if type(value) is bytes else memoryview(value).cast("B").tobytes()
    except (TypeError, UnicodeEncodeError):
        raise ValueMismatchError("", "bytes, or a str without surrogates", value) from None
    scope.text_bytes = len(data)
    if not data.isascii():
        data = data.decode("latin-1").encode()
    byte_vec_new(address + 8, len(data), data)
    MEMORY[address] = _STRING


def behind_length(lower: Callable[[Scope, int, Any], None]) -> Callable[[Scope, int, Any], None]:
    """Return the converter of a result that comes behind the length of its text.

    Args:
        lower: The converter of the result itself.
    """

    def lower_behind_length(scope: Scope, address: int, value: Any) -> None:
        tuple_new(address + 8, 2)
        MEMORY[address] = _TUPLE
        first = WORDS[(address >> 3) + 2]
        scope.text_bytes = 0
        lower(scope, first + VALUE_SIZE, value)
        U32[(first + 8) >> 2] = scope.text_bytes
        MEMORY[first] = _U32

    return lower_behind_length
