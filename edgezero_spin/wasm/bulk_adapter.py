"""The core modules between a guest and its bulk functions.

In: the bulk forms of some functions. Out: the *adapter*, which imports the bulk functions and
exports one with the signature that the guest knows for each, and the *room*, which gives
memory for their results.

What the adapter does: an odd address becomes the even one before it, the length grows by as
much, and a last number says so, a bit for each address. A result that came behind its length
is copied to where the guest wants it.

What the room does: the engine asks for as much memory as the text could need in UTF-8, and
then says how much it was. Not every guest can shrink what it gave. So the first answer is
memory for the length that lies before the result by then, and the second is the same again.
The engine never writes past that, but it looks whether there would be memory for all.

Length and result lie in a few bytes that are asked for at each call. Nobody gives them back,
because a component has no way to; but to keep them for the next call would be to hold on to
what a guest may have given to somebody else, where its allocator begins anew after a call.

Source: WebAssembly core specification, chapter 5; canonical ABI, "Storing" of strings.
"""

from collections.abc import Sequence

from edgezero_spin.wasm.binary import number_bytes, signed_bytes
from edgezero_spin.wasm.bulk_form import BulkForm
from edgezero_spin.wasm.flattening import I32
from edgezero_spin.wasm.module import (
    Export,
    Import,
    Kind,
    function_type_bytes,
    new_module,
)

__all__ = ["GIVEN", "MEMORY", "REALLOC", "ROOM", "SCRATCH", "adapter_module", "room_module"]

ROOM = "room"
GIVEN = "given"
"""Names of what an adapter, and a room, import from."""

MEMORY = "memory"
REALLOC = "realloc"
SCRATCH = "scratch"
"""Names of what a room has: the guest's memory, the allocator, and a function that takes a size
and returns where a length and a result of that size together can come."""

_ANY_MEMORY = b"\0\0"
_GET, _SET, _TEE, _GET_GLOBAL, _SET_GLOBAL = b"\x20", b"\x21", b"\x22", b"\x23", b"\x24"
_CALL, _CONST, _RETURN, _DROP = b"\x10", b"\x41", b"\x0f", b"\x1a"
_GE_U, _ADD, _SUB, _AND, _OR = b"\x4f", b"\x6a", b"\x6b", b"\x71", b"\x72"
_SHL, _SHR_U = b"\x74", b"\x76"
_IF, _UNREACHABLE, _END = b"\x04\x40", b"\x00", b"\x0b"
_LOAD, _PAGES, _GROW, _COPY = b"\x28\x02\x00", b"\x3f\x00", b"\x40\x00", b"\xfc\x0a\x00\x00"
_NO_LOCALS, _ONE_LOCAL = b"\0", b"\1\1\x7f"
_MUTABLE_ZERO = b"\1\x7f\1\x41\0\x0b"

_TOO_LONG = 0x7FFF_FFFF
"""The engine takes the highest bit of a length for a sign of another encoding; no text that
long crosses, so it stops here."""

_PAGE_BITS = 16


def adapter_module(forms: Sequence[BulkForm]) -> bytes:
    """Return the adapter of some functions, all with a room or all without one.

    It imports the bulk functions from ``""`` and exports functions, both named by number.
    """
    count = len(forms)
    types = [
        function_type_bytes(parameters, form.results)
        for form in forms
        for parameters in (form.parameters, form.bulk_parameters)
    ]
    imports = [
        Import("", str(index), Kind.FUNCTION, number_bytes(2 * index + 1)) for index in range(count)
    ]
    if any(form.room for form in forms):
        types.append(function_type_bytes((I32,), (I32,)))
        imports.append(Import(ROOM, SCRATCH, Kind.FUNCTION, number_bytes(2 * count)))
        imports.append(Import(ROOM, MEMORY, Kind.MEMORY, _ANY_MEMORY))
    first = sum(each.kind == Kind.FUNCTION for each in imports)
    return new_module(
        types,
        imports,
        [2 * index for index in range(count)],
        [Export(str(index), Kind.FUNCTION, first + index) for index in range(count)],
        [_adapting(form, index, scratch=count) for index, form in enumerate(forms)],
    )


def _adapting(form: BulkForm, bulk: int, *, scratch: int) -> bytes:
    code = [_NO_LOCALS if form.room is None else _ONE_LOCAL]
    for at in form.pairs:
        code += [_local(at + 1), _number(_TOO_LONG), _GE_U, _IF, _UNREACHABLE, _END]
    given = len(form.parameters) - form.returns_in_memory
    for at in range(given):
        code.append(_local(at))
        if at in form.pairs:
            code += [_number(-2), _AND]
        elif at - 1 in form.pairs:
            code += [*_odd(at - 1), _ADD]
    for bit, at in enumerate(form.pairs):
        code += [*_odd(at), _number(bit), _SHL]
        if bit:
            code.append(_OR)
    if form.room is None:
        code += [_local(at) for at in range(given, len(form.parameters))]
        code += [_CALL, number_bytes(bulk)]
    else:
        place = number_bytes(len(form.parameters))
        code += [_number(form.room.offset + form.room.size), _CALL, number_bytes(scratch)]
        code += [_TEE, place, _CALL, number_bytes(bulk)]
        code += [_local(given), _GET, place, _number(form.room.offset), _ADD]
        code += [_number(form.room.size), _COPY]
    return b"".join([*code, _END])


def room_module() -> bytes:
    """Return the room; it imports the guest's memory and allocator from ``given``."""
    old, alignment, asked, at = 0, 2, 3, 4
    scratch = [
        *(_NO_LOCALS, _number(0), _number(0), _number(8), _local(0), _CALL, b"\0"),
        *(_SET_GLOBAL, b"\0", _GET_GLOBAL, b"\0", _END),
    ]
    pages = [_PAGES, _number(_PAGE_BITS), _SHL]
    end = [_local(at), _local(asked), _ADD]
    realloc = [
        *(_ONE_LOCAL, _local(old), _IF, _local(old), _RETURN, _END),
        *(_number(0), _number(0), _local(alignment), _GET_GLOBAL, b"\0", _LOAD, _CALL, b"\0"),
        *(_SET, number_bytes(at)),
        *(*end, *pages, _GE_U, _IF),
        # One page more than is missing, so that nothing has to be rounded.
        *(*end, *pages, _SUB, _number(_PAGE_BITS), _SHR_U, _number(1), _ADD, _GROW, _DROP),
        *(_END, _local(at), _END),
    ]
    return new_module(
        [function_type_bytes((I32,) * 4, (I32,)), function_type_bytes((I32,), (I32,))],
        [
            Import(GIVEN, REALLOC, Kind.FUNCTION, number_bytes(0)),
            Import(GIVEN, MEMORY, Kind.MEMORY, _ANY_MEMORY),
        ],
        [0, 1],
        [
            Export(REALLOC, Kind.FUNCTION, 1),
            Export(SCRATCH, Kind.FUNCTION, 2),
            Export(MEMORY, Kind.MEMORY, 0),
        ],
        [b"".join(realloc), b"".join(scratch)],
        _MUTABLE_ZERO,
    )


def _odd(address: int) -> list[bytes]:
    return [_local(address), _number(1), _AND]


def _local(index: int) -> bytes:
    return _GET + number_bytes(index)


def _number(value: int) -> bytes:
    return _CONST + signed_bytes(value)
