"""The embedded host in a process of its own, as what is measured.

In: a component or a manifest. Out: a ``Served``, with what the system knows of the process.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from benchmarks.peers import free_port, wait_until_open

__all__ = ["Served", "manifest_of", "serving"]

_MANIFEST = """\
spin_manifest_version = 2

[application]
name = "bench"

[[trigger.http]]
route = "/..."
component = "guest"

[component.guest]
source = "{source}"
key_value_stores = {stores}
"""


@attrs.frozen
class Served:
    """A host in a process of its own.

    Attributes:
        port: Where it listens on loopback.
        pid: Its process.
    """

    port: int
    pid: int

    def resident_mib(self, field: str = "VmRSS") -> float:
        """Memory now, or ``VmHWM`` for the most that there was."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(text.partition(f"{field}:")[2].split()[0]) / 1024

    def cpu_s(self) -> float:
        """Processor time so far, in seconds, of the process and those that it started."""
        ticks, pids = 0, [self.pid]
        while pids:
            pid = pids.pop()
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
            # Each thread has those that it started.
            for listed in Path(f"/proc/{pid}/task").glob("*/children"):
                pids += map(int, listed.read_text().split())
        return ticks / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int:
        """Open files."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())


def manifest_of(component: Path, *stores: str) -> Path:
    """Write a ``spin.toml`` beside a component, which serves it on every path.

    Args:
        component: It.
        stores: Labels of its stores, which ``runtime-config.toml`` beside it has to define.
    """
    manifest = component.with_name(f"{component.stem}.toml")
    text = _MANIFEST.format(source=component.name, stores=json.dumps(stores))
    manifest.write_text(text, encoding="utf-8")
    return manifest


@contextlib.contextmanager
def serving(
    manifest: Path,
    *options: str,
    before: Sequence[str] = (),
    command: Sequence[str] = (sys.executable, "-m", "edgezero_spin.cli"),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """Run ``edgezero up`` until the block ends.

    Args:
        manifest: What to serve.
        options: More flags.
        before: A command that runs the command given to it (``taskset -c 0``).
        command: Another program whose ``up`` takes the same flags: ``spin``.
        environment: Variables besides those that there are.
    """
    port = free_port()
    environ = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
    # A package that pip installed has its bytecode; the second start here has it too.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    argv = [*before, *command, "up", "-f", str(manifest), "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        [*argv, *options],
        cwd=manifest.parent,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_open(port, process)
        yield Served(port, process.pid)
    finally:
        process.terminate()
        process.wait(20)
