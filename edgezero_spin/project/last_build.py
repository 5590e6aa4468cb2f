"""The profile of a manifest that was built last.

In: the folder of a ``spin.toml`` and a profile. Out: a line in ``.spin/last-build.txt``, as Spin
keeps it; and whether what is about to run is what was built last.

Source: contract spin-host.md, CLI-15; Spin's ``crates/build`` for the file.
"""

import logging
from pathlib import Path

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.files import replace_file

__all__ = ["is_last_build", "note_last_build"]

_log = logging.getLogger(__name__)

_FILE = Path(".spin") / "last-build.txt"
_NO_PROFILE = "<anonymous>"


def note_last_build(folder: Path, profile: str | None) -> None:
    """Note that a profile was built; ``None`` for the manifest without one.

    Where no profile was ever built there is no file. One that cannot be written is told in
    the log, for the build itself is done.
    """
    path = folder / _FILE
    if profile is None and not path.exists():
        return
    try:
        path.parent.mkdir(exist_ok=True)
        replace_file(path, (profile or _NO_PROFILE).encode())
    except (OSError, ProjectError) as error:
        _log.warning("the profile that was built is not noted: %s", error)


def is_last_build(folder: Path, profile: str | None) -> bool:
    """Whether a profile is the one that was built last. A file that is not text says nothing."""
    try:
        noted = (folder / _FILE).read_text(encoding="utf-8")
    except (OSError, ValueError):
        noted = _NO_PROFILE
    return noted == (profile or _NO_PROFILE)
