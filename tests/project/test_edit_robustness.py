"""Edits that are killed, or find no room, leave the old files or the new ones."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.doomed_edits import EDITS


def doomed(*arguments: str) -> dict[str, int]:
    """Run ``tests.project.doomed_edits``; how often each state was found."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.project.doomed_edits", *arguments],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pairs = (part.split("=") for part in done.stdout.split())
    return {name: int(count) for name, count in pairs}


@pytest.mark.parametrize("edit", EDITS)
def test_a_killed_edit_leaves_whole_files(edit: str, tmp_path: Path) -> None:
    """Byte for byte, before whichever of its file operations the process dies.

    Running it again completes the edit.
    """
    counts = doomed("kill", edit, str(tmp_path))
    # Otherwise no process died while it wrote, and nothing was shown.
    assert counts["caught"] > 0, counts
    assert counts["old"] > 1, counts


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_on_a_full_disk_changes_nothing(edit: str, tmp_path: Path) -> None:
    """Whichever of its files finds no room, all of them are as they were, and it is an error."""
    counts = doomed("starve", edit, str(tmp_path))
    assert counts["old"] > 1
    assert counts["new"] > 1
