"""``edgezero.toml``: the portable description of an app.

In: the path of the file. Out: an ``AppManifest``, every rule checked, or one
``InvalidManifestError`` with everything that is wrong. Nothing here knows of Spin:
the file says what the app needs, ``spin.toml`` says how Spin runs it.

Tables and keys that this library does not know are ignored, so that one file can serve
several adapters; the exceptions are the tables where older files kept what now comes
from the environment (``[stores.*]``, ``[adapters.*]``, ``[adapters.*.adapter]``).

This module can be imported in a component: the standard library and attrs are all it
needs. The tables are read by ``TableReader`` and not by cattrs, which was measured for it
(cattrs 26.2, componentize-py 0.25.1): an app that bakes its manifest would be 20.9 MB
instead of 19.2 MB, because what is imported while it is built stays in it. A request would
cost the same (445 406 instructions instead of 444 027), and reading is 10 ms of import
slower. And a problem has to say what to do, which cattrs' errors have no place for.

Source: contract edgezero.md, MAN-1 to MAN-22.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import attrs

from edgezero_spin.environment import ascii_lower
from edgezero_spin.manifest.adapter_tables import (
    Adapter,
    LoggingSettings,
    read_adapters,
    read_logging,
)
from edgezero_spin.manifest.errors import Problems
from edgezero_spin.manifest.http_triggers import HttpTrigger, read_http_triggers
from edgezero_spin.manifest.store_tables import read_stores
from edgezero_spin.manifest.table_reader import TableReader
from edgezero_spin.manifest.toml_file import load_toml
from edgezero_spin.stores import StoreDeclaration

__all__ = [
    "AppManifest",
    "EnvironmentBinding",
    "load_app_manifest",
    "manifest_json",
    "read_app_manifest",
]

_Item = TypeVar("_Item")


@attrs.frozen(kw_only=True)
class EnvironmentBinding:
    """One entry of ``[[environment.variables]]`` or ``[[environment.secrets]]``.

    Attributes:
        name: What the app calls it.
        env: The environment variable that carries it; the name when not given.
        value: What it is set to when the parent process does not set it; ``None`` sets
            nothing. Never used for secrets.
        description: For people.
        adapters: The adapters it is meant for; empty means all.
    """

    name: str
    env: str
    value: str | None = None
    description: str | None = None
    adapters: tuple[str, ...] = ()

    def applies_to(self, adapter: str) -> bool:
        """Whether it is meant for an adapter; case does not matter."""
        return not self.adapters or ascii_lower(adapter) in map(ascii_lower, self.adapters)


@attrs.frozen(kw_only=True)
class AppManifest:
    """One ``edgezero.toml``, read and checked.

    Attributes:
        path: The file, absolute.
        name: Name of the app, ``None`` when the file has none.
        entry: Where the app's code starts, as the author wrote it; not used here.
        version: Version of the app.
        kind: Kind of the app; not used here.
        config_model: ``pkg.mod:Class`` of the model of the app's configuration.
        middleware: ``pkg.mod:name`` of each middleware, outermost first.
        triggers: The routes, in order.
        variables: Environment variables that commands pass on.
        secrets: Environment variables that commands insist on.
        stores: The stores that the app declares.
        adapters: One entry for each ``[adapters.<name>]``, by the name as written.
        logging: One entry for each ``[logging.<name>]``, by the name as written.
    """

    path: Path
    name: str | None = None
    entry: str | None = None
    version: str | None = None
    kind: str | None = None
    config_model: str | None = None
    middleware: tuple[str, ...] = ()
    triggers: tuple[HttpTrigger, ...] = ()
    variables: tuple[EnvironmentBinding, ...] = ()
    secrets: tuple[EnvironmentBinding, ...] = ()
    stores: StoreDeclaration = attrs.field(factory=StoreDeclaration)
    adapters: Mapping[str, Adapter] = attrs.field(factory=dict)
    logging: Mapping[str, LoggingSettings] = attrs.field(factory=dict)

    @property
    def root(self) -> Path:
        """The folder that relative paths in the file start from."""
        return self.path.parent

    def adapter(self, name: str) -> Adapter | None:
        """Return an adapter by its name; case does not matter."""
        return _by_folded_name(self.adapters, name)

    def variables_for(self, adapter: str) -> tuple[EnvironmentBinding, ...]:
        """Return the environment variables meant for an adapter."""
        return tuple(item for item in self.variables if item.applies_to(adapter))

    def secrets_for(self, adapter: str) -> tuple[EnvironmentBinding, ...]:
        """Return the environment secrets meant for an adapter."""
        return tuple(item for item in self.secrets if item.applies_to(adapter))

    def logging_for(self, adapter: str) -> LoggingSettings:
        """Return how an adapter logs.

        ``[adapters.<name>.logging]`` beats ``[logging.<name>]`` as a whole.
        """
        found = self.adapter(adapter)
        if found is not None and found.logging is not None:
            return found.logging
        return _by_folded_name(self.logging, adapter) or LoggingSettings()


def load_app_manifest(path: str | Path) -> AppManifest:
    """Read and check an ``edgezero.toml``.

    Args:
        path: The file. Every key is optional, so an empty file is valid.

    Raises:
        ManifestUnreadableError: The file is missing, or is not readable UTF-8 text.
        InvalidManifestError: It is not TOML, or breaks rules; it names them all.
    """
    manifest, problems = read_app_manifest(path)
    problems.raise_any()
    return manifest


def read_app_manifest(path: str | Path) -> tuple[AppManifest, Problems]:
    """Read an ``edgezero.toml``; return it with what is wrong, without stopping there.

    Raises:
        ManifestUnreadableError: The file is missing, or is not readable UTF-8 text.
        InvalidManifestError: It is not TOML.
    """
    path = Path(path)
    problems = Problems(path)
    root = TableReader(load_toml(path), "", problems)
    app = root.table("app")
    environment = root.table("environment")
    manifest = AppManifest(
        path=path.absolute(),
        name=app.optional_text("name", blank=False),
        entry=app.optional_text("entry", blank=False),
        version=app.optional_text("version", blank=False),
        kind=app.optional_text("kind", blank=False),
        config_model=app.optional_text("config_model", blank=False),
        middleware=app.texts("middleware"),
        triggers=read_http_triggers(root.table("triggers")),
        variables=_read_bindings(environment, "variables"),
        secrets=_read_bindings(environment, "secrets"),
        stores=read_stores(root.table("stores"), root.table("databases")),
        adapters=read_adapters(root),
        logging=read_logging(root),
    )
    return manifest, problems


def manifest_json(path: str | Path) -> str:
    """Return an ``edgezero.toml`` as JSON, without the values of secrets.

    Source: contract edgezero.md, INT-1.
    """
    tree = load_toml(Path(path))
    environment = tree.get("environment")
    secrets = environment.get("secrets") if isinstance(environment, dict) else None
    for secret in secrets if isinstance(secrets, list) else ():
        if isinstance(secret, dict):
            secret.pop("value", None)
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"), default=str)


def _read_bindings(environment: TableReader, name: str) -> tuple[EnvironmentBinding, ...]:
    bindings = []
    for table in environment.tables(name):
        called = table.required_text("name", blank=False)
        bindings.append(
            EnvironmentBinding(
                name=called,
                env=table.optional_text("env", blank=False) or called,
                value=table.optional_text("value"),
                description=table.optional_text("description", blank=False),
                adapters=table.texts("adapters"),
            )
        )
    return tuple(bindings)


def _by_folded_name(items: Mapping[str, _Item], name: str) -> _Item | None:
    folded = ascii_lower(name)
    return next((item for key, item in items.items() if ascii_lower(key) == folded), None)
