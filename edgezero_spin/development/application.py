"""One app as its manifest places it, on the stores and variables of this machine.

In: a ``spin.toml`` and the component to serve. Out: a ``NativeApplication``: the app, its routes,
the stores that its component may open, its variables, and where it may send requests. Stores are
the files of Spin, so that they are the same under ``edgezero up`` and ``spin up``.

Source: contract spin-host.md, KV-1, VAR-1 to VAR-11, NET-1 to NET-12, ROUTE-1 to ROUTE-13.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.core.app import App
from edgezero_spin.core.outbound import OutboundTransport
from edgezero_spin.core.request import Request
from edgezero_spin.core.sources import RequestSource
from edgezero_spin.development.observed import FOLLOWING, VARIABLES, ObservedStore, note_call
from edgezero_spin.errors import ProjectError
from edgezero_spin.host.exchange.handler_type import HandlerType
from edgezero_spin.host.factors.database_servers.pools import ConnectionPools
from edgezero_spin.host.factors.instance import Grants
from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
from edgezero_spin.host.factors.postgres.factor import PostgresConnections
from edgezero_spin.host.factors.variables import VariableError, VariableResolver
from edgezero_spin.host.http.gateway import Gateway
from edgezero_spin.host.load.application import http_triggers
from edgezero_spin.host.load.in_process import InProcessDatabases
from edgezero_spin.host.load.plan import ComponentPlan
from edgezero_spin.host.load.starting import FoundApplication, PreparedApplication, prepare
from edgezero_spin.host.settings import RunOptions
from edgezero_spin.manifest.spin import SpinManifest, load_spin_manifest
from edgezero_spin.manifest.spin.locking import lock_application
from edgezero_spin.project.app_targets import app_target
from edgezero_spin.stores.backend import BackendError, KeyValueBackend, SecretNameInvalid
from edgezero_spin.stores.declaration import DatabaseKind
from edgezero_spin.stores.opening import open_on_platform

__all__ = ["AppPlace", "DevError", "NativeApplication", "Placed", "app_of", "load_native"]


class DevError(ProjectError):
    """There is no app that can be served natively."""


@attrs.frozen
class AppPlace:
    """Where an app is.

    Attributes:
        component_id: The component that it becomes.
        target: ``module:attribute``.
        folder: Where its module is imported from.
    """

    component_id: str
    target: str
    folder: Path


def app_of(manifest: SpinManifest, component_id: str | None = None) -> AppPlace:
    """Return where the app of a manifest is.

    Args:
        manifest: The application.
        component_id: Which component; the only one that is an app unless given.

    Raises:
        DevError: There is no such component, none that is an app, or several.
    """
    found = {
        id: AppPlace(id, target, _workdir(manifest, id))
        for id, component in manifest.components.items()
        if (target := app_target(component)) is not None
    }
    known = ", ".join(found) or "none"
    if component_id is not None and component_id not in found:
        raise DevError(
            f"{manifest.path}: {component_id!r} is not a component that `edgezero componentize` "
            f"makes of an app (such components: {known})"
        )
    if component_id is None and len(found) != 1:
        raise DevError(
            f"{manifest.path}: which app to serve? Name its component with --component-id "
            f"(components of apps: {known})"
        )
    return found[component_id or next(iter(found))]


def _workdir(manifest: SpinManifest, id: str) -> Path:
    build = manifest.components[id].build
    workdir = None if build is None else build.workdir
    return (manifest.base_dir / (workdir or "")).resolve()


@attrs.frozen
class Placed:
    """Stands for a component where the gateway asks what answers.

    Attributes:
        handler_type: How a component takes requests.
    """

    id: str
    handler_type: HandlerType = HandlerType.WASI_0_2


@attrs.frozen(kw_only=True)
class NativeApplication:
    """An app, ready to answer.

    Attributes:
        app: The app, compiled.
        place: Where it came from.
        gateway: Finds the component that answers a request.
        part: What its component is granted.
        outbound: Where it may send requests.
        notices: Lines for whoever started it.
    """

    app: App
    place: AppPlace
    gateway: Gateway
    part: ComponentPlan
    outbound: OutboundHosts
    notices: tuple[str, ...]
    _platform: "_Platform"

    @property
    def stores(self) -> Mapping[str, KeyValueBackend]:
        """Key-value stores by label."""
        return self._platform._stores

    @property
    def variables(self) -> VariableResolver:
        """Values of its variables."""
        return self._platform._variables

    def request(self, source: RequestSource, transport: OutboundTransport) -> Request:
        """Return a request for the app."""
        asked = Request(source)
        asked._transport = transport
        environment = self.part.environment
        declaration, platform = self.app.declaration, self._platform
        asked._stores = lambda: open_on_platform(declaration, platform, lambda: environment)
        return asked


def _unstarted(app: App) -> tuple[str, ...]:
    """Say which handlers nothing calls while an app is served natively."""
    kinds = sorted({trigger.kind for trigger in app.triggers})
    if not kinds:
        return ()
    return (
        f"Requests only: nothing starts the handlers of {', '.join(kinds)} triggers here. "
        "`edgezero watch` builds the component and runs them.",
    )


def load_native(
    path: Path, component_id: str | None, owned: contextlib.ExitStack, options: RunOptions
) -> NativeApplication:
    """Import an app and open what its manifest gives it.

    Args:
        component_id: Which component; see ``app_of``.
        owned: Takes what has to be closed at the end.
        options: How ``edgezero up`` would run it.

    Raises:
        EdgeZeroError: The manifest, the runtime configuration or the app cannot be used.
        Exception: Whatever the modules of the app raise.
    """
    manifest = load_spin_manifest(path, profile=options.get("profile"))
    place = app_of(manifest, component_id)
    # Nothing of the components' wasm or files is read, and they may not be built yet.
    bare = {
        id: attrs.evolve(component, source=str(manifest.path.absolute()), files=(), dependencies={})
        for id, component in manifest.components.items()
    }
    locked = lock_application(attrs.evolve(manifest, components=bare), in_place=True)
    found = FoundApplication(locked, manifest.base_dir, manifest.path, manifest.warnings)
    prepared = prepare(found, manifest.base_dir, owned, options)
    parts = {part.id: part for part in prepared.plan.components}
    part = parts.get(place.component_id)
    if part is None:
        raise DevError(f"{path}: no trigger names the component {place.component_id!r}")
    for id in parts:
        other = [
            label for label in parts[id].key_value_stores if label not in prepared.stores.backends
        ]
        if other:
            raise DevError(f"{path}: unknown key_value_stores label {other[0]!r}")
    app = _import_app(place, part.environment)
    app.compile()
    http = http_triggers(prepared.plan.triggers)
    placed: Mapping[str, object] = {id: Placed(id) for id in parts}
    outbound = OutboundHosts(
        part.allowed_outbound_hosts, component_ids=list(parts), variables=prepared.variables
    )
    return NativeApplication(
        app=app,
        place=place,
        gateway=Gateway(
            http.route_table(),
            placed,  # type: ignore[arg-type]  # a gateway asks for their handler type alone
            http.static,
            {"name": prepared.plan.name, "version": prepared.plan.version},
        ),
        part=part,
        outbound=outbound,
        notices=(*prepared.notices, *_unstarted(app)),
        platform=_Platform(
            place.component_id,
            {label: prepared.stores.backends[label] for label in part.key_value_stores},
            prepared.variables,
            InProcessDatabases(_database_grants(part, prepared, outbound, owned)),
        ),
    )


def _database_grants(
    part: ComponentPlan,
    prepared: PreparedApplication,
    outbound: OutboundHosts,
    owned: contextlib.ExitStack,
) -> Grants:
    """Return what the component may use, as far as databases ask."""
    postgres = PostgresConnections()
    mysql: ConnectionPools[Any] = ConnectionPools()
    owned.callback(postgres.close)
    owned.callback(mysql.close)
    databases = prepared.databases.by_label
    return Grants(
        component_id=part.id,
        databases={label: databases[label] for label in part.sqlite_databases},
        postgres=postgres,
        mysql=mysql,
        network=prepared.network,
        outbound=outbound,
        log=prepared.logs.of(part.id),
        memory_bytes=prepared.settings.max_instance_memory,
    )


def _import_app(place: AppPlace, environment: Mapping[str, str]) -> App:
    os.environ.update(environment)
    os.chdir(place.folder)
    sys.path.insert(0, str(place.folder))
    module_name, _, attribute = place.target.partition(":")
    module = importlib.import_module(module_name)
    found = getattr(module, attribute, None) if attribute else None
    if found is None and not attribute:
        found = getattr(getattr(module, "IncomingHandler", None), "app", None)
    if not isinstance(found, App):
        apps = [name for name, value in vars(module).items() if isinstance(value, App)]
        raise DevError(
            f"{module.__file__}: {attribute or 'IncomingHandler'} is not an App "
            f"(apps there: {', '.join(apps) or 'none'})"
        )
    return found


@attrs.frozen
class _Platform:
    """The stores of one component, as the facades see them."""

    _component_id: str
    _stores: Mapping[str, KeyValueBackend]
    _variables: VariableResolver
    _databases: InProcessDatabases

    async def open_database(self, kind: DatabaseKind, target: str) -> Any:
        """Connect; see ``DatabasePlatform``."""
        return await self._databases.open_database(kind, target)

    def open_key_value(self, label: str) -> KeyValueBackend:
        store = self._stores.get(label)
        if store is None:
            raise BackendError(
                "access-denied (the label is not in this component's key_value_stores in spin.toml)"
            )
        return store if FOLLOWING.get() is None else ObservedStore(label, store)

    def secrets(self) -> "_Platform":
        return self

    def get(self, name: str) -> str | None:
        """Return a variable."""
        try:
            with note_call(VARIABLES, "get", name):
                return self._variables.get(self._component_id, name)
        except VariableError as error:
            if error.case == "undefined":
                return None
            if error.case == "invalid-name":
                raise SecretNameInvalid(error.message) from None
            raise BackendError(error.message) from None
