"""Clients for the tests of the kit."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezero_spin import App
from edgezero_spin.project.componentize import componentize_app
from edgezero_spin.testing import TestClient
from tests.built_once import built_once
from tests.host.redis_server import running_redis
from tests.testing.notes_app import make_app

HERE = Path(__file__).parent


@pytest.fixture
def app() -> App:
    """A new app."""
    return make_app()


@pytest.fixture
def client(app: App) -> Iterator[TestClient]:
    """A client with something in each store."""
    with TestClient(
        app,
        kv={"notes": {"bread": {"title": "Bread"}, "raw": b"\x00\xff", "text": "plain"}},
        config={"settings": {"greeting": "Hi", "page": {"size": 20, "wide": True}}},
        secrets={"token": "s3cret"},
    ) as made:
        yield made


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Redis server, where one is installed."""
    with running_redis(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture(scope="session")
def wasm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app of these tests as a component, in a folder that tests may write to."""

    def make(made: Path) -> None:
        shutil.copy(HERE / "notes_app.py", made)
        shutil.copy(HERE / "guests" / "kit.py", made)
        componentize_app("kit", output=made / "kit.wasm", folder=made)

    built = built_once(tmp_path_factory, "kit", make) / "kit.wasm"
    return Path(shutil.copy(built, tmp_path_factory.mktemp("kit")))
