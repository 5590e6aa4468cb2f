"""What a test can do to stores, and what the kit says about slips."""

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin import App
from edgezero_spin.manifest import Problem
from edgezero_spin.manifest.app_config import flatten
from edgezero_spin.testing import (
    KitError,
    PreloadError,
    StoreCall,
    TestClient,
    UnknownLabelError,
    UnknownVariableError,
    as_json,
)
from edgezero_spin.testing.preload import config_entries
from tests.testing.notes_app import Note


def test_preloaded_values(client: TestClient) -> None:
    """Bytes and text are stored as they are, other values as JSON, tables as dotted keys."""
    assert dict(client.kv["notes"]) == {
        "bread": b'{"title":"Bread"}',
        "raw": b"\x00\xff",
        "text": b"plain",
    }
    assert client.get("/raw/notes/raw").content == b"\x00\xff"
    settings = dict(client.config["settings"])
    whole = json.loads(settings.pop("settings"))
    assert settings == {"greeting": b"Hi", "page.size": b"20", "page.wide": b"true"}
    assert whole["data"] == {"greeting": "Hi", "page": {"size": 20, "wide": True}}
    assert client.get("/config/page.size").text == "20"
    assert client.get("/secret/token").text == "s3cret"


def test_reading_back_and_writing_between_requests(client: TestClient) -> None:
    """A test sees what the app wrote, and the app what the test wrote."""
    client.put("/notes/tea", json={"title": "Tea", "tags": ["hot"]})
    notes = client.kv["notes"]
    assert notes["tea"] == b'{"title":"Tea","tags":["hot"]}'
    assert notes.json("tea", Note) == Note("Tea", ["hot"])
    notes["milk"] = {"title": "Milk"}
    notes.put("word", "text")
    assert notes["word"] == as_json("text") == b'"text"'
    assert notes.text("word") == '"text"'
    assert client.get("/notes/milk").json()["title"] == "Milk"
    del notes["milk"]
    assert client.get("/notes/milk").status == 404
    client.secrets["token"] = "changed"
    assert client.get("/secret/token").text == "changed"


def test_every_call_is_recorded(client: TestClient) -> None:
    """Operation, label, key and value, in order; reads and writes can be told apart."""
    response = client.get("/notes/bread")
    assert response.calls == [StoreCall("open", "notes"), StoreCall("get", "notes", "bread")]
    assert len(client.calls.reads) == 1
    assert not client.calls.writes
    client.put("/notes/tea", json={"title": "Tea"})
    client.delete("/notes/tea")
    client.get("/keys")
    client.get("/secret/token")
    assert client.calls.of("notes").texts == [
        "open notes",
        "get notes bread",
        "open notes",
        "set notes tea",
        "open notes",
        "delete notes tea",
        "open notes",
        "keys notes",
    ]
    assert client.calls[-1] == StoreCall("secret", "", "token")
    assert client.calls.writes[0].value == b'{"title":"Tea","tags":[]}'
    client.calls.clear()
    assert client.calls == []


def test_failure_at_the_nth_call(client: TestClient) -> None:
    """Exactly the chosen calls fail, and nothing is written by one that does."""
    fault = client.stores.fail("set", label="notes", at=2, times=1, message="disk full")
    answers = [client.put(f"/notes/{n}", json={"title": "x"}).status for n in range(4)]
    assert answers == [201, 500, 201, 201]
    assert fault.seen == 4
    assert sorted(client.kv["notes"]) == ["0", "2", "3", "bread", "raw", "text"]
    failed = client.calls.writes[1]
    assert (failed.key, failed.error) == ("1", "disk full")
    client.stores.heal()


def test_failures_by_key_and_everywhere(client: TestClient) -> None:
    """A key can fail alone; without a filter everything fails until it is healed."""
    client.stores.fail("get", key="bread")
    assert client.get("/notes/bread").status == 500
    assert client.get("/notes/none").status == 404
    client.stores.fail()
    response = client.get("/secret/token")
    assert response.status == 500
    assert client.get("/keys").status == 500
    assert "injected failure" in response.stderr
    client.stores.heal()
    assert client.get("/notes/bread").status == 200


def test_access_denied(client: TestClient) -> None:
    """A label that is denied fails like one that the manifest does not grant."""  # KV-1
    client.stores.deny("notes")
    response = client.get("/notes/bread")
    assert response.status == 500
    assert response.calls.texts == ["open notes (access-denied)"]
    assert "key_value_stores" in response.stderr


def test_an_undeclared_id(client: TestClient) -> None:
    """An id that the app does not declare never reaches the host."""
    response = client.get("/raw/other/x")
    assert response.status == 500
    assert response.calls == []


def test_latency_without_waiting(app: App) -> None:
    """A delayed call sleeps with whatever the test gives it."""
    slept: list[float] = []
    with TestClient(app, kv={"notes": {"a": {"title": "A"}}}, sleep=slept.append) as client:
        client.stores.delay(0.3, "get", at=2)
        client.stores.delay(5, "set")
        for _ in range(3):
            client.get("/notes/a")
    assert slept == [0.3, 0.3]


MANIFEST = """\
spin_manifest_version = 2
application = {name = "kit"}
[variables]
token = {required = true}
colour = {default = "red"}
[[trigger.http]]
route = "/..."
component = "kit"
[component.kit]
source = "app.wasm"
key_value_stores = ["notes", "settings"]
environment = {KIT_MODE = "manifest"}
[component.kit.variables]
token = "{{ token }}"
both = "{{token}}-{{colour}}"
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A manifest that grants less than the app declares."""
    path = tmp_path / "spin.toml"
    path.write_text(MANIFEST)
    return path


def test_a_manifest_limits_a_native_run(app: App, manifest: Path) -> None:
    """Labels, variables and environment are those that Spin would give the component."""
    with TestClient(app, manifest=manifest, variables={"token": "t"}) as client:
        assert client.get("/raw/views/x").status == 500
        assert client.calls.texts == ["open views (access-denied)"]
        assert client.get("/raw/notes/x").text == "nothing"
        assert client.get("/secret/both").text == "t-red"
        assert client.get("/secret/colour").status == 500
        assert client.get("/environment/KIT_MODE").text == "manifest"
    with TestClient(app, manifest=manifest, secrets={"token": "x", "both": "y"}) as client:
        assert client.get("/secret/both").text == "y"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        pytest.param(
            {"kv": {"note": {}}},
            UnknownLabelError,
            r"no key-value store has the label 'note' \(there are: notes, views, settings\)",
            id="label",
        ),
        pytest.param(
            {"kv": {"notes": {"a": {1, object()}}}},
            PreloadError,
            r"kv\['notes'\]\['a'\]: a set cannot be stored",
            id="value",
        ),
        pytest.param({"kv": {"notes": {1: b""}}}, PreloadError, "keys are text", id="key"),
        pytest.param({"kv": {"notes": b"x"}}, PreloadError, r"\{'key': value\}", id="store"),
        pytest.param(
            {"config": {"settings": {"a": [1, object()]}}},
            PreloadError,
            r"config\['settings'\]\['a'\]: a object has no entry text",
            id="config value",
        ),
        pytest.param({"config": {"settings": "x"}}, PreloadError, "mapping", id="config store"),
        pytest.param(
            {"secrets": {"token": 7}}, PreloadError, r"secrets\['token'\].*int 7", id="secret"
        ),
        pytest.param({"variables": {"a": "b"}}, PreloadError, "manifest=", id="variables"),
    ],
)
def test_wrong_preloads(
    app: App, arguments: dict[str, Any], error: type[KitError], message: str
) -> None:
    """The message says what, where and what to write instead."""
    with pytest.raises(error, match=message):
        TestClient(app, **arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        pytest.param(
            {}, KitError, "'token' is required and has no value.*mark.spin", id="required"
        ),
        pytest.param(
            {"variables": {"token": "t", "colours": "x"}},
            UnknownVariableError,
            r"'colours' \(there are: token, colour\); declare it in the table \[variables\]",
            id="variable",
        ),
        pytest.param({"secrets": {"other": "x"}}, UnknownVariableError, "token, both", id="secret"),
        pytest.param(
            {"kv": {"views": {}}}, UnknownLabelError, "add it to key_value_stores in", id="label"
        ),
        pytest.param({"component": "no"}, KitError, "no component 'no'", id="component"),
    ],
)
def test_slips_against_a_manifest(
    app: App, manifest: Path, arguments: dict[str, Any], error: type[KitError], message: str
) -> None:
    """What the manifest does not have is refused before the first request."""
    with pytest.raises(error, match=message):
        TestClient(app, manifest=manifest, **arguments)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda stores: stores.fail("put"), id="operation"),
        pytest.param(lambda stores: stores.fail("set", at=0), id="count"),
    ],
)
def test_wrong_faults(client: TestClient, wrong: Callable[[Any], Any]) -> None:
    """An operation that does not exist would never strike, so it is refused."""
    with pytest.raises(ValueError, match=r"there are: open, get|counted from 1"):
        wrong(client.stores)


def test_unknown_labels_of_the_views(client: TestClient) -> None:
    """Reading a store that is not there names those that are."""
    with pytest.raises(UnknownLabelError, match="notes, views, settings"):
        client.kv["nots"]
    with pytest.raises(PreloadError, match=r"kv\['notes'\]\['x'\]"):
        client.kv["notes"]["x"] = object()


def test_a_configuration_is_preloaded_as_a_push_writes_it() -> None:
    """Lists, tables in them, dates, floats and what is not set are as ``config push`` has them."""
    tree = {
        "mirrors": ["a", "b"],
        "page": {"sizes": [1, 2.0, True], "at": datetime.time(8, 30)},
        "hosts": [{"name": "x", "since": datetime.date(2026, 1, 31)}],
        "big": 1e16,
        "unset": None,
        "raw": b"bytes",
    }
    found = config_entries("settings", tree)
    assert found.pop("raw") == b"bytes"
    del tree["raw"]
    problems: list[Problem] = []
    pushed = flatten(tree, problems)
    assert found == {entry.key: entry.value.encode() for entry in pushed}
    assert found["hosts"] == b'[{"name":"x","since":"2026-01-31"}]'
    assert "unset" not in found
