"""List writer: a core module that puts the elements of a list into a guest's memory.

Elements with texts and lists of their own need the guest's ``realloc`` for each. Called from
Python, that costs more than all the rest. So a large list is staged (``staging.py``): its values
column by column, in a memory that no guest sees. The module walks the elements in the order of
the canonical ABI, calls ``realloc`` where it says so, checks what that returns and copies.

An instance of it is made for a guest's memory and ``realloc`` when their first large list comes.
Where that fails, as it does under a limit that the staging memory exceeds, lists are written an
element at a time. So they are where instructions are counted, which are the guest's alone.

Source: ``CanonicalABI.md``, "Storing"; ``wasmtime/memory.h`` and ``instance.h``.
"""

import ctypes
from typing import TYPE_CHECKING, Final

import wasmtime
from wasmtime import _ffi as ffi

from edgezero_spin.host.errors import InstanceError, Trap
from edgezero_spin.host.runtime.native import (
    EXTERN_BYTES,
    EXTERN_ITEM,
    ExternBuffer,
    InstanceBuffer,
    address_of,
    bytes_view,
    call,
    error_message,
    get_export,
    instance_new,
    memory_data,
    memory_new,
)
from edgezero_spin.wasm.component.linked import CoreExport

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.store import Store

__all__ = ["STAGING_BYTES", "ListWriter", "ListWriterModule"]

_PAGES: Final = 16
STAGING_BYTES: Final = _PAGES << 16
"""Most bytes of one staged list."""

# A node says where the values of one type lie; each visit takes the next. Its words:
#   0 to 3  number of 1, 2, 4 or 8 bytes:   kind, values
#   4       text or bytes:                  kind, lengths, bytes
#   5       list:                           kind, lengths, element size, alignment, element
#   6       record:                         kind, fields, (offset, field) for each
#   7       list, as many elements always:  kind, elements, size of all, alignment, their record
#   8 to 10 variant with a discriminant of 1, 2 or 4 bytes:
#                                           kind, cases, payload offset, payload or 0 for each
_TEXT: Final = """
(module
  (import "host" "staging" (memory $staging 16))
  (import "guest" "memory" (memory $guest 0))
  (import "guest" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))

  (func $stop (param $fault i32)
    (i32.store $staging (i32.const 0) (local.get $fault))
    (unreachable))

  (func $allocate (param $size i32) (param $alignment i32) (result i32) (local $at i32)
    (local.set $at (call $realloc
      (i32.const 0) (i32.const 0) (local.get $alignment) (local.get $size)))
    (if (i32.and (local.get $at) (i32.sub (local.get $alignment) (i32.const 1)))
      (then (call $stop (i32.const 1))))
    (if (i64.gt_u
          (i64.add (i64.extend_i32_u (local.get $at)) (i64.extend_i32_u (local.get $size)))
          (i64.shl (i64.extend_i32_u (memory.size $guest)) (i64.const 16)))
      (then (call $stop (i32.const 2))))
    (local.get $at))

  ;; Return the next value's place among those of a node, and pass it.
  (func $next (param $node i32) (param $size i32) (result i32) (local $from i32)
    (local.set $from (i32.load $staging offset=4 (local.get $node)))
    (i32.store $staging offset=4 (local.get $node)
      (i32.add (local.get $from) (local.get $size)))
    (local.get $from))

  (func $text (param $node i32) (param $at i32) (local $size i32) (local $to i32) (local $from i32)
    (local.set $size (i32.load $staging (call $next (local.get $node) (i32.const 4))))
    (local.set $to (call $allocate (local.get $size) (i32.const 1)))
    (local.set $from (i32.load $staging offset=8 (local.get $node)))
    (i32.store $staging offset=8 (local.get $node)
      (i32.add (local.get $from) (local.get $size)))
    (memory.copy $guest $staging (local.get $to) (local.get $from) (local.get $size))
    (i32.store $guest (local.get $at) (local.get $to))
    (i32.store $guest offset=4 (local.get $at) (local.get $size)))

  (func $list (param $node i32) (param $at i32) (local $count i32) (local $to i32) (local $size i32)
    (local.set $count (i32.load $staging (call $next (local.get $node) (i32.const 4))))
    (local.set $size (i32.load $staging offset=8 (local.get $node)))
    (local.set $to (call $allocate
      (i32.mul (local.get $count) (local.get $size))
      (i32.load $staging offset=12 (local.get $node))))
    (call $run (i32.load $staging offset=16 (local.get $node))
      (local.get $to) (local.get $size) (local.get $count))
    (i32.store $guest (local.get $at) (local.get $to))
    (i32.store $guest offset=4 (local.get $at) (local.get $count)))

  (func $row (param $node i32) (param $at i32) (local $to i32)
    (local.set $to (call $allocate
      (i32.load $staging offset=8 (local.get $node))
      (i32.load $staging offset=12 (local.get $node))))
    (call $store (i32.load $staging offset=16 (local.get $node)) (local.get $to))
    (i32.store $guest (local.get $at) (local.get $to))
    (i32.store $guest offset=4 (local.get $at) (i32.load $staging offset=4 (local.get $node))))

  (func $record (param $node i32) (param $at i32) (local $left i32)
    (local.set $left (i32.load $staging offset=4 (local.get $node)))
    (block $end (loop $again
      (br_if $end (i32.eqz (local.get $left)))
      (call $store (i32.load $staging offset=12 (local.get $node))
        (i32.add (local.get $at) (i32.load $staging offset=8 (local.get $node))))
      (local.set $node (i32.add (local.get $node) (i32.const 8)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br $again))))

  (func $payload (param $node i32) (param $at i32) (param $case i32) (local $payload i32)
    (local.set $payload (i32.load $staging offset=12
      (i32.add (local.get $node) (i32.shl (local.get $case) (i32.const 2)))))
    (if (local.get $payload)
      (then (call $store (local.get $payload)
        (i32.add (local.get $at) (i32.load $staging offset=8 (local.get $node)))))))

  (func $store (param $node i32) (param $at i32) (local $case i32)
    (block $v4 (block $v2 (block $v1 (block $row (block $record (block $list (block $text
    (block $n8 (block $n4 (block $n2 (block $n1
      (br_table $n1 $n2 $n4 $n8 $text $list $record $row $v1 $v2 $v4
        (i32.load $staging (local.get $node))))
      (i32.store8 $guest (local.get $at)
        (i32.load8_u $staging (call $next (local.get $node) (i32.const 1)))) (return))
      (i32.store16 $guest (local.get $at)
        (i32.load16_u $staging (call $next (local.get $node) (i32.const 2)))) (return))
      (i32.store $guest (local.get $at)
        (i32.load $staging (call $next (local.get $node) (i32.const 4)))) (return))
      (i64.store $guest (local.get $at)
        (i64.load $staging (call $next (local.get $node) (i32.const 8)))) (return))
      (call $text (local.get $node) (local.get $at)) (return))
      (call $list (local.get $node) (local.get $at)) (return))
      (call $record (local.get $node) (local.get $at)) (return))
      (call $row (local.get $node) (local.get $at)) (return))
      (local.set $case (i32.load8_u $staging (call $next (local.get $node) (i32.const 1))))
      (i32.store8 $guest (local.get $at) (local.get $case))
      (call $payload (local.get $node) (local.get $at) (local.get $case)) (return))
      (local.set $case (i32.load16_u $staging (call $next (local.get $node) (i32.const 2))))
      (i32.store16 $guest (local.get $at) (local.get $case))
      (call $payload (local.get $node) (local.get $at) (local.get $case)) (return))
    (local.set $case (i32.load $staging (call $next (local.get $node) (i32.const 4))))
    (i32.store $guest (local.get $at) (local.get $case))
    (call $payload (local.get $node) (local.get $at) (local.get $case)))

  (func $run (export "run")
      (param $node i32) (param $at i32) (param $size i32) (param $count i32)
    (block $end (loop $again
      (br_if $end (i32.eqz (local.get $count)))
      (call $store (local.get $node) (local.get $at))
      (local.set $at (i32.add (local.get $at) (local.get $size)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $again)))))
"""

_FAULTS = {
    1: "realloc return: result not aligned",
    2: "realloc return: beyond end of memory",
}


class ListWriterModule:
    """The module, compiled for one engine."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._module = wasmtime.Module(engine, _TEXT)
        self._memory_type = wasmtime.MemoryType(wasmtime.Limits(_PAGES, _PAGES))
        self.address = address_of(self._module.ptr())
        self.memory_type = address_of(self._memory_type.ptr())


class ListWriter:
    """An instance of the module, for one memory and ``realloc`` of a guest.

    Lists are staged in its memory ``staging``.
    """

    def __init__(
        self, store: "Store", module: ListWriterModule, memory: CoreExport, realloc: CoreExport
    ) -> None:
        """Make it; it ends with the store.

        Raises:
            InstanceError: The engine refuses, for a limit or the kind of the memory.
        """
        externs = ctypes.create_string_buffer(3 * EXTERN_BYTES)
        first = ctypes.addressof(externs)
        externs[0] = bytes([ffi.WASMTIME_EXTERN_MEMORY.value])
        staging = first + EXTERN_ITEM
        problem = memory_new(store.context, module.memory_type, staging)
        if problem:
            raise InstanceError(error_message(problem))
        for number, source in enumerate((memory, realloc), 1):
            ctypes.memmove(
                first + number * EXTERN_BYTES, store.extern_address(source), EXTERN_BYTES
            )
        instance = InstanceBuffer()
        made = ctypes.addressof(instance)
        problem = instance_new(store.context, module.address, first, 3, made, store.trap_address)
        if problem:
            raise InstanceError(error_message(problem))
        run = ExternBuffer()
        function = ctypes.addressof(run)
        get_export(store.context, made, b"run", 3, function)
        self._kept = externs, instance, run
        self._store = store
        self._arguments = store.arguments_of(function + EXTERN_ITEM, 4)
        address = memory_data(store.context, staging)
        self.staging = bytes_view(address, STAGING_BYTES, 0x200)

    def run(self, node: int, at: int, size: int, count: int) -> None:
        """Write staged elements, one after the other.

        Args:
            node: What stands for the elements.
            at: Where the first begins in the guest's memory; the range was checked.
            size: Bytes of an element.

        Raises:
            Trap: What ``realloc`` returned is not aligned or not within the memory.
            GuestTrapped: It trapped.
        """
        store, words = self._store, self._store.words
        words[0], words[4], words[8], words[12] = node, at, size, count
        problem = call(*self._arguments)
        if problem or store.trap.value:
            failure = store.failure(problem)
            fault = _FAULTS.get(self.staging[0])
            raise failure if fault is None else Trap(fault)
