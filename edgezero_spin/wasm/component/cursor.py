"""A position in a binary, read forward with every bound checked.

In: the bytes of a file and a range of them. Out: numbers, names and sub-ranges. Every error is
a ``MalformedError`` with the offset in the whole file.

Source: WebAssembly core specification, 5.2 (values).
"""

from collections.abc import Callable
from typing import NoReturn, TypeVar

import attrs

from edgezero_spin.wasm.component.errors import MalformedError

__all__ = ["Cursor"]

Item = TypeVar("Item")

# The items of all vectors of a file together, and the longest name; wasmtime and browsers have
# limits of the same order.
MAX_ITEMS = 2_000_000
MAX_NAME_BYTES = 100_000


@attrs.define
class Cursor:
    """A position in bytes.

    Attributes:
        data: All bytes of the file.
        at: Where the next byte is read.
        end: Where this range ends.
        items: How many items vectors may still have, shared by all ranges of a file.
    """

    data: bytes
    at: int = 0
    end: int = attrs.field(default=attrs.Factory(lambda self: len(self.data), takes_self=True))
    items: list[int] = attrs.Factory(lambda: [MAX_ITEMS])

    def fail(self, reason: str, at: int | None = None) -> NoReturn:
        """Raise a ``MalformedError`` at a byte, at the current one by default."""
        raise MalformedError(reason, self.at if at is None else at)

    def byte(self) -> int:
        """Read one byte."""
        at = self.at
        if at >= self.end:
            self.fail("unexpected end")
        self.at = at + 1
        return self.data[at]

    def peek(self) -> int:
        """Return the next byte without reading it."""
        if self.at >= self.end:
            self.fail("unexpected end")
        return self.data[self.at]

    def u32(self) -> int:
        """Read an unsigned LEB128 number of 32 bits."""
        byte = self.byte()
        if byte < 0x80:
            return byte
        return self._number(byte, 32)

    def u64(self) -> int:
        """Read an unsigned LEB128 number of 64 bits."""
        return self._number(self.byte(), 64)

    def _number(self, byte: int, bits: int) -> int:
        start = self.at - 1
        value, shift = byte & 0x7F, 7
        while byte >= 0x80:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift >= bits and byte >= 0x80:
                self.fail("integer representation too long", start)
        if value >> bits:
            self.fail("integer too large", start)
        return value

    def name(self) -> str:
        """Read a name: its length and UTF-8."""
        start = self.at
        size = self.u32()
        if size > MAX_NAME_BYTES:
            self.fail(f"a name of {size} bytes is too long", start)
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            self.fail("malformed UTF-8 encoding", start)

    def take(self, size: int) -> bytes:
        """Read so many bytes."""
        at = self.at
        if size > self.end - at:
            self.fail("unexpected end")
        self.at = at + size
        return self.data[at : at + size]

    def range(self) -> "Cursor":
        """Read a length, pass over so many bytes, and return a cursor over these."""
        start = self.at
        size = self.u32()
        if size > self.end - self.at:
            self.fail("unexpected end: a length exceeds what holds it", start)
        inner = Cursor(self.data, self.at, self.at + size, self.items)
        self.at += size
        return inner

    def vector(self, read: Callable[["Cursor"], Item]) -> tuple[Item, ...]:
        """Read a count and so many items, each at least a byte long."""
        start = self.at
        count = self.u32()
        if count > self.end - self.at:
            self.fail("unexpected end: a count exceeds what holds it", start)
        self.count(count, start)
        return tuple([read(self) for _ in range(count)])

    def count(self, items: int, at: int) -> None:
        """Count items of the file; refuse those above ``MAX_ITEMS``."""
        self.items[0] -= items
        if self.items[0] < 0:
            self.fail(f"more than {MAX_ITEMS} items", at)

    def choose(self, what: str, *allowed: int) -> int:
        """Read one byte that must be one of those allowed."""
        byte = self.byte()
        if byte not in allowed:
            self.fail(f"invalid leading byte {byte:#x} for {what}", self.at - 1)
        return byte

    def flag(self, what: str) -> bool:
        """Read a byte that is 0 or 1."""
        return self.choose(what, 0, 1) == 1

    def finish(self, what: str) -> None:
        """Require that everything is read."""
        if self.at != self.end:
            self.fail(f"unexpected content after {what}")
