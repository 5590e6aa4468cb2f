"""Components that are not on this disk: downloaded once, kept in the application cache.

In: a URL and the digest that the manifest or the lock states, or a package of a registry,
which states the digest itself. Out: a file whose content has that digest.

Source: contract spin-host.md, MAN-31 to MAN-33 and MAN-72.
"""

from collections.abc import Iterator
from pathlib import Path

from edgezero_spin.host.registry.cache import ContentCache, pieces_of
from edgezero_spin.manifest.spin import FetchError, PackageSource, UrlSource

__all__ = ["Downloads"]

TIMEOUT_S = 30.0
"""Seconds that a server may be silent."""

MAX_DOCUMENT_BYTES = 1024 * 1024
"""Bytes of a file that is read as a whole."""


class Downloads:
    """What manifests and locks name elsewhere. A ``manifest.spin.Fetch``."""

    def __init__(self, cache: ContentCache | Path, *, package_config: Path | None = None) -> None:
        """Take the cache; nothing is made before the first download.

        Args:
            cache: The cache, or its folder.
            package_config: The configuration of package registries; the user's own when
                ``None``.
        """
        self.cache = cache if isinstance(cache, ContentCache) else ContentCache(cache)
        self._package_config = package_config

    def __call__(self, source: UrlSource | PackageSource) -> Path:
        """Return the file of a source.

        Raises:
            FetchError: It cannot be had, or is not what the digest says.
        """
        if isinstance(source, PackageSource):
            return self.package(source)[1]
        kept = self.cache.kept(source.digest)
        if kept is not None:
            return kept
        return self.cache.store(source.digest, _pieces(source.url))

    def package(self, source: PackageSource | str) -> tuple[str, Path]:
        """Return the digest and the file of a package.

        Args:
            source: The package, or the image that it is in.

        Raises:
            FetchError: It cannot be had.
        """
        # Its client is slow to import, and most applications have no package.
        from edgezero_spin.host.registry.packages import find_image_layer, find_release

        if isinstance(source, str):
            release = find_image_layer(source, self._package_config)
        else:
            release = find_release(source, self._package_config)
        kept = self.cache.kept(release.digest)
        if kept is not None:
            return release.digest, kept
        with release.open() as pieces:
            return release.digest, self.cache.store(release.digest, pieces, size=release.size)

    def kept(self, digest: str) -> Path | None:
        """Return the file with a digest if it is here and whole.

        Raises:
            FetchError: It is not a digest.
        """
        return self.cache.kept(digest)

    def document(self, url: str) -> bytes:
        """Return a small file that a URL answers.

        Raises:
            FetchError: It cannot be had, or has more than ``MAX_DOCUMENT_BYTES``.
        """
        content = bytearray()
        for piece in _pieces(url):
            content += piece
            if len(content) > MAX_DOCUMENT_BYTES:
                raise FetchError(f"it is larger than {MAX_DOCUMENT_BYTES} bytes")
        return bytes(content)


def _pieces(url: str) -> Iterator[bytes]:
    """Yield what a URL answers."""
    if not url.lower().startswith(("http://", "https://")):
        raise FetchError("only http and https can be downloaded")
    # Slow to import, and most applications are on this disk.
    import http.client
    import urllib.error
    import urllib.request

    try:
        # The scheme is http or https, and redirects lead to no other that reads files.
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            yield from pieces_of(response)
            left = response.length
    except urllib.error.HTTPError as error:
        error.close()
        raise FetchError(f"the server answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise FetchError(f"cannot download: {error.reason}") from error
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise FetchError(f"the download broke off: {error or type(error).__name__}") from error
    if left:
        raise FetchError(f"the download broke off {left} bytes before its end")
