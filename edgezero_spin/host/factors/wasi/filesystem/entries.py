"""Operations on a name in a directory: look, open, make, move, remove."""

import os
from collections.abc import Collection
from typing import Any

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.filesystem.codes import utf8
from edgezero_spin.host.factors.wasi.filesystem.descriptors import (
    MAX_OPEN_FILES,
    Descriptor,
    OpenFile,
    changing,
)
from edgezero_spin.host.factors.wasi.filesystem.files import (
    hash_record,
    stat_record,
    time_ns,
    type_of,
)
from edgezero_spin.host.factors.wasi.filesystem.paths import (
    CLOEXEC,
    DIRECTORY,
    NOFOLLOW,
    NONBLOCK,
    located,
)
from edgezero_spin.host.runtime.interface import HostFunction, WitError

__all__ = ["METHODS", "stat_path"]


def _follows(path_flags: Collection[str]) -> bool:
    return "symlink-follow" in path_flags


def stat_path(descriptor: Descriptor, flags: Collection[str], path: str) -> os.stat_result:
    """What the system knows of a path."""
    with located(descriptor, path, follow=_follows(flags)) as (directory, name):
        return os.stat(name, dir_fd=directory, follow_symlinks=False)


def _stat_at(
    state: InstanceState, descriptor: Descriptor, flags: Collection[str], path: str
) -> dict[str, Any]:
    return stat_record(stat_path(descriptor, flags, path))


def _metadata_hash_at(
    state: InstanceState, descriptor: Descriptor, flags: Collection[str], path: str
) -> dict[str, int]:
    return hash_record(stat_path(descriptor, flags, path))


def _set_times_at(
    state: InstanceState,
    descriptor: Descriptor,
    flags: Collection[str],
    path: str,
    access: tuple[str, Any],
    modification: tuple[str, Any],
) -> None:
    with located(changing(descriptor), path, follow=_follows(flags)) as (directory, name):
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        times = (time_ns(access, found.st_atime_ns), time_ns(modification, found.st_mtime_ns))
        os.utime(name, ns=times, dir_fd=directory, follow_symlinks=False)


def _create_directory_at(state: InstanceState, descriptor: Descriptor, path: str) -> None:
    with located(changing(descriptor), path, follow=False, slash=True) as (directory, name):
        os.mkdir(name, dir_fd=directory)


def _link_at(
    state: InstanceState,
    descriptor: Descriptor,
    flags: Collection[str],
    old_path: str,
    new_descriptor: Descriptor,
    new_path: str,
) -> None:
    changing(descriptor)
    if _follows(flags):
        raise WitError("invalid")
    with (
        located(descriptor, old_path, follow=False) as (old_directory, old_name),
        located(changing(new_descriptor), new_path, follow=False) as (directory, name),
    ):
        os.link(
            old_name, name, src_dir_fd=old_directory, dst_dir_fd=directory, follow_symlinks=False
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
        ("directory", DIRECTORY),
    ):
        if flag in open_flags:
            mode |= bit
    with located(descriptor, path, follow=_follows(path_flags)) as (directory, name):
        # Nothing may make the host wait: a pipe would, without NONBLOCK.
        number = os.open(name, mode | NOFOLLOW | NONBLOCK | CLOEXEC, 0o666, dir_fd=directory)
    kind = type_of(os.fstat(number).st_mode)
    if kind not in ("regular-file", "directory"):
        os.close(number)
        raise WitError("not-permitted")
    return Descriptor(
        OpenFile(state, number),
        directory=kind == "directory",
        flags=frozenset(flags),
        writable=descriptor.writable,
    )


def _readlink_at(state: InstanceState, descriptor: Descriptor, path: str) -> str:
    with located(descriptor, path, follow=False) as (directory, name):
        target = os.readlink(name, dir_fd=directory)
    if target.startswith("/"):
        raise WitError("not-permitted")
    return utf8(target)


def _remove_directory_at(state: InstanceState, descriptor: Descriptor, path: str) -> None:
    with located(changing(descriptor), path, follow=False, slash=True) as (directory, name):
        os.rmdir(name, dir_fd=directory)


def _rename_at(
    state: InstanceState,
    descriptor: Descriptor,
    old_path: str,
    new_descriptor: Descriptor,
    new_path: str,
) -> None:
    with (
        located(changing(descriptor), old_path, follow=False, slash=True) as (
            old_directory,
            old_name,
        ),
        located(changing(new_descriptor), new_path, follow=False, slash=True) as (directory, name),
    ):
        if old_path.endswith("/") or new_path.endswith("/"):
            found = os.stat(old_name, dir_fd=old_directory, follow_symlinks=False)
            if type_of(found.st_mode) != "directory":
                raise WitError("not-directory")
        os.replace(old_name, name, src_dir_fd=old_directory, dst_dir_fd=directory)


def _symlink_at(state: InstanceState, descriptor: Descriptor, old_path: str, new_path: str) -> None:
    if old_path.startswith("/"):
        raise WitError("not-permitted")
    if "\0" in old_path:
        raise WitError("invalid")
    with located(changing(descriptor), new_path, follow=False) as (directory, name):
        os.symlink(old_path, name, dir_fd=directory)


def _unlink_file_at(state: InstanceState, descriptor: Descriptor, path: str) -> None:
    with located(changing(descriptor), path, follow=False) as (directory, name):
        os.unlink(name, dir_fd=directory)


METHODS: dict[str, HostFunction] = {
    "create-directory-at": _create_directory_at,
    "stat-at": _stat_at,
    "set-times-at": _set_times_at,
    "link-at": _link_at,
    "open-at": _open_at,
    "readlink-at": _readlink_at,
    "remove-directory-at": _remove_directory_at,
    "rename-at": _rename_at,
    "symlink-at": _symlink_at,
    "unlink-file-at": _unlink_file_at,
    "metadata-hash-at": _metadata_hash_at,
}
"""By the name behind ``descriptor.``."""
