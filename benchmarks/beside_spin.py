"""The embedded host and Spin by turns: hello, and an answer behind a store call.

In: components that were compiled. Out: rows of tables. All hosts run at the same time and are
asked one after the other, round by round, so that what else the machine does falls on all; a
figure is the median of its rounds. On a machine with neighbours the processor time of a request
means more than the requests per second.
"""

import contextlib
import os
import shutil
import statistics
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from benchmarks.load import Load, measure
from benchmarks.peers import PeerMissingError
from benchmarks.serving import Served, manifest_of, serving

__all__ = ["beside_spin"]

ROUNDS = 5
SECONDS = 2.0

KEEP = {
    "SPIN_WASMTIME_LINEAR_MEMORY_KEEP_RESIDENT": str(32 * 1024 * 1024),
    "SPIN_WASMTIME_TABLE_KEEP_RESIDENT": str(1024 * 1024),
}
"""What ``edgezero serve`` sets when it starts Spin."""

NOTE_BODY = b'{"title": "Bread", "text": "flour and water"}'
STORES = '[key_value_store.notes]\ntype = "spin"\npath = "notes.db"\n'


@attrs.frozen
class Row:
    """A host with a component.

    Attributes:
        host: For the table.
        component: Likewise.
        path: Of the component.
        is_spin: Whether Spin serves it.
        environment: Variables for it.
        flags: Of its command line.
    """

    host: str
    component: str
    path: Path
    is_spin: bool = True
    environment: Mapping[str, str] = attrs.field(factory=dict)
    flags: tuple[str, ...] = ()


def beside_spin(plain: Path, hello: Path, bare_note: Path, note: Path) -> None:
    """Print both tables.

    Args:
        plain: hello as componentize-py makes it.
        hello: The same as this library makes it.
        bare_note: A note on the generated bindings, whose head leaves before its body.
        note: The same as an ``App``.

    Raises:
        PeerMissingError: There is no Spin: ``SPIN`` names one, or ``spin`` is on the PATH.
    """
    ours = "edgezero componentize"
    rows = [
        Row("spin up", "plain componentize-py", plain),
        Row("spin up", ours, hello),
        Row("spin up, told to keep 32 MiB", "plain componentize-py", plain, environment=KEEP),
        Row("spin up, told to keep 32 MiB", ours, hello, environment=KEEP),
        Row("embedded", ours, hello, is_spin=False),
        Row("embedded, --workers 2", ours, hello, is_spin=False, flags=("--workers", "2")),
    ]
    print("\n| host | component | clients | requests/s | p50 ms | CPU per request, ms |")
    print("|---|---|---|---|---|---|")
    for clients in (1, 16):
        loads = _by_turns(rows, connections=clients)
        for row, seen in zip(rows, loads, strict=True):
            print(f"| {row.host} | {row.component} | {clients} {_figures(seen)} |", flush=True)
    rows = [
        Row("spin up", "bare_note: the head, then the body", bare_note),
        Row("spin up", "note: both together", note),
    ]
    print("\n| host | component | requests/s | p50 ms | CPU per request, ms |")
    print("|---|---|---|---|---|")
    for row, seen in zip(rows, _by_turns(rows, connections=1, stores=True), strict=True):
        print(f"| {row.host} | {row.component} {_figures(seen)} |", flush=True)


@attrs.frozen
class Seen:
    """One round.

    Attributes:
        load: What the client saw.
        cpu_ms: Processor time of the host for each request.
    """

    load: Load
    cpu_ms: float


def _by_turns(rows: list[Row], *, connections: int, stores: bool = False) -> list[list[Seen]]:
    """Measure all rows, round by round; the first round warms them and does not count."""
    asked: dict[str, Any] = {"connections": connections, "seconds": SECONDS}
    if stores:
        asked.update(path="/notes/bread", method="POST", body=NOTE_BODY)
    with contextlib.ExitStack() as stack:
        hosts = [stack.enter_context(_served(row, stores)) for row in rows]
        seen: list[list[Seen]] = [[] for _ in rows]
        for number in range(ROUNDS + 1):
            for host, rounds in zip(hosts, seen, strict=True):
                before = host.cpu_s()
                load = measure(host.port, **asked)
                if number:
                    rounds.append(Seen(load, (host.cpu_s() - before) / load.requests * 1000))
    return seen


@contextlib.contextmanager
def _served(row: Row, stores: bool) -> Iterator[Served]:
    labels = ("notes",) if stores else ()
    options = list(row.flags)
    if stores:
        config = row.path.with_name("stores.toml")
        config.write_text(STORES, encoding="utf-8")
        options += ["--runtime-config-file", str(config)]
    command = (_spin(),) if row.is_spin else (sys.executable, "-m", "edgezero_spin.cli")
    manifest = manifest_of(row.path, *labels)
    with serving(manifest, *options, command=command, environment=row.environment) as served:
        yield served


def _spin() -> str:
    spin = shutil.which(os.environ.get("SPIN", "spin"))
    if spin is None:
        raise PeerMissingError("no spin on the PATH; SPIN can name one")
    return spin


def _figures(seen: list[Seen]) -> str:
    per_second = statistics.median(one.load.per_second for one in seen)
    p50_ms = statistics.median(one.load.p50_ms for one in seen)
    cpu_ms = statistics.median(one.cpu_ms for one in seen)
    return f"| {per_second:.0f} | {p50_ms:.2f} | {cpu_ms:.2f}"
