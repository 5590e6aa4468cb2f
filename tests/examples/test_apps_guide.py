"""The guide to writing apps: every app on the page passes the test beside it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import File, read_session

PAGE = Path(__file__).parents[2] / "docs" / "apps.md"
FILES = [step for step in read_session(PAGE) if isinstance(step, File)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that the page shows."""
    folder = tmp_path_factory.mktemp("guide")
    for file in FILES:
        (folder / file.name).write_text(file.text, encoding="utf-8")
    return folder


def test_every_app_has_its_test() -> None:
    """An app without a test beside it is shown and never run."""
    names = {file.name for file in FILES}
    apps = {name for name in names if not name.startswith("test_")}
    assert len(names) == len(FILES)
    assert {f"test_{name}" for name in apps} == names - apps


def test_the_page_passes_its_own_tests(folder: Path) -> None:
    """A reader who saves the files and runs pytest sees them pass, warnings refused."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{sum(file.name.startswith('test_') for file in FILES)} passed" in done.stdout
