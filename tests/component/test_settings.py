"""A typed configuration and a description, inside the component."""

import json
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from edgezero_spin.project.config_push import PushRequest, push_config
from edgezero_spin.testing import ComponentClient
from tests.component.conftest import GUESTS, Build

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "settings"
[variables]
one = { required = true, secret = true }
[[trigger.http]]
route = "/..."
component = "settings"
[component.settings]
source = "app.wasm"
key_value_stores = ["app_config"]
[component.settings.variables]
one = "{{ one }}"
"""
EDGEZERO = """\
[app]
name = "settings"
config_model = "settings_guest:Settings"
[stores.config]
ids = ["app_config"]
[stores.secrets]
ids = ["default"]
[adapters.spin.adapter]
manifest = "spin.toml"
"""
RUNTIME = '[key_value_store.app_config]\ntype = "spin"\npath = "kv.db"\n'
CONFIG = 'greeting = "hi"\n[[mirrors]]\nurl = "a"\ntoken = "one"\n'

MOST_BYTES = 20 * 1024 * 1024
"""What a component with a configuration and a description may weigh."""


@pytest.fixture(scope="module")
def folder(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the guest, its configuration not pushed yet."""
    folder = tmp_path_factory.mktemp("settings")
    (folder / "app.wasm").symlink_to(build("settings"))
    (folder / "settings_guest.py").write_text((GUESTS / "settings" / "app.py").read_text())
    for name, text in {
        "spin.toml": MANIFEST,
        "edgezero.toml": EDGEZERO,
        "runtime-config.toml": RUNTIME,
        "settings.toml": CONFIG,
    }.items():
        (folder / name).write_text(text)
    return folder


def entries(folder: Path) -> dict[str, bytes]:
    """What a push wrote."""
    from edgezero_spin.project.config_sqlite import SqliteTarget

    push_config(PushRequest(manifest=folder / "edgezero.toml", environ={}))
    return dict(SqliteTarget(folder / "kv.db", "app_config").stored(()))


def test_the_component_reads_what_was_pushed(folder: Path) -> None:
    """One read of the store, and every secret in the place of its name."""
    kv = {"app_config": entries(folder)}
    with ComponentClient(folder / "spin.toml", kv=kv, variables={"one": "s3cret"}) as client:
        answer = client.get("/")
        assert answer.json() == {"greeting": "hi", "mirrors": [{"url": "a", "token": "s3cret"}]}
        assert answer.calls.texts == [
            "open app_config",
            "get app_config app_config",
            "secret one",
        ]
        assert client.get("/_settings/config").json()["mirrors"][0]["token"] == "one"
        client.kv["app_config"].clear()
        late = client.get("/")
    assert (late.status_code, late.headers["retry-after"]) == (503, "60")


def test_the_component_describes_itself(folder: Path) -> None:
    """From its snapshot, in fewer instructions than its shortest handler takes."""
    with ComponentClient(folder / "spin.toml", variables={"one": "x"}) as client:
        described = client.get("/openapi.json")
        validate(described.json())
        page = client.get("/docs")
        routes = client.get("/_settings/routes")
    assert json.loads(described.content)["info"]["title"] == "settings"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert described.usage is not None and routes.usage is not None
    assert described.usage.fuel < routes.usage.fuel


def test_the_component_is_not_much_larger(folder: Path) -> None:
    """Than one without a configuration and a description."""
    assert (folder / "app.wasm").stat().st_size < MOST_BYTES
