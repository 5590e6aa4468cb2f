"""The parts that every WebAssembly binary is made of: numbers, names, vectors, sections.

In: bytes. Out: what they say and where it ends, or the same as bytes again.

Source: WebAssembly core specification, chapter 5 (binary format).
"""

from collections.abc import Iterable, Iterator

__all__ = [
    "COMPONENT",
    "MODULE",
    "number_at",
    "number_bytes",
    "section_bytes",
    "sections",
    "signed_at",
    "signed_bytes",
    "text_at",
    "text_bytes",
    "vector_bytes",
]

COMPONENT = b"\0asm\x0d\0\x01\0"
MODULE = b"\0asm\x01\0\0\0"

_LONGEST = 63


def number_at(data: bytes, at: int) -> tuple[int, int]:
    """Read an unsigned LEB128 number; return it and where it ends.

    Raises:
        IndexError: The data ends before.
        ValueError: It has more than 64 bits.
    """
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > _LONGEST:
            raise ValueError(f"a number at byte {at} does not end")


def signed_at(data: bytes, at: int) -> tuple[int, int]:
    """Read a signed LEB128 number; return it and where it ends."""
    value, end = number_at(data, at)
    bits = 7 * (end - at)
    return (value - (1 << bits) if value >> (bits - 1) else value), end


def text_at(data: bytes, at: int) -> tuple[str, int]:
    """Read a name; return it and where it ends.

    Raises:
        ValueError: It ends after the data, or is not UTF-8.
    """
    size, at = number_at(data, at)
    if at + size > len(data):
        raise ValueError(f"a name at byte {at} does not end")
    return data[at : at + size].decode(), at + size


def sections(data: bytes, at: int = 8, end: int | None = None) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each section's content.

    Args:
        data: Whatever holds the sections.
        at: Where the first begins; 8 skips the head of a module or component.
        end: Where the last ends.

    Raises:
        ValueError: A section is longer than what holds it.
    """
    end = len(data) if end is None else end
    while at < end:
        number = data[at]
        size, start = number_at(data, at + 1)
        stop = start + size
        if stop > end:
            raise ValueError(f"a section at byte {at} is longer than what holds it")
        yield number, start, stop
        at = stop


def number_bytes(value: int) -> bytes:
    """Return an unsigned number as LEB128."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed_bytes(value: int) -> bytes:
    """Return a signed number as LEB128."""
    out = bytearray()
    while not -64 <= value < 64:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def text_bytes(text: str) -> bytes:
    """Return a name with its length."""
    encoded = text.encode()
    return number_bytes(len(encoded)) + encoded


def vector_bytes(items: Iterable[bytes]) -> bytes:
    """Return items with their count before them."""
    parts = list(items)
    return number_bytes(len(parts)) + b"".join(parts)


def section_bytes(number: int, content: bytes) -> bytes:
    """Return a section with its number and length."""
    return bytes([number]) + number_bytes(len(content)) + content
