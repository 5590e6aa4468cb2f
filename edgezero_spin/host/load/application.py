"""An application as the host runs it: components compiled and linked, routes in order.

``load_application`` takes an ``ApplicationPlan``, loads the components that a trigger uses
(MAN-29a) and gives each what it is granted. A component that triggers of several kinds use is
compiled once.

Everything that can be refused is refused here, before the first request or event.
"""

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.host.compat.wagi import load_command
from edgezero_spin.host.execution.executor import Served
from edgezero_spin.host.factors.database_servers.pools import ConnectionPools
from edgezero_spin.host.factors.instance import Grants
from edgezero_spin.host.factors.llm.config import LlmServer
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.factors.outbound_http.interface import HttpSender, OutboundHosts
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules
from edgezero_spin.host.factors.postgres.factor import PostgresConnections
from edgezero_spin.host.factors.sqlite.factor import Database
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.host.http.gateway import Gateway
from edgezero_spin.host.http.routes import TriggerRouteTable
from edgezero_spin.host.http.trigger import HttpTriggers
from edgezero_spin.host.load.dependencies import dependencies_of
from edgezero_spin.host.load.middleware import link_behind_middleware
from edgezero_spin.host.load.plan import ApplicationError, ApplicationPlan, ComponentPlan
from edgezero_spin.host.observers import Observer
from edgezero_spin.host.runtime.component_loading import CompiledComponent, load_component
from edgezero_spin.host.runtime.engine import Engine, InstanceLimits
from edgezero_spin.host.runtime.interface import Interface
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.host.runtime.prepared import PreparedComponent
from edgezero_spin.host.triggers.trigger import ConfiguredTrigger, TriggerConfigError
from edgezero_spin.stores.backend import KeyValueBackend

__all__ = [
    "Application",
    "PublicRoute",
    "check_plan",
    "http_triggers",
    "load_application",
    "resolved_triggers",
]

logger = logging.getLogger("edgezero_spin.host")


@attrs.frozen
class PublicRoute:
    """A public route, for people (OUT-5, OUT-7).

    Attributes:
        id: The component, or the trigger of a static response.
        path: Without the wildcard; ``/`` when nothing is left.
        wildcard: Everything below the path belongs to it.
        description: Of the component.
    """

    id: str
    path: str
    wildcard: bool
    description: str = ""


@attrs.frozen
class Application:
    """A loaded application.

    Attributes:
        gateway: Finds what answers a request.
        components: Those that HTTP triggers use, by id.
        triggers: All of them, their templates filled in.
        served: Every component as a kind of trigger calls it, by kind and id.
        routes: Public routes in the order in which they are tried.
        postgres: Its connections to PostgreSQL servers.
        mysql: Its connections to MySQL servers.
    """

    plan: ApplicationPlan
    gateway: Gateway
    components: Mapping[str, Served]
    triggers: Sequence[ConfiguredTrigger]
    served: Mapping[tuple[str, str], Served]
    routes: tuple[PublicRoute, ...]
    postgres: PostgresConnections
    mysql: ConnectionPools[Any]

    def close(self) -> None:
        """Close the connections that its components' instances left. Twice is harmless."""
        self.postgres.close()
        self.mysql.close()


def load_application(
    plan: ApplicationPlan,
    *,
    engine: Engine,
    cache_dir: Path | None,
    stores: Mapping[str, KeyValueBackend],
    databases: Mapping[str, Database],
    variables: VariableResolver | None,
    network: NetworkRules,
    llm: LlmServer | None,
    logs: Logs,
    limits: InstanceLimits,
    sender: HttpSender,
    interfaces: Mapping[str, Interface],
    adapt: Callable[[Grants], Grants] | None,
    reuses: bool,
    observer: Observer | None,
) -> Application:
    """Compile, link and check.

    Args:
        cache_dir: Where compiled components are kept; ``None`` for nowhere.
        stores: Label to store; every label that a component lists is in it.
        databases: Label to SQLite database; every label that a component lists is in it.
        network: What the operator lets connections do.
        llm: The server of language models; ``None`` for none.
        sender: Sends the requests that components may send.
        interfaces: What components can import.
        adapt: Has the last word on what each component is granted.
        reuses: Whether an instance takes more than one event.
        observer: Told of instances and calls; ``None`` where nobody is.

    Raises:
        ApplicationError: Nothing is triggered, a trigger names what does not exist, or a template
            in one has no value.
        ComponentError: A file cannot be used.
        DependencyError: Dependencies do not fit a component.
        HandlerError: A component does not export what its trigger calls.
        InvalidRoutesError: A route cannot be read.
        LinkError: A file fits no executor.
    """
    check_plan(plan)
    triggers = resolved_triggers(plan, variables)
    http = http_triggers(triggers)
    table = http.route_table()
    _warn(table)
    postgres = PostgresConnections()
    mysql: ConnectionPools[Any] = ConnectionPools()
    model_client = None if llm is None else _llm_client(llm)
    if observer is not None:
        from edgezero_spin.host.factors.observed_calls import ObservedInterfaces

        interfaces = ObservedInterfaces(interfaces, observer)
        for slots in network.slots:
            slots.observer = observer
    loadable: dict[str, _Loadable] = {}
    for part in plan.components:
        grants = Grants(
            component_id=part.id,
            environment=tuple(part.environment.items()),
            key_value={label: stores[label] for label in part.key_value_stores},
            databases={label: databases[label] for label in part.sqlite_databases},
            network=network,
            postgres=postgres,
            mysql=mysql,
            llm=model_client,
            ai_models=part.ai_models,
            variables=variables,
            mounts=part.mounts,
            outbound=OutboundHosts(
                part.allowed_outbound_hosts,
                component_ids=[other.id for other in plan.components],
                variables=variables,
                sender=sender,
            ),
            log=logs.of(part.id),
            memory_bytes=limits.memory_bytes,
            observer=observer,
        )
        if adapt is not None:
            grants = adapt(grants)
        loadable[part.id] = _Loadable(
            part, engine, interfaces, cache_dir, grants, limits, is_fresh=not reuses
        )
    served = {
        (trigger.kind, id): trigger.load(loadable[id])
        for trigger in triggers
        for id in dict.fromkeys(component for _, component in trigger.components)
    }
    components = {id: part for (kind, id), part in served.items() if kind == http.kind}
    info = {"name": plan.name, "version": plan.version, "oci_image_digest": plan.digest}
    gateway = Gateway(
        table,
        components,
        http.static,
        {key: value for key, value in info.items() if value or key == "name"},
    )
    return Application(
        plan, gateway, components, triggers, served, _routes(plan, table), postgres, mysql
    )


def http_triggers(triggers: Sequence[ConfiguredTrigger]) -> HttpTriggers:
    """Return the HTTP triggers among others; an empty ``HttpTriggers`` where there are none."""
    return next(
        (trigger for trigger in triggers if isinstance(trigger, HttpTriggers)), HttpTriggers(())
    )


def resolved_triggers(
    plan: ApplicationPlan, variables: VariableResolver | None
) -> tuple[ConfiguredTrigger, ...]:
    """Return the triggers of an application, their templates filled in (TRG-3).

    Raises:
        ApplicationError: A value is missing or cannot be used.
    """
    resolver = variables or VariableResolver({}, {})
    problems: list[str] = []
    triggers = []
    for trigger in plan.triggers:
        try:
            triggers.append(trigger.resolved(resolver.render))
        except TriggerConfigError as error:
            problems += error.problems
    if problems:
        raise ApplicationError(*problems)
    return tuple(triggers)


def _llm_client(server: LlmServer) -> Any:
    # Loading an HTTP client takes time that an application without models need not spend.
    from edgezero_spin.host.factors.llm.client import LlmClient

    return LlmClient(server)


@attrs.define(eq=False)
class _Loadable:
    """A component of the plan before it is known how it is called; a ``LoadableComponent``."""

    part: ComponentPlan
    engine: Engine
    interfaces: Mapping[str, Interface]
    cache_dir: Path | None
    grants: Grants
    limits: InstanceLimits
    is_fresh: bool = attrs.field(kw_only=True)

    @property
    def id(self) -> str:
        return self.part.id

    @functools.cached_property
    def linked(self) -> PreparedComponent:
        part = self.part
        joined = bool(part.dependencies or part.middleware)
        return self._link(load_component(self.engine, part.source, self.cache_dir, joined=joined))

    @property
    def program(self) -> PreparedComponent:
        return load_command(self.engine, self.part.source, self.cache_dir, self._link)

    def _link(self, component: CompiledComponent) -> PreparedComponent:
        """Link the component with its dependencies."""
        engine, part, interfaces = self.engine, self.part, self.interfaces
        dependencies = dependencies_of(
            engine, component, part.id, part.dependencies, interfaces, self.cache_dir
        )
        if part.middleware:
            return link_behind_middleware(
                engine,
                component,
                part.id,
                dependencies,
                part.middleware,
                interfaces,
                self.cache_dir,
            )
        return link(engine, component, interfaces, dependencies)


def check_plan(plan: ApplicationPlan) -> None:
    """Make sure that there is something to run, and that every trigger names what is there.

    Raises:
        ApplicationError: It is not so.
    """
    if not plan.triggers:
        raise ApplicationError("No triggers in app")
    known = {part.id for part in plan.components}
    missing = [
        f"trigger {id!r} names the component {component!r}, which does not exist "
        f"(defined: {', '.join(sorted(known)) or 'none'})"
        for trigger in plan.triggers
        for id, component in trigger.components
        if component not in known
    ]
    if missing:
        raise ApplicationError(*missing)


def _warn(table: TriggerRouteTable) -> None:
    """Warn of routes that no request reaches (ROUTE-10, ROUTE-13)."""
    if table.duplicates:
        lines = "\n".join(f"  {duplicate}" for duplicate in table.duplicates)
        logger.error(
            "The following component routes are duplicates and will never be used:\n%s", lines
        )
    if table.reserved():
        logger.warning(
            "Routes under /.well-known/spin/ are handled by the Spin runtime and will never "
            "be reached"
        )


def _routes(plan: ApplicationPlan, table: TriggerRouteTable) -> tuple[PublicRoute, ...]:
    descriptions = {part.id: part.description for part in plan.components}
    return tuple(
        PublicRoute(
            route.declaration.id,
            route.path,
            route.wildcard,
            descriptions.get(route.declaration.id, ""),
        )
        for route in table.routes
    )
