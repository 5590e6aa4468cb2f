"""Linear memory of the instances in this process, as the kernel knows it.

The engine's interface for Python does not tell. A linear memory lies in four gibibytes of
reserved addresses, of which the part that it has grown to can be written: so it is a run of
writable mappings that a huge unreachable one follows. Linear memories never shrink, which
makes the size at the end of an instance its peak.

Only for instances that are not pooled: a pool keeps the mappings of those that ended.
"""

from pathlib import Path

__all__ = ["guest_memory_bytes", "largest_guest_memory"]

MAPS = Path("/proc/self/maps")
RESERVED_BYTES = 1 << 30


def guest_memory_bytes() -> int | None:
    """Return the size of the largest linear memory; ``None`` where it cannot be told."""
    try:
        text = MAPS.read_text()
    except OSError:
        return None
    return largest_guest_memory(text)


def largest_guest_memory(maps: str) -> int | None:
    """Find the largest linear memory in the text of ``/proc/self/maps``."""
    largest = 0
    run = 0
    last = 0
    for line in maps.splitlines():
        span, mode = line.split(None, 2)[:2]
        low, _, high = span.partition("-")
        start, end = int(low, 16), int(high, 16)
        if mode.startswith("rw-"):
            run = (run if start == last else 0) + end - start
        elif mode.startswith("---") and start == last and end - start >= RESERVED_BYTES:
            largest = max(largest, run)
            run = 0
        else:
            run = 0
        last = end
    return largest or None
