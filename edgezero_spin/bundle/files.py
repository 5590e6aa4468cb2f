"""Read-only files from archives, where a component has no file of that name.

In: the archives, and the folder that stands for the app's working directory. Out:
``open()``, ``os.stat()``, ``os.listdir()`` and ``os.scandir()`` that look there when WASI has
no such file. Mounted files (``files`` in ``spin.toml``) always come first.

Whoever reads by way of these four works: ``pathlib``, ``importlib.resources``,
``importlib.metadata``, ``pkgutil.get_data``, template loaders. Nothing can be written.
"""

import _io
import builtins
import errno
import io
import os
import posix
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from edgezero_spin.bundle.archive import Archive, FileEntry

__all__ = ["BundledFiles", "install"]

_TIME = 315532800
"""1980-01-01: every file has this time, so that a component is the same however it was built."""


class BundledFiles:
    """The files and folders of some archives, by absolute path.

    Attributes:
        folder: What a path that is relative to the working directory is looked up below.
    """

    def __init__(self, archives: Sequence[Archive], folder: str) -> None:
        self.folder = folder
        self._archives = archives
        self._files: dict[str, tuple[Archive, FileEntry]] | None = None
        self._folders: dict[str, dict[str, None]] = {}

    def _load(self) -> dict[str, tuple[Archive, FileEntry]]:
        if self._files is None:
            self._files = {}
            for archive in self._archives:
                for path, entry in archive.files.items():
                    self._files[path] = (archive, entry)
                    self._note(path)
                for module in archive.modules.values():
                    if module.chunk >= 0 and module.path not in self._files:
                        self._files[module.path] = (archive, FileEntry(-1, 0, 0))
                        self._note(module.path)
        return self._files

    def _note(self, path: str) -> None:
        while path not in ("", "/"):
            parent, _, name = path.rpartition("/")
            parent = parent or "/"
            names = self._folders.setdefault(parent, {})
            if name in names:
                return
            names[name] = None
            path = parent

    def _places(self, path: Any) -> list[str]:
        text = os.fspath(path)
        if isinstance(text, bytes):
            text = os.fsdecode(text)
        if not isinstance(text, str) or "\0" in text:
            return []
        whole = os.path.normpath(os.path.join(os.getcwd(), text))
        # normpath keeps two slashes at the front, as POSIX allows.
        whole = "/" + whole.lstrip("/")
        return [whole, os.path.normpath(f"{self.folder}/{whole}")]

    def find_file(self, path: Any) -> bytes | None:
        """Return the bytes of a file, or ``None`` where there is none to read."""
        files = self._load()
        for place in self._places(path):
            found = files.get(place)
            if found is not None and found[1].chunk >= 0:
                return found[0].read(found[1])
        return None

    def find_stat(self, path: Any) -> os.stat_result | None:
        """Return what ``os.stat`` says of a file or folder."""
        files = self._load()
        for place in self._places(path):
            found = files.get(place)
            if found is not None:
                return _status(stat.S_IFREG | 0o444, found[1].size)
            if place in self._folders:
                return _status(stat.S_IFDIR | 0o555, 0)
        return None

    def find_names(self, path: Any) -> list[str] | None:
        """Return what ``os.listdir`` says of a folder."""
        self._load()
        for place in self._places(path):
            names = self._folders.get(place)
            if names is not None:
                return list(names)
        return None


def _status(mode: int, size: int) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, 0, 0, size, _TIME, _TIME, _TIME))


class _BundledFile(io.BytesIO):
    """A file that was opened for reading."""

    def __init__(self, data: bytes, name: Any) -> None:
        super().__init__(data)
        self.name = name
        self.mode = "rb"  # type: ignore[misc]

    def writable(self) -> bool:
        return False

    def write(self, data: Any) -> int:
        raise io.UnsupportedOperation("write")

    def truncate(self, size: int | None = None) -> int:
        raise io.UnsupportedOperation("truncate")


class _Entry:
    """What ``os.scandir`` yields."""

    def __init__(self, folder: str, name: str, status: os.stat_result) -> None:
        self.name = name
        self.path = os.path.join(folder, name)
        self._status = status

    def __fspath__(self) -> str:
        return self.path

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return stat.S_ISDIR(self._status.st_mode)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return stat.S_ISREG(self._status.st_mode)

    def is_symlink(self) -> bool:
        return False

    def is_junction(self) -> bool:
        return False

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        return self._status

    def inode(self) -> int:
        return 0


class _Scan:
    """The iterator of ``os.scandir``, which can be closed."""

    def __init__(self, entries: list[_Entry]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[_Entry]:
        return self

    def __next__(self) -> _Entry:
        return next(self._entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter(())


def install(files: BundledFiles) -> None:
    """Let ``open()`` and ``os`` see the files where the component has none of that name."""
    real_open = io.open
    real_open_code = io.open_code
    real_listdir = posix.listdir
    real_scandir = posix.scandir

    def open_(
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Callable[[str, int], int] | None = None,
    ) -> Any:
        try:
            return real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        except FileNotFoundError:
            if opener is not None or set(mode) - {"r", "b", "t"}:
                raise
            data = files.find_file(file)
            if data is None:
                status = files.find_stat(file)
                if status is not None and stat.S_ISDIR(status.st_mode):
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), file) from None
                raise
        opened = _BundledFile(data, file)
        if "b" in mode:
            return opened
        text = io.TextIOWrapper(opened, encoding or "utf-8", errors, newline)
        vars(text)["mode"] = mode
        return text

    def open_code(path: str) -> Any:
        try:
            return real_open_code(path)
        except FileNotFoundError:
            data = files.find_file(path)
            if data is None:
                raise
        return _BundledFile(data, path)

    def with_bundled(real: Callable[..., Any]) -> Callable[..., Any]:
        def status(path: Any, *, dir_fd: int | None = None, **options: Any) -> Any:
            try:
                return real(path, dir_fd=dir_fd, **options)
            except FileNotFoundError:
                found = files.find_stat(path) if dir_fd is None else None
                if found is None:
                    raise
            return found

        return status

    def listdir(path: Any = ".") -> Any:
        try:
            return real_listdir(path)
        except FileNotFoundError:
            names = files.find_names("." if path is None else path)
            if names is None:
                raise
        return [os.fsencode(name) for name in names] if isinstance(path, bytes) else names

    def scandir(path: Any = ".") -> Any:
        try:
            return real_scandir(path)
        except FileNotFoundError:
            names = files.find_names("." if path is None else path)
            if names is None:
                raise
        folder = os.fsdecode("." if path is None else path)
        entries = []
        for name in names:
            status = files.find_stat(os.path.join(folder, name))
            if status is not None:
                entries.append(_Entry(folder, name, status))
        return _Scan(entries)

    replaced: dict[str, Any] = {
        "stat": with_bundled(posix.stat),
        "lstat": with_bundled(posix.lstat),
        "listdir": listdir,
        "scandir": scandir,
    }
    for module in (os, posix):
        vars(module).update(replaced)
    vars(builtins).update(open=open_)
    for module in (io, _io):
        vars(module).update(open=open_, open_code=open_code)
