"""Plugins: programs on this machine that ``edgezero`` runs as commands of its own.

In: a name. Out: the program, or its process in the place of this one. A plugin is a program on
PATH named ``edgezero-NAME`` or ``spin-NAME``, or one that ``spin plugins install`` put where Spin
keeps them. Nothing is downloaded.

Source: contract spin-host.md, CLI-5, CLI-33, CLI-35; Spin's ``src/commands/external.rs``.
"""

import os
import platform
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.children import search_path
from edgezero_spin.project.spin_data import SPIN_VERSION, spin_data_dir

__all__ = [
    "find_plugin",
    "installed_plugins",
    "plugin_environment",
    "plugin_without_permission",
    "run_plugin",
]

_PREFIXES = ("edgezero-", "spin-")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}


def find_plugin(name: str) -> Path | None:
    """Return the program for a command; ``None`` where there is none of that name."""
    if _NAME.fullmatch(name) is None:
        return None
    for prefix in _PREFIXES:
        found = shutil.which(prefix + name)
        if found is not None:
            return Path(found)
    installed = spin_data_dir() / "plugins" / name.lower() / name.lower()
    return installed if _is_program(installed) else None


def plugin_without_permission(name: str) -> Path | None:
    """Return a file that would be the plugin if it could be executed; ``None`` for none."""
    if _NAME.fullmatch(name) is None:
        return None
    places = [Path(entry) / (prefix + name) for prefix in _PREFIXES for entry in os.get_exec_path()]
    places.append(spin_data_dir() / "plugins" / name.lower() / name.lower())
    return next((path for path in places if path.is_file() and not os.access(path, os.X_OK)), None)


def installed_plugins() -> dict[str, Path]:
    """Return all plugins of this machine by the command that runs them, sorted."""
    names = set()
    for entry in os.get_exec_path():
        for prefix in _PREFIXES:
            names |= {path.name.removeprefix(prefix) for path in Path(entry).glob(f"{prefix}*")}
    names |= {path.name for path in (spin_data_dir() / "plugins").glob("*")}
    found = {name: find_plugin(name) for name in sorted(names)}
    return {name: path for name, path in found.items() if path is not None}


def run_plugin(program: Path, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by a plugin's.

    Raises:
        ProjectError: The system cannot run it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    environment = {**os.environ, **plugin_environment()}
    try:
        os.execve(program, [str(program), *arguments], environment)
    except OSError as error:
        reason = error.strerror or str(error)
        if isinstance(error, FileNotFoundError) and program.exists():
            reason = "the interpreter that its first line names, or its loader, is not there"
        raise ProjectError(f"cannot run {program}: {reason}") from error


def plugin_environment() -> Mapping[str, str]:
    """Return the variables that Spin gives its plugins.

    ``SPIN_BIN_PATH`` is this command, which takes the commands and flags of the Spin that
    ``SPIN_VERSION`` names. What tells one build of Spin from another is empty.
    """
    major, minor, patch = SPIN_VERSION.split(".")
    machine = platform.machine().lower()
    system = "apple-darwin" if sys.platform == "darwin" else "unknown-linux-gnu"
    return {
        "SPIN_VERSION": SPIN_VERSION,
        "SPIN_VERSION_MAJOR": major,
        "SPIN_VERSION_MINOR": minor,
        "SPIN_VERSION_PATCH": patch,
        "SPIN_VERSION_PRE": "",
        "SPIN_COMMIT_SHA": "",
        "SPIN_COMMIT_DATE": "",
        "SPIN_BRANCH": "",
        "SPIN_BUILD_DATE": "",
        "SPIN_TARGET_TRIPLE": f"{_ARCHITECTURES.get(machine, machine)}-{system}",
        "SPIN_DEBUG": "false",
        "SPIN_BIN_PATH": shutil.which("edgezero", path=search_path()) or sys.argv[0],
    }


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
