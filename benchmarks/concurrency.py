"""Components of WASI 0.3 on the embedded host: CPU, requests per second, sharing, memory.

``python -m benchmarks concurrent`` prints the table. ``wasmtime serve`` answers the same hello
to the same client in the same run, in turns with the host.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load import measure
from benchmarks.peers import PeerMissingError, wasmtime_serve
from benchmarks.serving import Served, manifest_of, serving
from edgezero_spin.host import Host, HttpRequest
from edgezero_spin.project.componentize import componentize_app

__all__ = ["concurrent_table"]

GUESTS = Path(__file__).parent / "guests"
SLEEPS = Path(__file__).parents[1] / "tests" / "component" / "guests" / "concurrent"
ROUNDS = 6
TICKS = os.sysconf("SC_CLK_TCK")
PROCESSORS = os.cpu_count() or 1


def concurrent_table() -> None:
    """Measure, and print what issue 12 wants to reach beside it."""
    with tempfile.TemporaryDirectory(prefix="edgezero-bench-concurrent-") as name:
        folder = Path(name)
        hello = folder / "hello.wasm"
        componentize_app("app:app", output=hello, folder=GUESTS / "hello", wasi="0.3")
        componentize_app("app:app", output=folder / "sleeps.wasm", folder=SLEEPS, wasi="0.3")
        print("\n| WASI 0.3 | measured | reach | aim |\n|---|---|---|---|")
        _hello(hello)
        seconds, instances = asyncio.run(_asleep(folder / "sleeps.wasm"))
        _row("100 requests that sleep 1 s", f"{seconds:.2f} s", "1.2 s", "")
        _row("instances that they took", str(instances), "7", "")
        with serving(manifest_of(hello)) as served:
            _requests(served.port, 2000)
            before = served.resident_mib()
            _requests(served.port, 18_000)
            growth = served.resident_mib() / before * 100 - 100
            _row("memory from request 2 000 to 20 000", f"{growth:+.1f} %", "+3 %", "+1 %")


def _hello(component: Path) -> None:
    """CPU and requests per second, in turns with wasmtime so that both see the same machine."""
    manifest = manifest_of(component)
    with (
        serving(manifest) as ours,
        serving(manifest, "--workers", str(PROCESSORS)) as several,
        _wasmtime(component) as theirs,
    ):
        for served in (ours, several):
            measure(served.port, connections=16, seconds=1)
        cpu_ms, ratios, ratios_of_several = [], [], []
        for _ in range(ROUNDS):
            before = _cpu_s(ours)
            load = measure(ours.port, connections=16, seconds=1)
            cpu_ms.append((_cpu_s(ours) - before) / load.requests * 1000)
            if theirs is not None:
                of_several = measure(several.port, connections=16, seconds=1)
                peer = measure(theirs, connections=16, seconds=1)
                ratios.append(load.per_second / peer.per_second)
                ratios_of_several.append(of_several.per_second / peer.per_second)
        _row("CPU per hello, all included, least", f"{min(cpu_ms):.2f} ms", "0.3 ms", "0.2 ms")
        if ratios:
            what = "requests/s with 16 clients against wasmtime serve"
            _row(what, f"{statistics.median(ratios):.2f} x", "0.8 x", "1.2 x")
            ratio = f"{statistics.median(ratios_of_several):.2f} x"
            _row(f"the same with --workers {PROCESSORS}", ratio, "0.8 x", "1.2 x")


@contextmanager
def _wasmtime(component: Path) -> Iterator[int | None]:
    try:
        with wasmtime_serve(component) as port:
            measure(port, connections=16, seconds=1)
            yield port
    except PeerMissingError as error:
        print(f"wasmtime is left out: {error}")
        yield None


async def _asleep(component: Path) -> tuple[float, int]:
    """Ask a hundred times at once; return the seconds, and how many instances there were."""
    with Host.from_component(component) as host:

        async def ask(target: str) -> None:
            await (await host.handle(HttpRequest("GET", target))).read()

        await ask("/")
        begun = time.perf_counter()
        asked = [asyncio.create_task(ask("/sleep/1000")) for _ in range(100)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        instances = host.running
        await asyncio.gather(*asked)
        return time.perf_counter() - begun, instances


def _requests(port: int, count: int) -> None:
    done = 0
    while done < count:
        done += measure(port, connections=4, seconds=1).requests


def _cpu_s(served: Served) -> float:
    """CPU seconds of the host's process so far."""
    fields = Path(f"/proc/{served.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _row(what: str, measured: str, reach: str, aim: str) -> None:
    print(f"| {what} | {measured} | {reach} | {aim} |", flush=True)
