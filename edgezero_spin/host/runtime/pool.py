"""The engine's pool of instance slots, set through C functions that Python's Config lacks.

In: the numbers of ``EngineSettings``, and those that whoever runs the process puts into the
environment, as under Spin. Out: a ``wasmtime.Config`` that allocates instances from address
space reserved in advance. A slot keeps its pages between two instances and is wiped, which
costs far less than mapping and faulting them in again.

Source: ``wasmtime/config.h`` of wasmtime 50; contract spin-host.md, ENG-2 to ENG-7; the limits
per component are what components built by componentize-py need (about 40 core instances and 20
tables).
"""

import ctypes
import logging
import mmap
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import wasmtime
from wasmtime import _ffi as ffi

from edgezero_spin.host.errors import EngineError
from edgezero_spin.host.runtime.engine_version import engine_version

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.engine import EngineSettings

__all__ = [
    "TABLE_ELEMENTS",
    "VARIABLES",
    "can_map",
    "can_reserve",
    "instances_in_pool",
    "pool_overrides",
    "set_pool",
]

_log = logging.getLogger(__name__)

_MIB = 1024 * 1024

SLOT_BYTES = 4096 * _MIB + 128 * _MIB
"""Address space that the engine reserves for one instance: a memory with guards, tables."""


VARIABLES = {
    "SPIN_WASMTIME_INSTANCE_COUNT": "total_component_instances",
    "SPIN_WASMTIME_TOTAL_MEMORIES": "total_memories",
    "SPIN_WASMTIME_TOTAL_STACKS": "total_stacks",
    "SPIN_WASMTIME_TOTAL_TABLES": "total_tables",
    "SPIN_WASMTIME_TOTAL_CORE_INSTANCES": "total_core_instances",
    "SPIN_WASMTIME_INSTANCE_SIZE": "max_component_instance_size",
    "SPIN_WASMTIME_CORE_INSTANCE_SIZE": "max_core_instance_size",
    "SPIN_WASMTIME_INSTANCE_TABLE_ELEMENTS": "table_elements",
    "SPIN_WASMTIME_CORE_INSTANCE_COUNT": "max_core_instances_per_component",
    "SPIN_WASMTIME_INSTANCE_TABLES": "max_tables_per_component",
    "SPIN_WASMTIME_INSTANCE_MEMORIES": "max_memories_per_component",
    "SPIN_WASMTIME_MAX_TABLES_PER_MODULE": "max_tables_per_module",
    "SPIN_WASMTIME_MAX_MEMORIES_PER_MODULE": "max_memories_per_module",
    "SPIN_WASMTIME_LINEAR_MEMORY_KEEP_RESIDENT": "linear_memory_keep_resident",
    "SPIN_WASMTIME_TABLE_KEEP_RESIDENT": "table_keep_resident",
}
"""Environment variable to the number of the pool that it sets. Source: ENG-2 to ENG-7."""

_LARGEST = 2**32 - 1
"""What fits the smallest of the engine's parameters."""

_LARGEST_PER_MODULE = 10_000
"""More memories or tables than any module can have; the engine loops for minutes over 2^32."""

TABLE_ELEMENTS = 200_000
"""Most elements of a table."""

_ELEMENT_BYTES = 16
_STACK_BYTES = 2 * _MIB + 64 * 1024


def pool_overrides(environ: Mapping[str, str]) -> dict[str, int]:
    """Return the numbers that the environment sets, by the pool's name for them.

    Raises:
        EngineError: A variable is not a number, or none that a pool can have.
    """
    found = {}
    for variable, name in VARIABLES.items():
        text = environ.get(variable, "")
        if not text:
            continue
        least = 0 if name.endswith("keep_resident") else 1
        number = int(text) if text.isascii() and text.isdecimal() else -1
        most = _LARGEST_PER_MODULE if name.endswith("per_module") else _LARGEST
        if not least <= number <= most:
            raise EngineError(f"{variable} is {text!r}; it can be {least} to {most}")
        found[name] = number
    return found


def instances_in_pool(environ: Mapping[str, str]) -> int | None:
    """Return how many instances the environment has room for; ``None`` where it does not say.

    Raises:
        EngineError: A variable is not a number that a pool can have.
    """
    overrides = pool_overrides(environ)
    names = ("total_component_instances", "total_memories", "total_stacks")
    return min((overrides[name] for name in names if name in overrides), default=None)


def set_pool(config: wasmtime.Config, settings: "EngineSettings") -> bool:
    """Make an engine with this configuration allocate instances from a pool.

    Returns:
        Whether it will ask which pages an instance wrote, where the kernel can tell.

    Raises:
        EngineError: The environment asks for a pool that cannot be, or the system refuses it.
    """
    count = settings.max_instances
    numbers = {
        "total_component_instances": count,
        "total_core_instances": count * 200,
        "total_memories": count,
        "total_tables": count * 20,
        "total_stacks": count,
        "total_gc_heaps": count,
        "max_component_instance_size": 16 * _MIB,
        "max_core_instance_size": 16 * _MIB,
        "max_core_instances_per_component": 1000,
        "max_memories_per_component": 32,
        "max_tables_per_component": 64,
        "max_memories_per_module": 32,
        "max_tables_per_module": 64,
        "table_elements": TABLE_ELEMENTS,
        "max_memory_size": settings.max_memory_bytes,
        "linear_memory_keep_resident": settings.memory_keep_resident_bytes,
        "table_keep_resident": settings.table_keep_resident_bytes,
        "max_unused_warm_slots": _WARM_SLOTS,
    }
    overrides = pool_overrides(os.environ)
    if overrides:
        numbers |= overrides
        _check_space(numbers)
    pool = ffi.wasmtime_pooling_allocation_config_new()
    try:
        for name, number in numbers.items():
            getattr(ffi, f"wasmtime_pooling_allocation_config_{name}_set")(pool, number)
        scans = settings.scan_dirty_pages and _scan_dirty_pages(
            ctypes.cast(pool, ctypes.c_void_p).value or 0
        )
        ffi.wasmtime_pooling_allocation_strategy_set(config.ptr(), pool)
    finally:
        ffi.wasmtime_pooling_allocation_config_delete(pool)
    return scans


def _check_space(numbers: Mapping[str, int]) -> None:
    """Refuse what the system does, which would end the process inside the engine."""
    size = numbers["total_memories"] * SLOT_BYTES
    size += numbers["total_tables"] * numbers["table_elements"] * _ELEMENT_BYTES
    size += numbers["total_stacks"] * _STACK_BYTES
    stacks = numbers["total_stacks"]
    if not can_map(stacks):
        raise EngineError(
            f"the system refuses {stacks * _MAPPINGS_PER_STACK} memory mappings for the pool that "
            "SPIN_WASMTIME_TOTAL_STACKS asks for; lower it, raise vm.max_map_count, or set "
            "SPIN_WASMTIME_POOLING=0"
        )
    if not can_reserve(size):
        raise EngineError(
            f"the system refuses {size // 1024**3} GiB of address space for the pool that "
            "SPIN_WASMTIME_TOTAL_... and _INSTANCE_TABLE_ELEMENTS ask for; lower them, or set "
            "SPIN_WASMTIME_POOLING=0"
        )


_MAPPINGS_PER_STACK = 2
"""A stack and its guard."""

_OTHER_MAPPINGS = 4096
"""Left for the rest of the process: libraries, compiled components, memories in use."""


def can_map(stacks: int) -> bool:
    """Tell whether the system grants the memory mappings that a pool of stacks consists of.

    The engine ends the process when it does not.
    """
    try:
        most = int(Path("/proc/sys/vm/max_map_count").read_text(encoding="ascii"))
        with Path("/proc/self/maps").open("rb") as maps:
            used = sum(1 for _ in maps)
    except (OSError, ValueError):
        # Another system, without such a limit.
        return True
    return used + stacks * _MAPPINGS_PER_STACK + _OTHER_MAPPINGS <= most


_WARM_SLOTS = 100

_PAGEMAP_SCAN_AT = {("50.0.1", "linux", "x86_64"): 133}
"""Where the pool's configuration holds ``pagemap_scan``, by wasmtime version and platform."""


def _scan_dirty_pages(pool: int) -> bool:
    """Let the engine ask Linux which pages of a slot an instance wrote, and wipe only those.

    See also ``memory_slots``.

    Without it the engine rewrites all pages that stay resident, a third of the CPU time of
    a small request. The engine has the setting (``pagemap_scan``, "auto" here: unused where
    the kernel is older than 6.7), but its C interface has no function for it, so it is set
    in place: only for the releases listed above, and only if the bytes around it are what
    that release puts there. Any other release simply goes without.
    """
    version = engine_version()
    at = _PAGEMAP_SCAN_AT.get((version, sys.platform, platform.machine()))
    if at is None:
        _log.debug("wasmtime %s: dirty pages are not scanned on this platform", version)
        return False
    around = ctypes.string_at(pool + at - 5, 7)
    # u32 max_unused_warm_slots, then two tri-states at "no" (2), then a bool at false.
    if around != _WARM_SLOTS.to_bytes(4, "little") + b"\2\2\0":
        _log.debug("wasmtime %s: unexpected pool configuration, left as it is", version)
        return False
    ctypes.memset(pool + at, 0, 1)
    return True


def can_reserve(size: int) -> bool:
    """Tell whether the system grants this much address space.

    The engine's C interface ends the process when it cannot have its pool, so the question
    is asked first.
    """
    if sys.platform == "win32":
        return True
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    try:
        mmap.mmap(-1, size, flags=flags, prot=0).close()
    except (OSError, OverflowError, ValueError):
        return False
    return True
