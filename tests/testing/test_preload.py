"""What a test starts with: the entries that stand for it in a store."""

import json
from typing import Any

import attrs
import pytest

from edgezero_spin import App, AppConfig, Config, config_model, secret
from edgezero_spin.testing import TestClient
from edgezero_spin.testing.preload import config_entries


@attrs.frozen(kw_only=True)
class Page:
    """A table."""

    size: int = 20


@config_model
@attrs.frozen(kw_only=True)
class Settings:
    """A configuration."""

    greeting: str
    page: Page = Page()
    token: str = secret()


app = App(config=["settings"], secrets=["default"])


@app.get("/typed")
def typed(settings: AppConfig[Settings]) -> list[object]:
    """By its model."""
    return [settings.greeting, settings.page.size, settings.token]


@app.get("/single/{key}")
async def single(key: str, config: Config) -> str:
    """By key."""
    return str(await config.default.get(key))


TREE: dict[str, Any] = {"greeting": "Hi", "page": {"size": 7}, "token": "token"}


@pytest.mark.parametrize("given", [TREE, Settings(greeting="Hi", page=Page(size=7), token="token")])
def test_a_configuration_is_read_in_both_forms(given: Any) -> None:
    """A table as in the file, or the model, is what ``AppConfig`` and ``Config`` read."""
    with TestClient(app, config={"settings": given}, secrets={"token": "s3cret"}) as client:
        assert client.get("/typed").json() == ["Hi", 7, "s3cret"]
        assert client.get("/single/page.size").text == "7"


def test_what_does_not_fit_the_model_is_told_as_after_a_push() -> None:
    """The answer names the place."""
    config = {"settings": {**TREE, "page": {"size": "7"}}}
    with TestClient(app, config=config, secrets={"token": "s3cret"}) as client:
        error = client.get("/typed").json()["error"]
        assert (error["status"], error["field_path"]) == (503, "page.size")


def test_bytes_have_no_whole() -> None:
    """A file of configuration holds no bytes, so only the entry is written."""
    assert config_entries("settings", {"a": b"\xff", "b": "x"}) == {"a": b"\xff", "b": b"x"}


def test_an_entry_of_the_test_stays() -> None:
    """One that is called like the store is what the test says."""
    assert config_entries("settings", {"settings": "mine"}) == {"settings": b"mine"}
    assert json.loads(config_entries("settings", {"a": 1})["settings"])["data"] == {"a": 1}
