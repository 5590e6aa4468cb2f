"""Requests per second of the embedded host against ``jco serve``, in one run.

Both serve the same component to the same client on the same machine, one after the other.
Every request gets a fresh instance on our side; jco is measured that way (``instance``) and
with one instance shared by all.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load import Load, measure
from benchmarks.peers import free_port, jco_serve, wait_until_open

__all__ = ["embedded_load", "jco_load"]

MANIFEST = """\
spin_manifest_version = 2

[application]
name = "bench"

[[trigger.http]]
route = "/..."
component = "guest"

[component.guest]
source = "{source}"
"""


@contextlib.contextmanager
def _embedded(component: Path) -> Iterator[int]:
    """Serve a component with ``edgezero serve`` in a process of its own; yield its port."""
    manifest = component.with_name("spin.toml")
    manifest.write_text(MANIFEST.format(source=component.name), encoding="utf-8")
    port = free_port()
    argv = [sys.executable, "-m", "edgezero_spin.cli", "serve", "--engine", "embedded"]
    process = subprocess.Popen(
        [*argv, "--listen", f"127.0.0.1:{port}"],
        cwd=component.parent,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_open(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def embedded_load(component: Path, *, connections: int, seconds: float) -> Load:
    """Measure the embedded host; the first second warms it and does not count."""
    with _embedded(component) as port:
        measure(port, connections=connections, seconds=1)
        return measure(port, connections=connections, seconds=seconds)


def jco_load(component: Path, *options: str, connections: int, seconds: float) -> Load:
    """Measure ``jco serve`` with the given options, warmed likewise."""
    with jco_serve(component, *options) as port:
        measure(port, connections=connections, seconds=1)
        return measure(port, connections=connections, seconds=seconds)
