"""The contents of a ``spin.toml``, as values.

Both manifest versions and a bare component file end in one ``SpinManifest``. After
``load_spin_manifest`` it is in its canonical form: every trigger has an id, every trigger
names its component by id, a chosen profile is applied, and dependencies on components of
the same application have become dependencies on their sources.

Source: contract spin-host.md, sections 1.2 to 1.4 and 1.7.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

__all__ = [
    "Build",
    "ComponentReference",
    "ComponentSource",
    "DeclaredDependency",
    "FileMount",
    "FilePlacement",
    "Inheritance",
    "ManifestComponent",
    "ManifestTrigger",
    "PackageSource",
    "Profile",
    "SpinManifest",
    "TargetReference",
    "UrlSource",
    "Variable",
]


@attrs.frozen
class UrlSource:
    """A component to download.

    Attributes:
        url: Where from, ``http`` or ``https``.
        digest: ``sha256:`` and 64 hexadecimal digits of the content.
    """

    url: str
    digest: str

    def __str__(self) -> str:
        return f'"{self.url}" with digest "{self.digest}"'


@attrs.frozen
class PackageSource:
    """A component in a package registry.

    Attributes:
        package: ``namespace:name``.
        version: The version, or a requirement on it.
        registry: The registry; ``None`` means the user's default.
        exact: Whether that version is meant and no other; what satisfies an import may be
            of any that fulfils the requirement.
    """

    package: str
    version: str
    registry: str | None = None
    exact: bool = True

    def __str__(self) -> str:
        registry = "default registry" if self.registry is None else f'registry "{self.registry}"'
        return f'"{self.package}@{self.version}" from {registry}'


ComponentSource = str | UrlSource | PackageSource
"""Where a component's wasm is; a text is a path relative to the manifest's folder."""


@attrs.frozen
class FilePlacement:
    """A file or the content of a folder, under another path in the guest.

    Attributes:
        source: Path relative to the manifest's folder.
        destination: Path in the guest; a leading slash changes nothing.
    """

    source: str
    destination: str


FileMount = str | FilePlacement
"""What a component sees of the disk; a text is a path or a glob pattern."""


@attrs.frozen(kw_only=True)
class Variable:
    """A variable of the application.

    Attributes:
        description: For people.
        default: Its value when no provider has one; ``None`` means that one must.
        secret: Whether its value should not be shown.
    """

    description: str | None = None
    default: str | None = None
    secret: bool = False


@attrs.frozen(kw_only=True)
class Build:
    """How a component is built.

    Attributes:
        command: Shell commands, run in order.
        workdir: Where, relative to the manifest's folder; ``None`` means that folder.
        watch: Patterns of files whose change means a new build.
        listed: Whether the manifest wrote the commands as a list.
    """

    command: tuple[str, ...]
    workdir: str | None = None
    watch: tuple[str, ...] = ()
    listed: bool = False


Inheritance = bool | tuple[str, ...] | None
"""What a dependency may use of its component: all, nothing, or the kinds named.
``None`` means that the manifest does not say, which is nothing."""


@attrs.frozen
class ComponentReference:
    """A component of the same application in the place of a source; gone after loading.

    Attributes:
        id: Its id.
    """

    id: str


@attrs.frozen(kw_only=True)
class DeclaredDependency:
    """What satisfies an import of a component.

    Attributes:
        source: Where its wasm is.
        export: The export that satisfies the import.
        inherit: What it may use of its component.
    """

    source: ComponentSource | ComponentReference
    export: str | None = None
    inherit: Inheritance = None


@attrs.frozen
class TargetReference:
    """An environment, as ``targets`` names it.

    Attributes:
        kind: ``name`` in the catalogue, ``url`` or ``path`` of the definition.
        value: The name, URL or path.
    """

    kind: Literal["name", "url", "path"]
    value: str

    def __str__(self) -> str:
        return self.value


@attrs.frozen(kw_only=True)
class Profile:
    """What a named profile changes in a component.

    Attributes:
        source: Replaces the source.
        environment: Merged over the environment.
        dependencies: Merged over the dependencies.
        build: Replaces the build commands.
    """

    source: ComponentSource | None = None
    environment: Mapping[str, str] = attrs.field(factory=dict)
    dependencies: Mapping[str, DeclaredDependency] = attrs.field(factory=dict)
    build: Build | None = None


@attrs.frozen(kw_only=True)
class ManifestComponent:
    """One component and what it is granted.

    Attributes:
        source: Where its wasm is.
        description: For people.
        variables: Name to template; what the guest may read.
        environment: Environment variables of the guest.
        files: What the guest sees of the disk.
        exclude_files: Globs of files left out.
        allowed_outbound_hosts: Where the guest may connect to; templates.
            Entries of the deprecated ``allowed_http_hosts`` are already among them.
        key_value_stores: Labels it may open.
        sqlite_databases: Labels it may open.
        ai_models: Models it may use.
        targets: Replaces the application's targets; ``None`` keeps them.
        build: How to build it; ``None`` means that nothing has to be done.
        tool: Settings of other tools, by their name.
        dependencies_inherit: ``dependencies_inherit_configuration``.
        dependencies: Name of an import to what satisfies it.
        profiles: Overrides, by the name of the profile.
    """

    source: ComponentSource
    description: str = ""
    variables: Mapping[str, str] = attrs.field(factory=dict)
    environment: Mapping[str, str] = attrs.field(factory=dict)
    files: tuple[FileMount, ...] = ()
    exclude_files: tuple[str, ...] = ()
    allowed_outbound_hosts: tuple[str, ...] = ()
    key_value_stores: tuple[str, ...] = ()
    sqlite_databases: tuple[str, ...] = ()
    ai_models: tuple[str, ...] = ()
    targets: tuple[TargetReference, ...] | None = None
    build: Build | None = None
    tool: Mapping[str, Any] = attrs.field(factory=dict)
    dependencies_inherit: bool | None = None
    dependencies: Mapping[str, DeclaredDependency] = attrs.field(factory=dict)
    profiles: Mapping[str, Profile] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class ManifestTrigger:
    """What starts a component.

    Attributes:
        type: ``http``, ``redis`` or another.
        id: Unique in the application; empty until ids are given.
        component: Id of the component, or the component itself before loading is done;
            ``None`` where the trigger needs none, such as a static response.
        components: Role to components, for triggers that need several.
        dependencies: Role to dependencies, such as ``middleware``.
        config: All other keys, for the trigger to read.
    """

    type: str
    id: str = ""
    component: "str | ManifestComponent | None" = None
    components: "Mapping[str, tuple[str | ManifestComponent, ...]]" = attrs.field(factory=dict)
    dependencies: Mapping[str, tuple[DeclaredDependency, ...]] = attrs.field(factory=dict)
    config: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class SpinManifest:
    """One application.

    Attributes:
        path: The file it was read from, absolute.
        name: Of the application.
        version: Of the application, may be empty.
        description: For people, may be empty.
        authors: May be empty.
        targets: Environments it should run in, compared after a build.
        trigger_configs: Type of trigger to the settings of all its triggers.
        tool: Settings of other tools, by their name.
        variables: Of the application, by name.
        triggers: In the order of the file, those of one type together.
        components: By id, in the order of the file.
        profile: The profile that was chosen.
        warnings: Remarks for people, such as on deprecated keys.
    """

    path: Path
    name: str
    version: str = ""
    description: str = ""
    authors: tuple[str, ...] = ()
    targets: tuple[TargetReference, ...] = ()
    trigger_configs: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    tool: Mapping[str, Any] = attrs.field(factory=dict)
    variables: Mapping[str, Variable] = attrs.field(factory=dict)
    triggers: tuple[ManifestTrigger, ...] = ()
    components: Mapping[str, ManifestComponent] = attrs.field(factory=dict)
    profile: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def has_targets(self) -> bool:
        """Whether it names an environment that components should run in."""
        return bool(self.targets) or any(each.targets for each in self.components.values())

    @property
    def base_dir(self) -> Path:
        """The folder that relative paths in the file start from."""
        return self.path.parent
