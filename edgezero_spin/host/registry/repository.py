"""One repository of an OCI registry: its tags, manifests and blobs.

In: where the registry is and the repository. Out: values and bytes, or their upload.

Source: https://github.com/opencontainers/distribution-spec; contract spin-host.md, OCI-18 and
OCI-28.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Self

import attrs
import httpx

from edgezero_spin.host.registry.cache import digest_of
from edgezero_spin.host.registry.session import (
    OciSession,
    RegistryEndpoint,
    content_of,
    document_of,
    joined,
)
from edgezero_spin.manifest.spin import FetchError

__all__ = ["IMAGE_MANIFEST", "Blob", "Manifest", "OciRepository", "Referrer", "small_blob"]

MAX_PAGES = 1000

IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_IMAGES = (IMAGE_MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_ACCEPT = ", ".join((*_IMAGES, *_INDEXES))
_NEXT = re.compile(r"<([^>]+)>\s*;\s*rel=\"?next\"?")


@attrs.frozen(kw_only=True)
class Blob:
    """What a manifest says of some bytes.

    Attributes:
        media_type: What they are.
        digest: Of them, as it stands in the manifest.
        size: How many there are.
    """

    media_type: str
    digest: str
    size: int

    def to_value(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@attrs.frozen(kw_only=True)
class Manifest:
    """The manifest of one image.

    Attributes:
        content: As the registry has it.
        digest: Of ``content``.
        config: The image's configuration, ``None`` where it has none or an invalid one.
        layers: What it is made of.
    """

    content: bytes = attrs.field(repr=False)
    digest: str
    config: Blob | None
    layers: tuple[Blob, ...]


@attrs.frozen
class Referrer:
    """A manifest that refers to another one.

    Attributes:
        artifact_type: What it is; empty where the list does not say.
    """

    digest: str
    artifact_type: str


class OciRepository:
    """A repository, for several threads at once. Use it in ``with``."""

    def __init__(self, endpoint: RegistryEndpoint, name: str, *, writing: bool = False) -> None:
        """Connect to nothing yet.

        Args:
            writing: Ask for the right to write, too.

        Raises:
            FetchError: A certificate of the configuration cannot be used.
        """
        self._session = OciSession(endpoint, name, writing=writing)
        self._host = endpoint.host
        self._name = name
        self._url = f"{endpoint.url}{name}/"

    def tags(self) -> list[str]:
        """Return all tags.

        Raises:
            FetchError: The registry cannot be asked, or has no such repository.
        """
        found: list[str] = []
        url = f"{self._url}tags/list"
        for _ in range(MAX_PAGES):
            with self._session.answer("GET", url, self._name) as response:
                document = document_of(content_of(response), self._host)
                following = _NEXT.search(response.headers.get("link", ""))
            tags = document.get("tags")
            if isinstance(tags, list):
                found += [tag for tag in tags if isinstance(tag, str)]
            if following is None:
                return found
            url = joined(url, following[1])
        raise FetchError(f"{self._host} lists the tags of {self._name} without end")

    def manifest(self, version: str) -> Manifest:
        """Return the manifest of an image.

        Args:
            version: Its tag, or the digest that the manifest must have.

        Raises:
            FetchError: The registry cannot be asked or has none, it has another digest, or is
                no manifest of an image.
        """
        with self._manifest_answer(version, (200,)) as response:
            return self._manifest_in(response, version)

    def find_manifest(self, version: str) -> Manifest | None:
        """Return the manifest of an image, ``None`` where the registry has none.

        Raises:
            FetchError: See ``manifest``.
        """
        with self._manifest_answer(version, (200, 404)) as response:
            return None if response.status_code == 404 else self._manifest_in(response, version)

    def _manifest_answer(
        self, version: str, expected_status: tuple[int, ...]
    ) -> AbstractContextManager[httpx.Response]:
        url, headers = f"{self._url}manifests/{version}", {"accept": _ACCEPT}
        return self._session.answer(
            "GET", url, self._named(version), headers=headers, expected_status=expected_status
        )

    def _named(self, version: str) -> str:
        return f"{self._name}{'@' if version.startswith('sha256:') else ':'}{version}"

    def _manifest_in(self, response: httpx.Response, version: str) -> Manifest:
        """Read the answer to a question for a manifest."""
        by_digest, what = version.startswith("sha256:"), self._named(version)
        content = content_of(response)
        promised = response.headers.get("docker-content-digest", "")
        type_of_answer = response.headers.get("content-type", "").partition(";")[0].strip()
        digest = digest_of(content)
        wanted = version if by_digest else promised
        if wanted.startswith("sha256:") and wanted != digest:
            raise FetchError(
                f"the manifest of {what} has the digest {digest}, not {wanted}: the registry "
                f"{self._host}, or something between, changed it"
            )
        document = document_of(content, self._host)
        media_type = document.get("mediaType", type_of_answer)
        if media_type in _INDEXES or "manifests" in document:
            raise FetchError(
                f"{what} is an index of images for several platforms ({media_type}), not one "
                "image; name one of them by its digest"
            )
        return Manifest(
            content=content,
            digest=digest,
            config=_blob_of(document.get("config")),
            layers=_layers_of(document, what),
        )

    def referrers(self, digest: str) -> list[Referrer]:
        """Return the manifests that refer to another one, those of the first page.

        A registry without that list has an index under the tag ``sha256-<hex>`` instead.

        Raises:
            FetchError: The registry cannot be asked.
        """
        what = f"referrers of {digest} in {self._name}"
        tag = digest.replace(":", "-")
        for place in (f"referrers/{digest}", f"manifests/{tag}"):
            with self._session.answer(
                "GET",
                f"{self._url}{place}",
                what,
                headers={"accept": _INDEXES[0]},
                expected_status=(200, 404),
            ) as response:
                content = content_of(response)
                if response.status_code == 200:
                    return list(_referrers_of(document_of(content, self._host)))
        return []

    def blob(self, digest: str) -> Iterator[bytes]:
        """Yield a blob piece by piece; nobody checked its digest.

        Raises:
            FetchError: The registry cannot be asked, has none, or breaks off.
        """
        what = f"blob {digest} in {self._name}"
        with self._session.answer("GET", f"{self._url}blobs/{digest}", what) as response:
            yield from response.iter_raw()

    def upload(self, blob: Blob, content: Callable[[], Iterable[bytes]]) -> bool:
        """Store a blob, unless it is there. Return whether it was sent.

        Args:
            content: Makes its bytes; may be called twice.

        Raises:
            FetchError: The registry cannot be asked, or does not take it.
        """
        what = f"blob {blob.digest} in {self._name}"
        url = f"{self._url}blobs/{blob.digest}"
        # Answers are read to their end, so that their connections serve the next layer.
        with self._session.answer("HEAD", url, what, expected_status=(200, 404)) as response:
            content_of(response)
            if response.status_code == 200:
                return False
        begin = f"{self._url}blobs/uploads/"
        with self._session.answer("POST", begin, self._name, expected_status=(202,)) as response:
            content_of(response)
            location = response.headers.get("location", "")
        if not location:
            raise FetchError(f"the registry {self._host} does not say where to send {what}")
        # A relative one is allowed, and it may have a query of its own.
        place = httpx.URL(joined(begin, location)).copy_merge_params({"digest": blob.digest})
        headers = {
            "content-type": "application/octet-stream",
            "content-length": str(blob.size),
        }
        with self._session.answer(
            "PUT", str(place), what, headers=headers, content=content, expected_status=(201, 204)
        ) as response:
            content_of(response)
            return True

    def put_manifest(self, tag: str, content: bytes) -> str | None:
        """Store the manifest of an image under a tag.

        Returns:
            The digest that the registry has for it; ``None`` where it says none.

        Raises:
            FetchError: The registry cannot be asked, or does not take it.
        """
        what = f"{self._name}:{tag}"
        headers = {"content-type": IMAGE_MANIFEST, "content-length": str(len(content))}
        with self._session.answer(
            "PUT",
            f"{self._url}manifests/{tag}",
            what,
            headers=headers,
            content=lambda: [content],
            expected_status=(200, 201),
        ) as response:
            digest: str | None = response.headers.get("docker-content-digest")
        found = digest_of(content)
        if digest is not None and digest.startswith("sha256:") and digest != found:
            raise FetchError(
                f"the registry {self._host} has the digest {digest} for {what}, not {found}: it, "
                "or something between, changed the manifest"
            )
        return digest

    def close(self) -> None:
        """Close the connections. Twice is harmless."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def small_blob(repository: OciRepository, blob: Blob, what: str) -> bytes:
    """Return a blob that fits into memory, checked.

    Args:
        what: What it is, for errors.

    Raises:
        FetchError: The registry cannot be asked, or has something else than was promised.
    """
    content = bytearray()
    for piece in repository.blob(blob.digest):
        content += piece
        if len(content) > blob.size:
            break
    found = digest_of(content)
    if len(content) != blob.size or found != blob.digest.lower():
        raise FetchError(
            f"{what} is not what the manifest says: expected {blob.digest} of "
            f"{blob.size} bytes, downloaded {found} of {len(content)}"
        )
    return bytes(content)


def _referrers_of(document: dict[str, Any]) -> Iterator[Referrer]:
    manifests = document.get("manifests")
    for value in manifests if isinstance(manifests, list) else ():
        if isinstance(value, dict):
            digest, kind = value.get("digest"), value.get("artifactType")
            if isinstance(digest, str) and digest.startswith("sha256:"):
                yield Referrer(digest, kind if isinstance(kind, str) else "")


def _blob_of(value: Any) -> Blob | None:
    if not isinstance(value, dict):
        return None
    media_type, digest, size = (value.get(key) for key in ("mediaType", "digest", "size"))
    if not isinstance(media_type, str) or not isinstance(digest, str):
        return None
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        return None
    return Blob(media_type=media_type, digest=digest, size=size)


def _layers_of(document: dict[str, Any], what: str) -> tuple[Blob, ...]:
    found = document.get("layers", [])
    layers = [_blob_of(layer) for layer in found] if isinstance(found, list) else [None]
    whole = tuple(layer for layer in layers if layer is not None)
    if len(whole) < len(layers):
        raise FetchError(f"the manifest of {what} has layers without type, digest or size")
    return whole
