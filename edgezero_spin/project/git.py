"""``git``, which does all that needs a repository elsewhere.

In: the arguments of one command. Out: what it writes, or what it complains of.
"""

import os
import subprocess
from collections.abc import Sequence
from typing import Any

from edgezero_spin.errors import ProjectError

__all__ = ["git_setting", "run_git"]


def run_git(*arguments: str, timeout_s: float | None = None, asking: bool = True) -> str | None:
    """Run git; return what it complains of, ``None`` when it is done.

    Args:
        timeout_s: Seconds that it may take, ``None`` for any time.
        asking: It may ask for a password.

    Raises:
        ProjectError: There is no git.
    """
    environment = dict(os.environ) if asking else {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = _run(arguments, timeout=timeout_s, env=environment)
    except subprocess.TimeoutExpired:
        return f"git takes longer than {timeout_s:g} seconds"
    except OSError as error:
        raise ProjectError(f"git cannot be run: {error.strerror or error}") from error
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"git ended with status {done.returncode}"


def git_setting(name: str) -> str:
    """Return a value of git's configuration; empty where there is none, or no git."""
    try:
        done = _run(("config", name))
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _run(arguments: Sequence[str], **options: Any) -> "subprocess.CompletedProcess[str]":
    # What people write in their names and paths need not be UTF-8.
    return subprocess.run(
        ["git", *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        **options,
    )
