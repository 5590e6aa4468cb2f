"""The Notes example, built once, and a copy of it with stores of its own for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.built_once import built_once
from tests.cli.running import edgezero
from tests.component.notes.serving import Served, serving
from tests.examples.loading import EXAMPLES

TOKEN = "let-me-in"
GRANTS = ("--variable", f"admin_token={TOKEN}")


@pytest.fixture(scope="package")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, built by its own build command."""

    def make(made: Path) -> None:
        left_behind = shutil.ignore_patterns(".*", "*.wasm", "__pycache__")
        shutil.copytree(EXAMPLES / "notes", made, ignore=left_behind, dirs_exist_ok=True)
        done = edgezero("build", cwd=made)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "Finished building all Spin components"

    return built_once(tmp_path_factory, "notes", make)


@pytest.fixture
def notes(built: Path, tmp_path: Path) -> Path:
    """The built example with stores of its own, its configuration pushed."""
    folder = tmp_path / "notes"
    shutil.copytree(built, folder, ignore=shutil.ignore_patterns(".spin"))
    pushed = edgezero("config", "push", "--local", cwd=folder)
    assert pushed.returncode == 0, pushed.stderr
    return folder


@pytest.fixture
def served(notes: Path) -> Iterator[Served]:
    """The example, being served."""
    with serving(notes, *GRANTS) as running:
        yield running
