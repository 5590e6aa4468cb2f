"""Target checks: whether what was built can run where the manifest says that it should.

In: a manifest whose components are built. Out: a ``TargetProblem`` for each component and
environment that do not fit. A component fits an environment if it fits one of the worlds that
the environment has for its trigger, its dependencies joined to it, and if the host can do what
the manifest asks of it.

Source: contract spin-host.md, MAN-13, MAN-44 and CLI-14; Spin's ``crates/environments``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.spin import (
    ContentRef,
    Fetch,
    LockedComponent,
    ManifestTrigger,
    PackageSource,
    SpinManifest,
    TargetReference,
    UrlSource,
    lock_application,
)
from edgezero_spin.manifest.target_environments import TriggerEnvironment
from edgezero_spin.project.target_environments import (
    EnvironmentLoader,
    PackageFetch,
    TargetEnvironment,
)
from edgezero_spin.wasm.component.core_guest import read_guest
from edgezero_spin.wasm.component.dependency_names import CompositionError
from edgezero_spin.wasm.component.errors import WasmError
from edgezero_spin.wasm.component.spin_dependencies import SpinDependency, compose_dependencies
from edgezero_spin.wasm.component.world_matching import (
    ComponentSurface,
    WorldMismatch,
    match_world,
    surface_of,
)

__all__ = ["Downloading", "TargetCheckError", "TargetProblem", "check_targets"]


class Downloading(PackageFetch, Protocol):
    """What gets components, packages and definitions that are not on this disk."""

    def __call__(self, source: UrlSource | PackageSource) -> Path:
        """Return the file of a component."""


@attrs.frozen(kw_only=True)
class TargetProblem:
    """Why a component cannot run in an environment.

    Attributes:
        component_id: The component.
        source: Where it is, for people.
        environment: The name of the environment.
        world: The world that it comes nearest to; ``None`` where it fits one.
        worlds: How many worlds the environment has for it.
        mismatch: What it lacks there.
        features: What the host would have to be able to do, and is not.
    """

    component_id: str
    source: str
    environment: str
    world: str | None = None
    worlds: int = 1
    mismatch: WorldMismatch = attrs.Factory(WorldMismatch)
    features: tuple[str, ...] = ()

    def __str__(self) -> str:
        features = f"the feature(s) '{', '.join(self.features)}' which the environment does not "
        features += "support"
        who = f"Component {self.component_id} ({self.source})"
        head = f"{who} can't run in environment {self.environment}"
        if self.world is None:
            return f"{head} because it requires {features}"
        nearest = f", the nearest of {self.worlds}" if self.worlds > 1 else ""
        lines = [f"{head} (world {self.world}{nearest})."]
        if self.mismatch.imports:
            lines.append(
                "The component requires the following imports, which the environment does not "
                "provide:"
            )
            lines += [f"  - {name}" for name in self.mismatch.imports]
        if self.mismatch.exports:
            lines.append(
                "The environment requires the following exports, which the component does not "
                "provide:"
            )
            lines += [f"  - {name} ({kind})" for name, kind in self.mismatch.exports]
        for each in self.mismatch.types:
            lines.append(f"Found a type mismatch for {each.kind} {each.name}: {each.reason}")
        if self.features:
            lines.append(f"The component requires {features}")
        return "\n".join(lines)


@attrs.frozen
class TargetCheckError(ProjectError):
    """Components cannot run in environments that the manifest names.

    Attributes:
        problems: One for each component and environment.
    """

    problems: tuple[TargetProblem, ...]

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems]
        lines.append(
            "All components built successfully, but one or more was incompatible with one or "
            "more of the deployment targets."
        )
        return "\n".join(lines)


def check_targets(
    manifest: SpinManifest,
    component_ids: Sequence[str],
    downloads: Downloading,
    read_wasm: Callable[[Path], bytes],
) -> None:
    """Compare the components of a manifest with its target environments.

    Args:
        manifest: Its components are built.
        component_ids: The components to compare; all of them when empty.
        downloads: What gets components and packages that are not on this disk.
        read_wasm: Returns the binary form of a component.

    Raises:
        TargetCheckError: Components do not fit; every one is named.
        ProjectError: An environment or a component cannot be had or read, or an environment has
            no such trigger.
        ManifestError: A definition, or what the manifest names, cannot be used.
    """
    pairs = _compared(manifest, component_ids)
    if not pairs:
        return
    loader = EnvironmentLoader(manifest.base_dir, downloads)
    environments = {
        reference: loader.load(reference) for _, _, targets in pairs for reference in targets
    }
    for trigger_type, _, targets in pairs:
        for reference in targets:
            _offer(environments[reference], trigger_type)
    components = _Components(manifest, {id for _, id, _ in pairs}, downloads, read_wasm)
    problems = []
    try:
        for trigger_type, id, targets in pairs:
            for reference in targets:
                found = _compare(components, id, trigger_type, environments[reference], loader)
                if found is not None:
                    problems.append(found)
    finally:
        loader.save_lock()
    if problems:
        raise TargetCheckError(tuple(dict.fromkeys(problems)))


def _compared(
    manifest: SpinManifest, component_ids: Sequence[str]
) -> list[tuple[str, str, tuple[TargetReference, ...]]]:
    """Return what has targets: types of trigger, components that they start, and these."""
    found: dict[tuple[str, str], tuple[TargetReference, ...]] = {}
    for trigger in manifest.triggers:
        for id in _started(trigger):
            component = manifest.components.get(id)
            if component is None or (component_ids and id not in component_ids):
                continue
            targets = manifest.targets if component.targets is None else component.targets
            if targets:
                found[trigger.type, id] = tuple(dict.fromkeys(targets))
    return [(*pair, targets) for pair, targets in found.items()]


def _started(trigger: ManifestTrigger) -> Iterator[str]:
    for each in (trigger.component, *(id for ids in trigger.components.values() for id in ids)):
        if isinstance(each, str):
            yield each


def _offer(environment: TargetEnvironment, trigger_type: str) -> TriggerEnvironment:
    found = environment.definition.of_trigger(trigger_type)
    if found is None:
        known = ", ".join(environment.definition.triggers) or "none"
        raise ProjectError(
            f"Environment {environment.name} does not support trigger type {trigger_type} "
            f"(supported: {known})"
        )
    return found


def _compare(
    components: "_Components",
    id: str,
    trigger_type: str,
    environment: TargetEnvironment,
    loader: EnvironmentLoader,
) -> TargetProblem | None:
    offer = _offer(environment, trigger_type)
    nearest: tuple[str, WorldMismatch] | None = None
    for reference in offer.worlds:
        world = loader.world(environment, reference)
        try:
            mismatch = match_world(components.surface(id), world)
        except WasmError as error:
            raise ProjectError(
                f"target environment {environment.name}: the world {reference.world} cannot be "
                f"read: {error}"
            ) from error
        if not mismatch:
            nearest = None
            break
        if nearest is None or len(mismatch) < len(nearest[1]):
            nearest = str(reference.world), mismatch
    requirements = components.requirements(id)
    features = tuple(each for each in requirements if each not in offer.capabilities)
    if nearest is None and not features:
        return None
    world_name, mismatch = (None, WorldMismatch()) if nearest is None else nearest
    return TargetProblem(
        component_id=id,
        source=components.described(id),
        environment=environment.name,
        world=world_name,
        worlds=len(offer.worlds),
        mismatch=mismatch,
        features=features,
    )


class _Components:
    """The components of a manifest, each read once."""

    def __init__(
        self,
        manifest: SpinManifest,
        ids: set[str],
        fetch: Fetch,
        read_wasm: Callable[[Path], bytes],
    ) -> None:
        self._read_wasm = read_wasm
        self._sources = {id: manifest.components[id].source for id in ids}
        # What the guest sees of the disk is neither looked at nor copied.
        components = {
            id: attrs.evolve(manifest.components[id], files=(), exclude_files=()) for id in ids
        }
        bare = attrs.evolve(manifest, components=components, triggers=(), variables={})
        locked = lock_application(bare, fetch=fetch)
        self._locked: Mapping[str, LockedComponent] = {each.id: each for each in locked.components}
        self._surfaces: dict[str, ComponentSurface] = {}

    def requirements(self, id: str) -> tuple[str, ...]:
        return tuple(self._locked[id].host_requirements)

    def described(self, id: str) -> str:
        match self._sources[id]:
            case str() as path:
                return f'file "{path}"'
            case UrlSource() as source:
                return f"URL {source.url}"
            case PackageSource() as source:
                return f"package {source.package}"

    def surface(self, id: str) -> ComponentSurface:
        if id not in self._surfaces:
            try:
                self._surfaces[id] = surface_of(read_guest(self._content(id)))
            except WasmError as error:
                raise ProjectError(
                    f"component {id}: {self.described(id)} is not a component that can be "
                    f"compared with targets: {error}"
                ) from error
        return self._surfaces[id]

    def _content(self, id: str) -> bytes:
        component = self._locked[id]
        content = self._wasm(component.source)
        if not component.dependencies:
            return content
        dependencies = [
            SpinDependency(
                name=name,
                data=self._wasm(dependency.source),
                export=dependency.export,
                # All that a dependency imports counts, whether it may use it or not.
                inherit=True,
            )
            for name, dependency in component.dependencies.items()
        ]
        try:
            return compose_dependencies(id, content, dependencies)
        except CompositionError as error:
            raise ProjectError(
                f"component {id} cannot be joined with its dependencies, which the target checks "
                f"need: {error}"
            ) from error

    def _wasm(self, content: ContentRef) -> bytes:
        return self._read_wasm(content.path or Path())
