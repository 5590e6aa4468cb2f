"""The standard library of the bundled interpreter as an archive, made once and kept.

Only CPython inside a component can compile for itself, so one component is built that does
nothing else and writes the archive into its folder. It is kept in the user's cache folder, by
the release of componentize-py and by what makes it.
"""

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from edgezero_spin import bundle
from edgezero_spin.errors import ProjectError
from edgezero_spin.project.files import replace_file

__all__ = ["ENTRY_MODULE", "ENTRY_TEXT", "kept_library"]

ENTRY_MODULE = "edgezero_standard_library"
ENTRY_TEXT = """\
import os
import sys

import edgezero_spin.guest.wasi02.handler
import edgezero_spin.guest.seeding
import edgezero_spin.guest.warm
from edgezero_spin.bundle.standard_library import standard_library

folder = os.path.dirname(__file__)
with open(folder + "/standard-library.partial", "wb") as file:
    file.write(standard_library(python_code=True).finish())
os.rename(folder + "/standard-library.partial", folder + "/standard-library")
raise RuntimeError("the archive is written, and no component is wanted")
"""


def kept_library(release: str, make: Callable[[Path], None]) -> bytes:
    """Return the archive, from the cache if it is there.

    Args:
        release: The release of componentize-py.
        make: Builds ``ENTRY_MODULE`` in the folder that it is given, until the file
            ``standard-library`` stands there.
    """
    # What these rooms import is in every component and not in the archive.
    package = Path(bundle.__path__[0]).parent
    rooms = ("bundle", "core", "guest", "stores")
    sources = [path for room in rooms for path in sorted((package / room).rglob("*.py"))]
    digest = hashlib.sha256("".join([release, ENTRY_TEXT]).encode())
    for source in sources:
        digest.update(source.read_bytes())
    path = _cache_folder() / "standard-library" / f"{release}-{digest.hexdigest()[:16]}"
    with contextlib.suppress(OSError):
        return path.read_bytes()
    with _one_at_a_time(path.parent):
        with contextlib.suppress(OSError):
            return path.read_bytes()
        with tempfile.TemporaryDirectory(prefix="edgezero-library-") as scratch:
            folder = Path(scratch)
            (folder / f"{ENTRY_MODULE}.py").write_text(ENTRY_TEXT, encoding="utf-8")
            make(folder)
            data = (folder / "standard-library").read_bytes()
        # Without a cache the next build makes it again.
        with contextlib.suppress(OSError, ProjectError):
            _keep(path, data)
    return data


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let builds that start together wait for the one that makes the archive."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context((folder / ".lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _keep(path: Path, data: bytes) -> None:
    """Write the archive at its path, whole or not at all, instead of those of before."""
    for old in path.parent.glob("[!.]*"):
        old.unlink()
    replace_file(path, data)


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "edgezero-spin"
