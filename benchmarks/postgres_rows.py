"""Rows of PostgreSQL given to a guest: the embedded host against psycopg in the same process.

    python -m benchmarks.postgres_rows [--rows 1000] [--columns 10]

Both sides run the same statement on the same server over TCP, in turns. psycopg's cursor fetches
all rows as tuples. The guest is a component whose memory the rows end in, as
``spin:postgres/postgres`` has them: what is counted is the host's part and the guest's allocator,
which here only moves a pointer, and nothing that a guest does with the rows. Figures are
milliseconds, the best and the median of all turns, and the CPU time of the thread, which has
neither the server nor other programs in it; ratios are what to compare between machines.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from edgezero_spin.host.factors.instance import Grants, InstanceState
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
from edgezero_spin.host.factors.postgres.factor import PostgresConnections
from edgezero_spin.host.load.interfaces import HostInterfaces
from edgezero_spin.host.runtime.component_loading import load_component
from edgezero_spin.host.runtime.engine import EngineSettings, make_engine
from edgezero_spin.host.runtime.linking import link
from tests.host.debian_servers import running_postgres

TURNS = 60
QUERIES = 5
WIT = Path(__file__).parents[1] / "tests/component/guests/platform/wit/deps/postgres4"

WORLD = """
package bench:rows;
world rows {
  import spin:postgres/postgres@4.1.0;
  export run: func(address: string, statement: string, count: u32) -> u32;
}
"""

# Leaves the rows in memory and forgets them at the next query.
GUEST = """
(module
  (import "spin:postgres/postgres@4.1.0" "[static]connection.open"
    (func $open (param i32 i32 i32)))
  (import "spin:postgres/postgres@4.1.0" "[method]connection.query"
    (func $query (param i32 i32 i32 i32 i32 i32)))
  (import "spin:postgres/postgres@4.1.0" "[resource-drop]connection" (func $drop (param i32)))
  (memory (export "memory") 320)
  (global $top (mut i32) (i32.const 1024))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func (export "run") (param $address i32) (param $address_size i32)
      (param $statement i32) (param $statement_size i32) (param $count i32) (result i32)
      (local $connection i32) (local $kept i32)
    (call $open (local.get $address) (local.get $address_size) (i32.const 16))
    (if (i32.load8_u (i32.const 16)) (then unreachable))
    (local.set $connection (i32.load (i32.const 20)))
    (local.set $kept (global.get $top))
    (loop $again
      (global.set $top (local.get $kept))
      (call $query (local.get $connection) (local.get $statement) (local.get $statement_size)
        (i32.const 0) (i32.const 0) (i32.const 16))
      (if (i32.load8_u (i32.const 16)) (then unreachable))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $again (local.get $count)))
    (call $drop (local.get $connection))
    (global.set $top (i32.const 1024))
    (i32.load (i32.const 32))))
"""

COLUMNS = (
    "g AS id",
    "'name ' || g AS name",
    "g * 1.5::float8 AS amount",
    "g % 2 = 0 AS active",
    "g::int8 * 1000000007 AS big",
    "'a somewhat longer text for row ' || g AS description",
    "timestamp '2026-01-01' + g * interval '1 s' AS created",
    "CASE WHEN g % 3 = 0 THEN NULL ELSE g END AS parent",
    "md5(g::text) AS digest",
    "(g % 100)::int2 AS kind",
)


def _component(folder: Path) -> Path:
    """Build the guest."""
    wit = folder / "wit"
    (wit / "deps").mkdir(parents=True)
    (wit / "deps" / "postgres4").symlink_to(WIT)
    (wit / "world.wit").write_text(WORLD)
    (folder / "guest.wat").write_text(GUEST)
    tool = str(Path(sys.executable).with_name("wasm-tools"))
    embedded, made = folder / "embedded.wasm", folder / "guest.wasm"
    embed = [str(wit), str(folder / "guest.wat"), "-o", str(embedded)]
    subprocess.run([tool, "component", "embed", *embed], check=True)
    subprocess.run([tool, "component", "new", str(embedded), "-o", str(made)], check=True)
    return made


def _seconds(run: Callable[[], object]) -> tuple[float, float]:
    start, cpu = time.perf_counter(), time.thread_time()
    run()
    return (time.perf_counter() - start) / QUERIES, (time.thread_time() - cpu) / QUERIES


def measure(rows: int, columns: int) -> dict[str, list[tuple[float, float]]]:
    """Return seconds per query and those of the thread's CPU, of each turn, by side."""
    found: dict[str, list[tuple[float, float]]] = {
        "guest": [],
        "psycopg": [],
        "psycopg, binary": [],
    }
    settings = EngineSettings(pooling=False, epoch=False)
    postgres = PostgresConnections()
    with TemporaryDirectory() as name, running_postgres() as port, make_engine(settings) as engine:
        address = f"postgres://postgres:postgres@localhost:{port}/postgres?sslmode=disable"
        table = f"CREATE TABLE t AS SELECT {', '.join(COLUMNS)} FROM generate_series(1, {rows}) g"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(table)
            names = [column.rpartition(" AS ")[2] for column in COLUMNS[:columns]]
            statement = f"SELECT {', '.join(names)} FROM t"
            text, binary = connection.cursor(), connection.cursor(binary=True)
            component = load_component(engine, _component(Path(name)))
            linked = link(engine, component, HostInterfaces())
            state = InstanceState(
                Grants(
                    component_id="bench",
                    outbound=OutboundHosts(["postgres://localhost:*"]),
                    postgres=postgres,
                    log=Logs(None).of("bench"),
                )
            )
            instance = linked.instantiate(state)
            sides: dict[str, Callable[[], object]] = {
                "guest": lambda: instance.call(None, "run", address, statement, QUERIES),
                "psycopg": lambda: [text.execute(statement).fetchall() for _ in range(QUERIES)],
                "psycopg, binary": lambda: [
                    binary.execute(statement).fetchall() for _ in range(QUERIES)
                ],
            }
            for run in sides.values():
                run()
            for _ in range(TURNS):
                for side, run in sides.items():
                    found[side].append(_seconds(run))
            instance.close()
    postgres.close()
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--columns", type=int, default=len(COLUMNS))
    arguments = parser.parse_args()
    found = measure(arguments.rows, arguments.columns)
    base, base_cpu = (min(times) for times in zip(*found["psycopg"], strict=True))
    print(f"{'side':18} {'best ms':>9} {'median ms':>10} {'ratio':>8} {'CPU ms':>8} {'ratio':>8}")
    for side, turns in found.items():
        times, cpu_times = zip(*turns, strict=True)
        best, median, cpu = min(times), statistics.median(times), min(cpu_times)
        print(
            f"{side:18} {best * 1e3:9.2f} {median * 1e3:10.2f} {best / base:7.2f}x "
            f"{cpu * 1e3:8.2f} {cpu / base_cpu:7.2f}x"
        )


if __name__ == "__main__":
    main()
