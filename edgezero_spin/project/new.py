"""Make a new project from a template: all of it, or nothing.

In: a name, a folder to put it in, a template and values for its parameters. Effect: a new
folder, written under another name and renamed when it is complete. What exists is never
touched.

Source: contract edgezero.md, NEW-1 to NEW-12; spin-host.md, TPL-9, TPL-11 and TPL-12.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.new_names import project_name
from edgezero_spin.project.new_templates import Template, render_template

__all__ = ["NewProject", "create_project"]

_APP_NAME = "app-name"
# A file of a template cannot be named after a parameter, so this one is given its name here.
_APP_CONFIG = PurePosixPath("app.toml")
_IGNORE = PurePosixPath(".gitignore")


@attrs.frozen(kw_only=True)
class NewProject:
    """A project that was made.

    Attributes:
        path: Its folder.
        name: Its name, which may differ from what was typed.
        files: What is in it, in order.
        warnings: What did not work and does not matter to the project.
    """

    path: Path
    name: str
    files: tuple[PurePosixPath, ...]
    warnings: tuple[str, ...] = ()


def create_project(
    text: str,
    template: Template,
    *,
    parent: Path,
    values: Mapping[str, str] | None = None,
    vcs: bool = True,
) -> NewProject:
    """Make a project in a new folder.

    Args:
        text: What to call it; what cannot stand in a name is left out.
        template: What it is made from.
        parent: The folder to make it in.
        values: Parameters of the template; others have their defaults.
        vcs: Whether it gets a repository of its own, unless it lies in one.

    Raises:
        ProjectError: The folder exists, a value is missing or does not fit, or something
            cannot be written. Nothing is left behind.
    """
    name = project_name(text)
    target = parent / name
    if os.path.lexists(target):
        raise ProjectError(f"{target} already exists: choose another name, or --dir")
    if not parent.is_dir():
        raise ProjectError(f"there is no folder {parent} to make {name} in")
    chosen = {**_surroundings(name), **_parameters(template, name, values or {})}
    files = render_template(template, chosen)
    if _APP_CONFIG in files and _APP_NAME in chosen:
        files[PurePosixPath(f"{chosen[_APP_NAME]}.toml")] = files.pop(_APP_CONFIG)
    if not vcs:
        files.pop(_IGNORE, None)
    if not files:
        raise ProjectError(f"template {template.id} has no files to create")
    try:
        _write(target, files)
    except OSError as error:
        raise ProjectError(f"cannot create {target}: {error.strerror or error}") from error
    warnings = tuple(_start_repository(target)) if vcs else ()
    return NewProject(path=target, name=name, files=tuple(sorted(files)), warnings=warnings)


def _parameters(template: Template, name: str, given: Mapping[str, str]) -> dict[str, str]:
    unknown = sorted(given.keys() - {parameter.name for parameter in template.parameters})
    if unknown:
        known = ", ".join(parameter.name for parameter in template.parameters) or "none"
        raise ProjectError(
            f"template {template.id} has no parameter {', '.join(unknown)} (available: {known})"
        )
    chosen = {}
    for parameter in template.parameters:
        default = name if parameter.name == _APP_NAME else parameter.default
        value = given.get(parameter.name, default)
        if value is None:
            raise ProjectError(
                f"template {template.id} needs a value: --value {parameter.name}=... "
                f"({parameter.prompt})"
            )
        chosen[parameter.name] = parameter.check(value)
    return chosen


def _surroundings(name: str) -> dict[str, str]:
    """The names that every template may use."""
    username = _git("config", "user.name") or os.environ.get("USER", "")
    address = _git("config", "user.email")
    return {
        "project-name": name,
        "output-path": name,
        "username": username,
        "authors": f"{username} <{address}>" if address else username,
    }


def _write(target: Path, files: Mapping[PurePosixPath, bytes]) -> None:
    with _scratch_folder(target) as scratch:
        whole = scratch / target.name
        whole.mkdir()
        for name, content in files.items():
            path = whole / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        whole.rename(target)


@contextlib.contextmanager
def _scratch_folder(target: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name[:40]}.", dir=target.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start_repository(folder: Path) -> Iterator[str]:
    """Run ``git init``; yield what to warn of."""
    if any((outer / ".git").exists() for outer in folder.resolve().parents):
        return
    try:
        done = subprocess.run(
            ["git", "init", "--quiet"], cwd=folder, capture_output=True, text=True, check=False
        )
    except OSError as error:
        yield f"git init was not run: {error.strerror or error}"
        return
    if done.returncode:
        yield f"git init failed: {done.stderr.strip()}"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
