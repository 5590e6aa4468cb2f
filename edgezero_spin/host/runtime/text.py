"""Canonical ABI: strings and bytes, in the three encodings.

Bytes and text are copied once. What a guest passes is checked for its range, alignment and
encoding; what the host returns was checked by Python when it was encoded.

Source: ``CanonicalABI.md``, "``load_string_from_range``" and "``store_string_into_range``".
"""

from collections.abc import Callable
from typing import Any

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.runtime.memory import MAX_CALL_BYTES, Context, too_much
from edgezero_spin.wasm.component.linked import Encoding

__all__ = ["MAX_LIST_BYTES", "TEXT_LIFTS", "TEXT_PUTS", "UTF16_TAG", "Put", "allowed", "put_bytes"]

UTF16_TAG = 1 << 31
"""In a length of ``latin1+utf16``: the text is UTF-16."""

MAX_LIST_BYTES = (1 << 28) - 1
"""Most bytes of one list or string. Source: ``MAX_LIST_BYTE_LENGTH``."""

Put = Callable[[Context, Any], tuple[int, int]]
"""``(context, value) -> address and length`` of a string or list put into memory."""


def _utf8(cx: Context, at: int, size: int) -> str:
    if size > MAX_CALL_BYTES:
        raise too_much()
    if at + size > cx.size:
        cx.extend(at + size, "string content out-of-bounds")
    try:
        return str(cx.u8[at : at + size], "utf-8")
    except UnicodeDecodeError as error:
        raise Trap(f"invalid utf-8 sequence: {error}") from None


def _utf16(cx: Context, at: int, units: int) -> str:
    size = 2 * units
    if size > MAX_CALL_BYTES:
        raise too_much()
    if at & 1:
        raise Trap("string unaligned pointer")
    if at + size > cx.size:
        cx.extend(at + size, "string content out-of-bounds")
    try:
        return str(cx.u8[at : at + size], "utf-16-le")
    except UnicodeDecodeError as error:
        raise Trap(f"unpaired surrogate found: {error}") from None


def _latin1_utf16(cx: Context, at: int, units: int) -> str:
    if units & UTF16_TAG:
        return _utf16(cx, at, units ^ UTF16_TAG)
    if units > MAX_CALL_BYTES:
        raise too_much()
    if at & 1:
        raise Trap("string unaligned pointer")
    if at + units > cx.size:
        cx.extend(at + units, "string content out-of-bounds")
    return str(cx.u8[at : at + units], "latin-1")


TEXT_LIFTS: "dict[Encoding, Callable[[Context, int, int], str]]" = {
    Encoding.UTF8: _utf8,
    Encoding.UTF16: _utf16,
    Encoding.LATIN1_UTF16: _latin1_utf16,
}


def allowed(size: int) -> int:
    if size > MAX_LIST_BYTES:
        raise ValueError(f"{size} bytes exceed the maximum of {MAX_LIST_BYTES}")
    return size


def put_bytes(cx: Context, value: Any) -> tuple[int, int]:
    if value.__class__ is not bytes:
        value = memoryview(value).cast("B")
    size = allowed(len(value))
    return cx.put(value, size, 1), size


def _put_utf8(cx: Context, value: str) -> tuple[int, int]:
    data = value.encode()
    size = len(data)
    # As ``cx.put`` and ``allowed``, spelt out for what most texts are.
    if size > MAX_LIST_BYTES:
        allowed(size)
    at = cx.allocate(size, 1)
    cx.u8[at : at + size] = data
    return at, size


def _put_utf16(cx: Context, value: str) -> tuple[int, int]:
    data = value.encode("utf-16-le")
    size = allowed(len(data))
    return cx.put(data, size, 2), size >> 1


def _put_latin1_utf16(cx: Context, value: str) -> tuple[int, int]:
    try:
        data = value.encode("latin-1")
    except UnicodeEncodeError:
        at, units = _put_utf16(cx, value)
        return at, units | UTF16_TAG
    size = allowed(len(data))
    return cx.put(data, size, 2), size


TEXT_PUTS: dict[Encoding, Put] = {
    Encoding.UTF8: _put_utf8,
    Encoding.UTF16: _put_utf16,
    Encoding.LATIN1_UTF16: _put_latin1_utf16,
}
