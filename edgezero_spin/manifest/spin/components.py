"""Tables of components; the keys are nearly the same in both manifest versions.

Source: contract spin-host.md, MAN-30 to MAN-48 and MAN-82.
"""

import attrs

from edgezero_spin.manifest.keys import item_key
from edgezero_spin.manifest.spin.dependencies import read_component_dependencies
from edgezero_spin.manifest.spin.http_hosts import HttpHostsError, outbound_hosts_of
from edgezero_spin.manifest.spin.identifiers import label_fault, package_fault, snake_fault
from edgezero_spin.manifest.spin.schema import (
    Build,
    ComponentSource,
    FileMount,
    FilePlacement,
    ManifestComponent,
    PackageSource,
    Profile,
    TargetReference,
    UrlSource,
)
from edgezero_spin.manifest.table_reader import TableReader

__all__ = ["COMPONENT_FIELDS", "read_common", "read_component", "read_targets"]

# Spin reads a list in place of any of these tables, its items in the order of the fields.
COMPONENT_FIELDS = (
    "source",
    "description",
    "variables",
    "environment",
    "files",
    "exclude_files",
    "allowed_http_hosts",
    "allowed_outbound_hosts",
    "key_value_stores",
    "sqlite_databases",
    "ai_models",
    "targets",
    "build",
    "tool",
    "dependencies_inherit_configuration",
    "dependencies",
    "profile",
)
_BUILD_FIELDS = ("command", "workdir", "watch")
_PROFILE_FIELDS = ("source", "environment", "dependencies", "build")
_PLACEMENT_FIELDS = ("source", "destination")
_SOURCE_FIELDS = {2: ("url", "digest"), 3: ("registry", "package", "version")}

_NO_HOSTS_NAMED = ("redis://*:*", "mysql://*:*", "postgres://*:*")
"""What a component of a version 1 manifest may reach when it does not say (MAN-80)."""


def read_component(table: TableReader) -> ManifestComponent:
    """Read a component of a version 2 manifest."""
    targets = read_targets(table)
    inherit = table.flag("dependencies_inherit_configuration")
    component = attrs.evolve(
        read_common(table, variables="variables"),
        targets=targets if "targets" in table else None,
        tool=table.raw_tables("tool"),
        dependencies=read_component_dependencies(table),
        dependencies_inherit=inherit if "dependencies_inherit_configuration" in table else None,
        profiles={
            name: _read_profile(profile)
            for name, profile in table.named_tables("profile", _PROFILE_FIELDS).items()
        },
    )
    table.refuse_rest()
    return component


def read_common(
    table: TableReader, *, variables: str, hosts_by_default: bool = False
) -> ManifestComponent:
    """Read the keys that both manifest versions have.

    Args:
        table: The component.
        variables: The key that holds the variables.
        hosts_by_default: Whether databases may be reached when no hosts are named.
    """
    return ManifestComponent(
        source=_read_source(table),
        description=table.text("description"),
        variables=_read_variables(table, variables),
        environment=table.text_map("environment"),
        files=_read_files(table),
        exclude_files=table.texts("exclude_files"),
        allowed_outbound_hosts=_read_hosts(table, hosts_by_default),
        key_value_stores=_read_labels(table, "key_value_stores"),
        sqlite_databases=_read_labels(table, "sqlite_databases"),
        ai_models=table.texts("ai_models"),
        build=_read_build(table),
    )


def read_targets(table: TableReader) -> tuple[TargetReference, ...]:
    """Read references to environments: texts, or tables with ``url`` or ``path``."""
    found = []
    for place, value in table.items_of("targets"):
        match value:
            case str():
                found.append(TargetReference("name", value))
            case {"url": str() as url} if len(value) == 1:
                found.append(TargetReference("url", url))
            case {"path": str() as path} if len(value) == 1:
                found.append(TargetReference("path", path))
            case _:
                remedy = 'Write a name, { url = "..." } or { path = "..." }.'
                table.problems.add(place, "this is not a target environment", remedy)
    return tuple(found)


def _read_source(table: TableReader, *, required: bool = True) -> ComponentSource:
    value = table.value("source")
    if value is None:
        if required:
            table.missing("source")
        return ""
    if isinstance(value, str):
        return table.required_text("source", blank=False)
    fields = _SOURCE_FIELDS.get(len(value), ()) if isinstance(value, list) else ()
    if not isinstance(value, dict) and not fields:
        table.wrong_type(table.place("source"), "a string or a table", value)
        return ""
    inner = table.table("source", fields)
    source: ComponentSource
    if "url" in inner:
        source = UrlSource(inner.required_text("url"), inner.required_text("digest"))
        if not source.digest.startswith("sha256:") and source.digest:
            inner.problem(
                "digest", f"invalid `digest` \"{source.digest}\"; must start with 'sha256:'"
            )
    else:
        source = PackageSource(
            package=inner.required_text("package"),
            version=inner.required_text("version"),
            registry=inner.optional_text("registry"),
        )
        fault = package_fault(source.package)
        if fault is not None and source.package:
            inner.problem("package", f"this is not a name of a package: {fault}")
    inner.refuse_rest()
    return source


def _read_variables(table: TableReader, key: str) -> dict[str, str]:
    variables = table.text_map(key)
    inner = table.table(key)
    for name in variables:
        fault = snake_fault(name, lower=True)
        if fault is not None:
            inner.problem(name, fault, "Variables are named like this_one.")
    return variables


def _read_labels(table: TableReader, key: str) -> tuple[str, ...]:
    labels = table.texts(key)
    for index, label in enumerate(labels):
        fault = label_fault(label)
        if fault is not None:
            table.problems.add(item_key(table.place(key), index), f'{fault}, got "{label}"')
    return labels


def _read_files(table: TableReader) -> tuple[FileMount, ...]:
    value = table.value("files")
    if not isinstance(value, list):
        return table.texts("files")
    mounts: list[FileMount] = []
    for index, item in enumerate(value):
        place = item_key(table.place("files"), index)
        if isinstance(item, str):
            mounts.append(item)
            if item in ("*", "**/*"):
                table.problems.warn(
                    place,
                    f'"{item}" gives the guest everything in the application directory',
                    f'If that is meant, write "./{item}".',
                )
        elif isinstance(item, dict) or (isinstance(item, list) and len(item) == 2):
            placed = (
                item if isinstance(item, dict) else dict(zip(_PLACEMENT_FIELDS, item, strict=True))
            )
            inner = TableReader(placed, place, table.problems)
            mounts.append(
                FilePlacement(inner.required_text("source"), inner.required_text("destination"))
            )
            inner.refuse_rest()
        else:
            remedy = "Write a path, or { source = ..., destination = ... }."
            table.wrong_type(place, "a string or a table", item, remedy)
    return tuple(mounts)


def _read_hosts(table: TableReader, by_default: bool) -> tuple[str, ...]:
    named = "allowed_outbound_hosts" in table
    hosts = table.texts("allowed_outbound_hosts")
    try:
        converted = outbound_hosts_of(table.texts("allowed_http_hosts"))
    except HttpHostsError as err:
        table.problem("allowed_http_hosts", str(err))
        converted = ()
    if converted and not by_default:
        written = ", ".join(f'"{host}"' for host in converted)
        table.problems.warn(
            table.place("allowed_http_hosts"),
            "Use of the deprecated field `allowed_http_hosts`",
            f"To fix, replace it with `allowed_outbound_hosts = [{written}]`.",
        )
    return (*(_NO_HOSTS_NAMED if by_default and not named else hosts), *converted)


def _read_build(table: TableReader) -> Build | None:
    inner = table.optional_table("build", _BUILD_FIELDS)
    if inner is None:
        return None
    commands, listed = _read_commands(inner)
    workdir = inner.optional_text("workdir")
    build = Build(command=commands, workdir=workdir, watch=inner.texts("watch"), listed=listed)
    inner.refuse_rest()
    return build


def _read_commands(table: TableReader) -> tuple[tuple[str, ...], bool]:
    if isinstance(table.value("command"), list):
        return table.texts("command"), True
    return (table.required_text("command"),), False


def _read_profile(table: TableReader) -> Profile:
    inner = table.optional_table("build", _BUILD_FIELDS[:1])
    build = None
    if inner is not None:
        commands, listed = _read_commands(inner)
        build = Build(command=commands, listed=listed)
        inner.refuse_rest()
    profile = Profile(
        source=_read_source(table, required=False) or None,
        environment=table.text_map("environment"),
        dependencies=read_component_dependencies(table),
        build=build,
    )
    table.refuse_rest()
    return profile
