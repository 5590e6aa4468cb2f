"""Messages of Redis taken by a component: the Redis trigger of ``edgezero up`` on one core.

    python -m benchmarks.redis_messages [--messages 20000] [--component app.wasm]

A real redis-server and the publisher run on the other cores. The clock runs from the first message
that is published to the line in the log that the last one makes, on which the component returns an
error. The second figure counts the processor time of the host alone, so that it means the same on a
machine that is busy with other things. Without ``--component`` it is one that does nothing else;
any that exports ``fermyon:spin/inbound-redis`` and fails on a payload that is no JSON will do.
"""

import argparse
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from edgezero_spin.host.factors.redis.client import encoded
from tests.host.redis_server import running_redis

ROUNDS = 3
PAYLOAD = b'{"id": 7, "items": ["bread", "butter"], "paid": true}'
LAST = b"e: end, no JSON"

# Returns an error for a payload that begins with an e.
GUEST = """(component
  (import "fermyon:spin/redis-types" (instance $types
    (type $e (enum "success" "error")) (export "error" (type (eq $e)))))
  (alias export $types "error" (type $error))
  (core module $m
    (memory (export "mem") 2)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (func (export "take") (param $at i32) (param $length i32) (result i32)
      (i32.store8 (i32.const 16) (i32.eq (i32.load8_u (local.get $at)) (i32.const 101)))
      (i32.store8 (i32.const 17) (i32.const 1))
      (i32.const 16)))
  (core instance $i (instantiate $m))
  (func $take (param "message" (list u8)) (result (result (error $error)))
    (canon lift (core func $i "take")
      (memory (core memory $i "mem")) (realloc (core func $i "realloc"))))
  (instance $x (export "handle-message" (func $take)))
  (export "fermyon:spin/inbound-redis" (instance $x)))"""

MANIFEST = """spin_manifest_version = 2
[application]
name = "messages"
[application.trigger.redis]
address = "redis://127.0.0.1:{port}"
[[trigger.redis]]
channel = "orders"
component = "worker"
[component.worker]
source = "{source}"
"""


def seconds(folder: Path, port: int, messages: int, core: int, *flags: str) -> tuple[float, float]:
    """Return how long the messages took on one core, and how much of that was the host's."""
    command = [sys.executable, "-m", "edgezero_spin.cli", "up", "-f", str(folder / "spin.toml")]
    process = subprocess.Popen(
        [*command, "--state-dir", "", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    try:
        _until(process, "orders: [worker]")
        stream = encoded(("PUBLISH", "orders", PAYLOAD)) * messages
        stream += encoded(("PUBLISH", "orders", LAST))
        with socket.create_connection(("127.0.0.1", port)) as connection:
            began, spent = time.perf_counter(), _processor_s(process.pid)
            connection.sendall(stream)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
            _until(process, "handler failed")
            return time.perf_counter() - began, _processor_s(process.pid) - spent
    finally:
        process.terminate()
        process.communicate()


def _processor_s(process_id: int) -> float:
    """Seconds of processor time of a process so far, which others on the machine do not change."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _until(process: "subprocess.Popen[str]", wanted: str) -> None:
    for line in process.stdout or ():
        if wanted in line:
            return
    raise RuntimeError(f"the host ended before it said {wanted!r}")


def main() -> int:
    """Measure, and print one line for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--component", type=Path)
    arguments = parser.parse_args()
    *others, core = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, others or [core])
    ways = {
        "reused instances": ("--max-instance-reuse-count", "1000000"),
        "a fresh instance each": (),
    }
    with TemporaryDirectory(prefix="edgezero-bench-") as name:
        folder = Path(name)
        source = arguments.component
        if source is None:
            source = folder / "guest.wat"
            source.write_text(GUEST)
        with running_redis(folder) as port:
            text = MANIFEST.format(port=port, source=source.absolute())
            (folder / "spin.toml").write_text(text)
            for way, flags in ways.items():
                rounds = [
                    seconds(folder, port, arguments.messages, core, *flags) for _ in range(ROUNDS)
                ]
                wall, processor = (
                    arguments.messages / min(each) for each in zip(*rounds, strict=True)
                )
                print(
                    f"{way:<22} {wall:>8,.0f} messages/s on one core, "
                    f"{processor:>8,.0f} for each second of it",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
