"""The Makefile on machines that lack what it needs: one clear line, nothing left behind."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in the checkout, outside of any make that runs this test."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("target", ["demo", "test", "lint", "bench", "docs"])
def test_an_old_python_is_refused_in_one_line(target: str, tmp_path: Path) -> None:
    """Every target that needs the environment says that the interpreter is too old."""
    old = tmp_path / "python3.9"
    # Fails the version check as an old interpreter does: by its status.
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = make(target, f"PYTHON={old}", f"VENV={tmp_path / 'venv'}")
    assert done.returncode == 2
    assert f"'{old}' is older than Python 3.11: name a later one with PYTHON=" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_missing_python_is_named(tmp_path: Path) -> None:
    """No interpreter at all is told apart from an old one."""
    done = make("test", "PYTHON=python-of-nowhere", f"VENV={tmp_path / 'venv'}")
    assert done.returncode == 2
    assert "'python-of-nowhere' was not found" in done.stderr


def test_make_alone_says_what_there_is() -> None:
    """A bare ``make`` lists the targets and does nothing."""
    done = make()
    assert done.returncode == 0
    for target in ("make demo", "make test", "make lint", "make bench", "make docs"):
        assert target in done.stdout
