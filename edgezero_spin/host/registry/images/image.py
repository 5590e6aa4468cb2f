"""The contents of an image of a Spin application, decided from its manifest and its lock.

In: a ``Manifest`` and the text of a locked application. Out: which layer is what, and a
``LockedApp`` that names content by digest or holds it. Nothing is asked and nothing is written.

An image comes from whoever may push to a registry, so a lock in it may not name what is on this
machine, nor more than fits on it.

Source: contract spin-host.md, OCI-1 to OCI-6, OCI-10 to OCI-15 and OCI-43.
"""

from collections.abc import Iterator

import attrs

from edgezero_spin.host.registry.cache import MAX_BYTES, ContentKind, check_digest
from edgezero_spin.host.registry.repository import Blob, Manifest
from edgezero_spin.manifest.spin import (
    ContentRef,
    FetchError,
    LockedApp,
    LockedComponent,
    LockedTrigger,
)

__all__ = [
    "APPLICATION_TYPE",
    "ARCHIVE_TYPE",
    "DATA_TYPE",
    "MAX_FILES",
    "MAX_LOCK_BYTES",
    "MAX_TOTAL_BYTES",
    "WASM_TYPE",
    "ImageLayout",
    "NamedContent",
    "check_locked_app",
    "layout_of",
    "needed_by",
    "package_layer",
]

APPLICATION_TYPE = "application/vnd.fermyon.spin.application.v1+config"
WASM_TYPE = "application/vnd.wasm.content.layer.v1+wasm"
DATA_TYPE = "application/vnd.wasm.content.layer.v1+data"
ARCHIVE_TYPE = "application/vnd.wasm.content.bundle.v1.tar+gzip"
WASM_TYPES = (WASM_TYPE, "application/wasm")

MAX_LAYERS = 1024
"""Layers of one image; Spin makes at most 500, the least that any registry takes."""

MAX_LOCK_BYTES = 32 * 1024 * 1024
"""Bytes of a locked application, which lists each file and holds the small ones."""

MAX_TOTAL_BYTES = 4 * 1024 * 1024 * 1024
"""Bytes of all layers together, and of all files that the components of an application see."""

MAX_FILES = 100_000
"""Files that the components of one application see."""


@attrs.frozen(kw_only=True)
class ImageLayout:
    """Which blob of an image is what.

    Attributes:
        application: The locked application: a layer, or in old images the configuration.
        content: Layers of one file each, by digest.
        archives: Layers of many files.
        package: The only layer of an image that may be a component alone.
    """

    application: Blob
    content: dict[str, Blob]
    archives: tuple[Blob, ...]
    package: Blob | None


@attrs.frozen
class NamedContent:
    """Content where an application names it.

    Attributes:
        place: Where it is named, for people.
        kind: A component or a dependency, or a file.
    """

    place: str
    kind: ContentKind
    content: ContentRef


def layout_of(manifest: Manifest) -> ImageLayout:
    """Sort the layers of an image.

    Raises:
        FetchError: There are too many, or too large ones; or none that is an application.
    """
    if manifest.config is None:
        raise FetchError("it is not an image: its manifest has no configuration")
    if len(manifest.layers) > MAX_LAYERS:
        raise FetchError(f"it has {len(manifest.layers)} layers; this host takes {MAX_LAYERS}")
    total = sum(layer.size for layer in manifest.layers)
    if total > MAX_TOTAL_BYTES:
        raise FetchError(f"its layers have {total} bytes; this host takes {MAX_TOTAL_BYTES}")
    for layer in manifest.layers:
        check_digest(layer.digest)
        if layer.size > MAX_BYTES:
            raise FetchError(
                f"its layer {layer.digest} has {layer.size} bytes; this host takes {MAX_BYTES}"
            )
    locks = [layer for layer in manifest.layers if layer.media_type == APPLICATION_TYPE]
    if len({layer.digest for layer in locks}) > 1:
        raise FetchError("it has several applications; `spin registry push` writes one")
    application = locks[0] if locks else manifest.config
    check_digest(application.digest)
    if application.size > MAX_LOCK_BYTES:
        raise FetchError(
            f"its application has {application.size} bytes; this host takes {MAX_LOCK_BYTES}"
        )
    rest = [layer for layer in manifest.layers if layer.media_type != APPLICATION_TYPE]
    return ImageLayout(
        application=application,
        content={layer.digest.lower(): layer for layer in rest if layer.media_type != ARCHIVE_TYPE},
        archives=tuple(
            {layer.digest: layer for layer in rest if layer.media_type == ARCHIVE_TYPE}.values()
        ),
        package=rest[0] if len(rest) == 1 and not locks else None,
    )


def package_layer(layout: ImageLayout, manifest: Manifest) -> Blob:
    """Return the component of an image that holds nothing else (OCI-6).

    Raises:
        FetchError: It is an image of something else.
    """
    layer = layout.package
    if layer is None:
        kinds = ", ".join(sorted({layer.media_type for layer in manifest.layers})) or "none"
        raise FetchError(
            "it is neither a Spin application, which `spin registry push` writes, nor one "
            f"component (layers: {kinds})"
        )
    if layer.media_type not in WASM_TYPES:
        raise FetchError(
            f"its only layer is {layer.media_type}; a component is {' or '.join(WASM_TYPES)}"
        )
    return layer


def check_locked_app(app: LockedApp) -> None:
    """Refuse a lock that reaches out of its image.

    Raises:
        FetchError: It names content by a URL, a file by a path out of its folder, or too many.
    """
    for named in _content_of(app):
        if named.content.source is not None:
            raise FetchError(
                f"{named.place} names a URL; what an image needs is in the image (OCI-14)"
            )
        if named.content.digest is not None:
            check_digest(named.content.digest)
    files = [(part.id, item.path) for part in app.components for item in part.files]
    if len(files) > MAX_FILES:
        raise FetchError(f"its components have {len(files)} files; this host takes {MAX_FILES}")
    for id, path in files:
        names = path.split("/")
        if {"", ".", ".."} & set(names) or "\\" in path or "\0" in path:
            raise FetchError(
                f"component {id!r}: {path!r} is not a path below the folder of its files"
            )


def needed_by(app: LockedApp) -> dict[str, NamedContent]:
    """Return what an application names and does not hold, by its digest."""
    found: dict[str, NamedContent] = {}
    for named in _content_of(app):
        if named.content.inline is None and named.content.digest is not None:
            found.setdefault(named.content.digest.lower(), named)
    return found


def _content_of(app: LockedApp) -> Iterator[NamedContent]:
    for part in app.components:
        place = f"component {part.id!r}"
        yield NamedContent(place, "wasm", part.source)
        for name, dependency in part.dependencies.items():
            yield NamedContent(f"{place}: dependency {name!r}", "wasm", dependency.source)
        for item in part.files:
            yield NamedContent(f"{place}: file {item.path!r}", "data", item.content)
    owners: list[LockedComponent | LockedTrigger] = [*app.components, *app.triggers]
    for owner in owners:
        for role, dependencies in owner.trigger_dependencies.items():
            for dependency in dependencies:
                yield NamedContent(f"{owner.id!r}: {role}", "wasm", dependency.source)
