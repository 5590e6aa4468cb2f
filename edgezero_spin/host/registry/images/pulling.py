"""Pull of an application from an OCI registry into the application cache.

In: a reference. Out: a ``PulledImage``: the locked application, its content in the cache, and
the digest of the manifest, by which the image can be signed, checked and asked for again.

A tag is asked for at each call; content is downloaded when it is not in the cache, several
layers at a time.

Source: contract spin-host.md, OCI-23 to OCI-45 and OCI-52, MAN-90.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from edgezero_spin.errors import ManifestError
from edgezero_spin.host.registry.cache import KINDS, ContentCache, ContentKind
from edgezero_spin.host.registry.images.archive import unpack_archive
from edgezero_spin.host.registry.images.image import (
    MAX_TOTAL_BYTES,
    ImageLayout,
    NamedContent,
    check_locked_app,
    layout_of,
    needed_by,
    package_layer,
)
from edgezero_spin.host.registry.images.parallel import PiecesUntilStopped, each
from edgezero_spin.host.registry.images.references import open_repository
from edgezero_spin.host.registry.images.signatures import (
    KeySource,
    PublicKey,
    check_signatures,
    load_keys,
)
from edgezero_spin.host.registry.repository import Blob, Manifest, OciRepository, small_blob
from edgezero_spin.manifest.decoding import decode_json
from edgezero_spin.manifest.image_reference import DEFAULT_TAG, ImageReference, without_credentials
from edgezero_spin.manifest.spin import (
    FetchError,
    LockedApp,
    bare_manifest,
    lock_application,
    parse_lock,
)

__all__ = ["PulledImage", "pull_image", "resolve_image"]


@attrs.frozen(kw_only=True)
class PulledImage:
    """An application that was in a registry, and is in the cache now.

    Attributes:
        reference: What was asked for.
        digest: Of the image's manifest.
        app: The application. It names its content by digest, or holds it.
    """

    reference: ImageReference
    digest: str
    app: LockedApp

    @property
    def origin(self) -> str:
        """Where it is from, as a lock says it (OCI-30)."""
        return f"vnd.fermyon.origin-oci:{self.reference}"


def resolve_image(
    reference: str, *, insecure: bool = False, verify: KeySource | Iterable[KeySource] | None = None
) -> str:
    """Return a reference that no push can move: what is behind a tag now, by its digest.

    Whoever checks signatures checks this one, as ``cosign verify`` does, and then runs it.

    Args:
        reference: The image.
        insecure: Ask the registry without TLS.
        verify: Public keys, one of which must have signed it; see ``pull_image``.

    Raises:
        ImageError: There is none, or the registry cannot be asked.
        SignatureError: None of the keys signed it.
    """
    keys = _keys(reference, verify)
    with open_repository(reference, insecure) as (parsed, repository):
        manifest = _verified(repository, parsed, keys)
        return str(parsed.at(manifest.digest))


def pull_image(
    reference: str,
    cache: ContentCache,
    *,
    insecure: bool = False,
    verify: KeySource | Iterable[KeySource] | None = None,
) -> PulledImage:
    """Download what an application is made of.

    Args:
        reference: The image: ``registry/path:tag`` or ``registry/path@sha256:...``.
        cache: Where content is kept.
        insecure: Ask the registry without TLS.
        verify: Public keys of cosign (ECDSA on P-256, PEM), by the paths of their files or by
            their content, one of which must have signed the image. That is checked before
            anything of it is read but its digest. ``None`` checks no signature.

    Raises:
        ImageError: It cannot be had, is not an application, or is not what its digests say.
        SignatureError: None of the keys signed it.
    """
    keys = _keys(reference, verify)
    with open_repository(reference, insecure) as (parsed, repository):
        manifest = _verified(repository, parsed, keys)
        layout = layout_of(manifest)
        text = small_blob(repository, layout.application, "its application")
        app = _application(text, parsed)
        if app is None:
            package = package_layer(layout, manifest)
            _download(repository, [package], "wasm", cache)
            app = _package(_kept(cache, package.digest), parsed)
        else:
            check_locked_app(app)
            _bring(repository, layout, needed_by(app), cache)
            _check_size(app, cache)
        folder = _manifest_folder(parsed)
        cache.write_document(folder, "manifest.json", manifest.content)
        cache.write_document(folder, "config.json", text)
    return PulledImage(reference=parsed, digest=manifest.digest, app=app)


def _keys(
    reference: str, verify: KeySource | Iterable[KeySource] | None
) -> tuple[PublicKey, ...] | None:
    if verify is None:
        return None
    return load_keys(verify, reference=without_credentials(reference))


def _verified(
    repository: OciRepository, reference: ImageReference, keys: tuple[PublicKey, ...] | None
) -> Manifest:
    """Return the manifest of an image, which one of the keys signed where there are any."""
    manifest = repository.manifest(reference.version)
    if keys is not None:
        check_signatures(repository, manifest.digest, keys, reference=str(reference))
    return manifest


def _application(text: bytes, reference: ImageReference) -> LockedApp | None:
    """Read the lock of an image; ``None`` where it is the configuration of something else."""
    try:
        decoded = text.decode()
        value = decode_json(decoded)
    except ValueError as error:
        raise FetchError(f"its application cannot be read as JSON: {error}") from error
    if not isinstance(value, dict) or "spin_lock_version" not in value:
        return None
    try:
        return parse_lock(decoded, Path(str(reference)))
    except ManifestError as error:
        raise FetchError(f"its application cannot be read: {error}") from error


def _package(path: Path, reference: ImageReference) -> LockedApp:
    """Return the application that sends every request to one component (MAN-90)."""
    name = reference.repository.rpartition("/")[2]
    return lock_application(bare_manifest(path, name=name))


def _bring(
    repository: OciRepository,
    layout: ImageLayout,
    needed: Mapping[str, NamedContent],
    cache: ContentCache,
) -> None:
    """Get what an application names into the cache: its own layers first, then archives."""
    missing = {digest: item for digest, item in needed.items() if cache.kept(digest) is None}
    for kind in KINDS:
        layers = [
            layout.content[digest]
            for digest, item in missing.items()
            if item.kind == kind and digest in layout.content
        ]
        _download(repository, layers, kind, cache)
    packed = missing.keys() - layout.content.keys()
    for archive in layout.archives if packed else ():
        pieces = repository.blob(archive.digest)
        with cache.receiving(archive.digest, pieces, kind="data", size=archive.size) as path:
            try:
                unpack_archive(path, packed, cache)
            except FetchError as error:
                raise FetchError(f"its archive {archive.digest} is refused: {error}") from error
    for digest, item in needed.items():
        if cache.kept(digest) is None:
            raise FetchError(f"{item.place}: {digest} is in none of its layers")


def _download(
    repository: OciRepository, layers: list[Blob], kind: ContentKind, cache: ContentCache
) -> None:
    """Download layers that are not kept, several at a time."""

    def store(layer: Blob, until_stopped: PiecesUntilStopped) -> None:
        if cache.kept(layer.digest) is None:
            pieces = until_stopped(repository.blob(layer.digest))
            cache.store(layer.digest, pieces, kind=kind, size=layer.size)

    each(store, layers)


def _kept(cache: ContentCache, digest: str) -> Path:
    path = cache.kept(digest)
    if path is None:
        raise FetchError(f"{digest} is gone from the application cache {cache.root}")
    return path


def _check_size(app: LockedApp, cache: ContentCache) -> None:
    """Refuse files that would take more room than they may, one blob named many times."""
    total = 0
    for part in app.components:
        for item in part.files:
            inline, digest = item.content.inline, item.content.digest
            if inline is not None:
                total += len(inline)
            elif digest is not None:
                total += _kept(cache, digest).stat().st_size
    if total > MAX_TOTAL_BYTES:
        raise FetchError(f"its files have {total} bytes; this host takes {MAX_TOTAL_BYTES}")


def _manifest_folder(reference: ImageReference) -> Path:
    """Where Spin keeps what it knows of an image, below ``manifests`` (OCI-41)."""
    # A port follows a colon, which file names cannot have on Windows.
    registry = reference.registry.replace(":", "_" if os.name == "nt" else ":")
    return Path(registry, reference.repository, reference.tag or DEFAULT_TAG)
