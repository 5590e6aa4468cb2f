"""The plan of an application: what there is to run, in plain values and paths.

``spin.toml``, a ``spin.lock`` and a single component file all end in a ``LockedApp``;
``plan_of`` turns that into an ``ApplicationPlan`` and refuses, all at once, what this host
does not run. Nothing is opened here.

Source: contract spin-host.md, MAN-25 to MAN-29, LOCK-44, RESP-13.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs

from edgezero_spin.errors import HostError
from edgezero_spin.host.compat.wagi import ENTRY_POINT, WagiSettings
from edgezero_spin.host.exchange.fields import FORBIDDEN, is_token, is_value
from edgezero_spin.host.factors.wasi.filesystem import Mount
from edgezero_spin.host.http.gateway import Answer
from edgezero_spin.host.load.dependencies import DependencyPlan
from edgezero_spin.manifest.spin import LockedApp, LockedComponent, LockedTrigger
from edgezero_spin.manifest.spin.allowed_hosts import (
    CHAINING_SUFFIX,
    AllowedHostError,
    parse_allowed_host,
)
from edgezero_spin.manifest.spin.locked_app import MIDDLEWARE, LockedDependency
from edgezero_spin.manifest.table_reader import kind_of

__all__ = [
    "ApplicationError",
    "ApplicationPlan",
    "ComponentPlan",
    "TriggerPlan",
    "in_file",
    "keep_components",
    "plan_of",
]


class ApplicationError(HostError):
    """An application cannot be run as it stands.

    Raised while it is loaded.

    Attributes:
        problems: One sentence for each fault, with what would mend it.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


@attrs.frozen(kw_only=True)
class ComponentPlan:
    """One component and what it is granted.

    Attributes:
        id: Its id.
        source: The wasm file.
        description: Shown with its routes (OUT-6).
        environment: Environment variables, in order.
        key_value_stores: Labels that it may open.
        sqlite_databases: Likewise, of SQLite databases.
        ai_models: Language models that it may ask.
        mounts: Directories that it sees.
        allowed_outbound_hosts: Where it may connect to; templates.
        dependencies: Components that satisfy imports of it.
        middleware: Components that get its requests first, outermost first.
    """

    id: str
    source: Path
    description: str = ""
    environment: Mapping[str, str] = attrs.field(factory=dict)
    key_value_stores: tuple[str, ...] = ()
    sqlite_databases: tuple[str, ...] = ()
    ai_models: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    allowed_outbound_hosts: tuple[str, ...] = ()
    dependencies: tuple[DependencyPlan, ...] = ()
    middleware: tuple[DependencyPlan, ...] = ()


@attrs.frozen(kw_only=True)
class TriggerPlan:
    """One HTTP trigger: a route and what answers there.

    Attributes:
        id: Its id.
        route: The route's text; ``None`` for a private one.
        component: Id of the component that answers.
        static: What is answered without one.
        wagi: Runs the component as a command; ``None`` for a handler.
    """

    id: str
    route: str | None
    component: str | None = None
    static: Answer | None = None
    wagi: WagiSettings | None = None


@attrs.frozen(kw_only=True)
class ApplicationPlan:
    """All that there is to run.

    Attributes:
        name: Of the application.
        version: Shown by the info endpoint; may be empty.
        digest: Of the OCI image that it came from, if it did.
        components: By no particular order; ids are unique.
        triggers: In the order of the manifest.
        notices: What of the application is left out.
    """

    name: str
    version: str = ""
    digest: str = ""
    components: tuple[ComponentPlan, ...]
    triggers: tuple[TriggerPlan, ...]
    notices: tuple[str, ...] = ()


def keep_components(app: LockedApp, ids: Sequence[str]) -> LockedApp:
    """Return the application with these components and their triggers only (LOCK-43).

    Raises:
        ApplicationError: There is no such component, or one of them calls one that is left
            out.
    """
    known = [part.id for part in app.components]
    unknown = [id for id in ids if id not in known]
    if unknown:
        raise ApplicationError(
            f"Unknown component(s) {', '.join(unknown)} (the application has {', '.join(known)})"
        )
    kept = tuple(part for part in app.components if part.id in ids)
    broken = [
        f"component {part.id!r} may call {target!r}, which is left out; keep both"
        for part in kept
        for target in _chained(part, known)
        if target not in ids
    ]
    if broken:
        raise ApplicationError(*broken)
    triggers = tuple(trigger for trigger in app.triggers if trigger.component in ids)
    return attrs.evolve(app, components=kept, triggers=triggers)


def _chained(part: LockedComponent, known: Iterable[str]) -> Iterable[str]:
    """Yield the ids of the components that one may call."""
    for text in part.labels("allowed_outbound_hosts"):
        try:
            allowed = parse_allowed_host(text)
        except AllowedHostError:
            # A template that is not filled in yet is judged when it is.
            continue
        if allowed.chains:
            for entry in allowed.expanded(known):
                yield str(entry.host).removesuffix(CHAINING_SUFFIX)


_TRIGGER_KEYS = ("component", "components", "dependencies", "executor", "route", "static_response")
_WAGI_KEYS = ("argv", "entrypoint", "type")


def plan_of(
    app: LockedApp,
    *,
    file: Path | None = None,
    writable: bool = False,
) -> ApplicationPlan:
    """Return what to run of a locked application.

    Triggers of other kinds are left out where there are HTTP triggers beside them.

    Args:
        app: The application.
        file: Where it stands, named with every fault.
        writable: Guests may change the files that they see (ENV-13).

    Raises:
        ApplicationError: It asks for something that this host does not run; every fault
            is named.
    """
    problems: list[str] = []
    run = app.triggers_of("http")
    others = [trigger for trigger in app.triggers if trigger not in run]
    if others and not run:
        problems += [_no_trigger(trigger) for trigger in others]
    used = {trigger.component for trigger in run}
    components = [
        _component_plan(part, writable, problems) for part in app.components if part.id in used
    ]
    triggers = [_trigger_plan(trigger, problems) for trigger in run]
    _check_base(app, problems)
    if problems:
        raise ApplicationError(*in_file(file, problems))
    return ApplicationPlan(
        name=app.name,
        version=str(app.metadata.get("version", "")),
        digest=str(app.metadata.get("oci_image_digest", "")),
        components=tuple(components),
        triggers=tuple(triggers),
        notices=tuple(in_file(file, [f"{_no_trigger(item)}; it is left out" for item in others])),
    )


def in_file(file: Path | None, problems: Iterable[str]) -> list[str]:
    """Name the file in front of each fault, where there is one."""
    return list(problems) if file is None else [f"{file}: {problem}" for problem in problems]


def _component_plan(part: LockedComponent, writable: bool, problems: list[str]) -> ComponentPlan:
    place = f"component {part.id!r}"
    others = [role for role in part.trigger_dependencies if role != MIDDLEWARE]
    if others:
        problems.append(
            f"{place}: the HTTP trigger's only allowed trigger dependency is `{MIDDLEWARE}`, not "
            f"{', '.join(map(repr, others))}"
        )
    return ComponentPlan(
        id=part.id,
        source=_file_of(part.source.source, f"{place}: source", problems),
        description=part.description,
        environment=part.env,
        key_value_stores=part.labels("key_value_stores"),
        sqlite_databases=part.labels("databases"),
        ai_models=part.labels("ai_models"),
        mounts=tuple(
            Mount(
                "/" + item.path.strip("/"),
                _file_of(item.content.source, f"{place}: files at {item.path}", problems),
                writable,
            )
            for item in part.files
        ),
        allowed_outbound_hosts=part.labels("allowed_outbound_hosts"),
        dependencies=tuple(
            _dependency_plan(f"dependency '{name}'", name, dependency, place, problems)
            for name, dependency in part.dependencies.items()
        ),
        middleware=tuple(
            _dependency_plan(f"middleware {number}", f"middleware {number}", each, place, problems)
            for number, each in enumerate(part.trigger_dependencies.get(MIDDLEWARE, ()), 1)
        ),
    )


def _dependency_plan(
    what: str, name: str, dependency: LockedDependency, place: str, problems: list[str]
) -> DependencyPlan:
    return DependencyPlan(
        name=name,
        source=_file_of(dependency.source.source, f"{place}: {what}", problems),
        export=dependency.export,
        inherit=dependency.inherit,
    )


def _file_of(url: str | None, place: str, problems: list[str]) -> Path:
    parts = urlsplit(url or "")
    if parts.scheme != "file":
        problems.append(f"{place}: {url or 'no URL'} is no file on this disk")
    return Path(unquote(parts.path))


def _no_trigger(trigger: LockedTrigger) -> str:
    return (
        f"No built-in trigger named '{trigger.trigger_type}' (trigger {trigger.id!r}); this host "
        "runs http triggers, `spin up` may run others"
    )


def _trigger_plan(trigger: LockedTrigger, problems: list[str]) -> TriggerPlan:
    place = f"trigger {trigger.id!r}"
    config = trigger.trigger_config
    static = config.get("static_response")
    _check_keys(config, _TRIGGER_KEYS, place, problems)
    component = trigger.component
    if (static is None) == (component is None):
        which = "neither" if static is None else "both"
        problems.append(
            f"Triggers must specify either component or static_response - {trigger.id} has {which}"
        )
    return TriggerPlan(
        id=trigger.id,
        route=_route_of(config.get("route"), trigger.id, problems),
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


def _static_answer(static: Any, place: str, problems: list[str]) -> Answer:
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
            problems.append(f"{place}.headers: {name!r} is no valid header")
        elif lower not in FORBIDDEN and lower != "content-length":
            headers.append((lower, raw))
    body = static.get("body")
    if not isinstance(body, str | None):
        problems.append(f"{place}.body: expected a string, got {kind_of(body)}")
        body = None
    return Answer(status, tuple(headers), (body or "").encode())


def _check_base(app: LockedApp, problems: list[str]) -> None:
    """``base`` was how Spin 1 moved all routes; only ``/`` is left of it (MAN-29)."""
    for settings in _http_settings(app):
        base = settings.get("base", "/")
        if base != "/":
            problems.append(
                f"application.trigger.http.base is {base!r}; write it into the routes instead"
            )
            return


def _http_settings(app: LockedApp) -> Iterable[Mapping[str, Any]]:
    triggers = app.metadata.get("triggers")
    candidates = [app.metadata.get("trigger")]
    if isinstance(triggers, Mapping):
        candidates.append(triggers.get("http"))
    return [found for found in candidates if isinstance(found, Mapping)]
