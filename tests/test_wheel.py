"""What an installed wheel carries, seen in the built archive."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytest.importorskip("hatch_fancy_pypi_readme", reason="the group dev was installed before it")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built without a network from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(folder), str(ROOT)], check=True, timeout=110)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_carries_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    """Interfaces, the componentize-py marker and ``py.typed`` are shipped with the code."""
    package = ROOT / "edgezero_spin"
    there = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "edgezero_spin/py.typed" in there
    assert "edgezero_spin/componentize-py.toml" in there
    assert "edgezero_spin/wit/world.wit" in there
    shipped = {name for name in wheel.namelist() if name.startswith("edgezero_spin/")}
    assert there == shipped


def test_the_wheel_says_what_it_needs_and_offers(wheel: zipfile.ZipFile) -> None:
    """The base needs attrs and cattrs only; the extras and the command are declared."""
    (info,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = wheel.read(info).decode()
    needs = [
        line.removeprefix("Requires-Dist: ")
        for line in metadata.splitlines()
        if line.startswith("Requires-Dist: ") and "extra ==" not in line
    ]
    assert sorted(need.partition(">")[0] for need in needs) == ["attrs", "cattrs"]
    extras = {
        line.removeprefix("Provides-Extra: ")
        for line in metadata.splitlines()
        if line.startswith("Provides-Extra: ")
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert extras == project["optional-dependencies"].keys() >= {"tools", "testing", "templates"}
    (points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "edgezero = edgezero_spin.cli:main" in wheel.read(points).decode()
    assert "[pytest11]\nedgezero_spin_pytest = edgezero_spin_pytest\n" in (
        wheel.read(points).decode() + "\n"
    )
    assert "edgezero_spin_pytest.py" in wheel.namelist()


def test_the_page_of_the_package_index_has_no_link_that_leads_nowhere(
    wheel: zipfile.ZipFile,
) -> None:
    """It is the README, whose links between files are their text; the others stay."""
    (info,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    head, _, shown = wheel.read(info).decode().partition("\n\n")
    assert "Description-Content-Type: text/markdown" in head
    targets = re.findall(r"\]\(([^)]*)\)", shown)
    assert targets
    assert [target for target in targets if not target.startswith("https://")] == []
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    labels = re.findall(r"\[([^\[\]]+)\]\((?!https:)", readme)
    assert labels
    assert [label for label in labels if label not in shown] == []
    assert "in the source distribution" in shown
