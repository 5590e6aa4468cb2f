"""Streams and futures that a component makes for its host, without a class for each end.

componentize-py makes two objects of a new stream or future, each with a finalizer. What a
component writes to is a number here, which its writer drops; what it gives to the host is a
``TransferredEnd``, which the runtime takes the number out of.

Source: ``pop_stream`` and ``pop_future`` in the runtime of componentize-py 0.25; measured with
``benchmarks/instructions.py``.
"""

from collections.abc import Callable
from typing import Any

import componentize_py_runtime as runtime

__all__ = ["TransferredEnd", "index_of", "new_future", "new_stream"]

_HANDLE = 0xFFFF_FFFF


class _NoFinalizer:
    """Stands where the runtime looks for a finalizer."""

    def detach(self) -> tuple[()]:
        """There is nothing to detach."""
        return ()


class TransferredEnd:
    """The end of a new stream or future that goes to the host.

    Whoever does not hand it over calls ``runtime.stream_drop_readable``, or that of futures.
    """

    __slots__ = ("handle",)

    finalizer = _NoFinalizer()

    def __init__(self, handle: int) -> None:
        self.handle = handle


def index_of(maker: Callable[..., Any], function: str, *arguments: Any) -> int:
    """Return the number of a stream or future type, while the component is built.

    Args:
        maker: The function of the bindings that makes one, such as ``byte_stream``.
        function: What it calls, ``stream_new`` or ``future_new``.
        arguments: What it takes.
    """
    seen: list[int] = []
    real = getattr(runtime, function)

    def new(index: int) -> int:
        seen.append(index)
        return 0

    setattr(runtime, function, new)
    try:
        ends = maker(*arguments)
    finally:
        setattr(runtime, function, real)
    for end in ends:
        end.finalizer.detach()
    return seen[0]


def new_stream(type_: int) -> tuple[int, TransferredEnd]:
    """Make a stream: the handle of its writable end, and the end that goes to the host."""
    pair = runtime.stream_new(type_)
    return pair >> 32, TransferredEnd(pair & _HANDLE)


def new_future(type_: int) -> tuple[int, TransferredEnd]:
    """Make a future, which has to be written: as ``new_stream``."""
    pair = runtime.future_new(type_)
    return pair >> 32, TransferredEnd(pair & _HANDLE)
