"""Compiled components and modules on disk, so that a start costs a file mapping and no compilation.

One file per component and engine: the engine's own format first, because the engine maps
the file itself, then a trailer of ours. The trailer says what the file is for and carries
a checksum of everything before it, which finds what a disk or a copy spoilt. Native code is
trusted input: a file is handed to the engine only when its trailer fits, the checksum agrees and
nobody else can write to the folder.

The folder has a bound: where a new entry goes past it, those that were used least recently
are removed.

Nothing here raises: an entry that is missing, cut, changed or made by someone else is as
good as none, and a folder that cannot be used is reported once in the log.
"""

import contextlib
import hashlib
import json
import logging
import mmap
import os
import struct
import tempfile
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import attrs
import wasmtime

__all__ = [
    "DEFAULT_MAX_BYTES",
    "MAX_BYTES_VARIABLE",
    "CacheEntry",
    "CompiledCache",
    "cache_entries",
    "clear_cache",
    "max_cache_bytes",
]

DEFAULT_MAX_BYTES: Final = 2 * 1024**3
"""Bytes that all entries of a folder may have together."""

MAX_BYTES_VARIABLE: Final = "EDGEZERO_CACHE_MAX_BYTES"
"""Environment variable that replaces the default."""

# A writer that was killed leaves one; none takes as long as this to write.
_PART_AGE_S = 3600.0

_log = logging.getLogger(__name__)

_MAGIC = b"edgezero-compiled-component-1\n\0\0"
_END = struct.Struct(f"<Q{len(_MAGIC)}s")


@attrs.frozen(order=False)
class CacheEntry:
    """One file of a folder.

    Attributes:
        used_at: When it was read or written last, in seconds since 1970.
    """

    path: Path
    size_bytes: int
    used_at: float


def max_cache_bytes() -> int:
    """Return the bound: what the environment says, where that is a number, or the default."""
    given = os.environ.get(MAX_BYTES_VARIABLE, "")
    return int(given) if given.isascii() and given.isdigit() else DEFAULT_MAX_BYTES


def cache_entries(folder: Path) -> tuple[CacheEntry, ...]:
    """Return the entries of a folder, the least recently used first; none where there is none."""
    found = []
    for path in folder.glob("*.cwasm"):
        # Another process may remove it meanwhile.
        with contextlib.suppress(OSError):
            status = path.stat()
            found.append(CacheEntry(path, status.st_size, status.st_mtime))
    return tuple(sorted(found, key=lambda entry: (entry.used_at, entry.path.name)))


def clear_cache(folder: Path) -> tuple[CacheEntry, ...]:
    """Remove every entry of a folder, and return those that are gone.

    An application that runs keeps what it has mapped.
    """
    return _removed(cache_entries(folder))


def _removed(entries: Iterable[CacheEntry]) -> tuple[CacheEntry, ...]:
    gone = []
    for entry in entries:
        with contextlib.suppress(OSError):
            entry.path.unlink()
            gone.append(entry)
    return tuple(gone)


@attrs.define
class CompiledCache:
    """The compiled components of one folder, as seen by one engine.

    Attributes:
        folder: Where entries lie. Private to the user: made with mode 0700, and not used
            when another user could write to it.
        engine_key: ``Engine.compile_key()``.
    """

    folder: Path
    engine_key: str

    def path_of(self, digest: str) -> Path:
        """Return where the entry of a component lies, given the digest of its wasm."""
        key = hashlib.sha256(f"{digest} {self.engine_key}".encode()).hexdigest()
        return self.folder / f"{key[:40]}.cwasm"

    def load(self, engine: wasmtime.Engine, digest: str) -> wasmtime.Module | None:
        """Return a compiled module, or ``None`` when there is no entry to trust."""
        path = self._trusted(digest)
        if path is None:
            return None
        try:
            return wasmtime.Module.deserialize_file(engine, str(path))
        except wasmtime.WasmtimeError as error:
            _log.info("compiling again, the engine refuses %s: %s", path, error)
            return None

    def store(self, digest: str, compiled: wasmtime.Module) -> None:
        """Write an entry, replacing any. Writers at the same time each leave a whole file."""
        if self._is_private():
            self._write(digest, bytes(compiled.serialize()))

    def load_bytes(self, key: str) -> bytes | None:
        """Return what was kept under a key, or ``None`` when there is no entry to trust."""
        path = self._trusted(key)
        if path is None:
            return None
        try:
            content = path.read_bytes()
        except OSError:
            return None
        length, _ = _END.unpack_from(content, len(content) - _END.size)
        return content[: len(content) - _END.size - length]

    def store_bytes(self, key: str, content: bytes) -> None:
        """Keep something under a key, replacing what there was."""
        if self._is_private():
            self._write(key, content)

    def _trusted(self, digest: str) -> Path | None:
        """Return where an entry lies, ``None`` when there is none to trust; note its use."""
        path = self.path_of(digest)
        if not self._is_private() or not self._is_ours(path, digest):
            return None
        # For the order in which entries are removed.
        with contextlib.suppress(OSError):
            os.utime(path)
        return path

    def _write(self, digest: str, code: bytes) -> None:
        trailer = json.dumps(
            {
                "wasm": digest,
                "engine": self.engine_key,
                "size": len(code),
                "crc32": zlib.crc32(code),
            }
        ).encode()
        try:
            handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
        except OSError as error:
            _log.warning("compiled components are not kept: %s", error)
            return
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(code)
                file.write(trailer)
                file.write(_END.pack(len(trailer), _MAGIC))
            Path(name).replace(self.path_of(digest))
            self._prune(self.path_of(digest))
        except OSError as error:
            _log.warning("compiled components are not kept: %s", error)
            with contextlib.suppress(OSError):
                Path(name).unlink()

    def _prune(self, newest: Path) -> None:
        """Remove what goes past the bound, but not what was just written."""
        entries = cache_entries(self.folder)
        surplus = sum(entry.size_bytes for entry in entries) - max_cache_bytes()
        for entry in entries:
            if surplus > 0 and entry.path != newest:
                surplus -= sum(gone.size_bytes for gone in _removed([entry]))
        for part in self.folder.glob("*.part"):
            with contextlib.suppress(OSError):
                if time.time() - part.stat().st_mtime > _PART_AGE_S:
                    part.unlink()

    def _is_private(self) -> bool:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self.folder.stat()
        except OSError as error:
            _log.warning("compiled components are not kept: %s", error)
            return False
        if os.name != "posix":
            return True
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            _log.warning(
                "compiled components are not kept: other users can write to %s "
                "(its mode should be 0700)",
                self.folder,
            )
            return False
        return True

    def _is_ours(self, path: Path, digest: str) -> bool:
        try:
            with (
                path.open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
            ):
                length, magic = _END.unpack_from(content, len(content) - _END.size)
                end = len(content) - _END.size
                if magic != _MAGIC or length > end:
                    return False
                trailer = json.loads(content[end - length : end])
                size = end - length
                with memoryview(content) as view:
                    found = zlib.crc32(view[:size])
        except (OSError, ValueError, struct.error, TypeError):
            return False
        expected = {"wasm": digest, "engine": self.engine_key, "size": size, "crc32": found}
        return bool(trailer == expected)
