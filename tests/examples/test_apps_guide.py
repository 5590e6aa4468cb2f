"""The pages about writing apps: every module on them passes the test beside it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import File, read_session

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / name for name in ("apps.md", "stores.md", "manifest.md", "migrating.md")]

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def files_of(page: Path) -> list[File]:
    """Return every file that a page shows."""
    return [step for step in read_session(page) if isinstance(step, File)]


@by_page
def test_every_module_has_its_test(page: Path) -> None:
    """A module without a test beside it is shown and never run."""
    files = files_of(page)
    names = {file.name for file in files if file.name.endswith(".py")}
    modules = {name for name in names if not name.startswith("test_")}
    assert modules
    assert len({file.name for file in files}) == len(files)
    assert {f"test_{name}" for name in modules} == names - modules


@by_page
def test_the_page_passes_its_own_tests(page: Path, tmp_path: Path) -> None:
    """A reader who saves the files and runs pytest sees them pass, warnings refused."""
    files = files_of(page)
    for file in files:
        (tmp_path / file.name).write_text(file.text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tests = sum(file.text.count("\ndef test_") for file in files if file.name.startswith("test_"))
    assert f"{tests} passed" in done.stdout
