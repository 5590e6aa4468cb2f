"""The application cache: content that came over the network, each piece under its digest.

In: a digest and bytes. Out: a file whose content has that digest. What arrives is hashed while
it is written to a file of its own, and gets its name only when it is right, so a wrong or broken
download leaves nothing behind and several processes may fill one cache at once. A kept file is
hashed again before it is used.

Spin keeps the same content in the same places, so the two share it.

Source: contract spin-host.md, MAN-31, MAN-33, OCI-40 to OCI-42.
"""

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, Protocol

from edgezero_spin.manifest.spin import FetchError

__all__ = [
    "KINDS",
    "MAX_BYTES",
    "PIECE_BYTES",
    "ContentCache",
    "ContentKind",
    "check_digest",
    "digest_of",
    "measure",
    "pieces_of",
]

MAX_BYTES = 1024 * 1024 * 1024
"""Bytes of one download; more is not a component."""

PIECE_BYTES = 256 * 1024

ContentKind = Literal["wasm", "data"]
"""Which folder content is in: components and their dependencies, or anything else."""

PART_LIFETIME_S = 24 * 3600.0
"""Seconds after which a download that nobody writes to any more is one that was killed."""

KINDS: tuple[ContentKind, ...] = ("wasm", "data")

_PART = ".part-"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class ContentCache:
    """Content by its digest.

    Attributes:
        root: The folder, with ``wasm``, ``data`` and ``manifests`` in it; made when missing.
    """

    def __init__(self, root: Path) -> None:
        """Take the folder; nothing is made before the first download."""
        self.root = root
        self._whole: dict[Path, _Stamp] = {}
        self._swept: set[Path] = set()

    def kept(self, digest: str) -> Path | None:
        """Return the file with this digest if it is here and whole.

        Raises:
            FetchError: It is not a digest.
        """
        for kind in KINDS:
            path = self.path(digest, kind)
            stamp = _stamp_of(path)
            if stamp is None:
                continue
            # What did not change since is not read again: it may be thousands of files.
            if self._whole.get(path) == stamp or _has_digest(path, digest):
                self._whole[path] = stamp
                return path
        return None

    def path(self, digest: str, kind: ContentKind) -> Path:
        """Return where content is, or would be.

        Raises:
            FetchError: It is not a digest.
        """
        # Windows has no colon in file names (OCI-42).
        name = check_digest(digest).replace(":", "_" if os.name == "nt" else ":")
        return self.root / kind / name

    def store(
        self,
        digest: str,
        pieces: Iterable[bytes],
        *,
        kind: ContentKind = "wasm",
        size: int | None = None,
    ) -> Path:
        """Write bytes to the file of their digest.

        Args:
            digest: What they must have.
            kind: Which folder they go to.
            size: How many there must be, where that is known; at most ``MAX_BYTES``.

        Raises:
            FetchError: They are others, more or fewer, or cannot be written.
        """
        with self.receiving(digest, pieces, kind=kind, size=size):
            return self.path(digest, kind)

    @contextmanager
    def receiving(
        self,
        digest: str,
        pieces: Iterable[bytes],
        *,
        kind: ContentKind = "wasm",
        size: int | None = None,
    ) -> Iterator[Path]:
        """Write bytes as ``store`` does, and yield a file with them that has no name yet.

        It gets its name at the end of the ``with``, unless that ends with an exception.
        """
        path = self.path(digest, kind)
        with self._part(path.parent, pieces, size) as (part, found):
            if found != digest.lower():
                raise FetchError(
                    f"invalid content digest; expected {digest.lower()}, downloaded {found}"
                )
            yield part
            self._name(part, path)

    def sift(
        self, pieces: Iterable[bytes], wanted: Collection[str], *, kind: ContentKind, size: int
    ) -> None:
        """Keep bytes of an unknown digest, if it is wanted.

        Args:
            pieces: The bytes.
            kind: Which folder they go to.
            size: How many there must be.

        Raises:
            FetchError: They are more or fewer, or cannot be written.
        """
        with self._part(self.root / kind, pieces, size) as (part, found):
            if found in wanted and self.kept(found) is None:
                self._name(part, self.path(found, kind))

    @contextmanager
    def _part(
        self, folder: Path, pieces: Iterable[bytes], size: int | None
    ) -> Iterator[tuple[Path, str]]:
        """Write bytes to a file without a name of its own; yield it and its digest.

        It is removed at the end, unless it got a name.
        """
        limit = MAX_BYTES if size is None else size
        if limit > MAX_BYTES:
            raise FetchError(f"it has {limit} bytes; this host takes {MAX_BYTES}")
        part = None
        hasher = hashlib.sha256()
        try:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                if folder not in self._swept:
                    self._swept.add(folder)
                    _sweep(folder)
                descriptor, name = tempfile.mkstemp(dir=folder, prefix=_PART)
                part = Path(name)
                with os.fdopen(descriptor, "wb") as file:
                    for piece in _measured(pieces, limit, size):
                        hasher.update(piece)
                        file.write(piece)
                part.chmod(0o644)
            except OSError as error:
                raise FetchError(f"cannot write {folder}: {error.strerror or error}") from error
            yield part, f"sha256:{hasher.hexdigest()}"
        finally:
            if part is not None:
                with suppress(OSError):
                    part.unlink()

    def _name(self, part: Path, path: Path) -> None:
        stamp = _stamp_of(part)
        try:
            part.replace(path)
        except OSError as error:
            raise FetchError(f"cannot write {path}: {error.strerror or error}") from error
        if stamp is not None:
            self._whole[path] = stamp

    def write_document(self, folder: Path, name: str, content: bytes) -> Path:
        """Write a small file below ``manifests``, whole or not at all.

        Args:
            folder: Relative to ``manifests``.
            name: Of the file.

        Raises:
            FetchError: It cannot be written.
        """
        path = self.root / "manifests" / folder / name
        with self._part(path.parent, [content], len(content)) as (part, _):
            self._name(part, path)
        return path


def digest_of(content: bytes | bytearray) -> str:
    """Return the digest of some bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def measure(path: Path) -> tuple[str, int]:
    """Return the digest of a file, and its size."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}", file.tell()


def pieces_of(file: _Readable) -> Iterator[bytes]:
    """Yield what is left of a file."""
    while piece := file.read(PIECE_BYTES):
        yield piece


def check_digest(digest: str) -> str:
    """Return a digest in small letters.

    Raises:
        FetchError: It is not one.
    """
    if _DIGEST.fullmatch(digest.lower()) is None:
        raise FetchError(f"invalid `digest` {digest!r}; it is 'sha256:' and 64 hex digits")
    return digest.lower()


_Stamp = tuple[int, int, int]
"""Tells whether a file is still the one that was read: its number, size and time."""


def _stamp_of(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _sweep(folder: Path) -> None:
    """Remove what processes left that were killed in the middle of a download."""
    oldest = time.time() - PART_LIFETIME_S
    for part in folder.glob(f"{_PART}*"):
        # Others may sweep at the same time.
        with suppress(OSError):
            if part.stat().st_mtime < oldest:
                part.unlink()


def _has_digest(path: Path, digest: str) -> bool:
    try:
        return measure(path)[0] == digest.lower()
    except OSError:
        return False


def _measured(pieces: Iterable[bytes], limit: int, wanted: int | None) -> Iterator[bytes]:
    """Yield pieces as long as there are as many bytes as there may be."""
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise FetchError(f"the download is larger than {limit} bytes")
        yield piece
    if wanted is not None and size < wanted:
        raise FetchError(f"the download has {size} bytes, not {wanted}")
