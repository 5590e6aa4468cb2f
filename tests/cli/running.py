"""Run the real ``edgezero`` in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["edgezero", "refusal"]


def edgezero(
    *arguments: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run one command line to its end and return what it printed."""
    # What the developer's shell has set must not decide what a test sees.
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SPIN_", "EDGEZERO_")) and name != "RUNTIME_CONFIG_FILE"
    }
    return subprocess.run(
        [sys.executable, "-m", "edgezero_spin.cli", *map(str, arguments)],
        cwd=cwd,
        env={**clean, **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one message of a run that must have failed in the documented way."""
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    marked = [line for line in done.stderr.splitlines() if line.startswith("[edgezero] Error: ")]
    assert len(marked) == 1, done.stderr
    return done.stderr[done.stderr.index(marked[0]) :]
