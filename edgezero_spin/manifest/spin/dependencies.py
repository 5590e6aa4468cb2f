"""Read what satisfies the imports of a component, and check that it is unambiguous.

Source: contract spin-host.md, MAN-23 and MAN-71 to MAN-75.
"""

import re
from itertools import combinations

import attrs

from edgezero_spin.manifest.spin.identifiers import kebab_fault, package_fault
from edgezero_spin.manifest.spin.schema import (
    ComponentDependency,
    DeclaredDependency,
    Inheritance,
    LocalDependency,
    PackageDependency,
    UrlDependency,
)
from edgezero_spin.manifest.table_reader import TableReader, kind_of

__all__ = ["read_component_dependencies", "read_trigger_dependencies"]

_SEMVER = re.compile(
    r"(?P<major>\d+)\.(?P<minor>\d+)\.(?P<patch>\d+)"
    r"(?:-(?P<pre>[0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
)
_FORMS = "Write a version, or a table with `version`, `path`, `url` and `digest`, or `component`."


@attrs.frozen
class _PackageName:
    """``ns:pkg/interface@version``, the last two parts optional."""

    text: str
    package: str
    interface: str | None
    version: str | None


def read_component_dependencies(component: TableReader) -> dict[str, DeclaredDependency]:
    """Return ``[component.<id>.dependencies]`` by name of the import, all rules checked."""
    table = component.table("dependencies")
    found: dict[str, DeclaredDependency] = {}
    packages: list[_PackageName] = []
    for name in table:
        package = _read_name(table, name)
        dependency = _read_dependency(table, name)
        if package is not None:
            packages.append(package)
        if dependency is None:
            continue
        found[name] = dependency
        _check_fit(table, name, package, dependency)
    for one, other in combinations(packages, 2):
        if _conflict(one, other):
            table.problem(
                other.text,
                f'"{one.text}" dependency conflicts with "{other.text}"',
                "Keep one of them, or name different interfaces or incompatible versions.",
            )
    return found


def read_trigger_dependencies(trigger: TableReader) -> dict[str, tuple[DeclaredDependency, ...]]:
    """Return ``dependencies.<role>`` of a trigger, in order."""
    roles = trigger.table("dependencies")
    found: dict[str, tuple[DeclaredDependency, ...]] = {}
    for role in roles:
        read = [_read_form(item, exports=False) for item in roles.tables(role)]
        found[role] = tuple(item for item in read if item is not None)
    return found


def _read_name(table: TableReader, name: str) -> _PackageName | None:
    """Return the package that a name means; ``None`` for a plain name, or a wrong one."""
    if not _is_package(name):
        fault = kebab_fault(name)
        if fault is not None:
            table.problem(name, f"this is not a name of a dependency: {fault}")
        return None
    before, at, version = name.partition("@")
    package, slash, interface = before.partition("/")
    fault = package_fault(package)
    if slash:
        fault = fault or kebab_fault(interface)
    if at and not _SEMVER.fullmatch(version):
        fault = fault or f'"{version}" is not a semantic version'
    if fault is not None:
        table.problem(name, f"this is not a name of a dependency: {fault}")
        return None
    return _PackageName(name, package, interface if slash else None, version if at else None)


def _is_package(name: str) -> bool:
    return ":" in name or "/" in name


def _read_dependency(table: TableReader, name: str) -> DeclaredDependency | None:
    value = table.value(name)
    if isinstance(value, str):
        return PackageDependency(version=value)
    if not isinstance(value, dict):
        table.problem(
            name, f"invalid type: expected a string or a table, got {kind_of(value)}", _FORMS
        )
        return None
    return _read_form(TableReader(value, table.place(name), table.problems), exports=True)


def _read_form(table: TableReader, *, exports: bool) -> DeclaredDependency | None:
    """Read one of the four forms of a table; they are told apart by one key each."""
    found: DeclaredDependency | None = None
    export = table.optional_text("export") if exports else None
    inherit = _read_inheritance(table)
    if "component" in table:
        id = table.required_text("component")
        found = ComponentDependency(component=id, export=export, inherit=inherit)
    elif "path" in table:
        path = table.required_text("path", blank=False)
        found = LocalDependency(path=path, export=export, inherit=inherit)
    elif "url" in table:
        found = UrlDependency(
            url=table.required_text("url"),
            digest=table.required_text("digest"),
            export=export,
            inherit=inherit,
        )
    elif "version" in table:
        found = PackageDependency(
            version=table.required_text("version"),
            registry=table.optional_text("registry"),
            package=table.optional_text("package") if exports else table.required_text("package"),
            export=export,
            inherit=inherit,
        )
    else:
        table.problems.add(table.key, "this says nowhere where the dependency is", _FORMS)
        return None
    table.refuse_rest()
    return found


def _read_inheritance(table: TableReader) -> Inheritance:
    value = table.value("inherit_configuration")
    if isinstance(value, list):
        return table.texts("inherit_configuration")
    return None if value is None else table.flag("inherit_configuration")


def _check_fit(
    table: TableReader, name: str, package: _PackageName | None, dependency: DeclaredDependency
) -> None:
    if (
        not _is_package(name)
        and isinstance(dependency, PackageDependency)
        and not dependency.package
    ):
        table.problem(
            name, f'dependency "{name}" must specify a package name', "Add `package` to it."
        )
    if (
        package is not None
        and package.interface is None
        and isinstance(dependency, PackageDependency | LocalDependency)
        and dependency.export is not None
    ):
        table.problem(
            name,
            f'using an export to satisfy the package dependency "{name}" is not currently '
            "permitted",
            "Name an interface of the package, or remove `export`.",
        )


def _conflict(one: _PackageName, other: _PackageName) -> bool:
    if one.package != other.package:
        return False
    if one.version and other.version and _line_of(one.version) != _line_of(other.version):
        return False
    return not (one.interface and other.interface and one.interface != other.interface)


def _line_of(version: str) -> tuple[str, ...]:
    """Return what all versions compatible with this one have in common."""
    parts = _SEMVER.fullmatch(version)
    if parts is None:
        return (version,)
    major, minor, patch, pre = parts["major"], parts["minor"], parts["patch"], parts["pre"]
    if pre:
        return (major, minor, patch, pre)
    if major != "0":
        return (major,)
    return (major, minor) if minor != "0" else (major, minor, patch)
