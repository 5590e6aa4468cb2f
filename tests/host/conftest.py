"""What all tests of the host share: one engine, whose pool is slow to make, and one server."""

from collections.abc import Iterator

import pytest

from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from tests.host.redis_server import running_redis
from tests.host.registry.shop import Shop


@pytest.fixture(scope="session")
def shared_engine() -> Iterator[Engine]:
    """A pooled engine with deadlines and room for a few instances."""
    with make_engine(EngineSettings(max_instances=24, memory_keep_resident_bytes=0)) as engine:
        yield engine


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Redis server; tests that need one are skipped where there is none."""
    with running_redis(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A server on a free port, reached without a proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    shop = Shop()
    yield shop
    shop.close()
