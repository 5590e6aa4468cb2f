"""A guest's file handles: descriptors, the streams over them, lists of names.

A descriptor and its streams share one file descriptor of the host, which is closed behind
the last of them.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import attrs

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.filesystem.codes import io_error, utf8
from edgezero_spin.host.factors.wasi.io import InputStream, OutputStream, closed, failed
from edgezero_spin.host.runtime.interface import WitError

__all__ = [
    "MAX_OPEN_FILES",
    "Descriptor",
    "DirectoryEntries",
    "DirectoryMount",
    "FileInput",
    "FileOutput",
    "OpenFile",
    "changing",
    "opened_for",
]

# A name of usual length, with what Python needs for it.
BYTES_OF_ENTRY = 200

MAX_OPEN_FILES = 512
"""Files and directories that one instance may hold open."""


@attrs.frozen
class DirectoryMount:
    """A directory of the host that a guest sees.

    Attributes:
        guest_path: Its name for the guest, ``/``.
        writable: The guest may change what is below it (ENV-13).
    """

    guest_path: str
    host_path: Path
    writable: bool = False


class OpenFile:
    """An open file descriptor of the host, shared by a descriptor and its streams."""

    __slots__ = ("_state", "_users", "number")

    def __init__(self, state: InstanceState, number: int) -> None:
        self.number = number
        self._state = state
        self._users = 1
        state.open_files += 1

    def share(self) -> "OpenFile":
        """Count one more user."""
        self._users += 1
        return self

    def release(self) -> None:
        """Count one user less and close behind the last one."""
        self._users -= 1
        if self._users == 0:
            self._state.open_files -= 1
            os.close(self.number)


class Descriptor:
    """``descriptor``: an open file or directory.

    Attributes:
        handle: The host's descriptor.
        flags: What the guest may do with it.
        writable: Whether its mount may be changed at all.
    """

    __slots__ = ("directory", "flags", "handle", "writable")

    def __init__(
        self, handle: OpenFile, *, directory: bool, flags: frozenset[str], writable: bool
    ) -> None:
        self.handle = handle
        self.directory = directory
        self.flags = flags
        self.writable = writable

    @property
    def number(self) -> int:
        """The host's file descriptor."""
        return self.handle.number

    def drop(self, state: InstanceState) -> None:
        """Close it, unless a stream still uses it."""
        self.handle.release()


class FileInput(InputStream):
    """Reads a file from an offset on."""

    __slots__ = ("_handle", "_offset")

    def __init__(self, handle: OpenFile, offset: int) -> None:
        self._handle = handle
        self._offset = offset

    def read(self, most: int) -> bytes:
        """Return the next bytes."""
        try:
            data = os.pread(self._handle.number, most, self._offset)
        except OSError as error:
            raise failed(io_error(error)) from error
        if most and not data:
            raise closed()
        self._offset += len(data)
        return data

    def drop(self, state: InstanceState) -> None:
        """Let the file be closed."""
        self._handle.release()


class FileOutput(OutputStream):
    """Writes a file from an offset on, or always at its end."""

    __slots__ = ("_handle", "_offset")

    def __init__(self, handle: OpenFile, offset: int | None) -> None:
        self._handle = handle
        self._offset = offset

    def write(self, contents: bytes) -> None:
        """Write all bytes."""
        rest = memoryview(contents)
        try:
            while rest:
                if self._offset is None:
                    written = _append(self._handle.number, rest)
                else:
                    written = os.pwrite(self._handle.number, rest, self._offset)
                    self._offset += written
                rest = rest[written:]
        except OSError as error:
            raise failed(io_error(error)) from error

    def drop(self, state: InstanceState) -> None:
        """Let the file be closed."""
        self._handle.release()


def _append(number: int, data: memoryview) -> int:
    # In one step where the system can: others may append to the file, too.
    if hasattr(os, "RWF_APPEND"):
        return os.pwritev(number, [data], 0, os.RWF_APPEND)
    return os.pwrite(number, data, os.fstat(number).st_size)


class DirectoryEntries:
    """``directory-entry-stream``: the names that were there when it was made.

    Attributes:
        held_bytes: About what they take.
    """

    __slots__ = ("_entries", "held_bytes")

    def __init__(self, entries: Sequence[tuple[str, str]]) -> None:
        self._entries = iter(entries)
        self.held_bytes = BYTES_OF_ENTRY * len(entries)

    def next(self) -> dict[str, str] | None:
        """The next entry, ``None`` behind the last."""
        found = next(self._entries, None)
        if found is None:
            return None
        kind, name = found
        return {"type": kind, "name": utf8(name)}


def changing(descriptor: Descriptor) -> Descriptor:
    """The descriptor, if what is below it may be changed."""
    if not descriptor.writable:
        raise WitError("not-permitted")
    return descriptor


def opened_for(descriptor: Descriptor, use: Literal["read", "write"]) -> Descriptor:
    """The descriptor, if it is a file that was opened for this."""
    if descriptor.directory:
        raise WitError("is-directory")
    if use not in descriptor.flags:
        raise WitError("not-permitted")
    return descriptor
