"""Types of core modules: functions, tables, memories, globals and tags.

In: a cursor in a type, import or module type. Out: its ``CoreExternType``. Value types stay
bytes, so that what is compared is what is written.

Refused by name: struct, array and recursive types, and references to a type by its index.

Source: WebAssembly core specification, 5.3 (types).
"""

from collections.abc import Sequence

from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.definitions import CoreExternType, CoreFunctionType, CoreLimits
from edgezero_spin.wasm.component.errors import InvalidError, UnsupportedError

__all__ = [
    "KINDS",
    "read_core_extern_type",
    "read_function_type",
    "read_global_type",
    "read_limits",
    "read_table_type",
    "read_value_type",
]

KINDS = ("func", "table", "memory", "global", "tag")

NUMBERS = (0x7F, 0x7E, 0x7D, 0x7C, 0x7B)
# func, extern, exn and, under the feature of the same name, their bottom types.
HEAP_TYPES = (0x70, 0x6F, 0x69, 0x73, 0x72, 0x74)
GC_TYPES = (0x6E, 0x6D, 0x6C, 0x6B, 0x6A, 0x71)


def read_value_type(cursor: Cursor) -> bytes:
    """Read a value type; return its bytes."""
    at = cursor.at
    byte = cursor.byte()
    if byte in (0x63, 0x64):
        heap = cursor.byte()
        if heap in HEAP_TYPES:
            # (ref null func) is spelled in two ways; the short one is kept.
            return bytes([heap]) if byte == 0x63 else bytes([byte, heap])
        raise UnsupportedError("references to types by index are refused", at)
    if byte in GC_TYPES:
        raise UnsupportedError("garbage-collected references are refused", at)
    if byte not in NUMBERS and byte not in HEAP_TYPES:
        cursor.fail(f"invalid value type {byte:#x}", at)
    return bytes([byte])


def read_function_type(cursor: Cursor) -> CoreFunctionType:
    """Read a function type with its leading byte."""
    at = cursor.at
    byte = cursor.byte()
    if byte in (0x00, 0x4E, 0x4F, 0x50, 0x5E, 0x5F):
        raise UnsupportedError("core types other than functions are refused", at)
    if byte != 0x60:
        cursor.fail(f"invalid leading byte {byte:#x} for type", at)
    return CoreFunctionType(cursor.vector(read_value_type), cursor.vector(read_value_type))


def read_limits(cursor: Cursor, is_table: bool) -> CoreLimits:
    """Read the limits of a table or memory."""
    at = cursor.at
    flags = cursor.byte()
    if flags > (7 if is_table else 15):
        cursor.fail(f"invalid limits flags {flags:#x}", at)
    is_64 = bool(flags & 4)
    read = cursor.u64 if is_64 else cursor.u32
    minimum = read()
    maximum = read() if flags & 1 else None
    page = cursor.u32() if flags & 8 else 16
    if maximum is not None and maximum < minimum:
        raise InvalidError("size minimum must not be greater than maximum", at)
    most = 2 ** (64 - page if is_64 else 32 - page)
    if not is_table and max(minimum, maximum or 0) > most:
        raise InvalidError(f"memory size must be at most {most} pages", at)
    return CoreLimits(minimum, maximum, is_64, bool(flags & 2), page)


def read_table_type(cursor: Cursor) -> CoreExternType:
    """Read the type of a table."""
    element = read_value_type(cursor)
    return CoreExternType("table", limits=read_limits(cursor, is_table=True), value=element)


def read_global_type(cursor: Cursor) -> CoreExternType:
    """Read the type of a global."""
    value = read_value_type(cursor)
    return CoreExternType("global", value=value, is_mutable=cursor.flag("mutability"))


def read_core_extern_type(cursor: Cursor, types: Sequence[CoreFunctionType]) -> CoreExternType:
    """Read the type of an import, or of an export in a module type.

    Args:
        cursor: Before the byte of its kind.
        types: Function types by index.
    """
    kind = KINDS[cursor.choose("core external kind", *range(len(KINDS)))]
    match kind:
        case "table":
            return read_table_type(cursor)
        case "memory":
            return CoreExternType(kind, limits=read_limits(cursor, is_table=False))
        case "global":
            return read_global_type(cursor)
        case "tag":
            cursor.choose("tag attribute", 0)
    at = cursor.at
    index = cursor.u32()
    if index >= len(types):
        raise InvalidError(f"unknown type {index}: type index out of bounds", at)
    return CoreExternType(kind, function=types[index])
