"""Push of an application to an OCI registry, as ``spin registry push`` does it.

In: a manifest on this disk and a reference. Out: an image with a layer for each component and
each file that is not small, or one archive for each folder where those would be too many; and
the digest of its manifest.

A component is composed with its dependencies first, so that whatever runs components can run it,
unless that is not wanted.

Source: contract spin-host.md, OCI-1 to OCI-5, OCI-10 to OCI-18 and OCI-20; services.md, CPS-3 to
CPS-7.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import attrs

from edgezero_spin.host.registry.cache import ContentCache, digest_of
from edgezero_spin.host.registry.downloads import Downloads
from edgezero_spin.host.registry.images.image import APPLICATION_TYPE
from edgezero_spin.host.registry.images.layers import (
    ImageLayer,
    archive_layer,
    bytes_layer,
    content_of,
    file_layer,
    files_below,
    wasm_bytes,
    wasm_layer,
)
from edgezero_spin.host.registry.images.parallel import PiecesUntilStopped, each
from edgezero_spin.host.registry.images.references import open_repository
from edgezero_spin.host.registry.repository import IMAGE_MANIFEST, OciRepository
from edgezero_spin.manifest.image_reference import DEFAULT_TAG
from edgezero_spin.manifest.spin import (
    ContentRef,
    FetchError,
    LockedApp,
    LockedComponent,
    LockedDependency,
    LockedFiles,
    load_spin_manifest,
    lock_application,
)
from edgezero_spin.wasm.component.dependency_names import CompositionError
from edgezero_spin.wasm.component.spin_dependencies import SpinDependency, compose_dependencies

__all__ = ["PushedImage", "push_manifest"]

MAX_FILE_LAYERS = 499
"""Layers besides the application's own; some registries take 500. Source: OCI-12."""

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_ANNOTATION = "org.opencontainers.image"


@attrs.frozen(kw_only=True)
class PushedImage:
    """An image that is in a registry now.

    Attributes:
        digest: Of its manifest, by which it can be signed and run.
        confirmed: Whether the registry said the same.
    """

    digest: str
    confirmed: bool


def push_manifest(
    path: Path,
    reference: str,
    cache: ContentCache,
    *,
    profile: str | None = None,
    compose: bool = True,
    annotations: Mapping[str, str] | None = None,
    insecure: bool = False,
) -> PushedImage:
    """Push the application of a manifest.

    Args:
        path: The ``spin.toml``.
        reference: Where to: ``registry/path:tag``.
        cache: Where components come from that the manifest names by URL or package.
        profile: The build profile to push.
        compose: Make one component of each and its dependencies; ``False`` pushes dependencies
            as layers of their own, for hosts that compose.
        annotations: Of the image, over those that the manifest gives.
        insecure: Ask the registry without TLS.

    Raises:
        ManifestError: The manifest cannot be used.
        ImageError: The application cannot be pushed, or not there.
    """
    with open_repository(reference, insecure, doing="push", writing=True) as (parsed, repository):
        if parsed.digest is not None:
            raise FetchError("an image is pushed to a tag; its digest is what comes of it")
        with tempfile.TemporaryDirectory(prefix="edgezero-") as folder:
            app = lock_application(
                load_spin_manifest(path, profile=profile),
                assets_dir=Path(folder) / "assets",
                fetch=Downloads(cache),
            )
            if compose:
                _check(app)
                app = _composed(app, Path(folder))
            locked, layers = _assemble(app, archived="SPIN_OCI_ARCHIVE_LAYERS" in os.environ)
            if len(layers) > MAX_FILE_LAYERS:
                locked, layers = _assemble(app, archived=True)
            tag = parsed.tag or DEFAULT_TAG
            return _push(repository, tag, locked, layers, annotations or {})


def _check(app: LockedApp) -> None:
    for part in app.components:
        if part.trigger_dependencies:
            raise FetchError(
                f"component {part.id!r} has dependencies of its trigger, which only "
                "`spin registry push` joins to it; --compose=false pushes them beside it"
            )


def _composed(app: LockedApp, folder: Path) -> LockedApp:
    """Return the application with one component for each and its dependencies.

    Args:
        folder: Where they are written; it goes when they are pushed.
    """

    def compose(number: int, part: LockedComponent) -> LockedComponent:
        if not part.dependencies:
            return part
        place = f"Component {part.id}"
        try:
            content = compose_dependencies(
                part.id,
                wasm_bytes(part.source, f"{place} source"),
                [
                    SpinDependency(
                        name=name,
                        data=wasm_bytes(dependency.source, f"{place} dependency {name}"),
                        export=dependency.export,
                        inherit=dependency.inherit,
                    )
                    for name, dependency in part.dependencies.items()
                ],
            )
        except CompositionError as error:
            raise FetchError(
                f"{error}; --compose=false pushes dependencies beside their component"
            ) from error
        path = folder / f"composed-{number}.wasm"
        path.write_bytes(content)
        return attrs.evolve(part, source=ContentRef(source=path.as_uri()), dependencies={})

    components = tuple(compose(number, part) for number, part in enumerate(app.components))
    return attrs.evolve(app, components=components)


def _assemble(app: LockedApp, *, archived: bool) -> tuple[LockedApp, list[ImageLayer]]:
    """Split an application into its lock, with content by digest, and its layers.

    Args:
        archived: Make one layer for each folder, not for each file.
    """
    layers: dict[str, ImageLayer] = {}

    def keep(layer: ImageLayer) -> ImageLayer:
        return layers.setdefault(layer.blob.digest, layer)

    def component(part: LockedComponent) -> LockedComponent:
        source = keep(wasm_layer(part.source, f"Component {part.id} source"))

        def pushed(dependency: LockedDependency, what: str) -> LockedDependency:
            layer = keep(wasm_layer(dependency.source, f"Component {part.id} {what}"))
            return attrs.evolve(dependency, source=content_of(layer))

        dependencies = {
            name: pushed(dependency, f"dependency {name}")
            for name, dependency in part.dependencies.items()
        }
        trigger_dependencies = {
            role: tuple(
                pushed(dependency, f"{role} {number}")
                for number, dependency in enumerate(of_role, 1)
            )
            for role, of_role in part.trigger_dependencies.items()
        }
        files: list[LockedFiles] = []
        for folder in part.files:
            for found in files_below(folder.content):
                layer = file_layer(found.path)
                content = content_of(layer)
                files.append(LockedFiles(content=content, path=found.guest_path))
                if not archived and content.inline is None:
                    keep(layer)
            if archived:
                keep(archive_layer(folder.content))
        return attrs.evolve(
            part,
            source=content_of(source),
            dependencies=dependencies,
            trigger_dependencies=trigger_dependencies,
            files=tuple(files),
        )

    components = tuple(component(part) for part in app.components)
    metadata = {name: value for name, value in app.metadata.items() if name != "origin"}
    return attrs.evolve(app, components=components, metadata=metadata), list(layers.values())


def _push(
    repository: OciRepository,
    tag: str,
    app: LockedApp,
    content_layers: list[ImageLayer],
    annotations: Mapping[str, str],
) -> PushedImage:
    lock = _json(app.to_value())
    application = bytes_layer(lock, APPLICATION_TYPE)
    config = bytes_layer(
        _json(
            {
                "architecture": "wasm",
                "os": "Wasip1",
                # Without it, all images would have one and the same configuration.
                "config": {"Labels": {"com.fermyon.spin.lockedAppDigest": application.blob.digest}},
                "rootfs": {"type": "layers", "diff_ids": []},
            }
        ),
        CONFIG_TYPE,
    )
    layers = [*content_layers, application]

    def send(layer: ImageLayer, until_stopped: PiecesUntilStopped) -> None:
        repository.upload(layer.blob, lambda: until_stopped(layer.open()))

    each(send, [*layers, config])
    content = _json(
        {
            "schemaVersion": 2,
            "mediaType": IMAGE_MANIFEST,
            "config": config.blob.to_value(),
            "layers": [layer.blob.to_value() for layer in layers],
            "annotations": {**_annotations_of(app), **annotations},
        }
    )
    digest = repository.put_manifest(tag, content)
    found = digest_of(content)
    return PushedImage(digest=found, confirmed=digest == found)


def _annotations_of(app: LockedApp) -> dict[str, str]:
    """Return the annotations of an image of an application (OCI-16)."""
    authors = app.metadata.get("authors", ())
    named = {
        "title": app.name,
        "version": str(app.metadata.get("version", "")),
        "description": str(app.metadata.get("description", "")),
        "authors": ", ".join(authors),
        "created": datetime.now(UTC).isoformat(),
    }
    return {f"{_ANNOTATION}.{name}": value for name, value in named.items() if value}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
