"""Folders in which Spin's command keeps what it was given, and the version it is followed in.

Templates and plugins that ``spin templates install`` and ``spin plugins install`` put there are
found by ``edgezero`` as well, and so is its copy of the catalogue of target environments.

Source: contract spin-host.md, CLI-32, CLI-33; Spin's ``crates/common/src/data_dir.rs``.
"""

import os
import sys
from pathlib import Path
from typing import Final

__all__ = ["SPIN_VERSION", "spin_cache_dir", "spin_data_dir"]

SPIN_VERSION: Final = "4.1.0"
"""The version of Spin whose commands, flags and files this package follows."""


def spin_data_dir() -> Path:
    """Return Spin's data folder, which need not exist: ``SPIN_DATA_DIR``, else the user's."""
    named = os.environ.get("SPIN_DATA_DIR")
    if named:
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "spin"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "spin"


def spin_cache_dir() -> Path:
    """Return the folder for what Spin can fetch again, which need not exist."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "spin"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spin"
