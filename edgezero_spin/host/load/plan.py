"""The plan of an application: what there is to run, in plain values and paths.

``spin.toml``, a ``spin.lock`` and a single component file all end in a ``LockedApp``;
``plan_of`` turns that into an ``ApplicationPlan`` and refuses, all at once, what this host
does not run. Nothing is opened here.

Source: contract spin-host.md, MAN-25 to MAN-29, LOCK-44, RESP-13.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.host.errors import SetupError
from edgezero_spin.host.factors.wasi.filesystem.descriptors import DirectoryMount
from edgezero_spin.host.http.trigger import HTTP
from edgezero_spin.host.load.dependencies import DependencyPlan
from edgezero_spin.host.triggers.trigger import (
    ConfiguredTrigger,
    Trigger,
    TriggerConfigError,
    TriggerDeclarations,
    TriggerEntry,
)
from edgezero_spin.manifest.spin import ContentRef, LockedApp, LockedComponent, LockedTrigger
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
    "in_file",
    "keep_components",
    "plan_of",
]


class ApplicationError(SetupError):
    """The parts of an application do not fit together, or this host cannot run them."""


@attrs.frozen(kw_only=True)
class ComponentPlan:
    """One component and what it is granted.

    Attributes:
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
    mounts: tuple[DirectoryMount, ...] = ()
    allowed_outbound_hosts: tuple[str, ...] = ()
    dependencies: tuple[DependencyPlan, ...] = ()
    middleware: tuple[DependencyPlan, ...] = ()


@attrs.frozen(kw_only=True)
class ApplicationPlan:
    """All that there is to run.

    Attributes:
        version: Shown by the info endpoint; may be empty.
        digest: Of the OCI image that it came from, if it did.
        components: By no particular order; ids are unique.
        triggers: One for each kind.
        notices: What of the application is left out.
    """

    name: str
    version: str = ""
    digest: str = ""
    components: tuple[ComponentPlan, ...]
    triggers: tuple[ConfiguredTrigger, ...]
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


def plan_of(
    app: LockedApp, kinds: Sequence[Trigger], *, file: Path | None = None, writable: bool = False
) -> ApplicationPlan:
    """Return what to run of a locked application.

    Triggers of kinds that are not given are left out where there are others beside them.

    Args:
        kinds: The kinds of triggers that are run.
        file: Where it stands, named with every fault.
        writable: Guests may change the files that they see (ENV-13).

    Raises:
        ApplicationError: It asks for something that this host does not run; every fault
            is named.
    """
    problems: list[str] = []
    known = {kind.kind: kind for kind in kinds}
    run = [trigger for trigger in app.triggers if trigger.trigger_type in known]
    others = [trigger for trigger in app.triggers if trigger.trigger_type not in known]
    if others and not run:
        problems += [_no_trigger(trigger, known) for trigger in others]
    triggers = [
        configured
        for kind in dict.fromkeys(trigger.trigger_type for trigger in run)
        if (configured := _configured(app, known[kind], problems)) is not None
    ]
    used = {trigger.component for trigger in run}
    components = [
        _component_plan(part, writable, problems) for part in app.components if part.id in used
    ]
    if problems:
        raise ApplicationError(*in_file(file, problems))
    return ApplicationPlan(
        name=app.name,
        version=str(app.metadata.get("version", "")),
        digest=str(app.metadata.get("oci_image_digest", "")),
        components=tuple(components),
        triggers=tuple(triggers),
        notices=tuple(
            in_file(file, [f"{_no_trigger(item, known)}; it is left out" for item in others])
        ),
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
        source=_file_of(part.source, f"{place}: source", problems),
        description=part.description,
        environment=part.env,
        key_value_stores=part.labels("key_value_stores"),
        sqlite_databases=part.labels("databases"),
        ai_models=part.labels("ai_models"),
        mounts=tuple(
            DirectoryMount(
                "/" + item.path.strip("/"),
                _file_of(item.content, f"{place}: files at {item.path}", problems),
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
        source=_file_of(dependency.source, f"{place}: {what}", problems),
        export=dependency.export,
        inherit=dependency.inherit,
    )


def _file_of(content: ContentRef, place: str, problems: list[str]) -> Path:
    path = content.path
    if path is None:
        problems.append(f"{place}: {content.source or 'no URL'} is not a file on this disk")
    return path or Path()


def _no_trigger(trigger: LockedTrigger, known: Iterable[str]) -> str:
    return (
        f"No built-in trigger named '{trigger.trigger_type}' (trigger {trigger.id!r}); this host "
        f"runs {', '.join(known)} triggers, `spin up` may run others"
    )


def _configured(app: LockedApp, kind: Trigger, problems: list[str]) -> ConfiguredTrigger | None:
    """Have a kind read what the application says of it; ``None`` where it cannot."""
    entries = tuple(
        TriggerEntry(
            id=trigger.id,
            component=trigger.component,
            settings={
                key: value
                for key, value in trigger.trigger_config.items()
                if key != "component" or not isinstance(value, str)
            },
        )
        for trigger in app.triggers_of(kind.kind)
    )
    if kind.kind != HTTP:
        problems += _unsupported(app, kind.kind, {entry.component for entry in entries})
    try:
        settings = _settings_of(app, kind.kind)
        return kind.configure(
            TriggerDeclarations(kind=kind.kind, settings=settings, entries=entries)
        )
    except TriggerConfigError as error:
        problems += error.problems
        return None


def _settings_of(app: LockedApp, kind: str) -> Mapping[str, Any] | None:
    """Return the table ``[application.trigger.KIND]``, where a lock has it (TRG-1)."""
    tables = app.metadata.get("triggers")
    found = tables.get(kind) if isinstance(tables, Mapping) else None
    if found is None:
        old = app.metadata.get("trigger")
        if isinstance(old, Mapping) and old.get("type") == kind:
            found = {key: value for key, value in old.items() if key != "type"}
            return found or None
    if found is not None and not isinstance(found, Mapping):
        raise TriggerConfigError(
            f'invalid metadata value for "{kind}": application.trigger.{kind} is a table, '
            f"got {kind_of(found)}"
        )
    return found


def _unsupported(app: LockedApp, kind: str, ids: Collection[str | None]) -> Iterable[str]:
    """Yield what components ask of their host that only HTTP triggers have (TRG-10)."""
    for part in app.components:
        if part.id in ids and part.host_requirements:
            yield (
                f"component {part.id!r}: This application requires the following features that are "
                f"not available in this version of the '{kind}' trigger: "
                f"{', '.join(part.host_requirements)}"
            )
