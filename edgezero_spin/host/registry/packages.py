"""Components in package registries: which version is meant, and where its bytes are.

In: a package with the versions that will do. Out: a ``Release`` with its digest, whose bytes
can be read when they are not kept already.

Source: contract spin-host.md, MAN-32, MAN-33 and MAN-72;
https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import httpx

from edgezero_spin.host.registry.cache import measure, pieces_of
from edgezero_spin.host.registry.package_config import PackageRegistry, load_package_config
from edgezero_spin.host.registry.repository import OciRepository
from edgezero_spin.host.registry.session import RegistryEndpoint, content_of, document_of
from edgezero_spin.manifest.image_reference import parse_image_reference
from edgezero_spin.manifest.spin import FetchError, PackageSource
from edgezero_spin.manifest.spin.versions import (
    Requirement,
    Version,
    parse_requirement,
    parse_version,
)

__all__ = ["Release", "find_image_layer", "find_release"]

logger = logging.getLogger("edgezero_spin.host")

METADATA_PATH = "/.well-known/wasm-pkg/registry.json"
METADATA_TIMEOUT_S = 10.0


@attrs.frozen
class Release:
    """One version of a package.

    Attributes:
        digest: ``sha256:`` and 64 hexadecimal digits.
        size: How many bytes it has.
        open: Yields them, unchecked, while the ``with`` lasts.
    """

    digest: str
    size: int
    open: Callable[[], AbstractContextManager[Iterable[bytes]]]


def find_release(source: PackageSource, config: Path | None = None) -> Release:
    """Return the highest version of a package that will do.

    Args:
        source: The package.
        config: The configuration of registries; the user's own when ``None``.

    Raises:
        FetchError: There is none, or the registry cannot be asked.
    """
    try:
        if source.exact:
            parse_version(source.version)
        requirement = parse_requirement(f"={source.version}" if source.exact else source.version)
    except ValueError as error:
        raise FetchError(str(error)) from error
    registry = load_package_config(config).registry_for(source.package, source.registry)
    if registry.kind == "local":
        return _local_release(registry, source.package, requirement)
    metadata = registry.metadata if registry.metadata is not None else _metadata_of(registry)
    kind = registry.kind or _preferred(metadata) or "oci"
    if kind != "oci":
        raise FetchError(
            f"the registry {registry.name} speaks {kind!r}; this host reads OCI registries and "
            "local folders"
        )
    return _oci_release(registry, metadata, source.package, requirement)


def find_image_layer(reference: str, config: Path | None = None) -> Release:
    """Return the first layer of an image: the package in an image that is no application.

    Args:
        reference: The image, ``ghcr.io/acme/wit:1.0.0``.
        config: The configuration of registries; the user's own when ``None``.

    Raises:
        FetchError: There is none, or the registry cannot be asked.
    """
    try:
        image = parse_image_reference(reference)
    except ValueError as error:
        raise FetchError(str(error)) from error
    registry = load_package_config(config).registry_for("", image.api_host)
    return _first_layer(
        registry.endpoint(image.api_host), image.repository, image.version, reference
    )


def _first_layer(endpoint: RegistryEndpoint, name: str, version: str, what: str) -> Release:
    with OciRepository(endpoint, name) as repository:
        layers = repository.manifest(version).layers
    if not layers:
        raise FetchError(f"{what} on {endpoint.host} is not a package: it has no layers")
    digest, size = layers[0].digest, layers[0].size
    return Release(digest, size, partial(_opened_blob, endpoint, name, digest))


def _best(package: str, requirement: Requirement, versions: Iterable[str]) -> Version:
    known = []
    for text in versions:
        try:
            known.append(parse_version(text))
        except ValueError:
            # Tags may be anything, such as `latest`.
            continue
    fitting = [version for version in known if requirement.matches(version)]
    if not fitting:
        offer = ", ".join(str(version) for version in sorted(known, reverse=True)[:10])
        raise FetchError(
            f"No matching version found for {package} {requirement} (there: {offer or 'none'})"
        )
    return max(fitting)


def _local_release(registry: PackageRegistry, package: str, requirement: Requirement) -> Release:
    if registry.root is None:
        raise FetchError(f"the local registry {registry.name} has no `root`")
    folder = registry.root.joinpath(*package.split(":"))
    names = [path.stem for path in folder.glob("*.wasm")]
    path = folder / f"{_best(package, requirement, names)}.wasm"
    try:
        digest, size = measure(path)
    except OSError as error:
        raise FetchError(f"cannot read {path}: {error.strerror}") from error

    @contextmanager
    def opened() -> Iterator[Iterable[bytes]]:
        with path.open("rb") as file:
            yield pieces_of(file)

    return Release(digest, size, opened)


def _oci_release(
    registry: PackageRegistry, metadata: Mapping[str, Any], package: str, requirement: Requirement
) -> Release:
    host, name = _repository_of(registry, metadata, package)
    endpoint = registry.endpoint(host)
    version = requirement.exact
    if version is None:
        with OciRepository(endpoint, name) as repository:
            version = _best(package, requirement, repository.tags())
    return _first_layer(endpoint, name, str(version), f"{package} {version}")


@contextmanager
def _opened_blob(endpoint: RegistryEndpoint, name: str, digest: str) -> Iterator[Iterable[bytes]]:
    with OciRepository(endpoint, name) as repository:
        yield repository.blob(digest)


def _repository_of(
    registry: PackageRegistry, metadata: Mapping[str, Any], package: str
) -> tuple[str, str]:
    """Return the host and the repository of a package."""
    table = metadata.get("oci")
    oci: Mapping[str, Any] = table if isinstance(table, dict) else {}
    # Old registries have the two outside the table.
    host = metadata.get("ociRegistry", oci.get("registry")) or registry.name
    prefix = metadata.get("ociNamespacePrefix", oci.get("namespacePrefix")) or ""
    return str(host), f"{prefix}{package.replace(':', '/')}"


def _preferred(metadata: Mapping[str, Any]) -> str | None:
    """Return the protocol that a registry wants to be asked by."""
    preferred = metadata.get("preferredProtocol")
    if isinstance(preferred, str):
        return preferred
    protocols = [key for key, value in metadata.items() if isinstance(value, dict)]
    if len(protocols) == 1:
        return protocols[0]
    if not protocols and "wargUrl" in metadata and "ociRegistry" not in metadata:
        return "warg"
    return None


def _metadata_of(registry: PackageRegistry) -> Mapping[str, Any]:
    """Ask a registry about itself; one that says nothing is an OCI registry."""
    scheme = "http" if registry.name.partition(":")[0] == "localhost" else "https"
    url = f"{scheme}://{registry.name}{METADATA_PATH}"
    try:
        with httpx.stream(
            "GET", url, timeout=METADATA_TIMEOUT_S, follow_redirects=True
        ) as response:
            if response.status_code == 404:
                return {}
            return document_of(content_of(response.raise_for_status()), registry.name)
    except (httpx.HTTPError, httpx.InvalidURL, FetchError) as error:
        logger.warning("the registry %s says nothing of itself: %s", registry.name, error)
        return {}
