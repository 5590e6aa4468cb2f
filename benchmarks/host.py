"""What the embedded host itself costs: CPU, latency, streaming, start, memory, descriptors.

``python -m benchmarks host`` prints the table. The host runs in a process of its own, except
for its CPU per request, which is read between requests inside this one.
"""

import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from benchmarks.load import measure
from benchmarks.peers import free_port, wait_until_open
from benchmarks.requests_per_second import MANIFEST
from edgezero_spin.host import Host, HttpRequest
from edgezero_spin.host.instance import InstanceState
from edgezero_spin.host.running import Instance
from edgezero_spin.project.componentize import componentize_app

__all__ = ["Amounts", "host_table"]

GUEST = Path(__file__).parent / "guests" / "echo"
MIB = 1024 * 1024
BATCH = 20


@attrs.frozen(kw_only=True)
class Amounts:
    """How much of everything is measured.

    Attributes:
        cpu_requests: Requests inside this process.
        seconds: Of load with one client.
        echo_mib: Size of the echoed body.
        settled: Requests before memory is first looked at.
        more: Requests before it is looked at again.
    """

    cpu_requests: int = 500
    seconds: float = 8
    echo_mib: int = 100
    settled: int = 2000
    more: int = 8000


@attrs.frozen
class _Served:
    """A host in a process of its own."""

    port: int
    pid: int

    def resident_mib(self, field: str = "VmRSS") -> float:
        """Memory now, or ``VmHWM`` for the most that there was."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(text.partition(f"{field}:")[2].split()[0]) / 1024

    def descriptors(self) -> int:
        """Open files."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())


@contextlib.contextmanager
def _serving(manifest: Path) -> Iterator[_Served]:
    port = free_port()
    argv = [sys.executable, "-m", "edgezero_spin.cli", "serve", "--engine", "embedded"]
    process = subprocess.Popen(
        [*argv, "--listen", f"127.0.0.1:{port}"],
        cwd=manifest.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_open(port, process)
        yield _Served(port, process.pid)
    finally:
        process.terminate()
        process.wait(20)


class _Spent:
    """An ``InstanceWatch`` that adds up the CPU time of guests' threads."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._started = 0.0

    def started(self, state: InstanceState) -> None:
        """Before the instance is made."""
        self._started = time.thread_time()

    def ended(self, instance: Instance | None, error: BaseException | None) -> None:
        """Before it is closed."""
        self.seconds += time.thread_time() - self._started


def _cpu_ms(manifest: Path, count: int) -> tuple[float, float]:
    """CPU per hello request, the median of batches: of the process, and outside the guest's call.

    What the host does while the guest calls it counts as the guest's here, so the second
    figure is too low and the first too high for "all but guest instructions".
    """
    whole, outside = [], []

    async def run(host: Host) -> None:
        for number in range(count // BATCH + 2):
            spent = _Spent()
            before = time.process_time()
            for _ in range(BATCH):
                response = await host.handle(HttpRequest(target="/"), spent)
                await response.read()
            # What a request leaves behind is tidied up on other threads.
            await asyncio.sleep(0.02)
            total = time.process_time() - before
            if number >= 2:
                whole.append(total / BATCH * 1000)
                outside.append((total - spent.seconds) / BATCH * 1000)

    with Host.from_manifest(manifest) as host:
        asyncio.run(run(host))
    return statistics.median(whole), statistics.median(outside)


async def _echo(port: int, size: int) -> float:
    """Send ``size`` bytes and read them back at once; return the seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n"
    piece = bytes(256 * 1024)

    async def send() -> None:
        writer.write(head.encode())
        for _ in range(size // len(piece)):
            writer.write(piece)
            await writer.drain()

    started = time.perf_counter()
    sending = asyncio.create_task(send())
    answer = (await reader.readuntil(b"\r\n\r\n")).lower()
    received = 0
    if b"content-length" in answer:
        raise RuntimeError("the echo was buffered")
    while length := int(await reader.readline(), 16):
        await reader.readexactly(length + 2)
        received += length
    await sending
    writer.close()
    if received != size:
        raise RuntimeError(f"{received} of {size} bytes came back")
    return time.perf_counter() - started


def _start_seconds(manifest: Path) -> float:
    """Start to first answer of ``edgezero serve``, the component compiled before."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        with _serving(manifest) as served:
            asyncio.run(_hello(served.port, 1))
            seconds.append(time.perf_counter() - started)
    return min(seconds)


async def _hello(port: int, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
    writer.close()


def host_table(amounts: Amounts | None = None) -> None:
    """Measure, and print what issue 3 wants to reach beside it."""
    amounts = amounts or Amounts()
    with tempfile.TemporaryDirectory(prefix="edgezero-bench-host-") as name:
        folder = Path(name)
        componentize_app("app:app", output=folder / "echo.wasm", folder=GUEST)
        manifest = folder / "spin.toml"
        manifest.write_text(MANIFEST.format(source="echo.wasm"), encoding="utf-8")
        print("\n| host | measured | reach | aim |\n|---|---|---|---|")
        whole, outside = _cpu_ms(manifest, amounts.cpu_requests)
        _row("CPU per hello, guest included", f"{whole:.2f} ms", "", "")
        _row("of it outside the guest's call", f"{outside:.2f} ms", "1.5 ms", "1.0 ms")
        _row("start to first answer", f"{_start_seconds(manifest):.2f} s", "0.6 s", "0.35 s")
        with _serving(manifest) as served:
            measure(served.port, connections=1, seconds=min(1, amounts.seconds))
            load = measure(served.port, connections=1, seconds=amounts.seconds)
            _row("p50 at one client", f"{load.p50_ms:.2f} ms", "1.5 ms", "0.8 ms")
        with _serving(manifest) as served:
            asyncio.run(_echo(served.port, MIB))
            before = served.resident_mib()
            seconds = asyncio.run(_echo(served.port, amounts.echo_mib * MIB))
            rate = amounts.echo_mib / seconds
            _row(f"{amounts.echo_mib} MiB echoed", f"{rate:.0f} MiB/s", "30 MiB/s", "60 MiB/s")
            growth = served.resident_mib("VmHWM") - before
            _row("memory that it took", f"{growth:.0f} MiB", "64 MiB", "")
        with _serving(manifest) as served:
            asyncio.run(_hello(served.port, amounts.settled))
            memory, files = served.resident_mib(), served.descriptors()
            asyncio.run(_hello(served.port, amounts.more))
            growth = served.resident_mib() / memory * 100 - 100
            text = f"memory from request {amounts.settled} to {amounts.settled + amounts.more}"
            _row(text, f"{growth:+.1f} %", "5 %", "")
            _row("descriptors left", str(served.descriptors() - files), "0", "")


def _row(what: str, measured: str, reach: str, aim: str) -> None:
    print(f"| {what} | {measured} | {reach} | {aim} |", flush=True)
