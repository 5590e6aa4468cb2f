"""Components that are not on this disk: downloaded once, kept under their digest.

In: a URL and the digest that the manifest or the lock states, or a package of a registry,
which states the digest itself. Out: a file whose content
has that digest. What arrives is hashed while it is written to a file of its own, and gets
its name only when it is right, so a wrong or broken download leaves nothing behind. A kept
file is hashed again before it is used.

Source: contract spin-host.md, MAN-31 to MAN-33, MAN-72, OCI-40 and OCI-42.
"""

import hashlib
import http.client
import os
import re
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from edgezero_spin.manifest.spin import FetchError, PackageSource, UrlSource

__all__ = ["Downloads"]

TIMEOUT_S = 30.0
"""Seconds that a server may be silent."""

MAX_BYTES = 1024 * 1024 * 1024
"""Bytes of one download; more is no component."""

_PIECE = 256 * 1024
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


class Downloads:
    """The part of an application cache that holds wasm. A ``manifest.spin.Fetch``.

    Attributes:
        folder: Where the files are, ``sha256:<hex>`` each; made when missing.
    """

    def __init__(self, cache_dir: Path, *, package_config: Path | None = None) -> None:
        """Take the cache's folder; nothing is made before the first download.

        Args:
            cache_dir: The folder.
            package_config: The configuration of package registries; the user's own when
                ``None``.
        """
        self.folder = cache_dir / "wasm"
        self._package_config = package_config

    def __call__(self, source: UrlSource | PackageSource) -> Path:
        """Return the file of a source.

        Raises:
            FetchError: It cannot be had, or is not what the digest says.
        """
        if isinstance(source, PackageSource):
            # Its client is slow to import, and most applications have no package.
            from edgezero_spin.host.packages import find_release

            release = find_release(source, self._package_config)
            kept = self.kept(release.digest)
            if kept is not None:
                return kept
            with release.open() as pieces:
                return self._store(release.digest, pieces)
        kept = self.kept(source.digest)
        if kept is not None:
            return kept
        if not source.url.lower().startswith(("http://", "https://")):
            raise FetchError("only http and https can be downloaded")
        return self._store(source.digest, _pieces(source.url))

    def kept(self, digest: str) -> Path | None:
        """Return the file with this digest if it is here and whole.

        Raises:
            FetchError: It is no digest.
        """
        path = self._path(digest)
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None
        return path if digest.lower() == f"sha256:{found}" else None

    def _path(self, digest: str) -> Path:
        if _DIGEST.fullmatch(digest.lower()) is None:
            raise FetchError(f"invalid `digest` {digest!r}; it is 'sha256:' and 64 hex digits")
        # Windows has no colon in file names (OCI-42).
        return self.folder / digest.lower().replace(":", "_" if os.name == "nt" else ":")

    def _store(self, wanted: str, pieces: Iterable[bytes]) -> Path:
        """Write bytes to the file of their digest."""
        path = self._path(wanted)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = tempfile.NamedTemporaryFile(dir=self.folder, prefix=".part-", delete=False)  # noqa: SIM115
        except OSError as error:
            raise FetchError(f"cannot write {self.folder}: {error.strerror}") from error
        part = Path(file.name)
        try:
            with file:
                digest = _copy(pieces, file)
            if digest != wanted.lower():
                raise FetchError(
                    f"invalid content digest; expected {wanted.lower()}, downloaded {digest}"
                )
            part.chmod(0o644)
            part.replace(path)
        except OSError as error:
            raise FetchError(f"cannot write {path}: {error.strerror or error}") from error
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
        return path


def _copy(pieces: Iterable[bytes], file: "tempfile._TemporaryFileWrapper[bytes]") -> str:
    """Write bytes to a file; return their digest."""
    hasher = hashlib.sha256()
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > MAX_BYTES:
            raise FetchError(f"the download is larger than {MAX_BYTES} bytes")
        hasher.update(piece)
        file.write(piece)
    return f"sha256:{hasher.hexdigest()}"


def _pieces(url: str) -> Iterator[bytes]:
    """Yield what a URL answers."""
    try:
        # The scheme is http or https, and redirects lead to no other that reads files.
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            while piece := response.read(_PIECE):
                yield piece
            left = response.length
    except urllib.error.HTTPError as error:
        error.close()
        raise FetchError(f"the server answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise FetchError(f"cannot download: {error.reason}") from error
    except (http.client.HTTPException, ConnectionError, TimeoutError, ValueError) as error:
        raise FetchError(f"the download broke off: {error or type(error).__name__}") from error
    if left:
        raise FetchError(f"the download broke off {left} bytes before its end")
