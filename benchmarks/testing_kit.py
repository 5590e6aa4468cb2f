"""Costs of the testing kit: a test natively, a test on the component, the plugin, memory.

``python -m benchmarks testing`` prints the table. Times of single tests are medians, because a
run has all of its tests and not its fastest; starts of pytest are the best of some, taken in
turns, because a process has more to suffer from than what is measured.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import attrs

from edgezero_spin.core.app import App
from edgezero_spin.core.request import Request
from edgezero_spin.project.componentize import componentize_app
from edgezero_spin.stores import MemoryPlatform
from edgezero_spin.stores.opening import open_on_platform
from edgezero_spin.testing import ComponentClient, TestClient
from edgezero_spin.testing.app_modules import import_app

__all__ = ["Amounts", "testing_table"]

GUEST = Path(__file__).parent / "guests" / "note"
BODY = {"title": "a", "text": "b"}
PLAIN = "def test_nothing():\n    pass\n"


@attrs.frozen(kw_only=True)
class Amounts:
    """How much of everything is measured.

    Attributes:
        tests: Of each kind.
        starts: Of pytest, with the plugin and without.
        settled: Tests before memory is first looked at.
        more: Tests before it is looked at again.
    """

    tests: int = 300
    starts: int = 10
    settled: int = 100
    more: int = 900


def _median_ms(run: Callable[[], None], count: int) -> float:
    run()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def _handler(app: App) -> Callable[[], None]:
    """One call of the handler as a test without the kit would make it."""
    body = b'{"title":"a","text":"b"}'

    def run() -> None:
        platform = MemoryPlatform(kv={"notes": {}})
        stores = open_on_platform(app.declaration, platform, dict)
        request = Request.of("POST", "/notes/7", body=body)
        coroutine = app.handle(request, stores)
        try:
            coroutine.send(None)
        except StopIteration as done:
            assert done.value.status == 200

    return run


def _native(app: App) -> Callable[[], None]:
    def run() -> None:
        with TestClient(app) as client:
            assert client.post("/notes/7", json=BODY).status == 200

    return run


def _component(wasm: Path) -> Callable[[], None]:
    def run() -> None:
        with ComponentClient(wasm, kv={"notes": {}}) as client:
            assert client.post("/notes/7", json=BODY).status == 200

    return run


def _plugin_ms(folder: Path, starts: int) -> tuple[float, float]:
    """Seconds of a run of pytest that uses nothing of the plugin: without it, and with it."""
    (folder / "test_plain.py").write_text(PLAIN)
    (folder / "pytest.ini").write_text("[pytest]\n")
    common = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    best = [float("inf")] * 2
    for _ in range(starts):
        for index, flags in enumerate((["-p", "no:edgezero_spin_pytest"], [])):
            start = time.perf_counter()
            subprocess.run([*common, *flags], cwd=folder, check=True, capture_output=True)
            best[index] = min(best[index], time.perf_counter() - start)
    return best[0] * 1000, best[1] * 1000


def _help_ms(starts: int) -> float:
    """Start the command for its help; return the best of some starts."""
    best = float("inf")
    for _ in range(starts):
        start = time.perf_counter()
        command = [sys.executable, "-m", "edgezero_spin.cli", "--help"]
        subprocess.run(command, check=True, capture_output=True)
        best = min(best, time.perf_counter() - start)
    return best * 1000


def _resident_mib() -> float:
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def testing_table(amounts: Amounts | None = None) -> None:
    """Measure and print the table."""
    amounts = amounts or Amounts()
    app = import_app("app:app", GUEST)
    print("\n| testing kit | measured | reach |\n|---|---|---|")
    direct = _median_ms(_handler(app), amounts.tests)
    native = _median_ms(_native(app), amounts.tests)
    _row("native test, over calling the handler", f"{native - direct:.2f} ms", "1 ms")
    with tempfile.TemporaryDirectory(prefix="edgezero-bench-") as name:
        folder = Path(name)
        wasm = folder / "note.wasm"
        componentize_app("app", output=wasm, folder=GUEST)
        run = _component(wasm)
        start = time.perf_counter()
        run()
        _row("first component test", f"{time.perf_counter() - start:.2f} s", "")
        _row("component test after it", f"{_median_ms(run, amounts.tests):.2f} ms", "5 ms")
        without, using = _plugin_ms(folder, amounts.starts)
        _row("pytest without the plugin", f"{without:.0f} ms", "")
        _row("edgezero --help, best", f"{_help_ms(amounts.starts):.0f} ms", "150 ms")
        _row("the plugin in a run that uses none of it", f"{using - without:+.0f} ms", "50 ms")
        for _ in range(amounts.settled):
            run()
        memory = _resident_mib()
        for _ in range(amounts.more):
            run()
        growth = _resident_mib() / memory * 100 - 100
        text = f"memory from component test {amounts.settled} to {amounts.settled + amounts.more}"
        _row(text, f"{growth:+.1f} %", "flat")


def _row(what: str, measured: str, reach: str) -> None:
    print(f"| {what} | {measured} | {reach} |", flush=True)
