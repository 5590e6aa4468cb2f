"""Definitions of target environments: what applications are compared with after a build.

In: the text of a definition: which worlds components of each type of trigger may be for, and what
the host can do besides. Out: values. The worlds themselves are in packages that are not read here.

Source: the schema in the README of https://github.com/spinframework/spin-environments; Spin's
``crates/environments``.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import attrs

from edgezero_spin.manifest.errors import Problems
from edgezero_spin.manifest.spin.versions import parse_version
from edgezero_spin.manifest.table_reader import TableReader
from edgezero_spin.manifest.toml_file import parse_toml

__all__ = [
    "EnvironmentDefinition",
    "TriggerEnvironment",
    "WorldName",
    "WorldReference",
    "parse_environment",
]

_WORD = r"[a-z][0-9a-z]*(?:-[0-9a-z]+)*"
_WORLD_NAME = re.compile(
    rf"(?P<package>{_WORD}:{_WORD})/(?P<world>{_WORD})(?:@(?P<version>.+))?", re.ASCII
)
_PLACES = ("registry", "reference", "path")


@attrs.frozen
class WorldName:
    """The name of a world, ``spin:up/http-trigger@3.2.0``.

    Attributes:
        package: ``spin:up``.
        world: ``http-trigger``.
        version: ``3.2.0``, or ``None``.
    """

    package: str
    world: str
    version: str | None = None

    @property
    def versioned_package(self) -> str:
        """The package with its version, if it has one."""
        return self.package + ("" if self.version is None else f"@{self.version}")

    def __str__(self) -> str:
        return f"{self.package}/{self.world}" + ("" if self.version is None else f"@{self.version}")


@attrs.frozen(kw_only=True)
class WorldReference:
    """A world, and where its package is: at most one place is given.

    Attributes:
        registry: The registry of packages; Spin's own where no place is given.
        reference: The image in an OCI registry.
        path: The package on this disk.
    """

    world: WorldName
    registry: str | None = None
    reference: str | None = None
    path: str | None = None


@attrs.frozen(kw_only=True)
class TriggerEnvironment:
    """What an environment has for components of one type of trigger.

    Attributes:
        worlds: A component has to fit one of these.
        capabilities: What the host can do, such as ``local_service_chaining``.
    """

    worlds: tuple[WorldReference, ...]
    capabilities: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class EnvironmentDefinition:
    """An environment.

    Attributes:
        triggers: By type.
        default: For types that are not among them; ``None`` refuses these.
    """

    triggers: Mapping[str, TriggerEnvironment]
    default: TriggerEnvironment | None = None

    def of_trigger(self, trigger_type: str) -> TriggerEnvironment | None:
        """Return what there is for a type of trigger; ``None`` where it is not supported."""
        return self.triggers.get(trigger_type, self.default)


def parse_environment(text: str, path: Path) -> EnvironmentDefinition:
    """Read a definition; ``path`` names it in errors.

    Raises:
        InvalidManifestError: It is not TOML, or breaks rules; it names them all.
    """
    heading = "Failed to read target environment from"
    problems = Problems(path, heading)
    root = TableReader(parse_toml(text, path, heading=heading), "", problems)
    if "triggers" not in root:
        root.missing("triggers")
    triggers = {name: _read_trigger(table) for name, table in root.named_tables("triggers").items()}
    default = root.optional_table("default")
    definition = EnvironmentDefinition(
        triggers=triggers, default=None if default is None else _read_trigger(default)
    )
    # Templates and plugins for those who write for it.
    root.table("metadata")
    root.refuse_rest()
    problems.raise_any()
    return definition


def _read_trigger(table: TableReader) -> TriggerEnvironment:
    worlds = []
    if "worlds" not in table:
        table.missing("worlds")
    for key, value in table.items_of("worlds"):
        if isinstance(value, str):
            world = _world_name(value, key, table.problems)
            worlds.append(WorldReference(world=world))
        elif isinstance(value, dict):
            worlds.append(_read_world(TableReader(value, key, table.problems)))
        else:
            table.wrong_type(key, "a string or a table", value)
    found = TriggerEnvironment(worlds=tuple(worlds), capabilities=table.texts("capabilities"))
    table.refuse_rest()
    return found


def _read_world(table: TableReader) -> WorldReference:
    name = table.required_text("world")
    world = _world_name(name, table.place("world"), table.problems) if name else WorldName("", "")
    places = {place: table.optional_text(place, blank=False) for place in _PLACES}
    if sum(place in table for place in _PLACES) != 1:
        table.problems.add(
            table.key,
            "a world has one place",
            "Write one of `registry`, `reference` and `path`, or the name of the world alone.",
        )
    table.refuse_rest()
    return WorldReference(world=world, **places)


def _world_name(text: str, key: str, problems: Problems) -> WorldName:
    found = _WORLD_NAME.fullmatch(text)
    if found is not None:
        version: str | None = found["version"]
        try:
            if version is not None:
                parse_version(version)
        except ValueError:
            found = None
        else:
            return WorldName(found["package"], found["world"], version)
    problems.add(
        key,
        f"{text!r} is not a well-formed world name",
        "Write it like `spin:up/http-trigger@3.2.0`.",
    )
    return WorldName("", "")
