"""The guest of the vectors, compiled once a session, and applications made of it."""

import gc
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host import Host, HostSettings
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.project.componentize import componentize_app
from edgezero_spin.project.world import Wasi
from tests.conformance.building import build_guest

HERE = Path(__file__).parent
Application = Callable[..., Host]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder runs a compiled component."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.component)


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The component that plays every vector."""
    output = tmp_path_factory.mktemp("conformance") / "guest.wasm"
    build_guest(HERE / "guest", HERE / "wit", "test:conformance/guest", output)
    return output


@pytest.fixture(scope="session", params=["bindings of 0.2", "app for 0.2", "app for 0.3"])
def player(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What plays a vector: a guest on the plain bindings, and an app of either generation."""
    if request.param == "bindings of 0.2":
        built: Path = request.getfixturevalue("guest")
        return built
    wasi: Wasi = "0.3" if request.param.endswith("0.3") else "0.2"
    output = tmp_path_factory.mktemp("conformance") / f"app-{wasi}.wasm"
    componentize_app("app", output=output, folder=HERE / "app_guest", wasi=wasi)
    return output


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """One engine, so that the component is compiled once for all vectors."""
    with make_engine(EngineSettings(max_instances=8, memory_keep_resident_bytes=0)) as made:
        yield made


MANIFEST = """\
spin_manifest_version = 2
[application]
name = "conformance"
{variables}
[[trigger.http]]
route = {route}
component = "{id}"

[component.{id}]
source = {source}
environment = {{ VECTOR = "{vector}", some_key = "some_value" }}
{grants}
"""


@pytest.fixture
def application(player: Path, engine: Engine, tmp_path: Path) -> Iterator[Application]:
    """Load an application whose component plays ``vector``; closed after the test."""
    yield from _applications(player, engine, tmp_path)


@pytest.fixture
def bare_application(guest: Path, engine: Engine, tmp_path: Path) -> Iterator[Application]:
    """The same on the plain bindings alone, for interfaces that an app has no words for."""
    yield from _applications(guest, engine, tmp_path)


def _applications(component: Path, engine: Engine, tmp_path: Path) -> Iterator[Application]:
    opened: list[Host] = []

    def load(
        vector: str,
        *,
        route: str = "/",
        grants: str = "",
        id: str = "test",
        manifest: str | None = None,
        request_timeout_s: float = 60,
        **options: Any,
    ) -> Host:
        text = manifest or MANIFEST
        values = {
            "variables": "",
            "route": json.dumps(route),
            "id": id,
            "source": json.dumps(str(component)),
            "vector": vector,
            "grants": grants,
        }
        path = tmp_path / "spin.toml"
        path.write_text(text.format(**values), encoding="utf-8")
        settings = HostSettings(
            cache_dir=component.parent / "cache", request_timeout_s=request_timeout_s
        )
        opened.append(Host.from_manifest(path, settings=settings, engine=engine, **options))
        return opened[-1]

    yield load
    while opened:
        opened.pop().close()
    # What a host leaves to the collector holds files open, and other tests count those.
    gc.collect()
