"""Registries of packages, by the configuration that ``wkg`` and Spin read.

In: ``wasm-pkg/config.toml`` in the user's configuration folder, and the registry that a
manifest may name. Out: a ``PackageRegistry`` with what is known of it locally. Nothing is asked.

Source: contract spin-host.md, MAN-32; https://github.com/bytecodealliance/wasm-pkg-tools.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.host.registry.credentials import Credentials, decode_auth, find_credentials
from edgezero_spin.host.registry.session import RegistryEndpoint
from edgezero_spin.manifest.decoding import decode_toml
from edgezero_spin.manifest.errors import Problems, tell_problems
from edgezero_spin.manifest.spin import FetchError
from edgezero_spin.manifest.table_reader import TableReader

__all__ = ["PackageConfig", "PackageRegistry", "config_path", "load_package_config"]

_FALLBACKS = {"wasi": "wasi.dev", "ba": "bytecodealliance.org"}
"""Namespaces whose registry everybody knows."""


@attrs.frozen(kw_only=True)
class PackageRegistry:
    """A registry, as the configuration has it.

    Attributes:
        name: Its host, with a port where it has one.
        kind: ``oci`` or ``local``; ``None`` where the registry itself says.
        metadata: What the registry would say of itself; ``None`` to ask it.
        root: The folder of a local one.
        oci: How it is asked where its packages are images.
    """

    name: str
    kind: str | None = None
    metadata: Mapping[str, Any] | None = None
    root: Path | None = None
    oci: RegistryEndpoint

    def endpoint(self, host: str) -> RegistryEndpoint:
        """Return how a host is asked that this registry keeps its packages on."""
        credentials = self.oci.credentials or find_credentials(host)
        return attrs.evolve(self.oci, host=host, credentials=credentials)


@attrs.frozen(kw_only=True)
class PackageConfig:
    """The file.

    Attributes:
        values: What it says.
    """

    path: Path
    values: Mapping[str, Any] = attrs.field(factory=dict)

    def registry_for(self, package: str, named: str | None = None) -> PackageRegistry:
        """Return the registry of a package.

        Args:
            package: ``namespace:name``.
            named: What the manifest names.

        Raises:
            FetchError: There is none, or its configuration is invalid.
        """
        namespace = package.partition(":")[0]
        mapping: Any = named
        if mapping is None:
            mapping = self._table("package_registry_overrides").get(package)
        if mapping is None:
            mapping = self._table("namespace_registries").get(namespace)
        if mapping is None:
            mapping = self.values.get("default_registry", _FALLBACKS.get(namespace))
        if mapping is None:
            raise FetchError(
                f"no registry is known for {package}: name its `registry`, or a "
                f"`default_registry` in {self.path}"
            )
        if isinstance(mapping, str):
            return self._registry(mapping, None)
        if isinstance(mapping, dict) and isinstance(mapping.get("registry"), str):
            metadata = mapping.get("metadata")
            return self._registry(
                mapping["registry"], metadata if isinstance(metadata, dict) else None
            )
        raise FetchError(f"{self.path}: the registry of {package} is neither a text nor a table")

    def _registry(self, name: str, metadata: Mapping[str, Any] | None) -> PackageRegistry:
        problems = Problems(self.path)
        table = TableReader(self.values, "", problems).table("registry").table(name)
        kind = table.optional_text("default") or table.optional_text("type")
        backends = [key for key in table if isinstance(table.value(key), dict)]
        if kind is None and len(backends) == 1:
            kind = backends[0]
        root = table.table("local").optional_text("root")
        oci = table.table("oci")
        registry = PackageRegistry(
            name=name,
            kind=kind,
            metadata=metadata,
            root=None if root is None else Path(root),
            oci=RegistryEndpoint(
                host=name,
                plain=oci.text("protocol") == "http",
                trusting=oci.flag("accept_invalid_certificates"),
                roots=tuple(
                    certificate.required_text("data")
                    for certificate in oci.tables("extra_root_certificates")
                    if certificate.text("encoding") == "pem"
                ),
                credentials=_credentials(oci),
            ),
        )
        if problems.found:
            raise FetchError(tell_problems(str(self.path), problems.found))
        return registry

    def _table(self, key: str) -> Mapping[str, Any]:
        table = self.values.get(key, {})
        if not isinstance(table, dict):
            raise FetchError(f"{self.path}: `{key}` must be a table")
        return table


def _credentials(oci: TableReader) -> Credentials | None:
    if isinstance(oci.value("auth"), dict):
        auth = oci.table("auth")
        return Credentials(auth.text("username"), auth.text("password"))
    text = oci.optional_text("auth")
    found = None if text is None else decode_auth(text)
    if text is not None and found is None:
        oci.problem("auth", "is not a `user:password` in base64")
    return found


def config_path() -> Path:
    """Where the file of this user is."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "wasm-pkg" / "config.toml"


def load_package_config(path: Path | None = None) -> PackageConfig:
    """Read the file; one that is missing says nothing.

    Raises:
        FetchError: It cannot be read.
    """
    path = config_path() if path is None else path
    try:
        values = decode_toml(path.read_bytes().decode())
    except FileNotFoundError:
        values = {}
    except (OSError, ValueError) as error:
        raise FetchError(f"cannot read {path}: {error}") from error
    return PackageConfig(path=path, values=values)
