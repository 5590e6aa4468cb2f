"""``wasi:filesystem``: the directories that the manifest mounts, and nothing around them.

A guest names paths relative to a directory it holds. They are walked here one name at a
time, each opened relative to the one before and without following links by itself, so that
neither ``..`` nor a link, not even one made in the middle of the walk, leads out of that
directory (ENV-14). Mounts are read-only unless they were made writable: what would change
them is ``not-permitted`` (ENV-12, ENV-13).

Source: wasi:filesystem@0.2.0 to 0.2.9.
"""

import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.host.capabilities.wasi_clocks import SECOND_NS, datetime_of
from edgezero_spin.host.capabilities.wasi_io import (
    InputStream,
    IoError,
    OutputStream,
    Pollable,
    closed,
    failed,
)
from edgezero_spin.host.channel import PIECE
from edgezero_spin.host.instance import InstanceState
from edgezero_spin.host.interface import HostFunction, Interface, Trap, WitError

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

MAX_OPEN_FILES = 512
"""Files and directories that one instance may hold open."""

MAX_PATH_PARTS = 256
MAX_LINKS = 40

_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)

_CODES = {
    errno.EACCES: "access",
    errno.EAGAIN: "would-block",
    errno.EBADF: "bad-descriptor",
    errno.EBUSY: "busy",
    errno.EDEADLK: "deadlock",
    errno.EDQUOT: "quota",
    errno.EEXIST: "exist",
    errno.EFBIG: "file-too-large",
    errno.EILSEQ: "illegal-byte-sequence",
    errno.EINTR: "interrupted",
    errno.EINVAL: "invalid",
    errno.EISDIR: "is-directory",
    errno.ELOOP: "loop",
    errno.EMFILE: "quota",
    errno.ENFILE: "quota",
    errno.EMLINK: "too-many-links",
    errno.ENAMETOOLONG: "name-too-long",
    errno.ENODEV: "no-device",
    errno.ENOENT: "no-entry",
    errno.ENOMEM: "insufficient-memory",
    errno.ENOSPC: "insufficient-space",
    errno.ENOTDIR: "not-directory",
    errno.ENOTEMPTY: "not-empty",
    errno.ENOTSUP: "unsupported",
    errno.EOVERFLOW: "overflow",
    errno.EPERM: "not-permitted",
    errno.EPIPE: "pipe",
    errno.EROFS: "read-only",
    errno.ESPIPE: "invalid-seek",
    errno.ETXTBSY: "text-file-busy",
    errno.EXDEV: "cross-device",
}

# Keeps a guest from computing inode numbers out of metadata hashes.
_HASH_KEY = os.urandom(32)


@attrs.frozen
class Mount:
    """A directory of the host that a guest sees.

    Attributes:
        guest_path: Its name for the guest, ``/``.
        host_path: The directory.
        writable: The guest may change what is below it (ENV-13).
    """

    guest_path: str
    host_path: Path
    writable: bool = False


def code_of(error: OSError) -> str:
    """The error code for what the system said."""
    return _CODES.get(error.errno or 0, "io")


def _answers_codes(function: HostFunction) -> HostFunction:
    """Turn an ``OSError`` of a host function into its err case."""

    @wraps(function)
    def answer(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except OSError as error:
            raise WitError(code_of(error)) from error

    return answer


class Handle:
    """An open file descriptor of the host, shared by a descriptor and its streams."""

    __slots__ = ("_state", "_users", "number")

    def __init__(self, state: InstanceState, number: int) -> None:
        self.number = number
        self._state = state
        self._users = 1
        state.open_files += 1

    def share(self) -> "Handle":
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
        directory: Whether it is a directory.
        flags: What the guest may do with it.
        writable: Whether its mount may be changed at all.
    """

    __slots__ = ("directory", "flags", "handle", "writable")

    def __init__(
        self, handle: Handle, *, directory: bool, flags: frozenset[str], writable: bool
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

    def __init__(self, handle: Handle, offset: int) -> None:
        self._handle = handle
        self._offset = offset

    def read(self, most: int) -> bytes:
        """Return the next bytes."""
        try:
            data = os.pread(self._handle.number, most, self._offset)
        except OSError as error:
            raise failed(_io_error(error)) from error
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

    def __init__(self, handle: Handle, offset: int | None) -> None:
        self._handle = handle
        self._offset = offset

    def write(self, contents: bytes) -> None:
        """Write all bytes."""
        rest = memoryview(contents)
        try:
            while rest:
                if self._offset is None:
                    end = os.fstat(self._handle.number).st_size
                    written = os.pwrite(self._handle.number, rest, end)
                else:
                    written = os.pwrite(self._handle.number, rest, self._offset)
                    self._offset += written
                rest = rest[written:]
        except OSError as error:
            raise failed(_io_error(error)) from error

    def drop(self, state: InstanceState) -> None:
        """Let the file be closed."""
        self._handle.release()


class DirectoryEntries:
    """``directory-entry-stream``: the names that were there when it was made."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterator[tuple[str, str]]) -> None:
        self._entries = entries

    def next(self) -> dict[str, str] | None:
        """The next entry, ``None`` behind the last."""
        found = next(self._entries, None)
        if found is None:
            return None
        kind, name = found
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise WitError("illegal-byte-sequence") from error
        return {"type": kind, "name": name}


def _io_error(error: OSError) -> IoError:
    return IoError(error.strerror or str(error), filesystem=code_of(error))


# Walking a path -------------------------------------------------------------------


class _Walk:
    """The directories open on the way to a name; the first belongs to the caller."""

    def __init__(self, start: int) -> None:
        self._open = [start]

    @property
    def here(self) -> int:
        return self._open[-1]

    def down(self, name: str) -> None:
        flags = os.O_RDONLY | _DIRECTORY | _NOFOLLOW | _CLOEXEC
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
def _located(descriptor: Descriptor, path: str, *, follow: bool) -> Iterator[tuple[int, str]]:
    """Walk a path; yield the directory that holds its last name, and that name.

    The name is ``.`` when the path ends in a directory that was walked into. It is no
    symbolic link when ``follow`` is set, and may not exist.
    """
    if not descriptor.directory:
        raise WitError("not-directory")
    pending = _parts(path)
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


def _changing(descriptor: Descriptor) -> Descriptor:
    """The descriptor, if what is below it may be changed."""
    if not descriptor.writable:
        raise WitError("not-permitted")
    return descriptor


def _writing(descriptor: Descriptor) -> Descriptor:
    """The descriptor, if it was opened for writing."""
    if descriptor.directory:
        raise WitError("is-directory")
    if "write" not in descriptor.flags:
        raise WitError("not-permitted")
    return descriptor


# Functions of a descriptor -----------------------------------------------------------


def _reading(descriptor: Descriptor) -> Descriptor:
    if descriptor.directory:
        raise WitError("is-directory")
    if "read" not in descriptor.flags:
        raise WitError("not-permitted")
    return descriptor


def _check_offset(offset: int) -> int:
    if offset >= 1 << 63:
        raise WitError("invalid")
    return offset


def _read_via_stream(state: InstanceState, descriptor: Descriptor, offset: int) -> FileInput:
    return FileInput(_reading(descriptor).handle.share(), _check_offset(offset))


def _write_via_stream(state: InstanceState, descriptor: Descriptor, offset: int) -> FileOutput:
    return FileOutput(_writing(descriptor).handle.share(), _check_offset(offset))


def _append_via_stream(state: InstanceState, descriptor: Descriptor) -> FileOutput:
    return FileOutput(_writing(descriptor).handle.share(), None)


def _read(
    state: InstanceState, descriptor: Descriptor, length: int, offset: int
) -> tuple[bytes, bool]:
    number = _reading(descriptor).number
    data = os.pread(number, min(length, PIECE), _check_offset(offset))
    return data, bool(length) and not data


def _write(state: InstanceState, descriptor: Descriptor, buffer: bytes, offset: int) -> int:
    return os.pwrite(_writing(descriptor).number, buffer, _check_offset(offset))


def _advise(
    state: InstanceState, descriptor: Descriptor, offset: int, length: int, advice: str
) -> None:
    if descriptor.directory:
        raise WitError("bad-descriptor")


def _sync(state: InstanceState, descriptor: Descriptor) -> None:
    if "write" in descriptor.flags:
        os.fsync(descriptor.number)


def _set_size(state: InstanceState, descriptor: Descriptor, size: int) -> None:
    os.ftruncate(_writing(descriptor).number, _check_offset(size))


def _type_of(mode: int) -> str:
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


def _stat_record(found: os.stat_result) -> dict[str, Any]:
    return {
        "type": _type_of(found.st_mode),
        "link-count": found.st_nlink,
        "size": found.st_size,
        "data-access-timestamp": datetime_of(found.st_atime_ns),
        "data-modification-timestamp": datetime_of(found.st_mtime_ns),
        "status-change-timestamp": datetime_of(found.st_ctime_ns),
    }


def _stat(state: InstanceState, descriptor: Descriptor) -> dict[str, Any]:
    return _stat_record(os.fstat(descriptor.number))


def _follows(path_flags: Collection[str]) -> bool:
    return "symlink-follow" in path_flags


def _stat_path(descriptor: Descriptor, flags: Collection[str], path: str) -> os.stat_result:
    with _located(descriptor, path, follow=_follows(flags)) as (directory, name):
        return os.stat(name, dir_fd=directory, follow_symlinks=False)


def _stat_at(
    state: InstanceState, descriptor: Descriptor, flags: Collection[str], path: str
) -> dict[str, Any]:
    return _stat_record(_stat_path(descriptor, flags, path))


def _hash_record(found: os.stat_result) -> dict[str, int]:
    text = f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns}"
    digest = hashlib.blake2b(text.encode(), key=_HASH_KEY, digest_size=16).digest()
    return {
        "lower": int.from_bytes(digest[:8], "little"),
        "upper": int.from_bytes(digest[8:], "little"),
    }


def _metadata_hash(state: InstanceState, descriptor: Descriptor) -> dict[str, int]:
    return _hash_record(os.fstat(descriptor.number))


def _metadata_hash_at(
    state: InstanceState, descriptor: Descriptor, flags: Collection[str], path: str
) -> dict[str, int]:
    return _hash_record(_stat_path(descriptor, flags, path))


def _time_ns(new: tuple[str, Any], present: int) -> int:
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
    _changing(descriptor)
    found = os.fstat(descriptor.number)
    times = (_time_ns(access, found.st_atime_ns), _time_ns(modification, found.st_mtime_ns))
    os.utime(descriptor.number, ns=times)


def _set_times_at(
    state: InstanceState,
    descriptor: Descriptor,
    flags: Collection[str],
    path: str,
    access: tuple[str, Any],
    modification: tuple[str, Any],
) -> None:
    with _located(_changing(descriptor), path, follow=_follows(flags)) as (directory, name):
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        times = (_time_ns(access, found.st_atime_ns), _time_ns(modification, found.st_mtime_ns))
        os.utime(name, ns=times, dir_fd=directory, follow_symlinks=False)


def _read_directory(state: InstanceState, descriptor: Descriptor) -> DirectoryEntries:
    if not descriptor.directory:
        raise WitError("not-directory")
    with os.scandir(descriptor.number) as found:
        entries = [(_entry_type(entry), entry.name) for entry in found]
    return DirectoryEntries(iter(entries))


def _entry_type(entry: "os.DirEntry[str]") -> str:
    if entry.is_symlink():
        return "symbolic-link"
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    if entry.is_file(follow_symlinks=False):
        return "regular-file"
    return "unknown"


def _create_directory_at(state: InstanceState, descriptor: Descriptor, path: str) -> None:
    with _located(_changing(descriptor), path, follow=False) as (directory, name):
        os.mkdir(name, dir_fd=directory)


def _link_at(
    state: InstanceState,
    descriptor: Descriptor,
    flags: Collection[str],
    old_path: str,
    new_descriptor: Descriptor,
    new_path: str,
) -> None:
    _changing(descriptor)
    if _follows(flags):
        raise WitError("invalid")
    with (
        _located(descriptor, old_path, follow=False) as (old_directory, old_name),
        _located(_changing(new_descriptor), new_path, follow=False) as (directory, name),
    ):
        os.link(
            old_name,
            name,
            src_dir_fd=old_directory,
            dst_dir_fd=directory,
            follow_symlinks=False,
        )


def _open_at(
    state: InstanceState,
    descriptor: Descriptor,
    path_flags: Collection[str],
    path: str,
    open_flags: Collection[str],
    flags: frozenset[str],
) -> Descriptor:
    if not descriptor.writable and (
        not {"write", "mutate-directory"}.isdisjoint(flags)
        or not {"create", "truncate"}.isdisjoint(open_flags)
    ):
        raise WitError("not-permitted")
    wants_directory = "directory" in open_flags
    if wants_directory and not {"create", "exclusive", "truncate"}.isdisjoint(open_flags):
        raise WitError("invalid")
    if state.open_files >= MAX_OPEN_FILES:
        raise WitError("quota")
    mode = os.O_RDONLY
    if "write" in flags:
        mode = os.O_RDWR if "read" in flags else os.O_WRONLY
    for flag, bit in (
        ("create", os.O_CREAT),
        ("exclusive", os.O_EXCL),
        ("truncate", os.O_TRUNC),
        ("directory", _DIRECTORY),
    ):
        if flag in open_flags:
            mode |= bit
    with _located(descriptor, path, follow=_follows(path_flags)) as (directory, name):
        # Nothing may make the host wait: a pipe would, without NONBLOCK.
        number = os.open(name, mode | _NOFOLLOW | _NONBLOCK | _CLOEXEC, 0o666, dir_fd=directory)
    kind = _type_of(os.fstat(number).st_mode)
    if kind not in ("regular-file", "directory"):
        os.close(number)
        raise WitError("not-permitted")
    return Descriptor(
        Handle(state, number),
        directory=kind == "directory",
        flags=frozenset(flags),
        writable=descriptor.writable,
    )


def _readlink_at(state: InstanceState, descriptor: Descriptor, path: str) -> str:
    with _located(descriptor, path, follow=False) as (directory, name):
        target = os.readlink(name, dir_fd=directory)
    if target.startswith("/"):
        raise WitError("not-permitted")
    return target


def _remove_directory_at(state: InstanceState, descriptor: Descriptor, path: str) -> None:
    with _located(_changing(descriptor), path, follow=False) as (directory, name):
        os.rmdir(name, dir_fd=directory)


def _rename_at(
    state: InstanceState,
    descriptor: Descriptor,
    old_path: str,
    new_descriptor: Descriptor,
    new_path: str,
) -> None:
    with (
        _located(_changing(descriptor), old_path, follow=False) as (old_directory, old_name),
        _located(_changing(new_descriptor), new_path, follow=False) as (directory, name),
    ):
        os.replace(old_name, name, src_dir_fd=old_directory, dst_dir_fd=directory)


def _symlink_at(state: InstanceState, descriptor: Descriptor, old_path: str, new_path: str) -> None:
    if old_path.startswith("/"):
        raise WitError("not-permitted")
    with _located(_changing(descriptor), new_path, follow=False) as (directory, name):
        os.symlink(old_path, name, dir_fd=directory)


def _unlink_file_at(state: InstanceState, descriptor: Descriptor, path: str) -> None:
    with _located(_changing(descriptor), path, follow=False) as (directory, name):
        os.unlink(name, dir_fd=directory)


def _is_same_object(state: InstanceState, descriptor: Descriptor, other: Descriptor) -> bool:
    return os.path.sameopenfile(descriptor.number, other.number)


def _get_flags(state: InstanceState, descriptor: Descriptor) -> frozenset[str]:
    return descriptor.flags


def _get_type(state: InstanceState, descriptor: Descriptor) -> str:
    return _type_of(os.fstat(descriptor.number).st_mode)


def _get_directories(state: InstanceState) -> list[tuple[Descriptor, str]]:
    directories = []
    for mount in state.grants.mounts:
        if state.open_files >= MAX_OPEN_FILES:
            raise Trap(f"the instance holds {MAX_OPEN_FILES} open files, which is its limit")
        number = os.open(mount.host_path, os.O_RDONLY | _DIRECTORY | _CLOEXEC)
        flags = {"read", "mutate-directory"} if mount.writable else {"read"}
        descriptor = Descriptor(
            Handle(state, number),
            directory=True,
            flags=frozenset(flags),
            writable=mount.writable,
        )
        directories.append((descriptor, mount.guest_path))
    return directories


_METHODS: dict[str, Callable[..., Any]] = {
    "read-via-stream": _read_via_stream,
    "write-via-stream": _write_via_stream,
    "append-via-stream": _append_via_stream,
    "advise": _advise,
    "sync-data": _sync,
    "get-flags": _get_flags,
    "get-type": _get_type,
    "set-size": _set_size,
    "set-times": _set_times,
    "read": _read,
    "write": _write,
    "read-directory": _read_directory,
    "sync": _sync,
    "create-directory-at": _create_directory_at,
    "stat": _stat,
    "stat-at": _stat_at,
    "set-times-at": _set_times_at,
    "link-at": _link_at,
    "open-at": _open_at,
    "readlink-at": _readlink_at,
    "remove-directory-at": _remove_directory_at,
    "rename-at": _rename_at,
    "symlink-at": _symlink_at,
    "unlink-file-at": _unlink_file_at,
    "metadata-hash": _metadata_hash,
    "metadata-hash-at": _metadata_hash_at,
}

INTERFACES = (
    Interface(
        "wasi:filesystem/types",
        {
            **{
                f"[method]descriptor.{name}": _answers_codes(function)
                for name, function in _METHODS.items()
            },
            "[method]descriptor.is-same-object": _is_same_object,
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
        "wasi:filesystem/preopens",
        {"get-directories": _get_directories},
        {"descriptor": Descriptor},
    ),
)
"""All of ``wasi:filesystem``."""
