"""The canonical form of a manifest.

In this order: ids for triggers without one, inline components moved to the others, the
chosen profile, what dependencies inherit, and dependencies on components of the same
application.

Source: contract spin-host.md, MAN-46 to MAN-48, MAN-60 to MAN-62 and MAN-75a.
"""

from collections.abc import Mapping

import attrs

from edgezero_spin.manifest.errors import Problems
from edgezero_spin.manifest.keys import join_key
from edgezero_spin.manifest.spin.identifiers import kebab_fault
from edgezero_spin.manifest.spin.schema import (
    Build,
    ComponentReference,
    DeclaredDependency,
    ManifestComponent,
    ManifestTrigger,
    PackageSource,
    SpinManifest,
)

__all__ = ["normalize"]


def normalize(manifest: SpinManifest, profile: str | None, problems: Problems) -> SpinManifest:
    """Return the canonical form.

    Args:
        profile: The profile to apply, if any.
        problems: Takes what is wrong between the parts of the manifest.
    """
    if profile is not None and not any(
        profile in component.profiles for component in manifest.components.values()
    ):
        problems.add("", f"Profile {profile} is not defined in this application")
    manifest = attrs.evolve(manifest, triggers=_with_ids(manifest.triggers), profile=profile)
    manifest = _without_inline_components(manifest)
    components = {
        id: _inheriting(id, _with_profile(component, profile), problems)
        for id, component in manifest.components.items()
    }
    _check_references(manifest, problems)
    return attrs.evolve(
        manifest,
        components={
            id: attrs.evolve(
                component,
                dependencies={
                    name: _resolved(dependency, id, components, problems)
                    for name, dependency in component.dependencies.items()
                },
            )
            for id, component in components.items()
        },
        triggers=tuple(
            attrs.evolve(
                trigger,
                dependencies={
                    role: tuple(
                        _resolved(dependency, trigger.id, components, problems)
                        for dependency in dependencies
                    )
                    for role, dependencies in trigger.dependencies.items()
                },
            )
            for trigger in manifest.triggers
        ),
    )


def _with_ids(triggers: tuple[ManifestTrigger, ...]) -> tuple[ManifestTrigger, ...]:
    taken = {trigger.id for trigger in triggers}
    counters: dict[str, int] = {}
    named = []
    for trigger in triggers:
        id = trigger.id
        if not id and isinstance(trigger.component, str):
            natural = f"{trigger.component}-{trigger.type}-trigger"
            id = "" if natural in taken else natural
        while not id:
            counters[trigger.type] = counters.get(trigger.type, 0) + 1
            counted = f"{trigger.type}-trigger{counters[trigger.type]}"
            id = "" if counted in taken else counted
        taken.add(id)
        named.append(attrs.evolve(trigger, id=id))
    return tuple(named)


def _without_inline_components(manifest: SpinManifest) -> SpinManifest:
    components = dict(manifest.components)
    triggers = []
    for trigger in manifest.triggers:
        single = (trigger.component is not None) + sum(map(len, trigger.components.values())) == 1

        def moved(
            spec: str | ManifestComponent, id: str = trigger.id, single: bool = single
        ) -> str:
            if isinstance(spec, str):
                return spec
            new = _inline_id(id, single, components)
            components[new] = spec
            return new

        triggers.append(
            attrs.evolve(
                trigger,
                component=None if trigger.component is None else moved(trigger.component),
                components={
                    role: tuple(map(moved, specs)) for role, specs in trigger.components.items()
                },
            )
        )
    return attrs.evolve(manifest, triggers=tuple(triggers), components=components)


def _inline_id(trigger_id: str, single: bool, taken: Mapping[str, ManifestComponent]) -> str:
    natural = f"{trigger_id}-component"
    if single and natural not in taken and kebab_fault(natural) is None:
        return natural
    number = 1
    while f"inline-component{number}" in taken:
        number += 1
    return f"inline-component{number}"


def _with_profile(component: ManifestComponent, name: str | None) -> ManifestComponent:
    profile = component.profiles.get(name) if name is not None else None
    if profile is None:
        return component
    build = component.build
    if profile.build is not None:
        build = attrs.evolve(
            build or Build(command=()), command=profile.build.command, listed=profile.build.listed
        )
    return attrs.evolve(
        component,
        source=component.source if profile.source is None else profile.source,
        environment={**component.environment, **profile.environment},
        dependencies={**component.dependencies, **profile.dependencies},
        build=build,
    )


def _inheriting(id: str, component: ManifestComponent, problems: Problems) -> ManifestComponent:
    if component.dependencies_inherit is None:
        return component
    if any(item.inherit is not None for item in component.dependencies.values()):
        problems.add(
            join_key("component", id),
            f"Component `{id}` specifies both `dependencies_inherit_configuration` and "
            "per-dependency `inherit_configuration`. These are mutually exclusive",
            "Use one or the other.",
        )
    if not component.dependencies_inherit:
        return component
    return attrs.evolve(
        component,
        dependencies_inherit=None,
        dependencies={
            name: attrs.evolve(dependency, inherit=True)
            for name, dependency in component.dependencies.items()
        },
    )


def _check_references(manifest: SpinManifest, problems: Problems) -> None:
    for trigger in manifest.triggers:
        used = [trigger.component, *(id for ids in trigger.components.values() for id in ids)]
        for id in used:
            if isinstance(id, str) and id not in manifest.components:
                defined = ", ".join(manifest.components) or "none"
                problems.add(
                    f"trigger.{trigger.type}",
                    f'the trigger "{trigger.id}" uses a component "{id}" that does not exist',
                    f"Components here: {defined}.",
                )


def _resolved(
    dependency: DeclaredDependency,
    user: str,
    components: Mapping[str, ManifestComponent],
    problems: Problems,
) -> DeclaredDependency:
    if not isinstance(dependency.source, ComponentReference):
        return dependency
    id = dependency.source.id
    target = components.get(id)
    if target is None:
        problems.add(join_key("component", user), f"dependency ID {id} does not exist")
        return dependency
    extra = _own_resources(target)
    if extra:
        problems.add(
            join_key("component", user),
            "Dependencies may not have their own resources or permissions. Component "
            f"{id} cannot be used as a dependency of {user} because it specifies: "
            f"{', '.join(extra)}",
        )
    source = target.source
    if isinstance(source, PackageSource):
        # The version of a dependency is a requirement.
        source = attrs.evolve(source, exact=False)
    return attrs.evolve(dependency, source=source)


def _own_resources(component: ManifestComponent) -> list[str]:
    held = {
        "ai_models": component.ai_models,
        "allowed_outbound_hosts": component.allowed_outbound_hosts,
        "dependencies": component.dependencies,
        "environment": component.environment,
        "files": component.files,
        "key_value_stores": component.key_value_stores,
        "sqlite_databases": component.sqlite_databases,
        "variables": component.variables,
    }
    return [name for name, value in held.items() if value]
