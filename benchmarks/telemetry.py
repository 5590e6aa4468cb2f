"""Costs of telemetry on the embedded host: ``python -m benchmarks.telemetry [COMPONENT]``.

``edgezero up`` serves a hello whose instances are used again: as it is, with telemetry where 1 % of
the requests are sampled, with all of them, and once more as it is, which shows how far the figure
of one run is to be trusted. The four take turns, so that what else the machine does falls on all.
The figure is processor time of the server per request; the collector is a process of its own.
"""

import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.builds import build_guests
from benchmarks.load import measure
from benchmarks.serving import Served, manifest_of, serving

ROUNDS = 12
SECONDS = 2.0
CASES: dict[str, dict[str, str] | None] = {
    "off": None,
    "on, 1 % sampled": {
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.01",
    },
    "on, all sampled": {},
    "off again": None,
}

_COLLECTOR = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *arguments):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def cost_ms(served: Served) -> float:
    """Processor time of one request, in milliseconds, in one turn."""
    before = served.cpu_s()
    load = measure(served.port, connections=4, seconds=SECONDS)
    return (served.cpu_s() - before) / load.requests * 1000


def main(component: Path) -> None:
    """Print a row for each case."""
    manifest = manifest_of(component)
    with ExitStack() as owned:
        collector = subprocess.Popen(
            [sys.executable, "-c", _COLLECTOR], stdout=subprocess.PIPE, text=True
        )
        owned.callback(collector.wait)
        owned.callback(collector.kill)
        port = int(collector.stdout.readline()) if collector.stdout else 0
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
        servers = {
            name: owned.enter_context(
                serving(
                    manifest,
                    "--no-access-log",
                    "--max-instance-reuse-count",
                    "1000000",
                    environment=None if variables is None else {**endpoint, **variables},
                )
            )
            for name, variables in CASES.items()
        }
        for served in servers.values():
            cost_ms(served)
        turns: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(ROUNDS):
            for name, served in servers.items():
                turns[name].append(cost_ms(served))
    print("| telemetry | median, ms of CPU per request | against the mean of both rows without |")
    print("|---|---|---|")
    medians = {name: statistics.median(found) for name, found in turns.items()}
    off = statistics.mean([medians["off"], medians["off again"]])
    for name, median in medians.items():
        print(f"| {name} | {median:.3f} | {median / off - 1:+.1%} |")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="edgezero-bench-") as name:
        given = sys.argv[1:]
        main(Path(given[0]) if given else build_guests(Path(name))["hello"].path)
