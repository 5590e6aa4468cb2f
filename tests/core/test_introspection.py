"""Introspection handlers: routes, manifest, configuration."""

from pathlib import Path

import pytest

from edgezero_spin import App, introspection
from edgezero_spin.stores import envelope_text
from edgezero_spin.testing import TestClient

MANIFEST = """\
[app]
name = "shop"
[stores.config]
ids = ["app_config"]
[[environment.variables]]
name = "LEVEL"
value = "info"
[[environment.secrets]]
name = "TOKEN"
value = "hush"
[[triggers.http]]
path = "/_shop/routes"
handler = "edgezero_spin.core.introspection:routes"
[[triggers.http]]
path = "/_shop/manifest"
handler = "edgezero_spin.core.introspection:manifest"
[[triggers.http]]
path = "/_shop/config"
handler = "edgezero_spin.core.introspection:config"
"""


@pytest.fixture
def app(tmp_path: Path) -> App:
    """An app whose manifest binds all three."""  # INT-2
    path = tmp_path / "edgezero.toml"
    path.write_text(MANIFEST)
    return App.from_manifest(path)


def test_routes_are_those_of_the_app(app: App) -> None:
    """In order of declaration, those of decorators as well."""  # INT-1
    app.post("/orders/{id}")(lambda: None)
    with TestClient(app) as client:
        assert client.get("/_shop/routes").json() == [
            {"method": "GET", "path": "/_shop/routes"},
            {"method": "GET", "path": "/_shop/manifest"},
            {"method": "GET", "path": "/_shop/config"},
            {"method": "POST", "path": "/orders/{id}"},
        ]


def test_the_manifest_is_told_without_secrets(app: App) -> None:
    """Values of variables are there."""  # INT-1
    with TestClient(app) as client:
        answer = client.get("/_shop/manifest")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["environment"] == {
        "variables": [{"name": "LEVEL", "value": "info"}],
        "secrets": [{"name": "TOKEN"}],
    }
    assert answer.json()["app"] == {"name": "shop"}


def test_an_app_without_a_manifest_has_none_to_tell() -> None:
    """500, as EdgeZero answers."""  # INT-1
    app = App()
    app.get("/")(introspection.manifest)
    app.get("/config")(introspection.config)
    with TestClient(app) as client:
        assert client.get("/").status == 500
        missing = client.get("/config")
    assert (missing.status, missing.json()["error"]["message"]) == (
        404,
        "not found: no default config store registered",
    )


def test_the_configuration_is_told_with_the_names_of_secrets(app: App) -> None:
    """404 before a push, 500 when the entry was damaged."""  # INT-1
    data = {"greeting": "hi", "token": "api_token"}
    with TestClient(app, secrets={"api_token": "hush"}) as client:
        missing = client.get("/_shop/config")
        assert (missing.status, missing.json()["error"]["message"]) == (
            404,
            "not found: no config blob in default store",
        )
        text = envelope_text(data, "2026-11-30T08:00:00Z")
        client.config["app_config"]["app_config"] = text.encode()
        assert client.get("/_shop/config").json() == data
        client.config["app_config"]["app_config"] = text.replace("hi", "ho").encode()
        assert client.get("/_shop/config").status == 500
