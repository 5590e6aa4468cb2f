"""Memory slots of the pool, mapped for reading when their first instance ends.

In: where the memory of an instance lies that ran. Out: the same memory, each page of it in the page
table.

When an instance ends, the engine asks Linux which pages of its slot were written and wipes those
(``pool.py``). Pages that nobody touched, beside others that were, are among them, as seen on Linux
6.18. The engine then copies the initial memory over them, from which on they are the process's own
and count as written at the end of every later instance: 8 MB in a slot of a hello, which take a
millisecond to copy. A page that is mapped for reading is not among them.

Source: ``madvise(2)``, MADV_POPULATE_READ; ``PAGEMAP_SCAN`` (2const).
"""

import ctypes
from functools import cache
from typing import Any, Final

__all__ = ["MemorySlots"]

_POPULATE_READ: Final = 22

MAX_BYTES: Final = 64 * 1024 * 1024
"""Most of one memory that is mapped at once."""


class MemorySlots:
    """What the slots of one pool have been mapped for. Safe to use from any thread."""

    def __init__(self) -> None:
        self._mapped: dict[int, int] = {}

    def map(self, address: int, size: int, image: int) -> None:
        """Map the memory of an instance at its end, unless its slot had the same image before.

        Args:
            address: Where the memory begins. Its slot is this instance's alone.
            size: Its bytes.
            image: A number that stands for the initial memory.
        """
        if self._mapped.get(address) != image:
            # Linux before 5.14 refuses, which costs nothing but speed.
            _madvise()(address, min(size, MAX_BYTES), _POPULATE_READ)
            self._mapped[address] = image


@cache
def _madvise() -> Any:
    function = ctypes.CDLL(None).madvise
    function.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
    return function
