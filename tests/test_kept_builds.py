"""Builds that a run of the tests keeps: what was asked before is not made again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
from pathlib import Path
print("ran")
Path("entry/weight").touch()
Path("out").write_text("made")
"""


def build(folder: Path) -> str:
    """Run a stand-in for componentize-py, and return what it printed."""
    for name in ("out", "entry/weight"):
        (folder / name).unlink(missing_ok=True)
    arguments = ["componentize-py", "-p", "entry", "-p", "app", "-o", "out", "app"]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=folder,
        env={**os.environ, "KEPT_BUILDS": str(folder / "kept")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (folder / "out").read_text() == "made"
    assert (folder / "entry" / "weight").exists()
    return done.stdout


@pytest.mark.parametrize(("changed", "ran"), [("app/app.py", "ran\n"), ("app/app.wasm", "")])
def test_a_build_is_made_again_where_its_app_has_changed(
    tmp_path: Path, changed: str, ran: str
) -> None:
    """The same files give the same component, with what the build left beside its entry."""
    for name in ("entry", "app", "kept"):
        (tmp_path / name).mkdir()
    (tmp_path / "app" / "app.py").write_text("one")
    assert build(tmp_path) == "ran\n"
    assert build(tmp_path) == ""
    (tmp_path / changed).write_text("two")
    assert build(tmp_path) == ran
