"""Reader of canonical definitions.

In: a cursor in the section of canonical definitions. Out: a ``CanonicalDefinition`` by the name
that the text format gives it.

Source: WebAssembly/component-model, ``design/mvp/Binary.md``, "Canonical Definitions".
"""

from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.definitions import CanonicalDefinition
from edgezero_spin.wasm.component.errors import MalformedError, UnsupportedError
from edgezero_spin.wasm.component.type_reader import read_result_list

__all__ = ["read_canonical"]

OPTIONS = {
    0x00: "utf8",
    0x01: "utf16",
    0x02: "latin1+utf16",
    0x03: "memory",
    0x04: "realloc",
    0x05: "post-return",
    0x06: "async",
    0x07: "callback",
}
# Canonical built-ins by what follows their number.
PLAIN = {
    0x24: "backpressure.inc",
    0x25: "backpressure.dec",
    0x05: "task.cancel",
    0x0D: "subtask.drop",
    0x1E: "error-context.drop",
    0x1F: "waitable-set.new",
    0x22: "waitable-set.drop",
    0x23: "waitable.join",
    0x26: "thread.index",
    0x28: "thread.resume-later",
}
OF_TYPE = {
    0x02: "resource.new",
    0x03: "resource.drop",
    0x04: "resource.rep",
    0x0E: "stream.new",
    0x13: "stream.drop-readable",
    0x14: "stream.drop-writable",
    0x15: "future.new",
    0x1A: "future.drop-readable",
    0x1B: "future.drop-writable",
}
OF_TYPE_WITH_OPTIONS = {
    0x0F: "stream.read",
    0x10: "stream.write",
    0x16: "future.read",
    0x17: "future.write",
}
OF_TYPE_WITH_FLAG = {
    0x11: "stream.cancel-read",
    0x12: "stream.cancel-write",
    0x18: "future.cancel-read",
    0x19: "future.cancel-write",
}
WITH_OPTIONS = {0x1C: "error-context.new", 0x1D: "error-context.debug-message"}
WITH_FLAG = {
    0x06: "subtask.cancel",
    0x0C: "thread.yield",
    0x29: "thread.suspend",
    0x2A: "thread.suspend-then-resume",
    0x2B: "thread.yield-then-resume",
    0x2C: "thread.suspend-then-promote",
    0x2D: "thread.yield-then-promote",
}
WITH_FLAG_AND_MEMORY = {0x20: "waitable-set.wait", 0x21: "waitable-set.poll"}
CONTEXT = {0x0A: "context.get", 0x0B: "context.set"}
SHARED_THREADS = {
    0x40: "thread.spawn-ref",
    0x41: "thread.spawn-indirect",
    0x42: "thread.available-parallelism",
}


def read_canonical(cursor: Cursor) -> CanonicalDefinition:
    """Read a canonical definition.

    Raises:
        MalformedError: It has a number that is none.
        UnsupportedError: It is a built-in of shared threads.
    """
    at = cursor.at
    byte = cursor.byte()
    if byte == 0x00:
        cursor.choose("canonical function lift", 0)
        function, options = cursor.u32(), _options(cursor)
        return CanonicalDefinition(
            offset=at, name="lift", index=function, options=options, type=cursor.u32()
        )
    if byte == 0x01:
        cursor.choose("canonical function lower", 0)
        return CanonicalDefinition(
            offset=at, name="lower", index=cursor.u32(), options=_options(cursor)
        )
    if byte in PLAIN:
        return CanonicalDefinition(offset=at, name=PLAIN[byte])
    if byte in OF_TYPE:
        return CanonicalDefinition(offset=at, name=OF_TYPE[byte], index=cursor.u32())
    if byte in OF_TYPE_WITH_OPTIONS:
        return CanonicalDefinition(
            offset=at, name=OF_TYPE_WITH_OPTIONS[byte], index=cursor.u32(), options=_options(cursor)
        )
    if byte in OF_TYPE_WITH_FLAG:
        return CanonicalDefinition(
            offset=at,
            name=OF_TYPE_WITH_FLAG[byte],
            index=cursor.u32(),
            flag=cursor.flag("boolean value"),
        )
    if byte in WITH_OPTIONS:
        return CanonicalDefinition(offset=at, name=WITH_OPTIONS[byte], options=_options(cursor))
    if byte in WITH_FLAG:
        return CanonicalDefinition(
            offset=at, name=WITH_FLAG[byte], flag=cursor.flag("boolean value")
        )
    if byte in WITH_FLAG_AND_MEMORY:
        return CanonicalDefinition(
            offset=at,
            name=WITH_FLAG_AND_MEMORY[byte],
            flag=cursor.flag("boolean value"),
            options=(("memory", cursor.u32()),),
        )
    if byte == 0x09:
        return CanonicalDefinition(
            offset=at, name="task.return", type=read_result_list(cursor), options=_options(cursor)
        )
    if byte in CONTEXT:
        kind = cursor.choose("type of a context slot", 0x7E, 0x7F)
        return CanonicalDefinition(
            offset=at,
            name=CONTEXT[byte],
            core_type="i32" if kind == 0x7F else "i64",
            slot=cursor.u32(),
        )
    if byte == 0x27:
        return CanonicalDefinition(
            offset=at, name="thread.new-indirect", index=cursor.u32(), slot=cursor.u32()
        )
    if byte in SHARED_THREADS:
        raise UnsupportedError(f"canonical built-in {SHARED_THREADS[byte]} is refused", at)
    raise MalformedError(f"invalid leading byte {byte:#x} for canonical function", at)


def _options(cursor: Cursor) -> tuple[tuple[str, int], ...]:
    return cursor.vector(_option)


def _option(cursor: Cursor) -> tuple[str, int]:
    byte = cursor.choose("canonical option", *OPTIONS)
    return OPTIONS[byte], cursor.u32() if byte in (3, 4, 5, 7) else 0
