"""``edgezero inspect`` and ``edgezero test`` as a person runs them."""

import importlib.util
import json
from pathlib import Path

import pytest
import wasmtime

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.testing import run_tests
from tests.cli.running import edgezero, refusal
from tests.host.support import SCRIPT
from tests.project.test_inspection import SMALL
from tests.testing.test_plugin import APP, CONFTEST, HELLO, MANIFEST


def test_inspect_shows_what_there_is(tmp_path: Path) -> None:
    """Imports, exports and sizes for people, everything as JSON for programs."""
    path = tmp_path / "app.wasm"
    path.write_bytes(wasmtime.wat2wasm(SMALL))
    done = edgezero("inspect", path)
    assert done.returncode == 0, done.stderr
    for line in ("Imports (6):", "  fermyon:spin/key-value@2.0.0", "Exports (1):", "Size:"):
        assert line in done.stdout.splitlines()
    found = json.loads(edgezero("inspect", path, "--json").stdout)
    assert found["path"] == str(path)
    assert found["exports"] == ["wasi:http/incoming-handler@0.2.0"]
    assert "build the component first" in refusal(edgezero("inspect", tmp_path / "none.wasm"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose component is the script guest."""
    (tmp_path / "tests").mkdir()
    for name, text in {
        "spin.toml": MANIFEST,
        "app.py": APP,
        "script.wat": SCRIPT.read_text(),
        "pytest.ini": "[pytest]\n",
        "tests/conftest.py": CONFTEST,
        "tests/test_app.py": HELLO,
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_test_runs_both_modes(project: Path) -> None:
    """From anywhere in the project, with the component built on the way."""
    done = edgezero("test", "--stats", "--", "-v", "-p", "edgezero_spin_pytest", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_hello[native] PASSED" in done.stdout
    assert "test_hello[component] PASSED" in done.stdout
    assert "Spin components" in done.stdout
    assert (project / "app.wasm").exists()


def test_test_ends_with_pytests_status(project: Path) -> None:
    """A failing test is a failing command; no tests at all is an error with advice."""
    arguments = ("test", "--mode", "native", "--", "-q", "-p", "edgezero_spin_pytest")
    (project / "tests" / "test_app.py").write_text("def test_no():\n    assert False\n")
    assert edgezero(*arguments, cwd=project).returncode == 1
    (project / "tests" / "test_app.py").unlink()
    done = edgezero(*arguments, cwd=project)
    assert "there are no tests in" in refusal(done)


def test_pytest_has_to_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without it the command says what brings it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ProjectError, match=r"pip install \"edgezero-spin\[testing\]\""):
        run_tests(tmp_path, "native")
