"""Components of this session: each guest is compiled once a run."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import edgezero_spin
from edgezero_spin.project.componentize import componentize_app
from edgezero_spin.project.world import DEFAULT_WASI, Wasi
from tests.built_once import built_once
from tests.component.hosts_03 import PATIENCE_S

GUESTS = Path(__file__).parent / "guests"
WIT = Path(edgezero_spin.__file__).parent / "wit"
Build = Callable[..., Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder compiles components or runs compiled ones."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.component)


def _componentize_plainly(folder: Path, world: str, output: Path) -> None:
    """Compile a guest that uses the bindings of a world itself, without this library."""
    program = Path(sys.executable).with_name("componentize-py")
    done = subprocess.run(
        [program, "-d", WIT, "-w", world, "componentize", "app", "-o", output],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compile a guest of ``tests/component/guests`` by its folder's name, once a run.

    With a ``world``, componentize-py alone compiles it; with an ``own_world``, `edgezero
    componentize --world` does.
    """

    def compile_guest(
        name: str,
        wasi: Wasi = DEFAULT_WASI,
        *,
        world: str | None = None,
        own_world: str | None = None,
    ) -> Path:
        file = f"{name}-{wasi}.wasm"

        def make(folder: Path) -> None:
            if world is None:
                output = folder / file
                componentize_app(
                    "app", output=output, folder=GUESTS / name, wasi=wasi, world=own_world
                )
            else:
                _componentize_plainly(GUESTS / name, world, folder / file)

        return built_once(tmp_path_factory, f"{name}-{wasi}", make) / file

    return compile_guest


@pytest.fixture(scope="session")
def raw_03(build: Build) -> Path:
    """The guest ``raw_03``, which speaks ``wasi:http@0.3.0`` itself."""
    return build("raw_03", wasi="0.3", world="http-service-platform")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no instance look as if it computed, which it may on a busy machine."""
    monkeypatch.setattr("edgezero_spin.host.execution.concurrent.PATIENCE_S", PATIENCE_S)
