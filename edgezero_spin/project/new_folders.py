"""Folders that are made for what comes into them, and removed where that fails.

Source: our own.
"""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from edgezero_spin.errors import ProjectError

__all__ = ["made_folders", "with_parents"]


@contextlib.contextmanager
def made_folders(folders: Iterable[Path]) -> Iterator[None]:
    """Make folders, outer ones first, for as long as what is done in them does not fail.

    Raises:
        ProjectError: One cannot be made.
    """
    with contextlib.ExitStack() as undo:
        for folder in folders:
            if folder.is_dir():
                continue
            try:
                folder.mkdir()
            except OSError as error:
                raise ProjectError(f"cannot make {folder}: {error.strerror or error}") from error
            undo.callback(folder.rmdir)
        yield
        undo.pop_all()


def with_parents(base: Path, wanted: Iterable[Path]) -> dict[Path, None]:
    """Return folders with those around them up to a base, outer ones first."""
    folders = {}
    for path in wanted:
        inner = [path, *path.parents]
        folders.update(dict.fromkeys(reversed(inner[: inner.index(base)])))
    return folders
