"""Manifests of version 2.

In: the root table. Out: a ``SpinManifest`` as the file has it; ids are given later.

Source: contract spin-host.md, MAN-10 to MAN-24.
"""

from collections.abc import Mapping

from edgezero_spin.manifest.keys import item_key
from edgezero_spin.manifest.spin.components import COMPONENT_FIELDS, read_component, read_targets
from edgezero_spin.manifest.spin.dependencies import read_trigger_dependencies
from edgezero_spin.manifest.spin.identifiers import kebab_fault, snake_fault
from edgezero_spin.manifest.spin.schema import (
    ManifestComponent,
    ManifestTrigger,
    SpinManifest,
    Variable,
)
from edgezero_spin.manifest.table_reader import TableReader

__all__ = ["read_variables", "read_version2"]

_APPLICATION_FIELDS = (
    "name",
    "version",
    "description",
    "authors",
    "targets",
    "trigger",
    "tool",
)
_VARIABLE_FIELDS = ("description", "required", "default", "secret")


def read_version2(root: TableReader) -> SpinManifest:
    """Read everything; what is wrong goes to the reader's problems."""
    root.value("spin_manifest_version")
    if "application" not in root:
        root.missing("application")
        application = TableReader({"name": ""}, "application", root.problems)
        root.value("application")
    else:
        application = root.table("application", _APPLICATION_FIELDS)
    if "trigger" not in root:
        root.problem("trigger", "missing field `trigger`", "Add a [[trigger.http]] table.")
    manifest = SpinManifest(
        path=root.problems.path.absolute(),
        name=application.required_text("name"),
        version=application.text("version"),
        description=application.text("description"),
        authors=application.texts("authors"),
        targets=read_targets(application),
        trigger_configs=application.raw_tables("trigger"),
        tool=application.raw_tables("tool"),
        variables=read_variables(root),
        triggers=_read_triggers(root),
        components=_read_components(root),
    )
    application.refuse_rest()
    root.refuse_rest()
    return manifest


def read_variables(root: TableReader) -> dict[str, Variable]:
    """Read ``[variables]``, by name."""
    variables = {}
    for name, table in root.named_tables("variables", _VARIABLE_FIELDS).items():
        fault = snake_fault(name, lower=True)
        if fault is not None:
            root.table("variables").problem(name, fault, "Variables are named like this_one.")
        variables[name] = _read_variable(table)
    return variables


def _read_variable(table: TableReader) -> Variable:
    """Read one variable, which is either required or has a default (MAN-17)."""
    required = table.flag("required")
    variable = Variable(
        description=table.optional_text("description"),
        default=table.optional_text("default"),
        secret=table.flag("secret"),
    )
    if required == ("default" in table):
        table.problems.add(
            table.key,
            "must be `required` OR have a `default`",
            "Remove one of them." if required else 'Add `required = true` or `default = "..."`.',
        )
    table.refuse_rest()
    return variable


def _read_components(root: TableReader) -> dict[str, ManifestComponent]:
    components = {}
    for id, table in root.named_tables("component", COMPONENT_FIELDS).items():
        fault = kebab_fault(id)
        if fault is not None:
            root.table("component").problem(id, fault, "Components are named like-this-one.")
        components[id] = read_component(table)
    return components


def _read_triggers(root: TableReader) -> tuple[ManifestTrigger, ...]:
    types = root.table("trigger")
    return tuple(_read_trigger(type, table) for type in types for table in types.tables(type))


def _read_trigger(type: str, table: TableReader) -> ManifestTrigger:
    id = table.text("id")
    component = table.value("component")
    roles = table.table("components")
    return ManifestTrigger(
        type=type,
        id=id,
        component=(
            None if component is None else _read_spec(table, component, table.place("component"))
        ),
        components={
            role: _read_specs(roles, roles.value(role), roles.place(role)) for role in roles
        },
        dependencies=read_trigger_dependencies(table),
        config=table.rest(),
    )


def _read_specs(
    table: TableReader, value: object, place: str
) -> tuple[str | ManifestComponent, ...]:
    if not isinstance(value, list):
        return (_read_spec(table, value, place),)
    return tuple(
        _read_spec(table, item, item_key(place, index)) for index, item in enumerate(value)
    )


def _read_spec(table: TableReader, value: object, place: str) -> str | ManifestComponent:
    """Read the id of a component, or a component written in place."""
    if isinstance(value, str):
        fault = kebab_fault(value)
        if fault is not None:
            table.problems.add(place, fault, "Name a component by its id.")
        return value
    if isinstance(value, list):
        value = dict(zip(COMPONENT_FIELDS, value, strict=False))
    if isinstance(value, Mapping):
        return read_component(TableReader(value, place, table.problems))
    remedy = "Write the id of a component, or the component itself."
    table.wrong_type(place, "a string or a table", value, remedy)
    return ""
