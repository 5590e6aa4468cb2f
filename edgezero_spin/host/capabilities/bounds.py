"""How many handles of one kind an instance may hold at once, and how large a result may be.

A capability claims a place before it makes a handle, and its resource gives the place back
in ``drop``. Spin bounds each kind at 256.
"""

from edgezero_spin.host.instance import InstanceState

__all__ = ["MAX_HANDLES", "MAX_RESULT_BYTES", "claim", "release", "size_of"]

MAX_HANDLES = 256
"""Handles of one kind that one instance may hold."""

MAX_RESULT_BYTES = 134_217_728
"""Bytes of one result of a store, a database or a server (KV-10)."""

# What each value counts besides its bytes, as in the reference.
ENTRY_OVERHEAD = 24


def size_of(value: object) -> int:
    """What one value counts against ``MAX_RESULT_BYTES``; text counts as UTF-8."""
    if isinstance(value, str):
        return ENTRY_OVERHEAD + (len(value) if value.isascii() else len(value.encode()))
    return ENTRY_OVERHEAD + (len(value) if isinstance(value, bytes) else 0)


def claim(state: InstanceState, kind: str, most: int = MAX_HANDLES) -> bool:
    """Take a place for a handle; return ``False`` when there is none left."""
    held = state.held.get(kind, 0)
    if held >= most:
        return False
    state.held[kind] = held + 1
    return True


def release(state: InstanceState, kind: str) -> None:
    """Give a place back."""
    state.held[kind] -= 1
