"""Declared dependencies: what satisfies the imports of a component, without ambiguity.

Source: contract spin-host.md, MAN-23 and MAN-71 to MAN-75.
"""

from itertools import combinations

import attrs

from edgezero_spin.manifest.spin.identifiers import kebab_fault, package_fault
from edgezero_spin.manifest.spin.schema import (
    ComponentReference,
    ComponentSource,
    DeclaredDependency,
    Inheritance,
    PackageSource,
    UrlSource,
)
from edgezero_spin.manifest.spin.versions import Version, parse_version
from edgezero_spin.manifest.table_reader import TableReader

__all__ = ["read_component_dependencies", "read_trigger_dependencies"]

_FORMS = "Write a version, or a table with `version`, `path`, `url` and `digest`, or `component`."


@attrs.frozen
class _PackageName:
    """``ns:pkg/interface@version``, the last two parts optional."""

    text: str
    package: str
    interface: str | None
    version: Version | None


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
        read = [_read_form(item, None) for item in roles.tables(role)]
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
    try:
        parsed = parse_version(version) if at else None
    except ValueError:
        fault = fault or f'"{version}" is not a semantic version'
    if fault is not None:
        table.problem(name, f"this is not a name of a dependency: {fault}")
        return None
    return _PackageName(name, package, interface if slash else None, parsed)


def _is_package(name: str) -> bool:
    return ":" in name or "/" in name


def _read_dependency(table: TableReader, name: str) -> DeclaredDependency | None:
    value = table.value(name)
    if isinstance(value, str):
        return DeclaredDependency(source=PackageSource(_package_of(name), value, exact=False))
    if not isinstance(value, dict):
        table.wrong_type(table.place(name), "a string or a table", value, _FORMS)
        return None
    return _read_form(TableReader(value, table.place(name), table.problems), name)


def _package_of(name: str) -> str:
    """Return the package in the name of a dependency; empty where it is a plain name."""
    return name.partition("@")[0].partition("/")[0] if _is_package(name) else ""


def _read_form(table: TableReader, name: str | None) -> DeclaredDependency | None:
    """Read one of the four forms of a table; they are told apart by one key each.

    Args:
        name: The import; ``None`` for the role of a trigger, which has neither package nor export.
    """
    source: ComponentSource | ComponentReference
    if "component" in table:
        source = ComponentReference(table.required_text("component"))
    elif "path" in table:
        source = table.required_text("path", blank=False)
    elif "url" in table:
        source = UrlSource(table.required_text("url"), table.required_text("digest"))
    elif "version" in table:
        version, registry = table.required_text("version"), table.optional_text("registry")
        if name is None:
            package = table.required_text("package")
        else:
            package = table.text("package") or _package_of(name)
        fault = package_fault(package) if package else None
        if fault is not None:
            table.problem("package", f"this is not a name of a package: {fault}")
        source = PackageSource(package, version, registry, exact=False)
    else:
        table.problems.add(table.key, "the dependency has no source", _FORMS)
        return None
    found = DeclaredDependency(
        source=source,
        export=None if name is None else table.optional_text("export"),
        inherit=_read_inheritance(table),
    )
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
    source = dependency.source
    if isinstance(source, PackageSource) and not source.package:
        table.problem(
            name, f'dependency "{name}" must specify a package name', "Add `package` to it."
        )
    if (
        package is not None
        and package.interface is None
        and isinstance(source, PackageSource | str)
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


def _line_of(version: Version) -> tuple[int | str, ...]:
    """Return what all versions compatible with this one have in common."""
    if version.pre:
        return (*version.numbers, *version.pre)
    fixed = next((index for index, number in enumerate(version.numbers) if number), 2)
    return version.numbers[: fixed + 1]
