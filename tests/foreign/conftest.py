"""One engine for all foreign components, and a host around any of them."""

import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edgezero_spin.host import Host
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from tests.component.servers import manifest

HERE = Path(__file__).parent
Load = Callable[..., AbstractContextManager[Host]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder compiles components or runs compiled ones."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.component)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Without pages kept for the next test."""
    with make_engine(EngineSettings(max_instances=8, memory_keep_resident_bytes=0)) as made:
        yield made
    # What hosts leave to the collector holds files open, and other tests count those.
    gc.collect()


@pytest.fixture(scope="module")
def load(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Load a component with these grants, its data in a folder of its own."""

    def load_component(component: Path, grants: str = "") -> Host:
        path = manifest(component, tmp_path_factory.mktemp("application"), grants)
        return Host.from_manifest(path, engine=engine)

    return load_component
