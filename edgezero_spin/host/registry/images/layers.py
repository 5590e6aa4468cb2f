"""Layers of an image: components, files, folders.

In: content on this disk, as a locked application names it. Out: an ``ImageLayer``: what a manifest
says of it, and its bytes when they are sent.

Source: contract spin-host.md, OCI-2 to OCI-4, OCI-10 to OCI-13 and OCI-17.
"""

import contextlib
import gzip
import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import attrs

from edgezero_spin.host.errors import ComponentError
from edgezero_spin.host.registry.cache import digest_of, measure, pieces_of
from edgezero_spin.host.registry.images.image import ARCHIVE_TYPE, DATA_TYPE, WASM_TYPE
from edgezero_spin.host.registry.repository import Blob
from edgezero_spin.host.runtime.component_loading import read_wasm
from edgezero_spin.manifest.spin import ContentRef, FetchError

__all__ = [
    "FoundFile",
    "ImageLayer",
    "archive_layer",
    "bytes_layer",
    "content_of",
    "file_layer",
    "files_below",
    "wasm_bytes",
    "wasm_layer",
]

INLINE_BYTES = 128
"""Content up to this size is in the lock itself; some registries take no blobs so small."""


@attrs.frozen
class ImageLayer:
    """Content of an image.

    Attributes:
        blob: What a manifest says of it.
        open: Yields its bytes from the first, each time.
    """

    blob: Blob
    open: Callable[[], Iterable[bytes]]


@attrs.frozen
class FoundFile:
    """A file below a folder.

    Attributes:
        guest_path: Where a component sees it, relative, with ``/`` between its parts.
    """

    path: Path
    guest_path: str


def wasm_layer(content: ContentRef, place: str) -> ImageLayer:
    """Return the layer of a component; one in text is pushed as the binary that it means.

    Raises:
        FetchError: It is not wasm.
    """
    path = _path_of(content)
    with _reading(path, place):
        with path.open("rb") as file:
            is_binary = file.read(4) == b"\0asm"
        return _of_file(path, WASM_TYPE) if is_binary else bytes_layer(read_wasm(path), WASM_TYPE)


def wasm_bytes(content: ContentRef, place: str) -> bytes:
    """Return a component, one in text as the binary that it means.

    Raises:
        FetchError: It is not wasm.
    """
    path = _path_of(content)
    with _reading(path, place):
        return read_wasm(path)


@contextlib.contextmanager
def _reading(path: Path, place: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FetchError(f"{place} {path}: {error.strerror}; build the component first") from error
    except ComponentError as error:
        if isinstance(error.__cause__, OSError):
            reason = error.__cause__.strerror
            raise FetchError(f"{place} {path}: {reason}; build the component first") from error
        raise FetchError(f"{place} is not a valid .wasm file: {path}") from error


def file_layer(path: Path) -> ImageLayer:
    """Return the layer of one file.

    Raises:
        FetchError: It cannot be read.
    """
    try:
        return _of_file(path, DATA_TYPE)
    except OSError as error:
        raise FetchError(f"{path}: {error.strerror}") from error


def archive_layer(content: ContentRef) -> ImageLayer:
    """Return the layer of a folder with everything in it.

    It is made in memory, compressed. The same files make the same bytes: neither times nor
    owners are kept.

    Raises:
        FetchError: A file cannot be read.
    """
    folder = _path_of(content)
    packed = io.BytesIO()
    try:
        with (
            gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as compressed,
            tarfile.open(fileobj=compressed, mode="w", format=tarfile.GNU_FORMAT) as archive,
        ):
            for found in files_below(content):
                member = tarfile.TarInfo(f"./{found.guest_path}")
                member.size = found.path.stat().st_size
                with found.path.open("rb") as file:
                    archive.addfile(member, file)
    except OSError as error:
        raise FetchError(f"{error.filename or folder}: {error.strerror}") from error
    return bytes_layer(packed.getvalue(), ARCHIVE_TYPE)


def bytes_layer(content: bytes, media_type: str) -> ImageLayer:
    """Return the layer of some bytes."""
    blob = Blob(media_type=media_type, digest=digest_of(content), size=len(content))
    return ImageLayer(blob, lambda: pieces_of(io.BytesIO(content)))


def files_below(content: ContentRef) -> list[FoundFile]:
    """Return all files below a folder, in the order of their paths; links are passed over."""
    folder = _path_of(content)
    return [
        FoundFile(path, path.relative_to(folder).as_posix())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]


def content_of(layer: ImageLayer) -> ContentRef:
    """Return how a lock names a layer: by its digest, and if it is small by its bytes."""
    inline = b"".join(layer.open()) if layer.blob.size <= INLINE_BYTES else None
    return ContentRef(inline=inline, digest=layer.blob.digest)


def _of_file(path: Path, media_type: str) -> ImageLayer:
    digest, size = measure(path)
    blob = Blob(media_type=media_type, digest=digest, size=size)
    return ImageLayer(blob, lambda: _pieces_of(path))


def _path_of(content: ContentRef) -> Path:
    path = content.path
    if path is None:
        raise FetchError("the application has content that is not on this disk")
    return path


def _pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from pieces_of(file)
