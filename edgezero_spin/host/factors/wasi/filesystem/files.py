"""Operations on an open file or directory itself."""

import hashlib
import os
import stat
import time
from typing import Any

from edgezero_spin.host.exchange.channel import PIECE
from edgezero_spin.host.factors.bounds import hold
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.clocks import SECOND_NS, datetime_of
from edgezero_spin.host.factors.wasi.filesystem.descriptors import (
    Descriptor,
    DirectoryEntries,
    FileInput,
    FileOutput,
    changing,
    opened_for,
)
from edgezero_spin.host.runtime.interface import HostFunction, WitError

__all__ = ["METHODS", "hash_record", "stat_record", "time_ns", "type_of"]

# Keeps a guest from computing inode numbers out of metadata hashes.
_HASH_KEY = os.urandom(32)


def _check_offset(offset: int) -> int:
    if offset >= 1 << 63:
        raise WitError("invalid")
    return offset


def _read_via_stream(state: InstanceState, descriptor: Descriptor, offset: int) -> FileInput:
    # Checked before the handle is shared, or nobody would be left to let it go.
    _check_offset(offset)
    return FileInput(opened_for(descriptor, "read").handle.share(), offset)


def _write_via_stream(state: InstanceState, descriptor: Descriptor, offset: int) -> FileOutput:
    _check_offset(offset)
    return FileOutput(opened_for(descriptor, "write").handle.share(), offset)


def _read(
    state: InstanceState, descriptor: Descriptor, length: int, offset: int
) -> tuple[bytes, bool]:
    number = opened_for(descriptor, "read").number
    data = os.pread(number, min(length, PIECE), _check_offset(offset))
    return data, bool(length) and not data


def _write(state: InstanceState, descriptor: Descriptor, buffer: bytes, offset: int) -> int:
    return os.pwrite(opened_for(descriptor, "write").number, buffer, _check_offset(offset))


def _advise(
    state: InstanceState, descriptor: Descriptor, offset: int, length: int, advice: str
) -> None:
    if descriptor.directory:
        raise WitError("bad-descriptor")


def _sync(state: InstanceState, descriptor: Descriptor) -> None:
    if "write" in descriptor.flags:
        os.fsync(descriptor.number)


def _set_size(state: InstanceState, descriptor: Descriptor, size: int) -> None:
    os.ftruncate(opened_for(descriptor, "write").number, _check_offset(size))


def type_of(mode: int) -> str:
    """What a file is, by its mode."""
    for test, name in (
        (stat.S_ISREG, "regular-file"),
        (stat.S_ISDIR, "directory"),
        (stat.S_ISLNK, "symbolic-link"),
        (stat.S_ISCHR, "character-device"),
        (stat.S_ISBLK, "block-device"),
        (stat.S_ISFIFO, "fifo"),
        (stat.S_ISSOCK, "socket"),
    ):
        if test(mode):
            return name
    return "unknown"


def stat_record(found: os.stat_result) -> dict[str, Any]:
    """A ``descriptor-stat``."""
    return {
        "type": type_of(found.st_mode),
        "link-count": found.st_nlink,
        "size": found.st_size,
        "data-access-timestamp": datetime_of(found.st_atime_ns),
        "data-modification-timestamp": datetime_of(found.st_mtime_ns),
        "status-change-timestamp": datetime_of(found.st_ctime_ns),
    }


def hash_record(found: os.stat_result) -> dict[str, int]:
    """A ``metadata-hash-value``: another one when the file is another or was changed."""
    text = f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns}"
    digest = hashlib.blake2b(text.encode(), key=_HASH_KEY, digest_size=16).digest()
    return {
        "lower": int.from_bytes(digest[:8], "little"),
        "upper": int.from_bytes(digest[8:], "little"),
    }


def time_ns(new: tuple[str, Any], present: int) -> int:
    """A ``new-timestamp`` in nanoseconds."""
    case, payload = new
    if case == "no-change":
        return present
    if case == "now":
        return time.time_ns()
    return int(payload["seconds"]) * SECOND_NS + int(payload["nanoseconds"])


def _set_times(
    state: InstanceState,
    descriptor: Descriptor,
    access: tuple[str, Any],
    modification: tuple[str, Any],
) -> None:
    changing(descriptor)
    found = os.fstat(descriptor.number)
    times = (time_ns(access, found.st_atime_ns), time_ns(modification, found.st_mtime_ns))
    os.utime(descriptor.number, ns=times)


def _read_directory(state: InstanceState, descriptor: Descriptor) -> DirectoryEntries:
    if not descriptor.directory:
        raise WitError("not-directory")
    with os.scandir(descriptor.number) as found:
        entries = [(_entry_type(entry), entry.name) for entry in found]
    stream = DirectoryEntries(entries)
    hold(state, stream.held_bytes)
    return stream


def _entry_type(entry: "os.DirEntry[str]") -> str:
    if entry.is_symlink():
        return "symbolic-link"
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    if entry.is_file(follow_symlinks=False):
        return "regular-file"
    return "unknown"


METHODS: dict[str, HostFunction] = {
    "read-via-stream": _read_via_stream,
    "write-via-stream": _write_via_stream,
    "append-via-stream": lambda _, descriptor: FileOutput(
        opened_for(descriptor, "write").handle.share(), None
    ),
    "advise": _advise,
    "sync-data": _sync,
    "get-flags": lambda _, descriptor: descriptor.flags,
    "get-type": lambda _, descriptor: type_of(os.fstat(descriptor.number).st_mode),
    "set-size": _set_size,
    "set-times": _set_times,
    "read": _read,
    "write": _write,
    "read-directory": _read_directory,
    "sync": _sync,
    "stat": lambda _, descriptor: stat_record(os.fstat(descriptor.number)),
    "metadata-hash": lambda _, descriptor: hash_record(os.fstat(descriptor.number)),
    "is-same-object": lambda _, descriptor, other: os.path.sameopenfile(
        descriptor.number, other.number
    ),
}
"""By the name behind ``descriptor.``."""
