"""Edits that are killed leave the old files or the new ones, and the next edit works."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.doomed_edits import EDITS

KILLS = 100


@pytest.mark.parametrize("edit", EDITS)
def test_a_killed_edit_leaves_whole_files(edit: str, tmp_path: Path) -> None:
    """Byte for byte, at whatever moment the process dies; running it again completes it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.project.doomed_edits", edit, str(tmp_path), str(KILLS)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts = {name: int(count) for name, count in (part.split("=") for part in done.stdout.split())}
    # Otherwise no process died while it wrote, and nothing was shown.
    assert counts.pop("caught") > 0, counts
    assert sum(counts.values()) == KILLS
