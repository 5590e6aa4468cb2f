"""Target environments, loaded: definitions, and the worlds that they name.

In: references of a manifest, and what fetches from the network. Out: ``TargetEnvironment``s; a
world is read when somebody asks for it. What a registry had is kept in the application cache, and
``.spin/target-environments.lock`` beside the manifest says which digest a package has, so that a
later check asks nobody.

Source: contract spin-host.md, MAN-13; Spin's ``crates/environments/src/environment``.
"""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.spin import FetchError, PackageSource, TargetReference
from edgezero_spin.manifest.target_environments import (
    EnvironmentDefinition,
    WorldName,
    WorldReference,
    parse_environment,
)
from edgezero_spin.manifest.toml_file import read_text
from edgezero_spin.project.files import replace_file
from edgezero_spin.project.target_catalogue import find_environment
from edgezero_spin.project.wit_files import read_package, read_wit
from edgezero_spin.wasm.component.definitions import ComponentType
from edgezero_spin.wasm.component.errors import WasmError
from edgezero_spin.wasm.component.wit_package import read_worlds

__all__ = ["DEFAULT_REGISTRY", "EnvironmentLoader", "PackageFetch", "TargetEnvironment"]

DEFAULT_REGISTRY: Final = "spinframework.dev"
"""Registry of a world's package where none is named."""

_LOCK = Path(".spin") / "target-environments.lock"


class PackageFetch(Protocol):
    """What gets definitions and packages that are not on this disk.

    Every method may raise ``FetchError``.
    """

    def document(self, url: str) -> bytes:
        """Return a small file that a URL answers."""

    def kept(self, digest: str) -> Path | None:
        """Return the file with a digest if it is on this disk."""

    def package(self, source: PackageSource | str) -> tuple[str, Path]:
        """Return the digest and the file of a package, or of one in an image."""


@attrs.frozen
class TargetEnvironment:
    """An environment.

    Attributes:
        name: For people: its name in the catalogue, or that of the file.
        definition: What it has.
        folder: What paths in the definition start from; ``None`` where it may have none.
    """

    name: str
    definition: EnvironmentDefinition
    folder: Path | None


class EnvironmentLoader:
    """Loads environments for one application."""

    def __init__(self, folder: Path, fetch: PackageFetch) -> None:
        """Take the application's folder, and what fetches from the network."""
        self._folder = folder
        self._fetch = fetch
        self._path = folder / _LOCK
        self._noted = _read_lock(self._path)
        self._lock = {name: dict(packages) for name, packages in self._noted.items()}
        self._packages: dict[tuple[str, ...], Mapping[str, ComponentType]] = {}

    def load(self, reference: TargetReference) -> TargetEnvironment:
        """Return the environment that a manifest refers to.

        Raises:
            ProjectError: It cannot be had.
            ManifestError: The definition cannot be read, or breaks rules.
        """
        match reference.kind:
            case "url":
                return self._from_url(reference.value)
            case "path":
                path = self._folder / reference.value
                return TargetEnvironment(path.stem, _definition(path), path.parent)
            case _:
                path = find_environment(reference.value)
                return TargetEnvironment(path.stem, _definition(path), None)

    def _from_url(self, url: str) -> TargetEnvironment:
        try:
            text = self._fetch.document(url).decode()
            parts = urlsplit(url)
        except (FetchError, ValueError) as error:
            raise ProjectError(f"cannot load the target environment {url}: {error}") from error
        file = Path(parts.path).name
        if not file:
            raise ProjectError(f"the target environment {url} has no name: its URL has no path")
        return TargetEnvironment(Path(file).stem, parse_environment(text, Path(file)), None)

    def world(self, environment: TargetEnvironment, reference: WorldReference) -> ComponentType:
        """Return a world of an environment.

        Raises:
            ProjectError: Its package cannot be had or read, or has no such world.
        """
        name = reference.world
        place = f"target environment {environment.name}: world {name}"
        try:
            worlds = self._worlds(environment, reference)
        except (FetchError, ProjectError) as error:
            raise ProjectError(f"{place}: {error}") from error
        except WasmError as error:
            raise ProjectError(f"{place}: its package cannot be read: {error}") from error
        for known, world in worlds.items():
            if _plain(known) == name.world:
                return world
        offer = ", ".join(worlds) or "none"
        raise ProjectError(f"{place}: the package has no world of this name (there: {offer})")

    def _worlds(
        self, environment: TargetEnvironment, reference: WorldReference
    ) -> Mapping[str, ComponentType]:
        if reference.path is not None:
            if environment.folder is None:
                raise ProjectError(
                    f"the path {reference.path!r} is one of another machine; only a definition on "
                    "this disk may have one"
                )
            path = environment.folder / reference.path
            key: tuple[str, ...] = (str(path),)
        else:
            place = reference.reference or reference.registry or DEFAULT_REGISTRY
            key = (place, reference.world.versioned_package)
        if key not in self._packages:
            content = (
                read_wit(path)
                if reference.path is not None
                else read_package(self._downloaded(place, reference))
            )
            self._packages[key] = read_worlds(content)
        return self._packages[key]

    def _downloaded(self, place: str, reference: WorldReference) -> Path:
        package = reference.world.versioned_package
        digest = self._lock.get(place, {}).get(package)
        # A lock that Spin wrote, or a person, may have anything in it.
        with contextlib.suppress(FetchError):
            kept = None if digest is None else self._fetch.kept(digest)
            if kept is not None:
                return kept
        try:
            if reference.reference is not None:
                digest, path = self._fetch.package(reference.reference)
            else:
                digest, path = self._fetch.package(_source(place, reference.world))
        except FetchError as error:
            raise FetchError(f"cannot get {package} from {place}: {error}") from error
        self._lock.setdefault(place, {})[package] = digest
        return path

    def save_lock(self) -> None:
        """Note the digests of packages; a lock that cannot be written costs a later check time."""
        if self._lock == self._noted:
            return
        document = {place: {"package": packages} for place, packages in self._lock.items()}
        with contextlib.suppress(OSError, ProjectError):
            self._path.parent.mkdir(exist_ok=True)
            replace_file(self._path, json.dumps(document, indent=2).encode())


def _definition(path: Path) -> EnvironmentDefinition:
    return parse_environment(
        read_text(path, heading="Failed to read target environment from"), path
    )


def _source(registry: str, world: WorldName) -> PackageSource:
    if world.version is None:
        raise FetchError(f"{world} is unversioned: write its version after `@`")
    return PackageSource(world.package, world.version, registry, exact=True)


def _plain(world: str) -> str:
    return world.partition("/")[2].partition("@")[0]


def _read_lock(path: Path) -> dict[str, dict[str, str]]:
    """Return digests by package, by registry; one that cannot be read says nothing."""
    try:
        document: Any = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    found: dict[str, dict[str, str]] = {}
    for place, entry in document.items() if isinstance(document, dict) else ():
        packages = entry.get("package") if isinstance(entry, dict) else None
        if isinstance(packages, dict):
            found[place] = {
                name: digest for name, digest in packages.items() if isinstance(digest, str)
            }
    return found
