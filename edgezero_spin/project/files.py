"""Write a file so that readers find the old content or the new, never a part.

Source: our own; POSIX ``rename``.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.scratch import scratch_file

__all__ = ["replace_file", "replace_files"]


def replace_file(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Give a file other content; a link to it stays a link.

    Args:
        content: All of the new content.
        mode: Who may do what with it from now on; ``None`` for who may now.

    Raises:
        ProjectError: It cannot be written, and is as it was.
    """
    target = Path(os.path.realpath(path))
    try:
        status = target.stat() if target.exists() else None
        if status is not None and not os.access(target, os.W_OK):
            raise PermissionError(13, "the file is read-only")
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with scratch_file(target) as scratch:
            with scratch.open("wb") as file:
                file.write(content)
                file.flush()
                if mode is None:
                    mode = 0o644 if status is None else stat.S_IMODE(status.st_mode)
                os.fchmod(file.fileno(), mode)
                if status is not None:
                    with contextlib.suppress(PermissionError):
                        os.fchown(file.fileno(), status.st_uid, status.st_gid)
                os.fsync(file.fileno())
            scratch.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        kept = "; it is as it was" if target.exists() else ""
        raise ProjectError(f"cannot write {path}: {reason}{kept}") from error


def replace_files(contents: Mapping[Path, bytes]) -> None:
    """Give several files other content, one after another; all of them, or none.

    A process that is killed has replaced the first few of them.

    Args:
        contents: What each is to hold. Folders are there; files that are not get made.

    Raises:
        ProjectError: One cannot be written, and all are as they were.
    """
    with contextlib.ExitStack() as undo:
        for path, content in contents.items():
            if path.exists():
                undo.callback(replace_file, path, path.read_bytes())
            else:
                undo.callback(path.unlink, missing_ok=True)
            replace_file(path, content)
        undo.pop_all()
