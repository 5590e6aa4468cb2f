"""HTTP servers before the embedded host: which one, and with how many processes.

``python -m benchmarks servers`` prints the table. Every server runs the same ASGI program to
the same client; the last row is ``edgezero up``, which has the server that was chosen, with a
protocol of its own on top. Those that this project does not need are installed below
``benchmarks/.peers`` at the first run.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.load import Load, measure
from benchmarks.peers import FOLDER, PeerMissingError, free_port, wait_until_open
from benchmarks.serving import manifest_of, serving
from edgezero_spin.project.componentize import componentize_app

__all__ = ["servers_table"]

TOP = Path(__file__).parents[1]
PROGRAM = "benchmarks.served:app"
PACKAGES = ("hypercorn==0.18.0", "granian==2.8.7")
CLIENTS = (1, 16)

UVICORN = ("uvicorn", PROGRAM, "--host", "127.0.0.1", "--no-access-log", "--port")
HYPERCORN = ("hypercorn", PROGRAM, "--bind")
GRANIAN = ("granian", PROGRAM, "--interface", "asgi", "--host", "127.0.0.1", "--port")
SERVERS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("uvicorn, httptools on uvloop", UVICORN, ("--loop", "uvloop", "--http", "httptools")),
    ("the same, 2 processes", UVICORN, ("--loop", "uvloop", "--http", "httptools", "--workers=2")),
    ("uvicorn, h11 on asyncio", UVICORN, ("--loop", "asyncio", "--http", "h11")),
    ("hypercorn on uvloop", HYPERCORN, ("--worker-class", "uvloop")),
    ("granian", GRANIAN, ("--runtime-threads", "1")),
    ("granian, 2 runtime threads", GRANIAN, ("--runtime-threads", "2")),
    ("granian, 2 processes", GRANIAN, ("--workers", "2")),
)


def servers_table(seconds: float = 5) -> None:
    """Measure, and print requests per second and median latencies."""
    try:
        packages = _packages()
    except PeerMissingError as error:
        print(f"the servers are left out: {error}", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory(prefix="edgezero-bench-servers-") as name:
        component = Path(name) / "hello.wasm"
        componentize_app("app:app", output=component, folder=TOP / "benchmarks/guests/hello")
        manifest = manifest_of(component)
        columns = "".join(f" {clients} clients | p50 ms |" for clients in CLIENTS)
        print(f"\n| server |{columns}\n|---|{'---|' * (2 * len(CLIENTS))}")
        for label, command, options in SERVERS:
            _row(label, _loads(packages, manifest, command, options, seconds))
        with serving(manifest) as served:
            _row("edgezero up", _measured(served.port, seconds))


def _packages() -> Path:
    folder = FOLDER / "servers"
    if not (folder / "granian").exists():
        install = [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder)]
        done = subprocess.run([*install, *PACKAGES], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PeerMissingError(f"pip install failed: {done.stderr.strip()[-300:]}")
    return folder


def _loads(
    packages: Path,
    manifest: Path,
    command: Sequence[str],
    options: Sequence[str],
    seconds: float,
) -> list[Load]:
    port = free_port()
    module, *arguments = command
    where = f"127.0.0.1:{port}" if module == "hypercorn" else str(port)
    path = os.pathsep.join([str(TOP), str(packages)])
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments, where, *options],
        env={**os.environ, "PYTHONPATH": path, "BENCH_MANIFEST": str(manifest)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_open(port, process)
        return _measured(port, seconds)
    finally:
        process.terminate()
        process.wait(20)


def _measured(port: int, seconds: float) -> list[Load]:
    measure(port, connections=1, seconds=1)
    return [measure(port, connections=clients, seconds=seconds) for clients in CLIENTS]


def _row(label: str, loads: Sequence[Load]) -> None:
    cells = "".join(f" {load.per_second:.0f} | {load.p50_ms:.2f} |" for load in loads)
    print(f"| {label} |{cells}", flush=True)
