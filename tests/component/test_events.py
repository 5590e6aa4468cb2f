"""Handlers of Redis, MQTT and cron in a component, of both WASI."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edgezero_spin.project.inspection import inspect_component
from edgezero_spin.project.world import Wasi
from edgezero_spin.testing import ComponentClient, KitError
from tests.component.conftest import Build

MANIFEST = """spin_manifest_version = 2
[application]
name = "events"
[application.trigger.redis]
address = "redis://127.0.0.1:1"
[application.trigger.mqtt]
address = "mqtt://127.0.0.1:1"
username = ""
password = ""
keep_alive_interval = "30"
[[trigger.http]]
route = "/..."
component = "events"
[[trigger.mqtt]]
topic = "doors/+/open"
qos = "1"
component = "events"
[[trigger.cron]]
cron_expression = "0 */5 * * * *"
component = "events"
[component.events]
source = "app.wasm"
key_value_stores = ["notes"]
"""


def of_channel(channel: str) -> str:
    """A component of the same file for the messages of one channel."""
    return f"""[[trigger.redis]]
channel = "{channel}"
component = "{channel}"
[component.{channel}]
source = "app.wasm"
key_value_stores = ["notes"]
environment = {{ EDGEZERO__TRIGGER = "{channel}" }}
"""


@pytest.fixture(params=["0.2", "0.3"])
def client(
    request: pytest.FixtureRequest, build: Build, tmp_path: Path
) -> Iterator[ComponentClient]:
    """A client of the application on each WASI."""
    wasi: Wasi = request.param
    (tmp_path / "app.wasm").symlink_to(build("events", wasi))
    (tmp_path / "spin.toml").write_text(MANIFEST + of_channel("orders") + of_channel("ends"))
    with ComponentClient(tmp_path, allow_stale=True) as made:
        yield made


def test_handlers_take_events(client: ComponentClient) -> None:
    """With models, names in topics and stores, which requests see, too."""
    result = client.redis("orders", json={"id": 7})
    assert result.raise_for_error().calls.texts == ["open notes", "set notes order-7"]
    assert result.usage is not None
    assert result.usage.fuel > 0
    assert client.get("/notes/order-7").text == "orders"
    result = client.mqtt("doors/7/open", "wide")
    assert (result.ok, result.stderr) == (True, "opened\n")
    assert client.get("/notes/door-7").text == "wide"
    at = datetime(2026, 11, 30, 12, 5, tzinfo=UTC)
    assert client.cron("0 */5 * * * *", at=at).ok
    assert client.get("/notes/tick").text == f"0 */5 * * * * {int(at.timestamp())}"


def test_what_fails_is_told(client: ComponentClient) -> None:
    """On standard error, with a traceback where the app is at fault; the next event is taken."""
    result = client.redis("ends", b"e: end")
    assert not result.ok
    assert "LookupError: the end" in result.stderr
    assert "Traceback" in result.stderr
    result = client.redis("orders", b"{}")
    assert "invalid JSON payload" in result.stderr
    assert "Traceback" not in result.stderr
    result = client.mqtt("doors/front/open")
    assert result.error == "other: invalid path parameters: door: not a whole number"
    assert client.redis("ends", b"more").ok
    with pytest.raises(KitError, match=r"no trigger in .*spin\.toml listens to"):
        client.redis("others")


@pytest.mark.parametrize("wasi", ["0.2", "0.3"])
def test_the_component_exports_what_triggers_call(wasi: Wasi, build: Build) -> None:
    """And imports what its handlers use."""
    found = inspect_component(build("events", wasi))
    redis = "fermyon:spin/inbound-redis" if wasi == "0.2" else "spin:redis/inbound-redis@3.0.0"
    assert {redis, "handle-message", "handle-cron-event"} <= set(found.exports)
