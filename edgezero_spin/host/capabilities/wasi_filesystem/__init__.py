"""``wasi:filesystem``: the directories that the manifest mounts, and nothing around them.

A guest names paths relative to a directory that it holds, and none leads out of it
(``paths``). Mounts are read-only unless they were made writable: what would change them is
``not-permitted`` (ENV-12, ENV-13). ``files`` has what can be done to what is open,
``entries`` what can be done to names.

Source: wasi:filesystem@0.2.0 to 0.2.9 and 0.3.0.
"""

import os

from edgezero_spin.host.capabilities.wasi_filesystem import entries, files
from edgezero_spin.host.capabilities.wasi_filesystem.codes import answers_codes, code_of
from edgezero_spin.host.capabilities.wasi_filesystem.descriptors import (
    MAX_OPEN_FILES,
    Descriptor,
    DirectoryEntries,
    FileInput,
    FileOutput,
    Handle,
    Mount,
)
from edgezero_spin.host.capabilities.wasi_filesystem.paths import CLOEXEC, DIRECTORY
from edgezero_spin.host.capabilities.wasi_filesystem.wasi_03 import FILESYSTEM_03
from edgezero_spin.host.capabilities.wasi_io import InputStream, IoError, OutputStream, Pollable
from edgezero_spin.host.instance import InstanceState
from edgezero_spin.host.interface import Interface, Trap

__all__ = [
    "INTERFACES",
    "MAX_OPEN_FILES",
    "Descriptor",
    "DirectoryEntries",
    "FileInput",
    "FileOutput",
    "Handle",
    "Mount",
    "code_of",
]


def _get_directories(state: InstanceState) -> list[tuple[Descriptor, str]]:
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
            Handle(state, number),
            directory=True,
            flags=frozenset(flags),
            writable=mount.writable,
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
    FILESYSTEM_03,
    *(
        Interface(
            f"wasi:filesystem/preopens{version}",
            {"get-directories": _get_directories},
            {"descriptor": Descriptor},
        )
        for version in ("", "@0.3")
    ),
)
"""All of ``wasi:filesystem``, 0.2 and 0.3."""
