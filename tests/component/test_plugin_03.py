"""The pytest plugin builds and tests an app for either WASI."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgezero_spin.project.inspection import generation_of, inspect_component
from edgezero_spin.project.world import Wasi

MANIFEST = """\
spin_manifest_version = 2
application = {{name = "notes"}}
[[trigger.http]]
route = "/..."
component = "notes"
[component.notes]
source = "app.wasm"
key_value_stores = ["default"]
[component.notes.build]
command = "{command}"
watch = ["app.py"]
"""

BUILD = "edgezero componentize app:app -o app.wasm"

APP = """\
from edgezero_spin import App, Kv, Request

app = App("notes", kv=["default"])

@app.get("/notes/{id}")
async def note(id: str, kv: Kv) -> str:
    return await kv.default.get(id)

@app.get("/headers")
async def headers(request: Request) -> str:
    names = {name for name in request.headers}
    return " ".join([str(request.authority), *sorted(names & {"host", "upgrade", "x-a", "te"})])
"""

TESTS = """\
import pytest

@pytest.mark.spin(kv={"default": {"tea": "Earl Grey"}})
@pytest.mark.spin_fuel(max=50_000_000)
def test_each_request_opens_its_store(spin_app):
    for _ in range(2):
        answer = spin_app.get("/notes/tea")
        assert answer.calls.texts == ["open default", "get default tea"]

def test_headers_of_the_connection_are_the_hosts(spin_app):
    sent = {"host": "example.com:81", "upgrade": "x", "x-a": "1", "te": "trailers"}
    assert spin_app.get("/headers", headers=sent).text == "example.com:81 te x-a"

@pytest.mark.spin_component_only
@pytest.mark.spin(kv={"default": {"tea": "Earl Grey"}})
@pytest.mark.spin_fuel(max=1_000)
def test_too_dear(spin_app):
    spin_app.get("/notes/tea")
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a project as a person would."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "edgezero_spin_pytest", "-q"),
            *("-p", "no:cacheprovider", "--strict-markers", "-W", "error", *arguments),
        ],
        cwd=folder,
        env={**os.environ, "PYTEST_ADDOPTS": "", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )


def wasi_of(path: Path) -> Wasi | None:
    """The WASI that a component was built for."""
    return generation_of(inspect_component(path).exports)


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A project that was tested with WASI 0.3, and what pytest said."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "spin.toml").write_text(MANIFEST.format(command=BUILD))
    (folder / "app.py").write_text(APP)
    (folder / "test_app.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder, run_pytest(folder, "--spin-mode", "both", "--spin-wasi", "0.3").stdout


@pytest.fixture
def project(tested: tuple[Path, str], tmp_path: Path) -> Path:
    """The same project, with its component of WASI 0.3 in two places."""
    folder = tmp_path / "project"
    shutil.copytree(tested[0], folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(folder / "app.wasm", folder / "built.wasm")
    (folder / "test_app.py").write_text("def test_there(spin_app):\n    spin_app.get('/')\n")
    return folder


def test_a_flag_tests_an_app_with_wasi_03(tested: tuple[Path, str]) -> None:
    """Natively and as a component alike, and the mark of instructions holds."""
    # XP-7: an instance of its own answers each request of a test, so each opens its stores.
    folder, said = tested
    assert "4 passed" in said, said
    assert "1 failed" in said
    assert "BudgetError" in said
    assert wasi_of(folder / "app.wasm") == "0.3"


def test_the_setting_of_the_project_decides(project: Path) -> None:
    """A component of the WASI in edgezero.toml is fresh, one of another is built again."""
    command = "echo built >> builds.txt && cp built.wasm app.wasm"
    spin_toml = MANIFEST.format(command=f"{command} && : edgezero componentize app:app")
    (project / "spin.toml").write_text(spin_toml)
    (project / "edgezero.toml").write_text(
        '[app]\nname = "notes"\n\n[adapters.spin]\nwasi = "0.3"\n'
    )
    done = run_pytest(project, "--spin-mode", "component")
    assert done.returncode == 0, done.stdout
    assert not (project / "builds.txt").exists()
    (project / "edgezero.toml").unlink()
    done = run_pytest(project, "--spin-mode", "component")
    assert done.returncode == 0, done.stdout
    assert (project / "builds.txt").read_text() == "built\n"


@pytest.mark.parametrize("no_build", [False, True])
def test_a_component_of_another_wasi_is_told_of(project: Path, no_build: bool) -> None:
    """The run that asks for a WASI never passes on a component of the other."""
    (project / "spin.toml").write_text(
        MANIFEST.format(command="cp built.wasm app.wasm && : edgezero componentize app --wasi 0.3")
    )
    (project / "pytest.ini").write_text("[pytest]\nspin_wasi = 0.2\n")
    flags = ["--spin-no-build"] if no_build else []
    done = run_pytest(project, "--spin-mode", "component", *flags)
    assert done.returncode == 1
    told = "component notes (app.wasm) was built for WASI 0.3, and the tests are to run with WASI"
    assert told in done.stdout
    assert ("run without --spin-no-build" if no_build else "without --wasi") in done.stdout


def test_what_is_no_wasi(project: Path) -> None:
    """A setting that is not a version is wrong usage."""
    (project / "pytest.ini").write_text("[pytest]\nspin_wasi = 0.1\n")
    done = run_pytest(project)
    assert done.returncode == 4
    assert "spin_wasi is 0.2 or 0.3, got '0.1'" in done.stderr
