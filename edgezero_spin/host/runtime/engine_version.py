"""Version of the installed engine.

The name of the distribution's metadata folder says it; ``importlib.metadata`` reads a file with a
parser of e-mail for it, whose import takes as long as the whole server's.

Source: "Recording installed projects" of the Python packaging specifications.
"""

from functools import cache
from pathlib import Path

import wasmtime

__all__ = ["engine_version"]


@cache
def engine_version() -> str:
    """Return the version of the ``wasmtime`` package, ``50.0.1``."""
    site = Path(wasmtime.__file__).parents[1]
    found = [path.name for path in site.glob("wasmtime-*.dist-info")]
    if len(found) != 1:
        # Installed in another way, or beside what is left of another version.
        import importlib.metadata

        return importlib.metadata.version("wasmtime")
    return found[0].removeprefix("wasmtime-").removesuffix(".dist-info")
