"""Limits on what an instance has the host hold: handles, bytes behind them, results.

A capability claims a place before it makes a handle, and its resource gives the place back
in ``drop``. Spin bounds each kind at 256.

Bytes that the host holds for a guest are not part of the guest's memory and its limit. They are
counted where many of them may come together: what is new adds up, and now and then the
resources in the table are asked what they hold.
"""

import threading
from collections.abc import Sequence

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.factors.instance import InstanceState

__all__ = [
    "MAX_HANDLES",
    "MAX_HELD_BYTES",
    "MAX_RESULT_BYTES",
    "claim",
    "hold",
    "release",
    "size_of",
    "size_of_row",
    "too_large",
]

MAX_HANDLES = 256
"""Handles of one kind that one instance may hold."""

MAX_RESULT_BYTES = 134_217_728
"""Bytes of one result of a store, a database or a server (KV-10)."""

MAX_HELD_BYTES = 256 * 1024 * 1024
"""Bytes behind the handles of one instance: header fields, bodies on their way, names."""

# Bytes after which the table is asked again.
COUNTED_AFTER = 16 * 1024 * 1024

# What each value counts besides its bytes, as in the reference.
ENTRY_OVERHEAD = 24


def too_large(limit: int = MAX_RESULT_BYTES) -> str:
    """Say that a result counts more than its limit, as Spin does."""
    return f"query result exceeds limit of {limit} bytes"


def size_of(value: object) -> int:
    """What one value counts against ``MAX_RESULT_BYTES``; text counts as UTF-8."""
    if isinstance(value, str):
        return ENTRY_OVERHEAD + (len(value) if value.isascii() else len(value.encode()))
    return ENTRY_OVERHEAD + (len(value) if isinstance(value, bytes) else 0)


def size_of_row(values: Sequence[object]) -> int:
    """What the values of a row count together."""
    size = ENTRY_OVERHEAD * len(values)
    for value in values:
        # Spelt out: a call for each value of a table costs more than reading it.
        if isinstance(value, str):
            size += len(value) if value.isascii() else len(value.encode())
        elif isinstance(value, bytes):
            size += len(value)
    return size


# A place may be given back by a call that failed on another thread.
_lock = threading.Lock()


def claim(state: InstanceState, kind: str, most: int = MAX_HANDLES) -> bool:
    """Take a place for a handle; return ``False`` when there is none left."""
    with _lock:
        held = state.held.get(kind, 0)
        if held >= most:
            return False
        state.held[kind] = held + 1
        return True


def release(state: InstanceState, kind: str) -> None:
    """Give a place back. Safe to call from any thread."""
    with _lock:
        state.held[kind] -= 1


def hold(state: InstanceState, size: int) -> None:
    """Count bytes that a resource of the instance holds from now on.

    Raises:
        Trap: The guest has the host hold too many.
    """
    state.fresh_bytes += size
    if state.fresh_bytes > COUNTED_AFTER:
        if state.table.held_bytes() > MAX_HELD_BYTES:
            raise Trap(
                f"the instance has the host hold more than {MAX_HELD_BYTES} bytes of headers, "
                "bodies and names"
            )
        state.fresh_bytes = 0
