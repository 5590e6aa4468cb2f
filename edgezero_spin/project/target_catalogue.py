"""The catalogue of target environments: a git repository, and Spin's copy of it on this machine.

In: a name, ``spin-up:3.2``. Out: the file that defines it. The copy is made when a name is not in
it, and brought up to date where a name without version may mean something else by now.

Source: the README of https://github.com/spinframework/spin-environments; Spin's
``crates/environments/src/environment/catalogue.rs``.
"""

import contextlib
import re
import time
from pathlib import Path
from typing import Final

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.git import run_git
from edgezero_spin.project.scratch import scratch_folder
from edgezero_spin.project.spin_data import spin_cache_dir

__all__ = ["CATALOGUE_URL", "find_environment", "known_environments", "update_catalogue"]

CATALOGUE_URL: Final = "https://github.com/spinframework/spin-environments"

_BRANCH = "main"
_RECENT_S = 3600.0
_QUICK_UPDATE_S = 2.0
_NAME = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?:@(?P<version>[A-Za-z0-9][\w.-]*))?", re.ASCII)


def find_environment(name: str) -> Path:
    """Return the definition of an environment.

    Args:
        name: With its version after a colon or an at sign, where it has versions.

    Raises:
        ProjectError: The catalogue has none of this name, or cannot be had.
    """
    found = _NAME.fullmatch(name.replace(":", "@"))
    if found is None:
        raise ProjectError(
            f"{name!r} is not the name of a target environment; write it like `spin-up:3.2`, or "
            '{ path = "..." } or { url = "..." } for a definition of your own'
        )
    id = found[0]
    path = _definitions() / found["name"] / f"{id}.toml"
    if found["version"] is None and path.is_file():
        _update_soon()
    if not path.is_file():
        update_catalogue()
    if not path.is_file():
        known = ", ".join(known_environments())
        raise ProjectError(f"there is no target environment {id!r} (known: {known or 'none'})")
    return path


def known_environments() -> tuple[str, ...]:
    """Return the names in the copy on this machine, by name and then version."""
    names = [path.stem for path in _definitions().glob("*/*.toml")]
    return tuple(sorted(names, key=_rank))


def update_catalogue(*, timeout_s: float | None = None) -> None:
    """Bring the copy up to date; make it where there is none.

    Args:
        timeout_s: Seconds that it may take, ``None`` for any time.

    Raises:
        ProjectError: It cannot be had, or not be written.
    """
    clone = _clone()
    if clone.exists():
        failure = run_git("-C", str(clone), "pull", "-q", timeout_s=timeout_s, asking=False)
    else:
        failure = _make(clone, timeout_s)
    if failure is not None:
        raise ProjectError(
            f"the catalogue of target environments cannot be fetched from {CATALOGUE_URL}: "
            f"{failure} (`edgezero build --skip-target-checks` does without)"
        )
    # That it cannot be noted costs the next build a look.
    with contextlib.suppress(OSError):
        _time_file().write_text(str(int(time.time())))


def _make(clone: Path, timeout_s: float | None) -> str | None:
    """Clone the repository; what is there in the end is whole."""
    source = ("--branch", _BRANCH, "--single-branch", "--", CATALOGUE_URL)
    try:
        clone.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(clone) as scratch:
            made = scratch / "clone"
            failure = run_git(
                "clone", "-q", "--depth", "1", *source, str(made), timeout_s=timeout_s, asking=False
            )
            if failure is None and not clone.exists():
                made.rename(clone)
            return failure
    except OSError as error:
        raise ProjectError(f"cannot write {clone}: {error.strerror or error}") from error


def _update_soon() -> None:
    """Bring the copy up to date if it is old, and if that is quick."""
    try:
        age = time.time() - int(_time_file().read_text())
    except (OSError, ValueError):
        age = _RECENT_S
    if not 0 <= age < _RECENT_S:
        with contextlib.suppress(ProjectError):
            update_catalogue(timeout_s=_QUICK_UPDATE_S)


def _clone() -> Path:
    return spin_cache_dir() / "environments"


def _definitions() -> Path:
    return _clone() / "envs"


def _time_file() -> Path:
    return spin_cache_dir() / "environments-last-update.txt"


def _rank(name: str) -> tuple[str, tuple[tuple[int, str], ...]]:
    stem, _, version = name.partition("@")
    parts = version.split(".") if version else []
    return stem, tuple((int(part), "") if part.isdigit() else (0, part) for part in parts)
