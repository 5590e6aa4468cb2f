"""``wasi:filesystem@0.3``: the same files, paths and rights, read and written as streams.

What is read comes as a stream, with a future that says how it ended; what is written is taken
from the guest's stream as it comes. Everything else is a function of 0.2 whose error code
became a variant.

Source: contract wasi03.md, WE-20 to WE-25.
"""

import os
from collections.abc import Callable, Collection
from functools import wraps
from itertools import islice
from typing import Any

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.streams import ReportedSource, drained, refused
from edgezero_spin.host.factors.wasi.filesystem import entries, files, get_directories
from edgezero_spin.host.factors.wasi.filesystem.codes import answers_codes
from edgezero_spin.host.factors.wasi.filesystem.descriptors import (
    Descriptor,
    DirectoryEntries,
    FileInput,
    FileOutput,
)
from edgezero_spin.host.factors.wasi.filesystem.entries import stat_path
from edgezero_spin.host.factors.wasi.filesystem.files import type_of
from edgezero_spin.host.factors.wasi.io import READ_PIECE
from edgezero_spin.host.factors.wasi_03.clocks import instant_of
from edgezero_spin.host.runtime.host_ends import StreamReader
from edgezero_spin.host.runtime.host_sources import FutureValue
from edgezero_spin.host.runtime.interface import Err, HostFunction, Interface, WitError

__all__ = ["INTERFACES_03"]

_ENTRIES_AT_ONCE = 256

_Case = tuple[str, str | None]

_OF_02: dict[str, HostFunction] = {
    name: answers_codes(function) for name, function in (files.METHODS | entries.METHODS).items()
}


def _code(code: str) -> _Case:
    # Nothing of a file waits, so 0.3 has no word for it.
    return ("other", "would block") if code == "would-block" else (code, None)


def _type(name: str) -> _Case:
    return ("other", None) if name == "unknown" else (name, None)


def _with_variants(function: HostFunction) -> HostFunction:
    """Return the function of 0.2 with the error codes of 0.3."""

    @wraps(function)
    def answer(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except WitError as error:
            raise WitError(_code(error.payload)) from error

    return answer


class _FileSource(ReportedSource):
    """A file as a guest reads it."""

    def __init__(self, state: InstanceState, file: FileInput) -> None:
        super().__init__()
        self._state = state
        self._file: FileInput | None = file

    def read(self, most: int) -> bytes:
        """Return the next bytes; none at the end."""
        if self._file is None:
            return b""
        try:
            return self._file.read(min(most, READ_PIECE) or READ_PIECE)
        except WitError as error:
            case, failure = error.payload
            if case == "closed":
                return b""
            raise WitError(_code(failure.filesystem)) from error

    def ended(self, error: WitError | None) -> None:
        """The file ended, or cannot be read."""
        super().ended(error)
        self.close()

    def close(self) -> None:
        """Let the file be closed. Twice is harmless."""
        super().close()
        file, self._file = self._file, None
        if file is not None:
            file.drop(self._state)


class _DirectorySource(ReportedSource):
    """The names in a directory as a guest reads them.

    Attributes:
        held_bytes: About what they take.
    """

    def __init__(self, names: DirectoryEntries) -> None:
        super().__init__()
        self.held_bytes = names.held_bytes
        self._names = iter(names.next, None)
        self._failure: WitError | None = None

    def read(self, most: int) -> list[dict[str, Any]]:
        """Return the next entries."""
        found: list[dict[str, Any]] = []
        try:
            for entry in islice(self._names, min(most, _ENTRIES_AT_ONCE) or 1):
                found.append({"type": _type(entry["type"]), "name": entry["name"]})
        except WitError as error:
            # What came before it is read first.
            self._failure = WitError(_code(error.payload))
            self._names = iter(())
        if not found and self._failure is not None:
            raise self._failure
        return found


def _read_via_stream(
    state: InstanceState, descriptor: Descriptor, offset: int
) -> tuple[Any, FutureValue]:
    try:
        file = _OF_02["read-via-stream"](state, descriptor, offset)
    except WitError as error:
        return b"", FutureValue(Err(_code(error.payload)))
    return _FileSource(state, file).ends


def _written(
    state: InstanceState, data: StreamReader, open_: Callable[[], FileOutput]
) -> FutureValue:
    try:
        file = open_()
    except WitError as error:
        return refused(data, _code(error.payload))

    def take(contents: bytes) -> None:
        try:
            file.write(contents)
        except WitError as error:
            raise WitError(_code(error.payload[1].filesystem)) from error

    return drained(data, take, lambda: file.drop(state))


def _write_via_stream(
    state: InstanceState, descriptor: Descriptor, data: StreamReader, offset: int
) -> FutureValue:
    return _written(state, data, lambda: _OF_02["write-via-stream"](state, descriptor, offset))


def _append_via_stream(
    state: InstanceState, descriptor: Descriptor, data: StreamReader
) -> FutureValue:
    return _written(state, data, lambda: _OF_02["append-via-stream"](state, descriptor))


def _read_directory(state: InstanceState, descriptor: Descriptor) -> tuple[Any, FutureValue]:
    try:
        names = _OF_02["read-directory"](state, descriptor)
    except WitError as error:
        return [], FutureValue(Err(_code(error.payload)))
    return _DirectorySource(names).ends


def _stat_record(found: os.stat_result) -> dict[str, Any]:
    return {
        "type": _type(type_of(found.st_mode)),
        "link-count": found.st_nlink,
        "size": found.st_size,
        "data-access-timestamp": instant_of(found.st_atime_ns),
        "data-modification-timestamp": instant_of(found.st_mtime_ns),
        "status-change-timestamp": instant_of(found.st_ctime_ns),
    }


def _stat(state: InstanceState, descriptor: Descriptor) -> dict[str, Any]:
    return _stat_record(os.fstat(descriptor.number))


def _stat_at(
    state: InstanceState, descriptor: Descriptor, flags: Collection[str], path: str
) -> dict[str, Any]:
    return _stat_record(stat_path(descriptor, flags, path))


def _get_type(state: InstanceState, descriptor: Descriptor) -> _Case:
    return _type(type_of(os.fstat(descriptor.number).st_mode))


_METHODS: dict[str, HostFunction] = {
    name: _with_variants(function)
    for name, function in _OF_02.items()
    # 0.3 has no bytes by offset: a stream begins at one.
    if name not in ("read", "write")
}
_METHODS |= {
    "stat": _with_variants(answers_codes(_stat)),
    "stat-at": _with_variants(answers_codes(_stat_at)),
    "get-type": _with_variants(answers_codes(_get_type)),
    "read-via-stream": _read_via_stream,
    "write-via-stream": _write_via_stream,
    "append-via-stream": _append_via_stream,
    "read-directory": _read_directory,
}

INTERFACES_03 = (
    Interface(
        "wasi:filesystem/types@0.3",
        {f"[method]descriptor.{name}": function for name, function in _METHODS.items()},
        {"descriptor": Descriptor},
    ),
    Interface(
        "wasi:filesystem/preopens@0.3",
        {"get-directories": get_directories},
        {"descriptor": Descriptor},
    ),
)
"""All of ``wasi:filesystem@0.3``."""
