"""Be someone who may not write, also where the tests run as root."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import edgezero_spin

__all__ = ["public_folder", "without_rights"]

NOBODY = 65534


@contextmanager
def without_rights() -> Iterator[None]:
    """Be a user to whom the bits of files apply; root is another one for a moment."""
    if os.geteuid() != 0:
        yield
        return
    # The real user too: os.access asks for that one. The saved one leads back.
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        if not os.access(edgezero_spin.__path__[0], os.R_OK | os.X_OK):
            pytest.skip("the package stands where no other user can read it")
        yield
    finally:
        os.setresuid(0, 0, 0)


@contextmanager
def public_folder() -> Iterator[Path]:
    """A folder that every user can reach, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
