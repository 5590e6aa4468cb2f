"""Locking: from a manifest to a locked application.

In: a ``SpinManifest`` in its canonical form. Out: a ``LockedApp``, with absolute ``file://``
URLs for everything it needs. Files are copied where asked; wasm is not opened, and what has
to be downloaded is fetched by a function that the caller gives.

Source: contract spin-host.md, LOCK-10 to LOCK-38 and MAN-93.
"""

import datetime
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs

from edgezero_spin.manifest.decoding import datetime_text
from edgezero_spin.manifest.errors import Problems
from edgezero_spin.manifest.keys import join_key
from edgezero_spin.manifest.spin.allowed_hosts import AllowedHostError, parse_allowed_host
from edgezero_spin.manifest.spin.file_mounts import FileMountError, copy_files, direct_mounts
from edgezero_spin.manifest.spin.locked_app import (
    COMPONENT_HOST_REQUIREMENTS,
    MIDDLEWARE,
    SERVICE_CHAINING,
    ContentRef,
    LockedApp,
    LockedComponent,
    LockedDependency,
    LockedFiles,
    LockedTrigger,
    LockedVariable,
)
from edgezero_spin.manifest.spin.schema import (
    Build,
    ComponentReference,
    ComponentSource,
    DeclaredDependency,
    ManifestComponent,
    ManifestTrigger,
    PackageSource,
    SpinManifest,
    UrlSource,
)

__all__ = ["Fetch", "FetchError", "lock_application"]

_DATE_TAG = "$__toml_private_datetime"
"""Key of the table that stands for a date in a lock's metadata."""

Fetch = Callable[[UrlSource | PackageSource], Path]
"""Returns the file of a source that is not on this disk; raises ``FetchError``."""


class FetchError(Exception):
    """A source could not be fetched. ``str`` says why."""


def lock_application(
    manifest: SpinManifest,
    *,
    assets_dir: Path | None = None,
    in_place: bool = False,
    fetch: Fetch | None = None,
) -> LockedApp:
    """Resolve everything that a manifest names.

    Args:
        manifest: As ``load_spin_manifest`` gives it.
        assets_dir: Files of each component are copied to a folder in it, named like the
            component. Needed when a component has files, unless they are mounted in place.
        in_place: Mount folders where they are, without a copy (``--direct-mounts``).
        fetch: Gets sources that have to be downloaded.

    Raises:
        InvalidManifestError: Files or sources cannot be had; it names them all.
    """
    problems = Problems(manifest.path, "Failed to load Spin app from")
    locker = _Locker(manifest.base_dir.absolute(), assets_dir, in_place, fetch, problems)
    triggers = [_lock_trigger(trigger, locker) for trigger in manifest.triggers]
    components = {
        id: _lock_component(id, component, locker) for id, component in manifest.components.items()
    }
    problems.raise_any()
    locked_triggers, locked_components = _move_dependencies(triggers, components)
    requirements = any(component.host_requirements for component in locked_components)
    return LockedApp(
        metadata=_metadata(manifest),
        variables={
            name: LockedVariable(**attrs.asdict(variable))
            for name, variable in manifest.variables.items()
        },
        triggers=locked_triggers,
        components=locked_components,
        must_understand=(COMPONENT_HOST_REQUIREMENTS,) if requirements else (),
    )


@attrs.frozen
class _Locker:
    """Where content comes from, and where problems go."""

    base_dir: Path
    assets_dir: Path | None
    in_place: bool
    fetch: Fetch | None
    problems: Problems

    def content(self, source: ComponentSource, key: str, context: str) -> ContentRef:
        """Return a reference to some wasm, or note why there is none."""
        if isinstance(source, str):
            return _file_ref(self.base_dir / source)
        try:
            if self.fetch is None:
                raise FetchError("downloading is not possible here")
            return _file_ref(self.fetch(source))
        except FetchError as err:
            self.problems.add(key, f"{context}: Failed to load Wasm source {source}: {err}")
            return ContentRef(source="")

    def dependency(self, dependency: DeclaredDependency, name: str, key: str) -> LockedDependency:
        """Lock what satisfies one import."""
        source = dependency.source
        if isinstance(source, ComponentReference):
            raise TypeError("the manifest is not in its canonical form")
        return LockedDependency(
            source=self.content(source, key, f"Failed to load component dependency `{name}`"),
            export=dependency.export,
            inherit=dependency.inherit or False,
        )

    def files(self, id: str, component: ManifestComponent) -> tuple[LockedFiles, ...]:
        """Make a component's files ready."""
        if not component.files:
            return ()
        try:
            if self.in_place:
                return tuple(
                    LockedFiles(content=_file_ref(folder), path=guest)
                    for folder, guest in direct_mounts(component, self.base_dir)
                )
            if self.assets_dir is None:
                raise ValueError("assets_dir is needed for a component with files")
            destination = self.assets_dir.absolute() / id
            copy_files(component, self.base_dir, destination)
        except FileMountError as err:
            key = join_key(join_key("component", id), "files")
            self.problems.add(key, f"Failed to load component `{id}`: {err}")
            return ()
        return (LockedFiles(content=_file_ref(destination), path="/"),)


def _metadata(manifest: SpinManifest) -> dict[str, Any]:
    filled = {
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "authors": list(manifest.authors),
        "profile": manifest.profile,
        "origin": _url_of(manifest.path),
    }
    metadata: dict[str, Any] = {name: value for name, value in filled.items() if value}
    metadata["triggers"] = _json_value(manifest.trigger_configs, dates_tagged=True)
    types = {trigger.type for trigger in manifest.triggers}
    if len(types) == 1:
        [type] = types
        metadata["trigger"] = {**metadata["triggers"].get(type, {}), "type": type}
    return metadata


def _json_value(value: Any, *, dates_tagged: bool) -> Any:
    """Return a TOML value as JSON has it, the way Spin writes it.

    What is not a number is null. A date or time is its text, or a table that holds the text.
    """
    if isinstance(value, Mapping):
        return {name: _json_value(item, dates_tagged=dates_tagged) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item, dates_tagged=dates_tagged) for item in value]
    if isinstance(value, datetime.date | datetime.time):
        text = datetime_text(value)
        return {_DATE_TAG: text} if dates_tagged else text
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _lock_trigger(trigger: ManifestTrigger, locker: _Locker) -> LockedTrigger:
    config = _json_value(trigger.config, dates_tagged=False)
    if trigger.component is not None:
        config["component"] = trigger.component
    key = f"trigger.{trigger.type}"
    return LockedTrigger(
        id=trigger.id,
        trigger_type=trigger.type,
        trigger_config=config,
        trigger_dependencies={
            role: tuple(locker.dependency(item, role, key) for item in dependencies)
            for role, dependencies in trigger.dependencies.items()
        },
    )


def _lock_component(id: str, component: ManifestComponent, locker: _Locker) -> LockedComponent:
    key = join_key("component", id)
    hosts = component.allowed_outbound_hosts
    metadata = {
        "description": component.description,
        "allowed_outbound_hosts": list(hosts),
        "key_value_stores": list(component.key_value_stores),
        "databases": list(component.sqlite_databases),
        "ai_models": list(component.ai_models),
        "build": None if component.build is None else _build_value(component.build),
    }
    context = f"Failed to load component `{id}`"
    return LockedComponent(
        id=id,
        metadata={name: value for name, value in metadata.items() if value},
        source=locker.content(component.source, join_key(key, "source"), context),
        env=component.environment,
        files=locker.files(id, component),
        config=component.variables,
        dependencies={
            name: locker.dependency(item, name, join_key(join_key(key, "dependencies"), name))
            for name, item in component.dependencies.items()
        },
        host_requirements=({SERVICE_CHAINING: "required"} if any(map(_chains, hosts)) else {}),
    )


def _build_value(build: Build) -> dict[str, Any]:
    value: dict[str, Any] = {
        "command": list(build.command) if build.listed else build.command[0],
    }
    if build.workdir is not None:
        value["workdir"] = build.workdir
    if build.watch:
        value["watch"] = list(build.watch)
    return value


def _chains(host: str) -> bool:
    try:
        return parse_allowed_host(host).chains
    except AllowedHostError:
        # A template that is not filled in yet is judged when it is.
        return False


def _file_ref(path: Path) -> ContentRef:
    return ContentRef(source=_url_of(path))


def _url_of(path: Path) -> str:
    # Links are not followed, so that a file stays next to the manifest that names it. The
    # characters left as they are make the same URL that Spin writes.
    plain = Path(os.path.normpath(path.absolute())).as_posix()
    return "file://" + quote(plain, safe="/!$&'()*+,:;=@[]|~")


def _move_dependencies(
    triggers: list[LockedTrigger], components: Mapping[str, LockedComponent]
) -> tuple[tuple[LockedTrigger, ...], tuple[LockedComponent, ...]]:
    """Give the dependencies of triggers to their components (LOCK-22).

    A component that several triggers use, and not all in the same way, is split.
    """
    users: dict[str | None, int] = {}
    for trigger in triggers:
        users[trigger.component] = users.get(trigger.component, 0) + 1
    moved = dict(components)
    result = []
    for trigger in triggers:
        id = trigger.component
        if id is None or not any(trigger.trigger_dependencies.values()):
            result.append(trigger)
            continue
        target = id if users[id] == 1 else _unused(f"{id}-for-{trigger.id}", moved)
        roles = trigger.trigger_dependencies
        component = components[id]
        requirements = {MIDDLEWARE: "required"} if MIDDLEWARE in roles else {}
        moved[target] = attrs.evolve(
            component,
            id=target,
            trigger_dependencies=roles,
            metadata={
                **component.metadata,
                "resolve-trigger-dependencies-using": trigger.trigger_type,
            },
            host_requirements={**component.host_requirements, **requirements},
        )
        result.append(
            attrs.evolve(
                trigger,
                trigger_config={**trigger.trigger_config, "component": target},
                trigger_dependencies={},
            )
        )
    return tuple(result), tuple(moved.values())


def _unused(id: str, taken: Mapping[str, object]) -> str:
    number = 1
    candidate = id
    while candidate in taken:
        candidate = f"{id}-d{number}"
        number += 1
    return candidate
