"""``make bench``: measure, compare with the peers of the same run, print a table.

python -m benchmarks                  everything
python -m benchmarks instructions     only that part of builds, instructions, requests, spin,
                                      host, servers, testing, concurrent
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.beside_spin import beside_spin
from benchmarks.builds import Built, build_guests, plain_build_seconds
from benchmarks.concurrency import concurrent_table
from benchmarks.host import host_table
from benchmarks.instructions import cost_of
from benchmarks.load import Load
from benchmarks.peers import PeerMissingError
from benchmarks.requests_per_second import embedded_load, jco_load
from benchmarks.servers import servers_table
from benchmarks.testing_kit import testing_table

PARTS = ("builds", "instructions", "requests", "spin", "host", "servers", "testing", "concurrent")
NOTE = ("POST", "/notes/7", b'{"title":"a","text":"b"}')
REQUESTS = {
    "bare_note": NOTE,
    "note": NOTE,
    "spin_sdk_5_note": NOTE,
    "note_03": NOTE,
    "note_layers": (NOTE[0], f"{NOTE[1]}?page=2&tags=a&tags=b", NOTE[2]),
}
SECONDS = 8


def main(wanted: list[str]) -> int:
    """Run the parts that are asked for; return the exit status."""
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        print(f"no part {unknown[0]!r} (there are: {', '.join(PARTS)})", file=sys.stderr)
        return 2
    parts = wanted or list(PARTS)
    if not {"host", "servers", "testing", "concurrent"}.issuperset(parts):
        compare(parts)
    if "host" in parts:
        host_table()
    if "servers" in parts:
        servers_table()
    if "testing" in parts:
        testing_table()
    if "concurrent" in parts:
        concurrent_table()
    return 0


def compare(parts: list[str]) -> None:
    """Compile the guests, and measure them against the peers."""
    with tempfile.TemporaryDirectory(prefix="edgezero-bench-") as name:
        folder = Path(name)
        print("compiling the guests", file=sys.stderr)
        guests = build_guests(folder)
        if "builds" in parts:
            builds(guests, folder)
        if "instructions" in parts:
            instructions(guests)
        if "requests" in parts:
            requests(guests["hello"].path)
        if "spin" in parts:
            spin_tables(guests, folder)


def builds(guests: dict[str, Built], folder: Path) -> None:
    """Sizes, and the time of a build against plain componentize-py."""
    print("\n| component | size |\n|---|---|")
    for name, built in guests.items():
        print(f"| {name} | {built.megabytes:.1f} MB |")
    # Alternating, so that what else the machine does falls on both.
    ours, plain = [], []
    for _ in range(3):
        plain.append(plain_build_seconds("hello", folder))
        ours.append(rebuild_hello(folder))
    print("\n| build of hello, best of 3 | seconds | ratio |\n|---|---|---|")
    print(f"| plain componentize-py | {min(plain):.2f} | 1 |")
    print(f"| edgezero componentize | {min(ours):.2f} | {min(ours) / min(plain):.2f} |")


def rebuild_hello(folder: Path) -> float:
    """Build hello once more; return its seconds."""
    from edgezero_spin.project.componentize import componentize_app

    source = Path(__file__).parent / "guests" / "hello"
    result = componentize_app("app", output=folder / "hello_again.wasm", folder=source)
    return result.seconds


def instructions(guests: dict[str, Built]) -> None:
    """Instructions and host calls per request, and what they are of another guest's."""
    print("\n| guest | against | fresh instance | ratio | third call | ratio | host calls |")
    print("|---|---|---|---|---|---|---|")
    for name, against in (
        ("bare_hello", "bare_hello"),
        ("hello", "bare_hello"),
        ("spin_sdk_hello", "bare_hello"),
        ("bare_note", "bare_note"),
        ("note", "bare_note"),
        ("spin_sdk_5_hello", "spin_sdk_5_hello"),
        ("hello_03", "spin_sdk_5_hello"),
        ("spin_sdk_5_note", "spin_sdk_5_note"),
        ("note_03", "spin_sdk_5_note"),
        ("note_layers", "bare_note"),
    ):
        if not {name, against} <= guests.keys():
            continue
        request = REQUESTS.get(name, ("GET", "/", b""))
        cost = cost_of(guests[name].path, *request)
        base = cost_of(guests[against].path, *request)
        print(
            f"| {name} | {against} | {cost.first} | {cost.first / base.first:.2f} x "
            f"| {cost.later} | {cost.later / base.later:.2f} x | {cost.host_calls} |"
        )


def requests(component: Path) -> None:
    """Requests per second of hello against jco, instances fresh and used again."""
    print("\n| host | instances | clients | requests/s | p50 ms | p99 ms | against jco alike |")
    print("|---|---|---|---|---|---|---|")
    for instances, jco, ours in (
        ("fresh", ("--isolate-requests", "instance"), ()),
        ("used again", (), ("--max-instance-reuse-count", "1000000")),
    ):
        base = None
        try:
            load = jco_load(component, *jco, connections=16, seconds=SECONDS)
            base = load.per_second
            _load_row("jco serve", instances, 16, load, base)
        except PeerMissingError as error:
            print(f"jco is left out: {error}", file=sys.stderr)
        for clients in (1, 4, 16):
            load = embedded_load(component, *ours, connections=clients, seconds=SECONDS)
            _load_row("embedded", instances, clients, load, base)


def spin_tables(guests: dict[str, Built], folder: Path) -> None:
    """The embedded host beside Spin."""
    plain = folder / "plain_hello.wasm"
    try:
        if not plain.exists():
            plain_build_seconds("hello", folder)
        beside_spin(plain, *(guests[name].path for name in ("hello", "bare_note", "note")))
    except PeerMissingError as error:
        print(f"Spin is left out: {error}", file=sys.stderr)


def _load_row(host: str, instances: str, clients: int, load: Load, base: float | None) -> None:
    ratio = "" if base is None else f"{load.per_second / base:.1f} x"
    print(
        f"| {host} | {instances} | {clients} | {load.per_second:.0f} | {load.p50_ms:.2f} "
        f"| {load.p99_ms:.2f} | {ratio} |",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
