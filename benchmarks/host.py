"""Costs of the embedded host: CPU, latency, streaming, start, memory, descriptors.

``python -m benchmarks host`` prints the table. The host runs in a process of its own, except
for its CPU per request, which is read between requests inside this one.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import attrs

from benchmarks.guest_time import guest_time
from benchmarks.load import measure
from benchmarks.serving import manifest_of, serving
from edgezero_spin.host import Host, HttpRequest
from edgezero_spin.project.componentize import componentize_app

__all__ = ["MIB", "Amounts", "echo", "hello", "host_table"]

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


def _cpu_ms(manifest: Path, count: int) -> float:
    """CPU per hello on a fresh instance, the guest's included: the median of batches."""
    return _median_ms(manifest, count, time.process_time)


def _guest_ms(manifest: Path, count: int) -> float:
    """What of that is the guest's."""
    with guest_time() as guests:
        return _median_ms(manifest, count, lambda: guests.seconds)


def _median_ms(manifest: Path, count: int, clock: Callable[[], float]) -> float:
    spent = []

    async def run(host: Host) -> None:
        for number in range(count // BATCH + 2):
            before = clock()
            for _ in range(BATCH):
                response = await host.handle(HttpRequest(target="/"))
                await response.read()
            # What a request leaves behind is tidied up on other threads.
            await asyncio.sleep(0.02)
            if number >= 2:
                spent.append((clock() - before) / BATCH * 1000)

    with Host.from_manifest(manifest) as host:
        asyncio.run(run(host))
    return statistics.median(spent)


async def echo(port: int, path: str, size: int) -> float:
    """Send ``size`` bytes and read them back at once; return the seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n"
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
    """Start to first answer of ``edgezero up``, the component compiled before."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        with serving(manifest) as served:
            asyncio.run(hello(served.port, 1))
            seconds.append(time.perf_counter() - started)
    return min(seconds)


async def hello(port: int, count: int) -> None:
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
        manifest = manifest_of(folder / "echo.wasm")
        print("\n| host | measured | reach | aim |\n|---|---|---|---|")
        cpu = _cpu_ms(manifest, amounts.cpu_requests)
        host_side = cpu - _guest_ms(manifest, amounts.cpu_requests)
        _row("CPU per hello, all but the guest's", f"{host_side:.2f} ms", "1.5 ms", "1.0 ms")
        _row("CPU per hello, the guest's included", f"{cpu:.2f} ms", "", "")
        _row("start to first answer", f"{_start_seconds(manifest):.2f} s", "0.6 s", "0.35 s")
        with serving(manifest) as served:
            measure(served.port, connections=1, seconds=min(1, amounts.seconds))
            load = measure(served.port, connections=1, seconds=amounts.seconds)
            _row("p50 at one client", f"{load.p50_ms:.2f} ms", "1.5 ms", "0.8 ms")
        for path, how in (("/echo", "passed on"), ("/copy", "looked at")):
            with serving(manifest) as served:
                asyncio.run(echo(served.port, path, MIB))
                before = served.resident_mib()
                seconds = asyncio.run(echo(served.port, path, amounts.echo_mib * MIB))
                rate = amounts.echo_mib / seconds
                what = f"{amounts.echo_mib} MiB sent back, {how} by the guest"
                _row(what, f"{rate:.0f} MiB/s", "30 MiB/s", "60 MiB/s")
                growth = served.resident_mib("VmHWM") - before
                _row("memory that it took", f"{growth:.0f} MiB", "64 MiB", "")
        with serving(manifest) as served:
            asyncio.run(hello(served.port, amounts.settled))
            memory, files = served.resident_mib(), served.descriptors()
            asyncio.run(hello(served.port, amounts.more))
            growth = served.resident_mib() / memory * 100 - 100
            text = f"memory from request {amounts.settled} to {amounts.settled + amounts.more}"
            _row(text, f"{growth:+.1f} %", "5 %", "")
            _row("descriptors left", str(served.descriptors() - files), "0", "")
        _row(
            "from one core to two, guest busy",
            f"{_scaling(manifest, amounts):.2f} x",
            "1.6 x",
            "1.9 x",
        )


def _scaling(manifest: Path, amounts: Amounts) -> float:
    """Requests per second of a guest that computes, on two cores against one."""
    rates = []
    for cores in ("0", "0,1"):
        with serving(manifest, before=("taskset", "-c", cores)) as served:
            measure(served.port, connections=4, seconds=1, path="/busy")
            load = measure(served.port, connections=4, seconds=amounts.seconds, path="/busy")
            rates.append(load.per_second)
    return rates[1] / rates[0]


def _row(what: str, measured: str, reach: str, aim: str) -> None:
    print(f"| {what} | {measured} | {reach} | {aim} |", flush=True)
