"""Requests per second of the embedded host against ``jco serve``, in one run.

Both serve the same component to the same client on the same machine, one after the other: with
a fresh instance for every request, and with instances that serve many.
"""

from pathlib import Path

from benchmarks.load import Load, measure
from benchmarks.peers import jco_serve
from benchmarks.serving import manifest_of, serving

__all__ = ["embedded_load", "jco_load"]


def embedded_load(component: Path, *options: str, connections: int, seconds: float) -> Load:
    """Measure the embedded host; the first second warms it and does not count."""
    with serving(manifest_of(component), *options) as served:
        measure(served.port, connections=connections, seconds=1)
        return measure(served.port, connections=connections, seconds=seconds)


def jco_load(component: Path, *options: str, connections: int, seconds: float) -> Load:
    """Measure ``jco serve`` with the given options, warmed likewise."""
    with jco_serve(component, *options) as port:
        measure(port, connections=connections, seconds=1)
        return measure(port, connections=connections, seconds=seconds)
