"""Components of this session: each guest is compiled once, and served when a test asks."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import edgezero_spin
from edgezero_spin.project.componentize import componentize_app
from edgezero_spin.project.world import DEFAULT_WASI, Wasi

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
    """Compile a guest of ``tests/component/guests`` by its folder's name, once a session.

    With a ``world``, componentize-py alone compiles it; with an ``own_world``, `edgezero
    componentize --world` does. Once also where several processes run
    the tests (pytest-xdist): the first one to ask compiles, and the others wait for it.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "components"
    folder.mkdir(exist_ok=True)

    def compile_guest(
        name: str,
        wasi: Wasi = DEFAULT_WASI,
        *,
        world: str | None = None,
        own_world: str | None = None,
    ) -> Path:
        output = folder / f"{name}-{wasi}.wasm"
        with (folder / f"{name}-{wasi}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not output.exists() and world is None:
                componentize_app(
                    "app", output=output, folder=GUESTS / name, wasi=wasi, world=own_world
                )
            elif not output.exists() and world is not None:
                _componentize_plainly(GUESTS / name, world, output)
        return output

    return compile_guest


@pytest.fixture(scope="session")
def raw_03(build: Build) -> Path:
    """The guest ``raw_03``, which speaks ``wasi:http@0.3.0`` itself."""
    return build("raw_03", wasi="0.3", world="http-service-platform")
