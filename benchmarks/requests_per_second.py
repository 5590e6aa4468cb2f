"""Requests per second of the embedded host against ``jco serve`` and Spin, in one run.

All serve the same component to the same client on the same machine, one after the other: with
a fresh instance for every request and, but for Spin, with instances that serve many.
"""

import os
import shutil
from pathlib import Path

from benchmarks.load import Load, measure
from benchmarks.peers import PeerMissingError, jco_serve
from benchmarks.serving import manifest_of, serving

__all__ = ["embedded_load", "jco_load", "spin_load"]


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


def spin_load(component: Path, *, connections: int, seconds: float) -> Load:
    """Measure Spin: the program that ``SPIN`` names, or ``spin`` on the PATH.

    Raises:
        PeerMissingError: There is none.
    """
    spin = shutil.which(os.environ.get("SPIN", "spin"))
    if spin is None:
        raise PeerMissingError("no spin on the PATH; SPIN can name one")
    with serving(manifest_of(component), command=(spin,)) as served:
        measure(served.port, connections=connections, seconds=1)
        return measure(served.port, connections=connections, seconds=seconds)
