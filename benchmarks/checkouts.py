"""This checkout against another one, in one run: CPU times of what a host does.

    python -m benchmarks.checkouts OTHER [--rounds 3] [--guests FOLDER]

Every case runs in turn with the code of both, the best round of each counts, and the ratio is what
to compare between machines. Times are CPU times of a thread or of the server's whole process,
because both hold on a machine with other work; only a start has its wall time beside them. What
the other checkout cannot do is a dash.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs

from benchmarks.host import MIB, echo, hello
from benchmarks.load import measure
from benchmarks.peers import PeerMissingError, free_port, wait_until_open
from benchmarks.serving import manifest_of
from edgezero_spin.project.componentize import componentize_app

__all__ = ["Checkout", "Figure"]

HERE = Path(__file__).parent.parent
GUESTS = ("hello", "echo", "values")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
REUSE = ("--max-instance-reuse-count", "1000000")


@attrs.frozen
class Checkout:
    """One state of the code.

    Attributes:
        folder: Its top.
        cache: Where its compiled components are kept.
    """

    folder: Path
    cache: Path

    def environ(self, cache: Path | None = None) -> dict[str, str]:
        """The environment in which its code is the one that is imported."""
        own = {"PYTHONPATH": str(self.folder), "XDG_CACHE_HOME": str(cache or self.cache)}
        environ = {**os.environ, **own, "PYTHONUNBUFFERED": "1"}
        # An installed package has its bytecode, so a start does not compile its source.
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        return environ

    def case(self, *arguments: str) -> float:
        """Run a case of ``checkout_cases`` and return its seconds."""
        script = Path(__file__).with_name("checkout_cases.py")
        argv = [sys.executable, str(script), *arguments]
        done = subprocess.run(
            argv, env=self.environ(), cwd=self.folder, check=True, capture_output=True, text=True
        )
        return float(done.stdout)

    @contextlib.contextmanager
    def serving(
        self, manifest: Path, *options: str, cache: Path | None = None
    ) -> Iterator[tuple[int, int]]:
        """Run its ``edgezero up`` until the block ends; yield port and process id."""
        port = free_port()
        argv = [sys.executable, "-m", "edgezero_spin.cli", "up", "-f", str(manifest)]
        process = subprocess.Popen(
            [*argv, "--listen", f"127.0.0.1:{port}", *options],
            cwd=manifest.parent,
            env=self.environ(cache),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until_open(port, process)
            yield port, process.pid
        finally:
            process.terminate()
            try:
                process.wait(20)
            finally:
                process.kill()


@attrs.frozen
class Figure:
    """A case and how it is shown.

    Attributes:
        name: What is measured.
        unit: Of the figures.
        run: Measures one checkout once.
        reach: What is to be reached, for the table.
    """

    name: str
    unit: str
    run: Callable[[Checkout], float]
    reach: str = ""


def cpu_s(pid: int) -> float:
    """CPU time of a process up to now, in the kernel and out of it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _per_request(manifest: Path, *options: str) -> Callable[[Checkout], float]:
    """Milliseconds of the process for each request of one client."""

    def run(checkout: Checkout) -> float:
        with checkout.serving(manifest, *options) as (port, pid):
            measure(port, connections=1, seconds=1)
            before = cpu_s(pid)
            load = measure(port, connections=1, seconds=3)
            return (cpu_s(pid) - before) / load.requests * 1000

    return run


def _copied(manifest: Path, mib: int) -> Callable[[Checkout], float]:
    """MiB for each second of the process when a guest looks at every piece of a body."""

    def run(checkout: Checkout) -> float:
        with checkout.serving(manifest) as (port, pid):
            asyncio.run(echo(port, "/copy", MIB))
            before = cpu_s(pid)
            asyncio.run(echo(port, "/copy", mib * MIB))
            return mib / (cpu_s(pid) - before)

    return run


def _growth(manifest: Path, mib: int) -> Callable[[Checkout], float]:
    """MiB by which the process grows meanwhile."""

    def run(checkout: Checkout) -> float:
        with checkout.serving(manifest) as (port, pid):
            asyncio.run(echo(port, "/copy", MIB))
            before = _most_mib(pid)
            asyncio.run(echo(port, "/copy", mib * MIB))
            return _most_mib(pid) - before

    return run


def _most_mib(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


def _start(manifest: Path, *, wall: bool = False) -> Callable[[Checkout], float]:
    """Seconds from the start of ``edgezero up`` to its first answer, all cached."""

    def run(checkout: Checkout) -> float:
        begun = time.perf_counter()
        with checkout.serving(manifest) as (port, pid):
            asyncio.run(hello(port, 1))
            return time.perf_counter() - begun if wall else cpu_s(pid)

    return run


def _first_start(manifest: Path) -> Callable[[Checkout], float]:
    """CPU seconds of a start with an empty cache."""

    def run(checkout: Checkout) -> float:
        with (
            tempfile.TemporaryDirectory() as empty,
            checkout.serving(manifest, cache=Path(empty)) as (port, pid),
        ):
            asyncio.run(hello(port, 1))
            return cpu_s(pid)

    return run


def _after_edit(manifest: Path, edited: Path) -> Callable[[Checkout], float]:
    """CPU seconds of the first start of an app whose world was compiled before the edit."""

    def run(checkout: Checkout) -> float:
        with tempfile.TemporaryDirectory() as cache:
            for which in (manifest, edited):
                with checkout.serving(which, cache=Path(cache)) as (port, pid):
                    asyncio.run(hello(port, 1))
                    spent = cpu_s(pid)
            return spent

    return run


def guests(folder: Path) -> Mapping[str, Path]:
    """Compile what is not compiled yet; return a manifest for each guest."""
    found = {}
    for name in (*GUESTS, "edited"):
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        component = place / f"{name}.wasm"
        if not component.exists():
            source = HERE / "benchmarks" / "guests" / ("hello" if name == "edited" else name)
            if name == "edited":
                source = _edited(source, place / "source")
            componentize_app("app:app", output=component, folder=source)
        found[name] = manifest_of(component, *(["default"] if name == "values" else []))
    return found


def _edited(source: Path, place: Path) -> Path:
    shutil.copytree(source, place, dirs_exist_ok=True)
    app = place / "app.py"
    app.write_text(app.read_text() + '\nEDITED = "one line more"\n')
    return place


def figures(manifests: Mapping[str, Path]) -> list[Figure]:
    """Every case, in the order of the table."""
    hello, echoing = manifests["hello"], manifests["echo"]
    component = str(hello.with_name("hello.wasm"))
    return [
        Figure(
            "instantiate a hello",
            "ms",
            lambda checkout: checkout.case("instantiate", component) * 1000,
            "0.09 ms",
        ),
        Figure("fresh hello, process", "ms", _per_request(hello), "0.75 x"),
        Figure("reused hello, process", "ms", _per_request(hello, *REUSE), "0.8 x"),
        Figure("100 MiB looked at by the guest", "MiB/s", _copied(echoing, 100), "1.5 x"),
        Figure("growth meanwhile", "MiB", _growth(echoing, 100), "16 MiB"),
        Figure(
            "1 MiB written and read, fresh, process",
            "ms",
            _per_request(manifests["values"]),
            "0.7 x",
        ),
        Figure("start to first answer, cached", "s", _start(hello, wall=True), "0.3 s"),
        Figure("the same, CPU", "s", _start(hello)),
        Figure("fuse a hello", "s", lambda checkout: checkout.case("fuse", component), "1.5 s"),
        Figure("first start of a new world, CPU", "s", _first_start(hello), "1.1 x"),
        Figure(
            "first start after an edit, CPU", "s", _after_edit(hello, manifests["edited"]), "1.2 s"
        ),
    ]


def _once(figure: Figure, checkout: Checkout) -> float | None:
    try:
        return figure.run(checkout)
    except (subprocess.SubprocessError, OSError, PeerMissingError) as error:
        print(f"{figure.name}, {checkout.folder}: {error}", file=sys.stderr)
        return None


def _best(figure: Figure, values: list[float]) -> float | None:
    if not values:
        return None
    return max(values) if figure.unit == "MiB/s" else min(values)


def _shown(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.3g} {unit}"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("other", type=Path, help="the top folder of the other checkout")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the best counts")
    parser.add_argument("--guests", type=Path, help="where compiled guests are kept")
    parser.add_argument("--only", default="", help="a part of the names of the cases to run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgezero-bench-") as name:
        manifests = guests((given.guests or Path(name)).absolute())
        sides = [
            Checkout(place, Path(name) / f"cache-{number}")
            for number, place in enumerate((HERE, given.other.absolute()))
        ]
        print("| case | here | other | here / other | reach |\n|---|---|---|---|---|")
        for figure in figures(manifests):
            if given.only not in figure.name:
                continue
            found: list[list[float]] = [[], []]
            for _ in range(given.rounds):
                for side, checkout in enumerate(sides):
                    value = _once(figure, checkout)
                    if value is not None:
                        found[side].append(value)
            here, other = (_best(figure, values) for values in found)
            ratio = "-" if not here or not other else f"{here / other:.2f} x"
            row = [figure.name, _shown(here, figure.unit), _shown(other, figure.unit), ratio]
            print(f"| {' | '.join([*row, figure.reach])} |", flush=True)


if __name__ == "__main__":
    main()
