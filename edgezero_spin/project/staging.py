"""A mirror of a source folder with what an app can import or read, and nothing else.

componentize-py searches every folder that it is given to the bottom for WIT, and fails on a
project that keeps a virtual environment with several kits inside it. Files are linked, not
copied, where the file system can do that.

Left out: hidden files, environments, ``node_modules``, caches, components; what is neither a
file nor a folder; names that are not UTF-8, which nothing can import; a folder inside itself,
as a symbolic link to a parent makes it.
"""

import os
import shutil
from pathlib import Path

from edgezero_spin.errors import ProjectError

__all__ = ["is_excluded", "stage"]


def is_excluded(path: Path) -> bool:
    """Whether a file or folder is nothing that an app imports or reads."""
    if path.name.startswith(".") or not _is_utf8(path.name):
        return True
    if not path.is_dir():
        return path.suffix in (".wasm", ".pyc")
    return path.name in ("__pycache__", "node_modules") or (path / "pyvenv.cfg").exists()


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def stage(folder: Path, target: Path) -> Path:
    """Mirror ``folder`` at ``target``, which does not exist yet; return it.

    Raises:
        ProjectError: A folder or file cannot be read or linked; names it.
    """
    _stage(folder, target, frozenset())
    return target


def _stage(folder: Path, target: Path, above: frozenset[Path]) -> None:
    try:
        real = folder.resolve(strict=True)
        if real in above:
            return
        target.mkdir()
        entries = sorted(folder.iterdir())
        for path in entries:
            if is_excluded(path):
                continue
            if path.is_dir():
                _stage(path, target / path.name, above | {real})
            elif path.is_file():
                _link(path, target / path.name)
    except OSError as error:
        raise ProjectError(
            f"{error.filename or folder}: cannot be read for the component "
            f"({error.strerror or error}); correct its permissions, or move it out of the folder "
            "of the app"
        ) from error


def _link(source: Path, target: Path) -> None:
    try:
        # The file that a symbolic link stands for: a link would point out of the mirror.
        os.link(source.resolve(), target)
    except OSError:
        # Another file system, or one without links.
        shutil.copyfile(source, target)
