"""Handlers of events that were written on other kits run on this host, unchanged."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers import PeerMissingError
from edgezero_spin.host import (
    CronEvent,
    Host,
    HostSettings,
    MqttMessage,
    OutcomeKind,
    RedisMessage,
)
from edgezero_spin.host.load.local_stores import open_store
from edgezero_spin.host.runtime.engine import Engine
from tests.foreign.building import build_rust, build_spin_sdk_with_stores
from tests.host.support import Capture, HostLog

GUESTS = Path(__file__).parent / "guests"
MANIFEST = """spin_manifest_version = 2
[application]
name = "orders"
[application.trigger.redis]
address = "redis://127.0.0.1:1"
[[trigger.redis]]
channel = "orders"
component = "orders"
[component.orders]
source = {source}
key_value_stores = ["default"]
"""


@pytest.mark.parametrize(
    ("guest", "release"),
    [
        ("spin_sdk_redis", "3.4.1"),
        ("spin_sdk_5_redis", "4.0.0"),
        ("spin_sdk_5_redis", "5.0.0"),
        pytest.param("rust_sdk", "5.2.0", marks=pytest.mark.timeout(900)),
        pytest.param("rust_sdk_03", "7.0.0", marks=pytest.mark.timeout(900)),
    ],
)
def test_a_redis_handler_of_spin_sdk(
    guest: str, release: str, engine: Engine, tmp_path: Path
) -> None:
    """It takes messages of any bytes, has its stores, and a failure leaves the next one alone."""
    # RDT-7, RDT-8
    try:
        if guest.startswith("rust"):
            component = build_rust(GUESTS / guest, tmp_path, release)
        else:
            component = build_spin_sdk_with_stores(
                GUESTS / guest, tmp_path / "build", release, trigger="redis"
            )
    except PeerMissingError as error:
        pytest.skip(str(error))
    path = tmp_path / "spin.toml"
    path.write_text(MANIFEST.format(source=json.dumps(str(component))))
    printed: Any = Capture()
    settings = HostSettings(cache_dir=None)
    with (
        HostLog() as log,
        Host.from_manifest(
            path, engine=engine, settings=settings, echo_to=printed, log_dir=""
        ) as host,
    ):

        async def take(payload: bytes) -> OutcomeKind:
            [outcome] = await host.trigger(RedisMessage("orders", payload))
            return outcome.kind

        async def run() -> list[OutcomeKind]:
            return [await take(payload) for payload in (b"bad", b"", b"\xff\x00")]

        # An error of Rust's is the interface's, an exception of Python's a trap.
        bad = OutcomeKind.ERROR if guest.startswith("rust") else OutcomeKind.FAILED
        assert asyncio.run(run()) == [bad, OutcomeKind.OK, OutcomeKind.OK]
    taken = rb"took [255, 0]" if guest.startswith("rust") else rb"took b'\xff\x00'"
    assert taken in printed.content
    assert b"no such order" in printed.content
    failed = "handler failed" if guest.startswith("rust") else "Error processing redis message"
    assert failed.encode() in log.content
    with open_store(tmp_path, "default") as store:
        assert store.get("message") == b"\xff\x00"


EVENTS = """spin_manifest_version = 2
[application]
name = "events"
[application.trigger.mqtt]
address = "mqtt://127.0.0.1:1"
username = "user"
password = "password"
keep_alive_interval = "30"
[[trigger.mqtt]]
topic = "rooms/#"
qos = "1"
component = "events"
[[trigger.cron]]
cron_expression = "0 0 * * * *"
component = "events"
[component.events]
source = {source}
"""


@pytest.mark.timeout(900)
def test_handlers_of_cron_and_mqtt_on_wit_bindgen(engine: Engine, tmp_path: Path) -> None:
    """A core module exports asynchronous functions by themselves; an error is no trap."""
    try:
        packages = ("spin-cron@3.0.0", "spin-mqtt-trigger@3.0.0")
        component = build_rust(GUESTS / "rust_events", tmp_path, wit=packages)
    except PeerMissingError as error:
        pytest.skip(str(error))
    path = tmp_path / "spin.toml"
    path.write_text(EVENTS.format(source=json.dumps(str(component))))
    printed: Any = Capture()
    settings = HostSettings(cache_dir=None)
    with Host.from_manifest(
        path, engine=engine, settings=settings, echo_to=printed, log_dir=""
    ) as host:

        async def run() -> list[OutcomeKind]:
            found = []
            for event in (
                CronEvent("0 0 * * * *", 0),
                CronEvent("0 0 * * * *", 3600),
                MqttMessage("rooms/1", b"warm"),
            ):
                [outcome] = await host.trigger(event)
                found.append(outcome.kind)
            return found

        assert asyncio.run(run()) == [OutcomeKind.ERROR, OutcomeKind.OK, OutcomeKind.OK]
    for line in (b"at 0", b"at 3600", b"warm on rooms/1"):
        assert line in printed.content
