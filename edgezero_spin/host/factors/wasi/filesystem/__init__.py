"""``wasi:filesystem``: the directories that the manifest mounts, and nothing around them.

A guest names paths relative to a directory that it holds, and none leads out of it
(``paths``). Mounts are read-only unless they were made writable: what would change them is
``not-permitted`` (ENV-12, ENV-13). ``files`` has what can be done to what is open,
``entries`` what can be done to names.

Source: wasi:filesystem@0.2.0 to 0.2.9.
"""

import os

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.filesystem import entries, files
from edgezero_spin.host.factors.wasi.filesystem.codes import answers_codes
from edgezero_spin.host.factors.wasi.filesystem.descriptors import (
    MAX_OPEN_FILES,
    Descriptor,
    DirectoryEntries,
    OpenFile,
)
from edgezero_spin.host.factors.wasi.filesystem.paths import CLOEXEC, DIRECTORY
from edgezero_spin.host.factors.wasi.io import InputStream, IoError, OutputStream, Pollable
from edgezero_spin.host.runtime.interface import Interface, Trap

__all__ = ["INTERFACES", "get_directories"]


def get_directories(state: InstanceState) -> list[tuple[Descriptor, str]]:
    """Open what the manifest mounts; each descriptor with its name for the guest.

    Raises:
        Trap: One of them cannot be opened, or there are too many open files.
    """
    mounts = state.grants.mounts
    # All of them or none: what is opened here is nobody's before all are handed out.
    if state.open_files + len(mounts) > MAX_OPEN_FILES:
        raise Trap(f"the instance holds {MAX_OPEN_FILES} open files, which is its limit")
    state.table.check_room(len(mounts))
    directories: list[tuple[Descriptor, str]] = []
    for mount in mounts:
        try:
            number = os.open(mount.host_path, os.O_RDONLY | DIRECTORY | CLOEXEC)
        except OSError as error:
            for opened, _ in directories:
                opened.drop(state)
            raise Trap(f"{mount.guest_path} cannot be opened: {error.strerror}") from error
        flags = {"read", "mutate-directory"} if mount.writable else {"read"}
        descriptor = Descriptor(
            OpenFile(state, number), directory=True, flags=frozenset(flags), writable=mount.writable
        )
        directories.append((descriptor, mount.guest_path))
    return directories


INTERFACES = (
    Interface(
        "wasi:filesystem/types",
        {
            **{
                f"[method]descriptor.{name}": answers_codes(function)
                for name, function in (files.METHODS | entries.METHODS).items()
            },
            "[method]directory-entry-stream.read-directory-entry": (
                lambda state, entries: entries.next()
            ),
            "filesystem-error-code": lambda state, error: error.filesystem,
        },
        {
            "descriptor": Descriptor,
            "directory-entry-stream": DirectoryEntries,
            "input-stream": InputStream,
            "output-stream": OutputStream,
            "error": IoError,
            "pollable": Pollable,
        },
    ),
    Interface(
        "wasi:filesystem/preopens", {"get-directories": get_directories}, {"descriptor": Descriptor}
    ),
)
"""All of ``wasi:filesystem``."""
