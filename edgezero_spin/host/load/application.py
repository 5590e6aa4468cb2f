"""An application as the host runs it: components compiled and linked, routes in order.

``load_application`` takes an ``ApplicationPlan``, loads the components that a trigger uses
(MAN-29a) and gives each what it is granted.

Everything that can be refused is refused here, before the first request.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.host.compat.wagi import CommandComponent, load_command
from edgezero_spin.host.execution.executor import Served
from edgezero_spin.host.execution.guest import GuestComponent
from edgezero_spin.host.factors.instance import Grants
from edgezero_spin.host.factors.llm.config import LlmServer
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.factors.mysql.factor import Mysql
from edgezero_spin.host.factors.outbound_http.interface import HttpSender, OutboundHosts
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules
from edgezero_spin.host.factors.postgres.factor import Postgres
from edgezero_spin.host.factors.sqlite.connections import Database
from edgezero_spin.host.factors.variables import VariableResolver
from edgezero_spin.host.http.gateway import Gateway
from edgezero_spin.host.http.routes import RouteDeclaration, RouteTable
from edgezero_spin.host.load.dependencies import dependencies_of
from edgezero_spin.host.load.interfaces import host_interfaces
from edgezero_spin.host.load.middleware import link_behind_middleware
from edgezero_spin.host.load.plan import ApplicationError, ApplicationPlan, ComponentPlan
from edgezero_spin.host.runtime.component_loading import Component, load_component
from edgezero_spin.host.runtime.engine import Engine, InstanceLimits
from edgezero_spin.host.runtime.interface import Interface
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.host.runtime.prepared import PreparedComponent
from edgezero_spin.stores.backend import KeyValueBackend

__all__ = [
    "Application",
    "PublicRoute",
    "check_plan",
    "load_application",
    "route_table",
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
        plan: What it was loaded from.
        gateway: Finds what answers a request.
        components: Those that triggers use, by id.
        routes: Public routes in the order in which they are tried.
        postgres: Its connections to PostgreSQL servers.
        mysql: Its connections to MySQL servers.
    """

    plan: ApplicationPlan
    gateway: Gateway
    components: Mapping[str, Served]
    routes: tuple[PublicRoute, ...]
    postgres: Postgres
    mysql: Mysql

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
    variables: VariableResolver | None,
    logs: Logs,
    limits: InstanceLimits,
    sender: HttpSender | None = None,
    interfaces: Mapping[str, Interface] | None = None,
    adapt: Callable[[Grants], Grants] | None = None,
    databases: Mapping[str, Database] | None = None,
    network: NetworkRules | None = None,
    llm: LlmServer | None = None,
) -> Application:
    """Compile, link and check.

    Args:
        plan: What to load.
        engine: What it will run on.
        cache_dir: Where compiled components are kept; ``None`` for nowhere.
        stores: Label to store; every label that a component lists is in it.
        variables: Values of the components' variables.
        logs: Where their output goes.
        limits: What each instance may spend.
        sender: Sends the requests that components may send; ``None`` for a host without.
        interfaces: What components can import; ``None`` for all that this host has.
        adapt: Has the last word on what each component is granted.
        databases: Label to SQLite database; every label that a component lists is in it.
        network: What the operator lets connections do; ``None`` for the usual.
        llm: The server of language models; ``None`` for none.

    Raises:
        ApplicationError: Nothing is triggered, or a trigger names what does not exist.
        ComponentError: A file cannot be used.
        DependencyError: Dependencies do not fit a component.
        HandlerError: A component has no handler that this host runs.
        InvalidRoutesError: A route cannot be read.
        LinkError: A file fits no executor.
    """
    check_plan(plan)
    used = {trigger.component for trigger in plan.triggers if trigger.component is not None}
    table = route_table(plan)
    _warn(table)
    databases = databases or {}
    network = network or NetworkRules()
    postgres, mysql = Postgres(), Mysql()
    model_client = None if llm is None else _llm_client(llm)
    interfaces = host_interfaces() if interfaces is None else interfaces
    # Of several triggers with one component, the last one's executor counts (MAN-29a).
    wagi = {trigger.component: trigger.wagi for trigger in plan.triggers}
    components: dict[str, Served] = {}
    for part in plan.components:
        if part.id in used:
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
            )
            if adapt is not None:
                grants = adapt(grants)
            linker = _Linker(engine, part, interfaces, cache_dir)
            executor = wagi[part.id]
            if executor is None:
                joined = bool(part.dependencies or part.middleware)
                component = load_component(engine, part.source, cache_dir, joined=joined)
                linked = linker(component)
                components[part.id] = GuestComponent.of(linked, grants, limits)
            else:
                program = load_command(engine, part.source, cache_dir, linker)
                components[part.id] = CommandComponent(program, grants, limits, executor)
                logger.warning(
                    "component %r uses the WAGI executor, which Spin will remove; build it as a "
                    "component that exports wasi:http/incoming-handler",
                    part.id,
                )
    info = {"name": plan.name, "version": plan.version, "oci_image_digest": plan.digest}
    gateway = Gateway(
        table,
        components,
        {trigger.id: trigger.static for trigger in plan.triggers if trigger.static is not None},
        {key: value for key, value in info.items() if value or key == "name"},
    )
    return Application(plan, gateway, components, _routes(plan, table), postgres, mysql)


def _llm_client(server: LlmServer) -> Any:
    # Loading an HTTP client takes time that an application without models need not spend.
    from edgezero_spin.host.factors.llm.client import LlmClient

    return LlmClient(server)


@attrs.frozen
class _Linker:
    """Links a component of the plan, with its dependencies."""

    engine: Engine
    part: ComponentPlan
    interfaces: Mapping[str, Interface]
    cache_dir: Path | None

    def __call__(self, component: Component) -> PreparedComponent:
        dependencies = dependencies_of(
            self.engine,
            component,
            self.part.id,
            self.part.dependencies,
            self.interfaces,
            self.cache_dir,
        )
        if self.part.middleware:
            return link_behind_middleware(
                self.engine,
                component,
                self.part.id,
                dependencies,
                self.part.middleware,
                self.interfaces,
                self.cache_dir,
            )
        return link(self.engine, component, self.interfaces, dependencies)


def route_table(plan: ApplicationPlan) -> RouteTable:
    """Return the public routes of an application.

    Raises:
        InvalidRoutesError: A route cannot be read.
    """
    return RouteTable(
        RouteDeclaration(
            trigger.route, trigger.component or trigger.id, static=trigger.static is not None
        )
        for trigger in plan.triggers
        if trigger.route is not None
    )


def check_plan(plan: ApplicationPlan) -> None:
    """Make sure that there is something to run, and that every trigger names what is there.

    Raises:
        ApplicationError: It is not so.
    """
    if not plan.triggers:
        raise ApplicationError("No triggers in app")
    known = {part.id for part in plan.components}
    missing = [
        f"trigger {trigger.id!r} names the component {trigger.component!r}, which does not exist "
        f"(defined: {', '.join(sorted(known)) or 'none'})"
        for trigger in plan.triggers
        if trigger.component is not None and trigger.component not in known
    ]
    if missing:
        raise ApplicationError(*missing)


def _warn(table: RouteTable) -> None:
    """Say which routes nobody will ever reach (ROUTE-10, ROUTE-13)."""
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


def _routes(plan: ApplicationPlan, table: RouteTable) -> tuple[PublicRoute, ...]:
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
