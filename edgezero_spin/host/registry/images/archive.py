"""The files in an archive layer, taken out one by one into the application cache.

In: a ``tar.gz`` that anybody may have made, and the digests that an application asks for. Out:
those files in the cache, by digest. Names of members choose no path: what is not asked for is
read past, and nothing is written but under its own digest.

Bounds: what the archive unpacks to, in total and against its own size, and what its headers
take, since the reader keeps those in memory.

Source: contract spin-host.md, OCI-4 and OCI-12.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from edgezero_spin.host.registry.cache import PIECE_BYTES, ContentCache, pieces_of
from edgezero_spin.manifest.spin import FetchError

__all__ = ["FREE_BYTES", "MAX_HEADER_BYTES", "MAX_RATIO", "MAX_UNPACKED_BYTES", "unpack_archive"]

MAX_UNPACKED_BYTES = 2 * 1024 * 1024 * 1024
"""Bytes that one archive may unpack to."""

MAX_RATIO = 200
"""How many times its own size it may unpack to, past ``FREE_BYTES``; texts shrink to a tenth."""

FREE_BYTES = 64 * 1024 * 1024

MAX_HEADER_BYTES = 32 * 1024 * 1024
"""Bytes of headers, 512 or more for each member."""

# What the reader raises for headers that make no sense, a long chain of them included.
_BROKEN = (tarfile.TarError, gzip.BadGzipFile, EOFError, ValueError, RecursionError)


def unpack_archive(path: Path, wanted: Collection[str], cache: ContentCache) -> None:
    """Put the wanted files of an archive into the cache.

    Args:
        wanted: Digests; what has none of them is left.
        cache: Where the files go.

    Raises:
        FetchError: It is no such archive, a member would lead out of its folder, or it unpacks
            to more than it may.
    """
    allowed = min(MAX_UNPACKED_BYTES, max(FREE_BYTES, MAX_RATIO * path.stat().st_size))
    try:
        with gzip.open(path) as packed:
            stream = _BoundedStream(packed, allowed)
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                for member in _members(archive, stream):
                    _check_name(member)
                    if member.isreg():
                        _take(archive, member, wanted, cache)
    except (*_BROKEN, zlib.error) as error:
        raise FetchError(f"it is not a tar.gz archive: {error or 'it breaks off'}") from error


def _members(archive: tarfile.TarFile, stream: "_BoundedStream") -> Iterator[tarfile.TarInfo]:
    while True:
        stream.in_headers = True
        member = archive.next()
        stream.in_headers = False
        if member is None:
            return
        yield member


def _check_name(member: tarfile.TarInfo) -> None:
    """Refuse what would lie, or lead, outside the folder that was archived."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name:
        raise FetchError(f"its member {member.name!r} leads out of the archive")
    if member.issym() or member.islnk():
        # A symbolic link starts at its own folder, a hard one at the archive's.
        inner = name.parent / member.linkname if member.issym() else PurePosixPath(member.linkname)
        depth = 0
        for part in inner.parts:
            depth += -1 if part == ".." else 1
            if depth < 0 or part == "/":
                raise FetchError(f"its link {member.name!r} leads out of the archive")
    elif not (member.isreg() or member.isdir()):
        raise FetchError(f"its member {member.name!r} is neither file nor folder")


def _take(
    archive: tarfile.TarFile, member: tarfile.TarInfo, wanted: Collection[str], cache: ContentCache
) -> None:
    if member.issparse():
        raise FetchError(f"its member {member.name!r} is a sparse file, which no registry needs")
    content = archive.extractfile(member)
    if content is None:
        return
    with content:
        cache.sift(pieces_of(content), wanted, kind="data", size=member.size)


class _BoundedStream(io.BufferedIOBase):
    """A file that is read forwards, and no further than it may be.

    Attributes:
        in_headers: What is read now is kept in memory by the reader.
    """

    def __init__(self, file: io.BufferedIOBase, allowed: int) -> None:
        super().__init__()
        self._file = file
        self._allowed = allowed
        self._at = 0
        self._headers = 0
        self.in_headers = True

    def read(self, size: int | None = -1, /) -> bytes:
        """Read some bytes, unless they are too many."""
        size = -1 if size is None else size
        if self.in_headers:
            self._headers += max(size, 0)
            if self._headers > MAX_HEADER_BYTES:
                raise FetchError(f"its headers have more than {MAX_HEADER_BYTES} bytes")
        left = self._allowed - self._at + 1
        data = self._file.read(min(size, left) if size >= 0 else left)
        self._at += len(data)
        if self._at > self._allowed:
            raise FetchError(f"it unpacks to more than {self._allowed} bytes")
        return data

    def tell(self) -> int:
        """How many bytes were read."""
        return self._at

    def seek(self, position: int, whence: int = 0, /) -> int:
        """Read up to a position."""
        if whence or position < self._at:
            raise tarfile.ReadError("it is not in order")
        headers, self.in_headers = self.in_headers, False
        try:
            while self._at < position and self.read(min(PIECE_BYTES, position - self._at)):
                pass
        finally:
            self.in_headers = headers
        return self._at
