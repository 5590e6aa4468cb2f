"""Environment variables that a Spin started from here runs with.

Source: Spin's ``crates/core``; the figures are in benchmarks/README.md.
"""

from collections.abc import Mapping
from typing import Final

__all__ = ["SPIN_MEMORY_SETTINGS", "spin_environment"]

SPIN_MEMORY_SETTINGS: Final[Mapping[str, str]] = {
    "SPIN_WASMTIME_LINEAR_MEMORY_KEEP_RESIDENT": str(32 * 1024 * 1024),
    "SPIN_WASMTIME_TABLE_KEEP_RESIDENT": str(1024 * 1024),
}
"""Bytes of an instance's memory and of its tables that stay mapped for the next instance.
A Python component touches more than the 2 MiB that Spin keeps by itself; what it does not
keep, each request maps anew."""


def spin_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return these variables, those that are not set added."""
    return {**SPIN_MEMORY_SETTINGS, **environ}
