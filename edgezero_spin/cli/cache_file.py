"""The cache configuration of wasmtime, as far as it means something to the embedded host.

Source: contract spin-host.md, ENG-9; wasmtime's documentation of its cache.
"""

from pathlib import Path

import attrs

from edgezero_spin.errors import HostError
from edgezero_spin.manifest.decoding import decode_toml

__all__ = ["CacheFileError", "read_cache_dir"]


@attrs.frozen
class CacheFileError(HostError):
    """A cache configuration cannot be used.

    Raised before anything is loaded.
    """

    path: Path
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


def read_cache_dir(path: Path, default: Path | None) -> Path | None:
    """Return the folder for compiled components, ``None`` where the file switches it off.

    What else wasmtime reads there tunes its own cache, which this is not.

    Args:
        default: The folder where the file names none.

    Raises:
        CacheFileError: The file cannot be read, or says something else.
    """
    try:
        content = decode_toml(path.read_bytes().decode())
    except OSError as error:
        raise CacheFileError(path, error.strerror or "cannot be read") from error
    except ValueError as error:
        raise CacheFileError(path, f"this is not TOML: {error}") from error
    table = content.get("cache")
    if not isinstance(table, dict):
        raise CacheFileError(path, "the table [cache] is missing")
    if table.get("enabled", True) is False:
        return None
    directory = table.get("directory")
    if directory is None:
        return default
    if not isinstance(directory, str) or not Path(directory).is_absolute():
        raise CacheFileError(path, f"cache.directory must be an absolute path, not {directory!r}")
    return Path(directory)
