"""Files of a project where no flag names them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.image_reference import is_probable_reference, without_credentials

if TYPE_CHECKING:
    from edgezero_spin.manifest import AppManifest

__all__ = [
    "APP_MANIFEST",
    "NOT_SEARCHED",
    "SPIN_MANIFEST",
    "find_app_manifest",
    "find_spin_manifest",
    "spin_manifest_of",
]

APP_MANIFEST = "edgezero.toml"
SPIN_MANIFEST = "spin.toml"
_MOST_PARENTS = 20
_MOST_LEVELS = 8
_MOST_FOLDERS = 5000
NOT_SEARCHED = frozenset({"node_modules", "target", "__pycache__", "venv"})
"""Folders in which nothing of a project is looked for."""


def find_app_manifest(start: Path | None = None) -> Path | None:
    """Return the nearest ``edgezero.toml``: in ``start``, or in a parent as for ``spin.toml``.

    A folder with a ``spin.toml`` and no ``edgezero.toml`` is a project of its own.
    """
    for folder in _upwards(Path.cwd() if start is None else start):
        if (folder / APP_MANIFEST).is_file():
            return folder / APP_MANIFEST
        if (folder / SPIN_MANIFEST).is_file():
            break
    return None


def find_spin_manifest(given: str | None = None, *, start: Path | None = None) -> Path:
    """Return the path of the application's manifest.

    Args:
        given: A manifest file or a folder that holds ``spin.toml``; ``None`` looks in
            ``start``, then in each parent up to the root of the repository and at most 20
            levels, then in the folders below, at most 8 levels down.
        start: Where the look-up begins; the current folder when ``None``.

    Raises:
        ProjectError: There is none, or several are equally near below. The message says
            where one was expected.

    Source: contract spin-host.md, MAN-5 and CLI-12; edgezero.md, BLD-9.
    """
    if given is not None:
        path = Path(given)
        if path.is_dir():
            path /= SPIN_MANIFEST
        if not path.is_file():
            raise ProjectError(_nothing_at(given, path))
        return path
    start = Path.cwd() if start is None else start
    for folder in _upwards(start):
        if (folder / SPIN_MANIFEST).is_file():
            return folder / SPIN_MANIFEST
    below = _nearest_below(start)
    if len(below) == 1:
        return below[0]
    if below:
        shown = ", ".join(str(path) for path in below)
        raise ProjectError(
            f"several {SPIN_MANIFEST} in {str(start)!r}: name one with --from: {shown}"
        )
    raise ProjectError(
        f"could not locate {SPIN_MANIFEST} in {str(start)!r}, above it or below it: "
        "name one with --from, or run in the application's folder with -C"
    )


def spin_manifest_of(project: "AppManifest | None", adapter: str, given: str | None = None) -> Path:
    """Return the path of the ``spin.toml`` that belongs to a project.

    Args:
        project: Its ``edgezero.toml``, which may say where it is.
        adapter: The adapter whose table says so.
        given: What a person named instead.

    Raises:
        ProjectError: It is not where it should be.
    """
    declared = None if project is None else project.adapter(adapter)
    if given is None and project is not None and declared is not None and declared.manifest:
        path = project.root / declared.manifest
        if path.is_file():
            return path
        raise ProjectError(
            f"could not locate {SPIN_MANIFEST}: [adapters.{declared.name}.adapter].manifest in "
            f"{project.path} names {str(path)!r}"
        )
    return find_spin_manifest(given)


def _nothing_at(given: str, path: Path) -> str:
    text = f"there is no manifest at {without_credentials(str(path))!r}"
    if is_probable_reference(given):
        return f"{text}; an application in a registry is run by `edgezero up --from-registry`"
    return text


def _upwards(start: Path) -> Iterator[Path]:
    """Yield a folder and its parents, up to the root of the repository."""
    for folder in [start, *start.parents][: _MOST_PARENTS + 1]:
        yield folder
        if (folder / ".git").exists():
            return


def _nearest_below(start: Path) -> list[Path]:
    """Return the manifests on the first level below a folder that has any, in order."""
    level = [start]
    for _ in range(_MOST_LEVELS):
        level = sorted(
            inner
            for folder in level
            for inner in _folders(folder)
            if not inner.name.startswith(".") and inner.name not in NOT_SEARCHED
        )
        found = [folder / SPIN_MANIFEST for folder in level if (folder / SPIN_MANIFEST).is_file()]
        if found or not level or len(level) > _MOST_FOLDERS:
            return found
    return []


def _folders(folder: Path) -> list[Path]:
    try:
        return [inner for inner in folder.iterdir() if inner.is_dir() and not inner.is_symlink()]
    except OSError:
        return []
