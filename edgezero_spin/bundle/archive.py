"""An archive of modules and files in compressed chunks.

In: entries by module name or path. Out: an ``Archive``, or bytes that are read back to one.
Entries that belong together share a chunk, because zlib finds more in a longer text; a chunk
is the unit that is decompressed and the unit that can be left out.

Nothing here knows what the entries mean, and no chunk is decompressed before it is asked for.

Layout: eight bytes with the length of the index, the index (marshal, zlib), the chunks.
"""

import marshal
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

try:
    import zlib
except ImportError:  # the interpreter of componentize-py 0.17, on which spin-sdk 3 builds
    zlib = None  # type: ignore[assignment]

__all__ = ["PLAIN_MARSHAL", "Archive", "ArchiveWriter", "FileEntry", "ModuleEntry"]

PLAIN_MARSHAL = 2
"""The last version of marshal whose bytes follow from the value alone. Later ones tell which
strings are interned and what else refers to an object, so that two builds of one app differ."""

_CHUNK_BYTES = 64 * 1024
"""Bytes before compression from which on a chunk is closed."""


class ModuleEntry(NamedTuple):
    """Where one module is: a stretch of a chunk, and what an import needs to know.

    Attributes:
        chunk: The number of its chunk; -1 for a namespace package, which has no code.
        offset: Where it begins in the chunk, in bytes.
        size: Its length in bytes.
        path: What its ``__file__`` says; the folder of a namespace package.
        is_package: Whether it can have submodules.
        is_source: Whether the bytes are source text and not marshalled code.
    """

    chunk: int
    offset: int
    size: int
    path: str
    is_package: bool
    is_source: bool


class FileEntry(NamedTuple):
    """Where the bytes of one file are.

    Attributes:
        chunk: The number of its chunk; -1 for a name that is listed and cannot be read.
        offset: Where it begins in the chunk, in bytes.
        size: Its length in bytes.
    """

    chunk: int
    offset: int
    size: int


class ArchiveWriter:
    """Collects entries; ``finish`` makes the archive."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._pending: list[bytes] = []
        self._size = 0
        self._group = ""
        self._modules: dict[str, tuple[Any, ...]] = {}
        self._files: dict[str, tuple[Any, ...]] = {}

    def add_module(
        self,
        name: str,
        data: bytes | None,
        *,
        path: str,
        is_package: bool,
        is_source: bool,
        group: str = "",
    ) -> None:
        """Add the code of a module; ``None`` makes it a namespace package."""
        place = (-1, 0, 0) if data is None else self._place(data, group)
        self._modules[name] = (*place, path, is_package, is_source)

    def add_file(self, path: str, data: bytes | None, *, group: str = "") -> None:
        """Add a file; ``None`` adds a name that a folder lists and nobody can open."""
        self._files[path] = (-1, 0, 0) if data is None else self._place(data, group)

    def _place(self, data: bytes, group: str) -> tuple[int, int, int]:
        if group != self._group or self._size + len(data) > _CHUNK_BYTES:
            self._close()
        self._group = group
        place = (len(self._chunks), self._size, len(data))
        self._pending.append(data)
        self._size += len(data)
        return place

    def _close(self) -> None:
        if not self._pending:
            return
        self._chunks.append(zlib.compress(b"".join(self._pending), 9))
        self._pending.clear()
        self._size = 0

    def archive(self) -> "Archive":
        """Return what was collected."""
        self._close()
        return Archive(self._modules, self._files, list(self._chunks))

    def finish(self) -> bytes:
        """Return what was collected as bytes, which ``Archive.read_from`` reads."""
        self._close()
        sizes = [len(chunk) for chunk in self._chunks]
        index = zlib.compress(marshal.dumps((sizes, self._modules, self._files), PLAIN_MARSHAL), 9)
        return b"".join([len(index).to_bytes(8, "big"), index, *self._chunks])


class Archive:
    """A finished archive, which decompresses what it is asked for.

    Attributes:
        modules: Where the modules are, by their names.
        files: Where the files are, by their paths.
        chunks: The compressed chunks; one that was left out is empty.
    """

    __slots__ = ("chunks", "files", "modules")

    def __init__(
        self,
        modules: dict[str, tuple[Any, ...]],
        files: dict[str, tuple[Any, ...]],
        chunks: list[bytes],
    ) -> None:
        self.modules = {name: ModuleEntry(*entry) for name, entry in modules.items()}
        self.files = {path: FileEntry(*entry) for path, entry in files.items()}
        self.chunks = chunks

    @classmethod
    def read_from(
        cls, stream: BinaryIO, unwanted: Callable[[str], bool] = lambda name: False
    ) -> "Archive":
        """Read what ``ArchiveWriter.finish`` made.

        Args:
            stream: Where it stands; chunks that are left out are never read, and nothing is
                copied, because what is freed still counts in the snapshot of a component.
            unwanted: Whether nobody needs the module of that name. A chunk is left out if that
                is so for all that is in it.
        """
        length = int.from_bytes(stream.read(8), "big")
        sizes, modules, files = marshal.loads(zlib.decompress(stream.read(length)))
        modules = {name: entry for name, entry in modules.items() if not unwanted(name)}
        wanted = {entry[0] for entry in (*modules.values(), *files.values())}
        chunks = []
        for number, size in enumerate(sizes):
            if number in wanted:
                chunks.append(stream.read(size))
            else:
                stream.seek(size, 1)
                chunks.append(b"")
        return cls(modules, files, chunks)

    def read(self, entry: ModuleEntry | FileEntry) -> bytes:
        """Return the bytes of an entry."""
        chunk = zlib.decompress(self.chunks[entry.chunk])
        return chunk[entry.offset : entry.offset + entry.size]
