"""Run a project's tests in both modes, with pytest as it is installed.

In: a project folder. Out: one child process and its status. Whether an app can be tested
natively is the plugin's business; this module only chooses folder and flags.
"""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.children import run_child

__all__ = ["pytest_command", "run_tests"]

NO_TESTS = 5
"""pytest's status for a run that found no test."""


def pytest_command(mode: str, *, stats: bool = False, rest: Sequence[str] = ()) -> list[str]:
    """Return the command that runs the tests.

    Args:
        mode: ``native``, ``component`` or ``both``.
        stats: Show what each test used.
    """
    flags = ["--spin-mode", mode]
    if stats:
        flags.append("--spin-stats")
    return [sys.executable, "-m", "pytest", *flags, *rest]


def run_tests(folder: Path, mode: str, *, stats: bool = False, rest: Sequence[str] = ()) -> int:
    """Run the tests of a project and return pytest's status.

    Raises:
        ProjectError: pytest is not installed, or there are no tests.
    """
    if importlib.util.find_spec("pytest") is None:
        raise ProjectError('pytest is not installed: pip install "edgezero-spin[testing]"')
    status = run_child(pytest_command(mode, stats=stats, rest=rest), folder=folder)
    if status == NO_TESTS:
        raise ProjectError(
            f"there are no tests in {folder}: write a function test_... that takes `spin_app` "
            f"into a file tests/test_app.py"
        )
    return status
