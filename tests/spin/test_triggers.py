"""One guest with a Redis trigger on this host and on Spin: what it is given, and what is logged."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import wasmtime

from edgezero_spin.host.factors.redis.address import parse_redis_address
from edgezero_spin.host.factors.redis.client import RedisConnection
from edgezero_spin.project.componentize import componentize_app
from edgezero_spin.project.world import WASI_VERSIONS, Wasi
from tests.host.redis_server import running_redis
from tests.host.triggers.guest import CRON_2, MQTT_OLD, REDIS, REDIS_3, guest
from tests.spin.programs import EMBEDDED, Program

MESSAGES = [b"one", b"\xff\x00two", b"", b"e: fails", b"t: traps", b"three", b"z" * 4000]

MANIFEST = """spin_manifest_version = 2
[application]
name = "events"
[variables]
port = {{ default = "{port}" }}
[application.trigger.redis]
address = "redis://127.0.0.1:{{{{ port }}}}"
[[trigger.redis]]
channel = "orders"
component = "worker"
[[trigger.redis]]
channel = "orders"
component = "second"
[component.worker]
source = "guest.wasm"
[component.second]
source = "guest.wasm"
"""


@contextmanager
def started(command: list[str], folder: Path, logs: Path) -> Iterator[None]:
    """Run a program on an application until it is subscribed."""
    with (folder / f"{logs.name}.txt").open("w+") as said:
        process = subprocess.Popen(
            [*command, "up", "-f", "spin.toml", "--log-dir", str(logs), "--state-dir", ""],
            cwd=folder,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def subscribers(connection: RedisConnection) -> int:
    """How many programs listen."""
    count: int = connection.call("PUBSUB", "NUMSUB", "orders")[1]
    return count


@pytest.mark.parametrize("kinds", [(REDIS,), (REDIS_3,), (REDIS, CRON_2, MQTT_OLD)])
def test_a_guest_prints_the_same_on_both(
    kinds: tuple[str, ...], spin: Program, tmp_path: Path
) -> None:
    """Both components on a channel get every message, in order, after failures and traps, too.

    A component that exports what other triggers call as well is no different.
    """
    # RDT-3, RDT-7, RDT-8, V-61, V-63
    (tmp_path / "guest.wasm").write_bytes(wasmtime.wat2wasm(guest(*kinds)))
    assert printed_by_all(spin, tmp_path) == [b"".join(message + b"\n" for message in MESSAGES)] * 4


APP = """from edgezero_spin import App, RedisMessage, run_app

app = App()


@app.redis("orders")
async def on_order(message: RedisMessage) -> None:
    print(message.payload)
    if message.payload.startswith(b"e"):
        raise LookupError("no such order")


IncomingHandler = run_app(app)
"""


@pytest.mark.parametrize("wasi", WASI_VERSIONS)
def test_an_app_takes_the_same_on_both(wasi: Wasi, spin: Program, tmp_path: Path) -> None:
    """Its component of either WASI is one that Spin's Redis trigger runs."""
    (tmp_path / "app.py").write_text(APP)
    componentize_app("app", output=tmp_path / "guest.wasm", folder=tmp_path, wasi=wasi)
    expected = "".join(f"{message!r}\n" for message in MESSAGES)
    assert printed_by_all(spin, tmp_path) == [expected.encode()] * 4


def printed_by_all(spin: Program, folder: Path) -> list[bytes]:
    """What both components print of the messages, on this host and on Spin."""
    ours = list(EMBEDDED.command)
    with running_redis(folder) as port:
        (folder / "spin.toml").write_text(MANIFEST.format(port=port))
        connection = RedisConnection(parse_redis_address(f"redis://127.0.0.1:{port}"))
        with (
            started(ours, folder, folder / "ours"),
            started(list(spin.command), folder, folder / "theirs"),
        ):
            end = time.monotonic() + 300
            while subscribers(connection) < 2 and time.monotonic() < end:
                time.sleep(0.05)
            for message in MESSAGES:
                assert connection.call("PUBLISH", "orders", message) == 2
            ends = (MESSAGES[-1] + b"\n", MESSAGES[-1] + b"'\n")
            files = [
                folder / place / f"{id}_stdout.txt"
                for place in ("ours", "theirs")
                for id in ("worker", "second")
            ]
            while time.monotonic() < end and not all(
                file.exists() and file.read_bytes().endswith(ends) for file in files
            ):
                time.sleep(0.05)
        connection.close()
    return [file.read_bytes() for file in files]
