"""Reading and writing the engine's C values where they lie.

The engine hands over the address of a ``wasmtime_component_val_t``: 32 bytes, the kind in
byte 0 and the payload from byte 8. ctypes structures would cost several objects per field,
so this module opens one ``memoryview`` over the whole user address space and indexes it
with plain addresses: a field costs one subscript, a run of bytes one slice. Nothing is
read until an address is used, and an address that the engine did not hand out crashes the
process exactly as a wrong C pointer would; only ``lift``, ``lower`` and the linker use it.

The C functions here are bound a second time, beside the ``wasmtime`` package's own
bindings, for two reasons: plain integers go in and out (no pointer objects), and
``PyDLL`` keeps the interpreter lock during calls that take less time than a hand-over of
the lock. Calls that run guest code go through ``releasing`` instead.

Source: ``wasmtime/component/val.h`` and ``linker.h`` of wasmtime 50; the sizes below are
compared with the package's ctypes structures when this module is imported.
"""

import ctypes
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from wasmtime import _ffi as ffi

from edgezero_spin.host.errors import EngineError

__all__ = [
    "BLANK",
    "F32",
    "F64",
    "I8",
    "I16",
    "I32",
    "I64",
    "MEMORY",
    "RECORD_ENTRY_SIZE",
    "U16",
    "U32",
    "VALUE_SIZE",
    "WORDS",
    "Kind",
    "Size",
    "any_clone",
    "any_delete",
    "any_drop",
    "any_to_host",
    "byte_vec_delete",
    "byte_vec_new",
    "error_delete",
    "error_message",
    "error_new",
    "flags_new",
    "host_delete",
    "host_new",
    "host_rep",
    "host_to_any",
    "keeping",
    "list_new",
    "list_new_copy",
    "record_new",
    "releasing",
    "tuple_new",
    "value_delete",
    "value_new",
]

VALUE_SIZE = 32
"""Bytes of one value."""

RECORD_ENTRY_SIZE = 48
"""Bytes of one record entry: a name (size, address), then a value."""

Size = ctypes.c_size_t

_ADDRESS_BITS = 47
"""User-space addresses on 64-bit Linux, macOS and Windows stay below this."""


class Kind(IntEnum):
    """Byte 0 of a value."""

    BOOL = ffi.WASMTIME_COMPONENT_BOOL.value
    S8 = ffi.WASMTIME_COMPONENT_S8.value
    U8 = ffi.WASMTIME_COMPONENT_U8.value
    S16 = ffi.WASMTIME_COMPONENT_S16.value
    U16 = ffi.WASMTIME_COMPONENT_U16.value
    S32 = ffi.WASMTIME_COMPONENT_S32.value
    U32 = ffi.WASMTIME_COMPONENT_U32.value
    S64 = ffi.WASMTIME_COMPONENT_S64.value
    U64 = ffi.WASMTIME_COMPONENT_U64.value
    F32 = ffi.WASMTIME_COMPONENT_F32.value
    F64 = ffi.WASMTIME_COMPONENT_F64.value
    CHAR = ffi.WASMTIME_COMPONENT_CHAR.value
    STRING = ffi.WASMTIME_COMPONENT_STRING.value
    LIST = ffi.WASMTIME_COMPONENT_LIST.value
    RECORD = ffi.WASMTIME_COMPONENT_RECORD.value
    TUPLE = ffi.WASMTIME_COMPONENT_TUPLE.value
    VARIANT = ffi.WASMTIME_COMPONENT_VARIANT.value
    ENUM = ffi.WASMTIME_COMPONENT_ENUM.value
    OPTION = ffi.WASMTIME_COMPONENT_OPTION.value
    RESULT = ffi.WASMTIME_COMPONENT_RESULT.value
    FLAGS = ffi.WASMTIME_COMPONENT_FLAGS.value
    RESOURCE = ffi.WASMTIME_COMPONENT_RESOURCE.value


MEMORY: memoryview = memoryview((ctypes.c_ubyte * (1 << _ADDRESS_BITS)).from_address(0)).cast("B")
"""Every byte, indexed by address."""

I8: "memoryview[int]" = MEMORY.cast("b")
"""Signed bytes, indexed by address."""

I16: "memoryview[int]" = MEMORY.cast("h")
"""Indexed by address // 2, as ``U16``."""

U16: "memoryview[int]" = MEMORY.cast("H")

I32: "memoryview[int]" = MEMORY.cast("i")
"""Indexed by address // 4, as ``U32``."""

U32: "memoryview[int]" = MEMORY.cast("I")

I64: "memoryview[int]" = MEMORY.cast("q")
"""Indexed by address // 8, as ``WORDS``."""

WORDS: "memoryview[int]" = MEMORY.cast("Q")

F32: "memoryview[float]" = MEMORY.cast("f")  # type: ignore[assignment, unused-ignore]
"""Indexed by address // 4."""

F64: "memoryview[float]" = MEMORY.cast("d")  # type: ignore[assignment, unused-ignore]
"""Indexed by address // 8."""

_blank = ctypes.create_string_buffer(VALUE_SIZE)

BLANK = ctypes.addressof(_blank)
"""A value that stays ``bool false``: what ``value_new`` moves into a new box."""

_python_library = ctypes.PyDLL(str(ffi.filename))
_library = ctypes.CDLL(str(ffi.filename))


def keeping(name: str, result: Any, *parameters: Any) -> Callable[..., Any]:
    """Bind a C function that is called with the interpreter lock held."""
    return ctypes.PYFUNCTYPE(result, *parameters)((name, _python_library))


def releasing(name: str, result: Any, *parameters: Any) -> Callable[..., Any]:
    """Bind a C function during which other Python threads may run."""
    return ctypes.CFUNCTYPE(result, *parameters)((name, _library))


# Filling a vector at an address: (address of {size, data}, count[, source]).
byte_vec_new = keeping("wasm_byte_vec_new", None, Size, Size, ctypes.c_char_p)
byte_vec_delete = keeping("wasm_byte_vec_delete", None, Size)
list_new = keeping("wasmtime_component_vallist_new_uninit", None, Size, Size)
list_new_copy = keeping("wasmtime_component_vallist_new", None, Size, Size, Size)
tuple_new = keeping("wasmtime_component_valtuple_new_uninit", None, Size, Size)
record_new = keeping("wasmtime_component_valrecord_new_uninit", None, Size, Size)
flags_new = keeping("wasmtime_component_valflags_new_uninit", None, Size, Size)

# One value: moved from an address into a box, or everything that it owns freed.
value_new = keeping("wasmtime_component_val_new", Size, Size)
value_delete = keeping("wasmtime_component_val_delete", None, Size)

# Resources. ``any`` is what a value points to; ``host`` knows the rep.
host_new = keeping(
    "wasmtime_component_resource_host_new", Size, ctypes.c_bool, ctypes.c_uint32, ctypes.c_uint32
)
host_rep = keeping("wasmtime_component_resource_host_rep", ctypes.c_uint32, Size)
host_delete = keeping("wasmtime_component_resource_host_delete", None, Size)
host_to_any = keeping("wasmtime_component_resource_host_to_any", Size, Size, Size, Size)
any_to_host = keeping("wasmtime_component_resource_any_to_host", Size, Size, Size, Size)
any_clone = keeping("wasmtime_component_resource_any_clone", Size, Size)
any_delete = keeping("wasmtime_component_resource_any_delete", None, Size)
any_drop = releasing("wasmtime_component_resource_any_drop", Size, Size, Size)

error_new = keeping("wasmtime_error_new", Size, ctypes.c_char_p)
error_delete = keeping("wasmtime_error_delete", None, Size)
_error_message = keeping("wasmtime_error_message", None, Size, Size)


def error_message(error: int) -> str:
    """Return the engine's text for an error, and free the error."""
    vector = (ctypes.c_size_t * 2)()
    address = ctypes.addressof(vector)
    _error_message(error, address)
    size, data = vector
    text = str(MEMORY[data : data + size], "utf-8", "replace")
    byte_vec_delete(address)
    error_delete(error)
    return text


def _check_layout() -> None:
    """Refuse an engine whose values are laid out differently from what this module reads."""
    fields = ffi.wasmtime_component_val_t
    expected = {
        "value size": (ctypes.sizeof(fields), VALUE_SIZE),
        "value payload": (getattr(fields, "of").offset, 8),  # noqa: B009 - a ctypes field
        "record entry": (
            ctypes.sizeof(ffi.wasmtime_component_valrecord_entry_t),
            RECORD_ENTRY_SIZE,
        ),
    }
    wrong = [f"{what} is {is_}, not {was}" for what, (is_, was) in expected.items() if is_ != was]
    if wrong or not hasattr(ctypes.pythonapi, "PyGILState_Ensure"):
        raise EngineError(f"this wasmtime release has another value layout: {', '.join(wrong)}")


_check_layout()
