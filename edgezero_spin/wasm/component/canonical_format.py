"""Binary form of canonical definitions.

In: a cursor in the section of canonical definitions, or a ``CanonicalDefinition``. Out: the
definition by the name that the text format gives it, or its bytes.

Source: WebAssembly/component-model, ``design/mvp/Binary.md``, "Canonical Definitions".
"""

from collections.abc import Callable
from typing import Any

import attrs

from edgezero_spin.wasm.binary import number_bytes, vector_bytes
from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.definitions import CanonicalDefinition
from edgezero_spin.wasm.component.errors import MalformedError, UnsupportedError
from edgezero_spin.wasm.component.type_reader import read_result_list
from edgezero_spin.wasm.component.type_writer import result_bytes

__all__ = ["canonical_bytes", "read_canonical"]

_OPTIONS: tuple[str, ...] = ("utf8", "utf16", "latin1+utf16")
_OPTIONS += ("memory", "realloc", "post-return", "async", "callback")
_WITH_INDEX = ("memory", "realloc", "post-return", "callback")


def _read_option(cursor: Cursor) -> tuple[str, int]:
    name = _OPTIONS[cursor.choose("canonical option", *range(len(_OPTIONS)))]
    return name, cursor.u32() if name in _WITH_INDEX else 0


def _option_bytes(name: str, index: int) -> bytes:
    number = bytes([_OPTIONS.index(name)])
    return number + number_bytes(index) if name in _WITH_INDEX else number


@attrs.frozen
class _Immediate:
    """Something that follows the number of a definition, and the attribute that has it."""

    attribute: str
    read: Callable[[Cursor], Any]
    write: Callable[[Any], bytes]


_INDEX = _Immediate("index", Cursor.u32, number_bytes)
_TYPE = _Immediate("type", Cursor.u32, number_bytes)
_RESULT = _Immediate(
    "type", read_result_list, lambda result: result_bytes(result, lambda index: index)
)
_OPTION_LIST = _Immediate(
    "options",
    lambda cursor: cursor.vector(_read_option),
    lambda options: vector_bytes(_option_bytes(*each) for each in options),
)
_MEMORY = _Immediate(
    "options",
    lambda cursor: (("memory", cursor.u32()),),
    lambda options: number_bytes(options[0][1]),
)
_FLAG = _Immediate("flag", lambda cursor: cursor.flag("boolean value"), lambda flag: bytes([flag]))
_CORE_TYPE = _Immediate(
    "core_type",
    lambda cursor: {0x7F: "i32", 0x7E: "i64"}[cursor.choose("type of a context slot", 0x7E, 0x7F)],
    lambda type_: b"\x7f" if type_ == "i32" else b"\x7e",
)
_SLOT = _Immediate("slot", Cursor.u32, number_bytes)

_FORMS: dict[int, tuple[str, tuple[_Immediate, ...]]] = {
    0x00: ("lift", (_INDEX, _OPTION_LIST, _TYPE)),
    0x01: ("lower", (_INDEX, _OPTION_LIST)),
    0x02: ("resource.new", (_INDEX,)),
    0x03: ("resource.drop", (_INDEX,)),
    0x04: ("resource.rep", (_INDEX,)),
    0x05: ("task.cancel", ()),
    0x06: ("subtask.cancel", (_FLAG,)),
    0x09: ("task.return", (_RESULT, _OPTION_LIST)),
    0x0A: ("context.get", (_CORE_TYPE, _SLOT)),
    0x0B: ("context.set", (_CORE_TYPE, _SLOT)),
    0x0C: ("thread.yield", (_FLAG,)),
    0x0D: ("subtask.drop", ()),
    0x0E: ("stream.new", (_INDEX,)),
    0x0F: ("stream.read", (_INDEX, _OPTION_LIST)),
    0x10: ("stream.write", (_INDEX, _OPTION_LIST)),
    0x11: ("stream.cancel-read", (_INDEX, _FLAG)),
    0x12: ("stream.cancel-write", (_INDEX, _FLAG)),
    0x13: ("stream.drop-readable", (_INDEX,)),
    0x14: ("stream.drop-writable", (_INDEX,)),
    0x15: ("future.new", (_INDEX,)),
    0x16: ("future.read", (_INDEX, _OPTION_LIST)),
    0x17: ("future.write", (_INDEX, _OPTION_LIST)),
    0x18: ("future.cancel-read", (_INDEX, _FLAG)),
    0x19: ("future.cancel-write", (_INDEX, _FLAG)),
    0x1A: ("future.drop-readable", (_INDEX,)),
    0x1B: ("future.drop-writable", (_INDEX,)),
    0x1C: ("error-context.new", (_OPTION_LIST,)),
    0x1D: ("error-context.debug-message", (_OPTION_LIST,)),
    0x1E: ("error-context.drop", ()),
    0x1F: ("waitable-set.new", ()),
    0x20: ("waitable-set.wait", (_FLAG, _MEMORY)),
    0x21: ("waitable-set.poll", (_FLAG, _MEMORY)),
    0x22: ("waitable-set.drop", ()),
    0x23: ("waitable.join", ()),
    0x24: ("backpressure.inc", ()),
    0x25: ("backpressure.dec", ()),
    0x26: ("thread.index", ()),
    0x27: ("thread.new-indirect", (_INDEX, _SLOT)),
    0x28: ("thread.resume-later", ()),
    0x29: ("thread.suspend", (_FLAG,)),
    0x2A: ("thread.suspend-then-resume", (_FLAG,)),
    0x2B: ("thread.yield-then-resume", (_FLAG,)),
    0x2C: ("thread.suspend-then-promote", (_FLAG,)),
    0x2D: ("thread.yield-then-promote", (_FLAG,)),
}
_NUMBERS = {name: number for number, (name, _) in _FORMS.items()}
# A second byte, 0, follows their number.
_TWO_BYTES = ("lift", "lower")
_SHARED_THREADS = {
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
    number = cursor.byte()
    if number in _SHARED_THREADS:
        raise UnsupportedError(f"canonical built-in {_SHARED_THREADS[number]} is refused", at)
    if number not in _FORMS:
        raise MalformedError(f"invalid leading byte {number:#x} for canonical function", at)
    name, immediates = _FORMS[number]
    if name in _TWO_BYTES:
        cursor.choose(f"canonical function {name}", 0)
    values = {each.attribute: each.read(cursor) for each in immediates}
    return CanonicalDefinition(offset=at, name=name, **values)


def canonical_bytes(definition: CanonicalDefinition) -> bytes:
    """Return a canonical definition in binary form.

    Raises:
        ValueError: It is ``thread.new-indirect``, which is refused when it runs.
    """
    name = definition.name
    if name == "thread.new-indirect":
        raise ValueError(f"{name} is never written")
    number = _NUMBERS[name]
    head = bytes([number, 0] if name in _TWO_BYTES else [number])
    return head + b"".join(
        each.write(getattr(definition, each.attribute)) for each in _FORMS[number][1]
    )
