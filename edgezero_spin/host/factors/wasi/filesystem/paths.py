"""Resolution of a guest's paths: a directory of the host, and a name in it.

A path is walked one name at a time, each opened relative to the one before and without
following links by itself, so that neither ``..`` nor a link, not even one made in the middle
of the walk, leads out of the directory where it began (ENV-14).
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from edgezero_spin.host.factors.wasi.filesystem.descriptors import Descriptor
from edgezero_spin.host.runtime.interface import WitError

__all__ = ["CLOEXEC", "DIRECTORY", "NOFOLLOW", "NONBLOCK", "located"]

MAX_PATH_PARTS = 256
MAX_LINKS = 40

CLOEXEC = getattr(os, "O_CLOEXEC", 0)
DIRECTORY = getattr(os, "O_DIRECTORY", 0)
NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
NONBLOCK = getattr(os, "O_NONBLOCK", 0)


class _Walk:
    """The directories open on the way to a name; the first belongs to the caller."""

    def __init__(self, start: int) -> None:
        self._open = [start]

    @property
    def here(self) -> int:
        return self._open[-1]

    def down(self, name: str) -> None:
        flags = os.O_RDONLY | DIRECTORY | NOFOLLOW | CLOEXEC
        self._open.append(os.open(name, flags, dir_fd=self.here))

    def up(self) -> None:
        if len(self._open) == 1:
            raise WitError("not-permitted")
        os.close(self._open.pop())

    def close(self) -> None:
        while len(self._open) > 1:
            os.close(self._open.pop())


def _parts(path: str) -> list[str]:
    """The names of a path, the last one first."""
    if not path:
        raise WitError("no-entry")
    if path.startswith("/"):
        raise WitError("not-permitted")
    if "\0" in path:
        raise WitError("invalid")
    parts = path.split("/")
    if len(parts) > MAX_PATH_PARTS:
        raise WitError("name-too-long")
    if parts[-1] == "":
        # A slash at the end asks for a directory.
        parts[-1] = "."
    return parts[::-1]


@contextmanager
def located(
    descriptor: Descriptor, path: str, *, follow: bool, slash: bool = False
) -> Iterator[tuple[int, str]]:
    """Walk a path; yield the directory that holds its last name, and that name.

    The name is ``.`` when the path ends in a directory that was walked into. It is no
    symbolic link when ``follow`` is set, and may not exist.

    Args:
        descriptor: Where the path begins.
        path: As the guest gives it.
        follow: Whether a link at the end of the path is followed.
        slash: Whether a slash may stand behind the last name, because it is one of a
            directory anyway; else that asks to walk into it.
    """
    if not descriptor.directory:
        raise WitError("not-directory")
    pending = _parts((path.rstrip("/") or path) if slash else path)
    links = 0
    walk = _Walk(descriptor.number)
    try:
        name = "."
        while pending:
            part = pending.pop()
            if part in ("", "."):
                continue
            if part == "..":
                walk.up()
                continue
            target = _link_target(walk.here, part) if pending or follow else None
            if target is not None:
                links += 1
                if links > MAX_LINKS:
                    raise WitError("loop")
                pending.extend(_parts(target))
            elif pending:
                walk.down(part)
            else:
                name = part
        yield walk.here, name
    finally:
        walk.close()


def _link_target(directory: int, name: str) -> str | None:
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError as error:
        # EINVAL: no link. ENOENT: whoever needs the name will say so.
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise
