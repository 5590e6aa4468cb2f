"""Components of this session: each guest is compiled once, and served when a test asks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edgezero_spin.project.componentize import componentize_app

GUESTS = Path(__file__).parent / "guests"
Build = Callable[[str], Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder compiles components or runs compiled ones."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.component)


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compile a guest of ``tests/component/guests`` by its folder's name, once a session."""
    folder = tmp_path_factory.mktemp("components")
    built: dict[str, Path] = {}

    def compile_guest(name: str) -> Path:
        if name not in built:
            output = folder / f"{name}.wasm"
            componentize_app("app", output=output, folder=GUESTS / name)
            built[name] = output
        return built[name]

    return compile_guest
