"""``edgezero dev`` with triggers beside HTTP: the handlers of an app get real events natively."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from edgezero_spin.host.factors.redis.address import parse_redis_address
from edgezero_spin.host.factors.redis.client import RedisConnection
from tests.development.running import TIMEOUT_S, Dev, save
from tests.host.debian_servers import running_mosquitto
from tests.host.redis_server import free_port, running_redis
from tests.host.triggers.test_mqtt import publisher

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
]

MANIFEST = """spin_manifest_version = 2
[application]
name = "shop"
[variables]
port = {{ default = "{port}" }}
password = {{ default = "geheim", secret = true }}
[application.trigger.redis]
address = "redis://127.0.0.1:{{{{ port }}}}"
[[trigger.http]]
route = "/..."
component = "shop"
[[trigger.redis]]
channel = "orders"
component = "shop"
{more}
[component.shop]
source = "app.wasm"
key_value_stores = ["default"]
build.command = "edgezero componentize app:app -o app.wasm"
"""
APP = """from edgezero_spin import App, Kv, RedisMessage

app = App(kv=["default"])


@app.get("/")
async def order(kv: Kv) -> str:
    return str(await kv.default.get_bytes("order"))


@app.redis("orders")
async def on_order(message: RedisMessage, kv: Kv) -> None:
    if message.payload == b"bad":
        raise LookupError("no such order")
    await kv.default.put_bytes("order", message.payload)
    print("one took", message.payload, "of", message.channel)
"""


@contextmanager
def running(folder: Path, port: int, more: str = "", app: str = APP) -> Iterator[Dev]:
    """``edgezero dev`` of the app with these triggers."""
    (folder / "spin.toml").write_text(MANIFEST.format(port=port, more=more))
    (folder / "app.py").write_text(app)
    dev = Dev(folder)
    try:
        yield dev
    finally:
        assert dev.stop() == 0


@contextmanager
def redis(folder: Path) -> Iterator[tuple[int, RedisConnection]]:
    """A server, its port, and a connection to it."""
    with running_redis(folder) as port:
        connection = RedisConnection(parse_redis_address(f"redis://127.0.0.1:{port}"))
        with closing(connection):
            yield port, connection


def test_messages_come_to_the_app(tmp_path: Path) -> None:
    """They are there once it is loaded; stores are those of requests; a save keeps them coming.

    What a handler raises is on the terminal with its traceback, and the next message is taken.
    """
    with redis(tmp_path) as (port, connection), running(tmp_path, port) as dev:
        dev.line_with(f"127.0.0.1:{port}/orders: [shop]")
        dev.line_with("Loaded the app, 1 route")
        assert connection.call("PUBLISH", "orders", b"\xff\x00") == 1
        dev.line_with("one took b'\\xff\\x00' of orders")
        assert dev.ask("GET", "/") == (200, r"b'\xff\x00'")
        connection.call("PUBLISH", "orders", b"bad")
        assert "Traceback" in dev.line_with("Traceback")
        dev.line_with("LookupError: no such order")
        assert "'orders'" not in dev.line_with("Component shop handler failed: LookupError")
        save(tmp_path, "app.py", "one took", "two took")
        dev.line_with("Reloaded")
        assert connection.call("PUBLISH", "orders", b"") == 1
        dev.line_with("two took b'' of orders")
        save(tmp_path, "spin.toml", '"orders"', '"returns"')
        save(tmp_path, "app.py", '"orders"', '"returns"')
        dev.line_with(f"127.0.0.1:{port}/returns: [shop]")
        dev.line_with("Reloaded")
        assert connection.call("PUBLISH", "orders", b"old") == 0
        connection.call("PUBLISH", "returns", b"new")
        dev.line_with("two took b'new' of returns")


def test_a_save_waits_for_what_is_under_way(tmp_path: Path) -> None:
    """The code before it ends the message that it has, and one that does not end is named."""
    slow = """    print("begun")
    while message.payload == b"long":
        await asyncio.sleep(60)
    if message"""
    app = "import asyncio\n" + APP.replace("    if message", slow)
    with redis(tmp_path) as (port, connection), running(tmp_path, port, app=app) as dev:
        dev.line_with("Loaded")
        connection.call("PUBLISH", "orders", b"long")
        dev.line_with("begun")
        save(tmp_path, "app.py", "one took", "two took")
        dev.line_with("Reloaded")
        connection.call("PUBLISH", "orders", b"short")
        dev.line_with("two took b'short'")
        dev.line_with("redis message 'orders' was cut off in component shop")


def test_every_kind_and_every_component_of_the_app(tmp_path: Path) -> None:
    """MQTT and cron as Redis; a component that is the same file takes its own; others are named."""
    more = """[application.trigger.mqtt]
address = "mqtt://127.0.0.1:{port}"
username = ""
password = ""
keep_alive_interval = "30"
[[trigger.mqtt]]
topic = "doors/+/open"
qos = "1"
component = "shop"
[[trigger.cron]]
cron_expression = "* * * * * *"
component = "shop"
[[trigger.redis]]
channel = "returns"
component = "returns"
[[trigger.cron]]
cron_expression = "* * * * * *"
component = "foreign"
[[trigger.command]]
component = "shop"
[component.foreign]
source = "foreign.wasm"
[component.returns]
source = "app.wasm"
environment = {{ EDGEZERO__TRIGGER = "returns" }}
"""
    app = (
        APP.replace("RedisMessage\n", "CronEvent, MqttMessage, RedisMessage\n")
        + """

@app.redis("returns")
async def on_return(message: RedisMessage, kv: Kv) -> None:
    print("returned", message.payload)
    await kv.default.put_bytes("order", b"")


@app.mqtt("doors/{door}/open", qos=1)
async def on_door(door: int, message: MqttMessage) -> None:
    print("door", door, message.payload)


@app.cron("* * * * * *")
def tick(event: CronEvent) -> None:
    print("tick", event.expression)
"""
    )
    with (
        running_mosquitto() as broker,
        redis(tmp_path) as (port, connection),
        running(tmp_path, port, more.format(port=broker), app) as dev,
    ):
        said = dev.line_with("`edgezero dev` serves the app of 'shop' alone")
        assert "without the cron trigger of 'foreign', the command trigger of 'shop'" in said
        # Of several handlers a component is told which one is meant, and `shop` is not.
        dev.line_with("component 'shop' has handlers of several redis triggers")
        dev.line_with("Loaded")
        connection.call("PUBLISH", "returns", b"7")
        dev.line_with("returned b'7'")
        # Its own component has no store.
        dev.line_with("access-denied")
        with publisher(broker) as publish:
            publish("doors/7/open", b"wide", 1)
        dev.line_with("door 7 b'wide'")
        dev.line_with("tick * * * * * *")


def test_a_server_that_is_gone_comes_back(tmp_path: Path) -> None:
    """Requests are answered meanwhile; each change is one line, without the password."""
    port = free_port()
    with running(tmp_path, port) as dev:
        dev.line_with("Loaded")
        save(tmp_path, "spin.toml", "redis://", "redis://:{{ password }}@")
        dev.line_with("Reloaded")
        assert dev.ask("GET", "/") == (200, "None")
        options = ("--port", str(port), "--requirepass", "geheim")
        with running_redis(tmp_path, *options):
            dev.line_with("connected again")
            dev.line_with(f"127.0.0.1:{port}/orders: [shop]")
        dev.line_with("disconnected from")
        dev.process.send_signal(signal.SIGINT)
        dev.process.wait(TIMEOUT_S)
        assert "geheim" not in dev.said()


def test_a_handler_that_nothing_starts(tmp_path: Path) -> None:
    """It is named with the table to write, as `edgezero componentize` does."""
    app = APP + '\n\n@app.cron("0 0 3 * * *")\ndef nightly() -> None: ...\n'
    with redis(tmp_path) as (port, _), running(tmp_path, port, app=app) as dev:
        dev.line_with("nothing starts the cron handler '0 0 3 * * *' of the app; add:")
        dev.line_with("[[trigger.cron]]")
        dev.line_with("Loaded")
