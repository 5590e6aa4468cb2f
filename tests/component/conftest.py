"""Components of this session: each guest is compiled once, and served when a test asks."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgezero_spin.project.componentize import componentize_app
from edgezero_spin.project.world import DEFAULT_WASI, Wasi

GUESTS = Path(__file__).parent / "guests"
Build = Callable[..., Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder compiles components or runs compiled ones."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.component)


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compile a guest of ``tests/component/guests`` by its folder's name, once a session.

    Once also where several processes run the tests (pytest-xdist): the first one to ask compiles,
    and the others wait for it.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "components"
    folder.mkdir(exist_ok=True)

    def compile_guest(name: str, wasi: Wasi = DEFAULT_WASI) -> Path:
        output = folder / f"{name}-{wasi}.wasm"
        with (folder / f"{name}-{wasi}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not output.exists():
                componentize_app("app", output=output, folder=GUESTS / name, wasi=wasi)
        return output

    return compile_guest
