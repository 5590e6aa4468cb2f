"""Functions of the engine's C interface that instances are made and called with.

They are bound a second time, beside the ``wasmtime`` package's own bindings, for two reasons:
plain integers go in and out (no pointer objects), and functions that return sooner than the
interpreter lock could be handed over keep it. Whatever may run guest code releases it.

Addresses are those of buffers made here or of objects that the engine handed out; nothing is
read through one but the buffers' own bytes, the slots of a call in progress and the text of an
error.

Source: ``wasmtime/func.h``, ``linker.h``, ``memory.h``, ``store.h`` and ``trap.h`` of
wasmtime 50.
"""

import ctypes
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from wasmtime import _ffi as ffi

__all__ = [
    "EXTERN_BYTES",
    "EXTERN_ITEM",
    "Callback",
    "ExternBuffer",
    "InstanceBuffer",
    "Size",
    "address_of",
    "areas_of",
    "bytes_view",
    "call",
    "delete_store",
    "delete_trap",
    "error_message",
    "function_new",
    "get_export",
    "get_fuel",
    "instance_new",
    "instantiate",
    "linker_define",
    "linker_pre",
    "memory_data",
    "memory_new",
    "memory_size",
    "new_store",
    "new_trap",
    "pre_delete",
    "set_epoch_deadline",
    "set_fuel",
    "set_wasi",
    "store_context",
    "store_limiter",
    "trap_code",
    "trap_message",
]

Size = ctypes.c_size_t

_keeping_library = ctypes.PyDLL(str(ffi.filename))
_releasing_library = ctypes.CDLL(str(ffi.filename))


def _keeping(name: str, result: Any, *parameters: Any) -> Callable[..., Any]:
    """Bind a C function that is called with the interpreter lock held."""
    return ctypes.PYFUNCTYPE(result, *parameters)((name, _keeping_library))


def _releasing(name: str, result: Any, *parameters: Any) -> Callable[..., Any]:
    """Bind a C function during which other Python threads may run."""
    return ctypes.CFUNCTYPE(result, *parameters)((name, _releasing_library))


Callback = ctypes.CFUNCTYPE(Size, Size, Size, Size, Size)
"""``(data, caller, address of the slots, their number) -> trap or 0``."""

EXTERN_BYTES = ctypes.sizeof(ffi.wasmtime_extern_t)
EXTERN_ITEM = ffi.wasmtime_extern_t.of.offset
"""Where an extern's function or memory begins within it."""
ExternBuffer = ctypes.c_char * EXTERN_BYTES
InstanceBuffer = ctypes.c_char * ctypes.sizeof(ffi.wasmtime_instance_t)

new_store = _keeping("wasmtime_store_new", Size, Size, Size, Size)
store_context = _keeping("wasmtime_store_context", Size, Size)
store_limiter = _keeping("wasmtime_store_limiter", None, Size, *[ctypes.c_int64] * 5)
delete_store = _releasing("wasmtime_store_delete", None, Size)
set_fuel = _keeping("wasmtime_context_set_fuel", Size, Size, ctypes.c_uint64)
get_fuel = _keeping("wasmtime_context_get_fuel", Size, Size, Size)
set_wasi = _keeping("wasmtime_context_set_wasi", Size, Size, Size)
set_epoch_deadline = _keeping("wasmtime_context_set_epoch_deadline", None, Size, ctypes.c_uint64)

linker_define = _keeping(
    "wasmtime_linker_define_func_unchecked",
    *(Size, Size),
    *(ctypes.c_char_p, Size, ctypes.c_char_p, Size),
    *(Size, Callback, Size, Size),
)
linker_pre = _keeping("wasmtime_linker_instantiate_pre", Size, Size, Size, Size)
pre_delete = _keeping("wasmtime_instance_pre_delete", None, Size)
instantiate = _releasing("wasmtime_instance_pre_instantiate", Size, Size, Size, Size, Size)
function_new = _keeping("wasmtime_func_new_unchecked", None, Size, Size, Callback, Size, Size, Size)
instance_new = _releasing("wasmtime_instance_new", Size, Size, Size, Size, Size, Size, Size)
get_export = _keeping(
    "wasmtime_instance_export_get", ctypes.c_bool, Size, Size, ctypes.c_char_p, Size, Size
)
call = _releasing("wasmtime_func_call_unchecked", Size, Size, Size, Size, Size, Size)
"""``(context, function, slots, their number, address for a trap) -> error or 0``."""

memory_data = _keeping("wasmtime_memory_data", Size, Size, Size)
memory_new = _keeping("wasmtime_memory_new", Size, Size, Size, Size)
memory_size = _keeping("wasmtime_memory_data_size", Size, Size, Size)
bytes_view: Callable[[int, int, int], memoryview] = ctypes.PYFUNCTYPE(
    ctypes.py_object, Size, ctypes.c_ssize_t, ctypes.c_int
)(("PyMemoryView_FromMemory", ctypes.pythonapi))
"""``(address, size, 0x200 for writing) -> memoryview of exactly these bytes``."""


class _Areas(dict[int, memoryview]):
    """The slots of calls in progress, by address.

    A call's slots are on the stack, at an address that the same call has again and again. A
    view is only used while the engine passes its address.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def __missing__(self, address: int) -> memoryview:
        if len(self) >= _MOST_AREAS:
            self.clear()
        view = self[address] = bytes_view(address, self._size, 0x200)
        return view


_MOST_AREAS = 4096


@cache
def areas_of(count: int) -> Mapping[int, memoryview]:
    """Return the slots of calls with this many, by address."""
    return _Areas(16 * count)


new_trap = _keeping("wasmtime_trap_new", Size, ctypes.c_char_p, Size)
delete_trap = _keeping("wasm_trap_delete", None, Size)
_trap_code = _keeping("wasmtime_trap_code", ctypes.c_bool, Size, Size)
_trap_message = _keeping("wasm_trap_message", None, Size, Size)
_error_message = _keeping("wasmtime_error_message", None, Size, Size)
_error_delete = _keeping("wasmtime_error_delete", None, Size)
_bytes_delete = _keeping("wasm_byte_vec_delete", None, Size)


def address_of(pointer: Any) -> int:
    """Return the address in a ctypes pointer."""
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


def trap_code(trap: int) -> int | None:
    """Return the engine's code of a trap, ``None`` for one that a host function made."""
    code = ctypes.c_uint8()
    return code.value if _trap_code(trap, ctypes.addressof(code)) else None


def trap_message(trap: int) -> str:
    """Return the engine's text for a trap, its frames included."""
    return _text(_trap_message, trap)


def error_message(error: int) -> str:
    """Return the engine's text for an error, and free the error."""
    text = _text(_error_message, error)
    _error_delete(error)
    return text


def _text(function: Callable[..., Any], owner: int) -> str:
    vector = ffi.wasm_byte_vec_t()
    address = ctypes.addressof(vector)
    function(owner, address)
    text = ffi.to_bytes(vector).decode("utf-8", "replace") if vector.size else ""
    _bytes_delete(address)
    return text.rstrip("\0")
