"""Canonical ABI: booleans, numbers and characters.

Each has a load and a store for memory, and converters for core values of every format that a
variant can have joined it with.

Source: ``CanonicalABI.md``, "Loading", "Storing", "Flat Lifting" and "Flat Lowering".
"""

from collections.abc import Callable, Sequence
from ctypes import c_float
from struct import pack, unpack
from typing import Any

from edgezero_spin.host.errors import LinkError, Trap
from edgezero_spin.host.runtime.memory import Context
from edgezero_spin.wasm.component.layout import layout_of
from edgezero_spin.wasm.component.types import Primitive, ValueType

__all__ = [
    "LOADS",
    "RANGES",
    "RUNS",
    "STORES",
    "Lift",
    "Load",
    "Lower",
    "Store",
    "UnsupportedTypeError",
    "converter",
    "lift_primitive",
    "lower_primitive",
    "store_word",
    "word_type",
]

Load = Callable[[Context, int], Any]
"""``(context, address) -> value``."""
Lift = Callable[[Context, Sequence[Any]], Any]
"""``(context, core values) -> value``."""
Store = Callable[[Context, int, Any], None]
"""``(context, address, value)``."""
Lower = Callable[[Context, Any, list[Any]], None]
"""``(context, value, core values)``."""

_NAN = float("nan")
_MASK32 = (1 << 32) - 1
_MASK64 = (1 << 64) - 1


class UnsupportedTypeError(LinkError):
    """A type that cannot cross; whoever knows the function adds its name."""

    def __init__(self, type_: ValueType) -> None:
        name = type_.value if isinstance(type_, Primitive) else type(type_).__name__
        super().__init__("", f"values of type {name} are not supported")


def _char(code: int) -> str:
    if code >= 0x110000 or 0xD800 <= code <= 0xDFFF:
        raise Trap("invalid `char` bit pattern")
    return chr(code)


def _number(value: float) -> float:
    return value if value == value else _NAN


LOADS: dict[Primitive, Load] = {
    Primitive.BOOL: lambda cx, at: cx.u8[at] != 0,
    Primitive.S8: lambda cx, at: cx.s8[at],
    Primitive.U8: lambda cx, at: cx.u8[at],
    Primitive.S16: lambda cx, at: cx.s16[at >> 1],
    Primitive.U16: lambda cx, at: cx.u16[at >> 1],
    Primitive.S32: lambda cx, at: cx.s32[at >> 2],
    Primitive.U32: lambda cx, at: cx.u32[at >> 2],
    Primitive.S64: lambda cx, at: cx.s64[at >> 3],
    Primitive.U64: lambda cx, at: cx.u64[at >> 3],
    Primitive.F32: lambda cx, at: _number(cx.f32[at >> 2]),
    Primitive.F64: lambda cx, at: _number(cx.f64[at >> 3]),
    Primitive.CHAR: lambda cx, at: _char(cx.u32[at >> 2]),
}

RUNS = {
    Primitive.S8: ("s8", 0),
    Primitive.S16: ("s16", 1),
    Primitive.U16: ("u16", 1),
    Primitive.S32: ("s32", 2),
    Primitive.U32: ("u32", 2),
    Primitive.S64: ("s64", 3),
    Primitive.U64: ("u64", 3),
}
"""View and shift of the numbers whose runs are copied at once."""


def word_type(size: int) -> Primitive:
    return {1: Primitive.U8, 2: Primitive.U16, 4: Primitive.U32}[size]


def lift_primitive(type_: Primitive, given: str, at: int) -> Lift:
    """Return the lift of a primitive from a core value of this format."""
    wide = given in "Qq"
    match type_:
        case Primitive.BOOL:
            return lambda cx, flat: flat[at] & _MASK32 != 0
        case Primitive.U8 | Primitive.U16:
            mask = 0xFF if type_ is Primitive.U8 else 0xFFFF
            return lambda cx, flat: flat[at] & mask
        case Primitive.S8 | Primitive.S16 | Primitive.S32 if type_ is not Primitive.S32 or (
            given != "i"
        ):
            top = {Primitive.S8: 1 << 7, Primitive.S16: 1 << 15, Primitive.S32: 1 << 31}[type_]
            return lambda cx, flat: ((flat[at] + top) & (2 * top - 1)) - top
        case Primitive.U32 if wide:
            return lambda cx, flat: flat[at] & _MASK32
        case Primitive.S64 if given == "Q":
            return lambda cx, flat: (flat[at] ^ (1 << 63)) - (1 << 63)
        case Primitive.F32 if given != "f":
            return lambda cx, flat: _number(unpack("<f", pack("<I", flat[at] & _MASK32))[0])
        case Primitive.F64 if given != "d":
            return lambda cx, flat: _number(unpack("<d", pack("<Q", flat[at]))[0])
        case Primitive.F32 | Primitive.F64:
            return lambda cx, flat: _number(flat[at])
        case Primitive.CHAR:
            return lambda cx, flat: _char(flat[at] & _MASK32)
        case Primitive.S32 | Primitive.U32 | Primitive.S64 | Primitive.U64:
            return lambda cx, flat: flat[at]
    raise UnsupportedTypeError(type_)


def _code(value: str) -> int:
    code = ord(value)
    if 0xD800 <= code <= 0xDFFF:
        raise ValueError("a surrogate is not a char")
    return code


def _bool(value: Any) -> int:
    if value is True:
        return 1
    if value is False:
        return 0
    raise TypeError("no bool")


def _store_bool(cx: Context, at: int, value: Any) -> None:
    cx.u8[at] = _bool(value)


def _store_s8(cx: Context, at: int, value: Any) -> None:
    cx.s8[at] = value


def _store_u8(cx: Context, at: int, value: Any) -> None:
    cx.u8[at] = value


def _store_s16(cx: Context, at: int, value: Any) -> None:
    cx.s16[at >> 1] = value


def _store_u16(cx: Context, at: int, value: Any) -> None:
    cx.u16[at >> 1] = value


def _store_s32(cx: Context, at: int, value: Any) -> None:
    cx.s32[at >> 2] = value


def _store_u32(cx: Context, at: int, value: Any) -> None:
    cx.u32[at >> 2] = value


def _store_s64(cx: Context, at: int, value: Any) -> None:
    cx.s64[at >> 3] = value


def _store_u64(cx: Context, at: int, value: Any) -> None:
    cx.u64[at >> 3] = value


def _store_f32(cx: Context, at: int, value: Any) -> None:
    cx.f32[at >> 2] = value


def _store_f64(cx: Context, at: int, value: Any) -> None:
    cx.f64[at >> 3] = value


def _store_char(cx: Context, at: int, value: Any) -> None:
    cx.u32[at >> 2] = _code(value)


STORES: dict[Primitive, Store] = {
    Primitive.BOOL: _store_bool,
    Primitive.S8: _store_s8,
    Primitive.U8: _store_u8,
    Primitive.S16: _store_s16,
    Primitive.U16: _store_u16,
    Primitive.S32: _store_s32,
    Primitive.U32: _store_u32,
    Primitive.S64: _store_s64,
    Primitive.U64: _store_u64,
    Primitive.F32: _store_f32,
    Primitive.F64: _store_f64,
    Primitive.CHAR: _store_char,
}


def store_word(size: int) -> Store:
    return {1: _store_u8, 2: _store_u16, 4: _store_u32}[size]


RANGES = {
    Primitive.S8: (-(1 << 7), (1 << 7) - 1),
    Primitive.U8: (0, (1 << 8) - 1),
    Primitive.S16: (-(1 << 15), (1 << 15) - 1),
    Primitive.U16: (0, (1 << 16) - 1),
    Primitive.S32: (-(1 << 31), (1 << 31) - 1),
    Primitive.U32: (0, _MASK32),
    Primitive.S64: (-(1 << 63), (1 << 63) - 1),
    Primitive.U64: (0, _MASK64),
}
"""Least and most of each integer type."""
_MOST_F32 = 3.4028234663852886e38


def _single(value: Any) -> Any:
    """Return a float that ``struct`` packs as f32: one that is too large is infinite."""
    return value if -_MOST_F32 <= value <= _MOST_F32 else c_float(value).value


def lower_primitive(convert: Callable[[Any], Any], at: int) -> Lower:
    def lower(cx: Context, value: Any, flat: list[Any]) -> None:
        flat[at] = convert(value)

    return lower


def converter(type_: Primitive, wanted: str) -> Callable[[Any], Any]:
    """Return what makes a core value of this format from a primitive.

    Packing the core values refuses what is out of the range of the format.
    """
    match type_:
        case Primitive.BOOL:
            return _bool
        case Primitive.CHAR:
            return _code
        case Primitive.F32 if wanted != "f":
            return lambda value: unpack("<I", pack("<f", _single(value)))[0]
        case Primitive.F64 if wanted != "d":
            return lambda value: unpack("<Q", pack("<d", value))[0]
        case Primitive.F32:
            return _single
        case Primitive.F64:
            return lambda value: value
        case Primitive.U32 | Primitive.U64 if wanted == layout_of(type_).flat[0]:  # type: ignore[index]
            return lambda value: value
        case Primitive() if type_ in RANGES:
            least, most = RANGES[type_]
            # A signed 32-bit value in a joined 64-bit one is zero-extended.
            mask = _MASK64 if type_ is Primitive.S64 else _MASK32
            signed = least < 0 and wanted in "IQ"

            def convert(value: Any) -> Any:
                if not least <= value <= most:
                    raise ValueError("out of range")
                return value & mask if signed else value

            return convert
    raise UnsupportedTypeError(type_)
