"""One app as its manifest places it, on the stores and variables of this machine.

In: a ``spin.toml`` and the component to serve. Out: a ``NativeApplication``: the app, its routes,
what starts it, the stores that its component may open, its variables, and where it may send
requests. Stores are the files of Spin, so that they are the same under ``edgezero up`` and
``spin up``.

Source: contract spin-host.md, KV-1, VAR-1 to VAR-11, NET-1 to NET-12, ROUTE-1 to ROUTE-13.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.core.app import App
from edgezero_spin.core.event_handlers import KINDS
from edgezero_spin.development.observed import FOLLOWING, VARIABLES, ObservedStore, note_call
from edgezero_spin.errors import ProjectError
from edgezero_spin.host.exchange.handler_type import HandlerType
from edgezero_spin.host.factors.database_servers.pools import ConnectionPools
from edgezero_spin.host.factors.instance import Grants
from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
from edgezero_spin.host.factors.postgres.factor import PostgresConnections
from edgezero_spin.host.factors.variables.errors import VariableError
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.host.http.gateway import Gateway
from edgezero_spin.host.http.trigger import HTTP
from edgezero_spin.host.load.application import http_triggers, resolved_triggers
from edgezero_spin.host.load.in_process import InProcessDatabases
from edgezero_spin.host.load.plan import ComponentPlan
from edgezero_spin.host.load.starting import FoundApplication, PreparedApplication, prepare
from edgezero_spin.host.settings import RunOptions
from edgezero_spin.host.triggers.trigger import ConfiguredTrigger
from edgezero_spin.manifest.spin import (
    LockedApp,
    ManifestComponent,
    SpinManifest,
    load_spin_manifest,
)
from edgezero_spin.manifest.spin.locking import lock_application
from edgezero_spin.project.app_targets import app_target
from edgezero_spin.project.trigger_check import AppTrigger, components_of, trigger_problems
from edgezero_spin.stores import Stores
from edgezero_spin.stores.backend import BackendError, KeyValueBackend, SecretNameInvalid
from edgezero_spin.stores.declaration import DatabaseKind
from edgezero_spin.stores.opening import open_on_platform

__all__ = [
    "AppComponent",
    "AppPlace",
    "DevError",
    "NativeApplication",
    "Placed",
    "app_of",
    "load_native",
]


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
class AppComponent:
    """One of the components that an app becomes.

    Attributes:
        part: What it is granted.
        outbound: Where it may send requests.
        platform: Its stores, variables and databases.
    """

    part: ComponentPlan
    outbound: OutboundHosts
    platform: "_Platform"

    def open_stores(self, app: App) -> Stores:
        """Open the stores that an app has as this component."""
        return open_on_platform(app.declaration, self.platform, lambda: self.part.environment)


@attrs.frozen(kw_only=True)
class NativeApplication:
    """An app, ready to answer and to take events.

    Attributes:
        app: The app, compiled.
        place: Where it came from.
        gateway: Finds the component that answers a request.
        components: Those that the app becomes, by id.
        triggers: What starts them.
        notices: Lines for whoever started it.
    """

    app: App
    place: AppPlace
    gateway: Gateway
    components: Mapping[str, AppComponent]
    triggers: Sequence[ConfiguredTrigger]
    notices: tuple[str, ...]

    @property
    def own(self) -> AppComponent:
        """The component that is served."""
        return self.components[self.place.component_id]

    @property
    def part(self) -> ComponentPlan:
        """What it is granted."""
        return self.own.part

    @property
    def stores(self) -> Mapping[str, KeyValueBackend]:
        """Key-value stores by label."""
        return self.own.platform.stores

    @property
    def variables(self) -> VariableResolver:
        """Values of its variables."""
        return self.own.platform.variables


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
    made = _components_of(manifest, place)
    locked, left_out = _startable(
        lock_application(attrs.evolve(manifest, components=bare), in_place=True), place, made
    )
    found = FoundApplication(locked, manifest.base_dir, manifest.path, manifest.warnings)
    prepared = prepare(found, manifest.base_dir, owned, options)
    parts = {part.id: part for part in prepared.plan.components}
    if place.component_id not in parts:
        raise DevError(f"{path}: no trigger names the component {place.component_id!r}")
    for id in parts:
        other = [
            label for label in parts[id].key_value_stores if label not in prepared.stores.backends
        ]
        if other:
            raise DevError(f"{path}: unknown key_value_stores label {other[0]!r}")
    triggers = resolved_triggers(prepared.plan, prepared.variables)
    app = _import_app(place, parts[place.component_id].environment)
    app.compile()
    http = http_triggers(triggers)
    placed: Mapping[str, object] = {id: Placed(id) for id in parts}
    return NativeApplication(
        app=app,
        place=place,
        gateway=Gateway(
            http.route_table(),
            placed,  # type: ignore[arg-type]  # a gateway asks for their handler type alone
            http.static,
            {"name": prepared.plan.name, "version": prepared.plan.version},
        ),
        components={
            id: _component(part, list(parts), prepared, owned)
            for id, part in parts.items()
            if id in made
        },
        triggers=triggers,
        notices=(*prepared.notices, *left_out, *_unfitting(app, manifest, made)),
    )


def _components_of(manifest: SpinManifest, place: AppPlace) -> Mapping[str, ManifestComponent]:
    """Return the components that the app becomes: those with the file of the one that is served."""
    own = manifest.components[place.component_id]
    if not isinstance(own.source, str):
        return {place.component_id: own}
    return components_of(manifest, manifest.base_dir / own.source)


def _startable(
    app: LockedApp, place: AppPlace, made: Collection[str]
) -> tuple[LockedApp, tuple[str, ...]]:
    """Leave out what starts other components, or no handler of an app, and say so."""
    others = [
        trigger
        for trigger in app.triggers
        if trigger.trigger_type not in (HTTP, *KINDS)
        or (trigger.trigger_type != HTTP and trigger.component not in made)
    ]
    if not others:
        return app, ()
    left_out = ", ".join(
        dict.fromkeys(
            f"the {other.trigger_type} trigger of {other.component!r}" for other in others
        )
    )
    kept = tuple(trigger for trigger in app.triggers if trigger not in others)
    return attrs.evolve(app, triggers=kept), (
        f"`edgezero dev` serves the app of {place.component_id!r} alone, without {left_out}; "
        "`edgezero watch` runs all",
    )


def _unfitting(
    app: App, manifest: SpinManifest, made: Mapping[str, ManifestComponent]
) -> tuple[str, ...]:
    """Say which handlers of events the manifest does not start, and the other way round."""
    declared = [AppTrigger(each.kind, each.text, each.qos) for each in app.triggers]
    problems = trigger_problems(declared, manifest, made)
    return tuple(f"{manifest.path}: {problem}" for problem in problems)


def _component(
    part: ComponentPlan,
    ids: Sequence[str],
    prepared: PreparedApplication,
    owned: contextlib.ExitStack,
) -> AppComponent:
    outbound = OutboundHosts(
        part.allowed_outbound_hosts, component_ids=list(ids), variables=prepared.variables
    )
    return AppComponent(
        part=part,
        outbound=outbound,
        platform=_Platform(
            component_id=part.id,
            stores={label: prepared.stores.backends[label] for label in part.key_value_stores},
            variables=prepared.variables,
            databases=InProcessDatabases(_database_grants(part, prepared, outbound, owned)),
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

    component_id: str
    stores: Mapping[str, KeyValueBackend]
    variables: VariableResolver
    databases: InProcessDatabases

    async def open_database(self, kind: DatabaseKind, target: str) -> Any:
        """Connect; see ``DatabasePlatform``."""
        return await self.databases.open_database(kind, target)

    def open_key_value(self, label: str) -> KeyValueBackend:
        store = self.stores.get(label)
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
                return self.variables.get(self.component_id, name)
        except VariableError as error:
            if error.case == "undefined":
                return None
            if error.case == "invalid-name":
                raise SecretNameInvalid(error.message) from None
            raise BackendError(error.message) from None
