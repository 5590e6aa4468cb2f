"""The HTTP trigger: routes, and the components and static responses behind them.

In: the tables ``[[trigger.http]]`` of an application. Out: an ``HttpTriggers``, which a ``Gateway``
is made from. It listens to nothing by itself: a server, or the program that embeds the host, brings
it requests, so that a server goes on while the application behind it is replaced.

Source: contract spin-host.md, MAN-25 to MAN-29, ROUTE-1 to ROUTE-13, RESP-11, RESP-15, WAGI-1.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import attrs

from edgezero_spin.host.compat.wagi import ENTRY_POINT, CommandComponent, WagiSettings
from edgezero_spin.host.exchange.fields import FORBIDDEN, is_token, is_value
from edgezero_spin.host.execution.executor import Served
from edgezero_spin.host.execution.guest import GuestComponent, handler_of
from edgezero_spin.host.http.gateway import CompleteResponse
from edgezero_spin.host.http.routes import RouteDeclaration, TriggerRouteTable
from edgezero_spin.host.triggers.trigger import (
    Delivery,
    Listener,
    LoadableComponent,
    TriggerConfigError,
    TriggerDeclarations,
    TriggerEntry,
)
from edgezero_spin.manifest.table_reader import kind_of

__all__ = ["HTTP", "HttpEntry", "HttpTriggerKind", "HttpTriggers"]

logger = logging.getLogger("edgezero_spin.host")

HTTP = "http"

_ENTRY_KEYS = ("component", "components", "dependencies", "executor", "route", "static_response")
_WAGI_KEYS = ("argv", "entrypoint", "type")


@attrs.frozen(kw_only=True)
class HttpEntry:
    """One HTTP trigger: a route and what answers there.

    Attributes:
        route: The route's text; ``None`` for a private one.
        component: Id of the component that answers.
        static: What is answered without one.
        wagi: Runs the component as a command; ``None`` for a handler.
    """

    id: str
    route: str | None
    component: str | None = None
    static: CompleteResponse | None = None
    wagi: WagiSettings | None = None


class HttpTriggerKind:
    """The kind ``http``; a ``Trigger``."""

    kind = HTTP

    def configure(self, declared: TriggerDeclarations) -> "HttpTriggers":
        """Read routes, executors and static responses."""
        problems: list[str] = []
        entries = tuple(_entry(entry, problems) for entry in declared.entries)
        _check_base(declared.settings or {}, problems)
        if problems:
            raise TriggerConfigError(*problems)
        return HttpTriggers(entries)


@attrs.frozen
class HttpTriggers:
    """The HTTP triggers of an application; a ``ConfiguredTrigger``.

    Attributes:
        entries: In the order of the manifest.
    """

    entries: tuple[HttpEntry, ...]
    kind = HTTP

    @property
    def components(self) -> Sequence[tuple[str, str]]:
        """Id of each trigger with a component, and the component's."""
        return [
            (entry.id, entry.component) for entry in self.entries if entry.component is not None
        ]

    @property
    def static(self) -> Mapping[str, CompleteResponse]:
        """Static responses by trigger id."""
        return {entry.id: entry.static for entry in self.entries if entry.static is not None}

    def resolved(self, render: Callable[[str], str]) -> Self:
        """Return itself: there are no templates (TRG-3)."""
        return self

    def check_exports(self, component_id: str, exports: Callable[[], Sequence[str]]) -> None:
        """Make sure that a component exports a handler, unless it is run as a command."""
        if self._wagi_of(component_id) is None:
            handler_of(component_id, exports())

    def load(self, component: LoadableComponent) -> Served:
        """Return a component with its handler, or as the command that its executor makes it."""
        wagi = self._wagi_of(component.id)
        if wagi is None:
            return GuestComponent.of(component.linked, component.grants, component.limits)
        logger.warning(
            "component %r uses the WAGI executor, which Spin will remove; build it as a "
            "component that exports wasi:http/incoming-handler",
            component.id,
        )
        return CommandComponent(component.program, component.grants, component.limits, wagi)

    def _wagi_of(self, component_id: str) -> WagiSettings | None:
        # Of several triggers with one component, the last one's executor counts (MAN-29a).
        return {entry.component: entry.wagi for entry in self.entries}[component_id]

    def deliveries(self, event: object) -> Sequence[Delivery] | None:
        """Return ``None``: a request is not an event, it has an answer."""
        return None

    @property
    def listeners(self) -> Sequence[Listener]:
        """None: requests are brought."""
        return ()

    def route_table(self) -> TriggerRouteTable:
        """Return the public routes.

        Raises:
            InvalidRoutesError: A route cannot be read.
        """
        return TriggerRouteTable(
            RouteDeclaration(
                entry.route, entry.component or entry.id, static=entry.static is not None
            )
            for entry in self.entries
            if entry.route is not None
        )


def _entry(entry: TriggerEntry, problems: list[str]) -> HttpEntry:
    place = f"trigger {entry.id!r}"
    config = entry.settings
    static = config.get("static_response")
    _check_keys(config, _ENTRY_KEYS, place, problems)
    component = entry.component
    if (static is None) == (component is None):
        which = "neither" if static is None else "both"
        problems.append(
            f"Triggers must specify either component or static_response - {entry.id} has {which}"
        )
    return HttpEntry(
        id=entry.id,
        route=_route_of(config.get("route"), entry.id, problems),
        component=component,
        static=None if static is None else _static_answer(static, place, problems),
        wagi=_wagi_of(config.get("executor"), place, problems),
    )


def _wagi_of(executor: Any, place: str, problems: list[str]) -> WagiSettings | None:
    """Read ``executor`` (MAN-26, WAGI-1)."""
    if executor is None:
        return None
    place = f"{place}: executor"
    table: Mapping[str, Any] = executor if isinstance(executor, Mapping) else {}
    kind = table.get("type")
    if kind in ("http", "spin"):
        return None
    if kind != "wagi":
        problems.append(f'{place}: write {{ type = "http" }} or {{ type = "wagi" }}')
        return None
    _check_keys(table, _WAGI_KEYS, place, problems)
    if table.get("entrypoint", ENTRY_POINT) != ENTRY_POINT:
        problems.append(
            f"{place}: cannot use the deprecated 'entrypoint'; a command begins at {ENTRY_POINT}"
        )
    argv = table.get("argv", WagiSettings().argv)
    if not isinstance(argv, str):
        problems.append(f"{place}.argv: expected one text, its parts separated by spaces")
        return None
    return WagiSettings(argv=argv)


def _check_keys(
    table: Mapping[str, Any], known: Sequence[str], place: str, problems: list[str]
) -> None:
    problems += [
        f"{place}: unknown key {key!r} (known: {', '.join(known)})"
        for key in table
        if key not in known
    ]


def _route_of(route: Any, id: str, problems: list[str]) -> str | None:
    if isinstance(route, str):
        return route
    if not (isinstance(route, Mapping) and route.get("private") is True):
        problems.append(
            f"route must be a string pattern or '{{ private = true }}': '{id}' has {route}"
        )
    return None


def _static_answer(static: Any, place: str, problems: list[str]) -> CompleteResponse:
    """Read ``static_response``; keys that Spin does not know are ignored, as there."""
    place = f"{place}: static_response"
    if not isinstance(static, Mapping):
        problems.append(f"{place}: expected a table, got {kind_of(static)}")
        static = {}
    status = static.get("status_code")
    status = 200 if status is None else status
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 999:
        problems.append(f"{place}.status_code {status!r} is not 200 to 999")
        status = 500
    given = static.get("headers", {})
    if not isinstance(given, Mapping):
        problems.append(f"{place}.headers: expected a table, got {kind_of(given)}")
        given = {}
    headers = []
    for name, value in given.items():
        if not isinstance(value, str):
            problems.append(f"{place}.headers.{name}: expected a string, got {kind_of(value)}")
            continue
        lower, raw = name.lower(), value.encode()
        if not is_token(lower) or not is_value(raw):
            problems.append(f"{place}.headers: {name!r} is not a valid header")
        elif lower not in FORBIDDEN and lower != "content-length":
            headers.append((lower, raw))
    body = static.get("body")
    if not isinstance(body, str | None):
        problems.append(f"{place}.body: expected a string, got {kind_of(body)}")
        body = None
    return CompleteResponse(status, tuple(headers), (body or "").encode())


def _check_base(settings: Mapping[str, Any], problems: list[str]) -> None:
    """``base`` was how Spin 1 moved all routes; only ``/`` is left of it (MAN-29)."""
    base = settings.get("base", "/")
    if base != "/":
        problems.append(
            f"application.trigger.http.base is {base!r}; write it into the routes instead"
        )
