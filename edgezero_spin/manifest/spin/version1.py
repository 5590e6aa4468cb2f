"""Manifests of version 1, read as what they mean in version 2.

Source: contract spin-host.md, MAN-76 to MAN-87.
"""

from edgezero_spin.manifest.spin.components import read_common
from edgezero_spin.manifest.spin.identifiers import kebab_fault
from edgezero_spin.manifest.spin.schema import ManifestComponent, ManifestTrigger, SpinManifest
from edgezero_spin.manifest.spin.version2 import read_variables
from edgezero_spin.manifest.table_reader import TableReader

__all__ = ["read_version1"]


def read_version1(root: TableReader) -> SpinManifest:
    """Read everything; what is wrong goes to the reader's problems."""
    root.value("spin_manifest_version")
    root.value("spin_version")
    if "trigger" not in root:
        root.missing("trigger")
    global_trigger = root.table("trigger")
    type = global_trigger.required_text("type") if "trigger" in root else ""
    components: dict[str, ManifestComponent] = {}
    triggers: list[ManifestTrigger] = []
    for table in root.tables("component"):
        id, component, config = _read_component(table)
        # A later component takes the place of an earlier one; both triggers stay (MAN-87).
        components[id] = component
        triggers.append(ManifestTrigger(type=type, id=f"trigger-{id}", component=id, config=config))
    manifest = SpinManifest(
        path=root.problems.path.absolute(),
        name=root.required_text("name"),
        version=root.text("version"),
        description=root.text("description"),
        authors=root.texts("authors"),
        trigger_configs={type: global_trigger.rest()},
        variables=read_variables(root),
        triggers=tuple(triggers),
        components=components,
    )
    root.refuse_rest()
    return manifest


def _read_component(table: TableReader) -> tuple[str, ManifestComponent, dict[str, object]]:
    named = "id" in table
    given = table.required_text("id")
    id = given if kebab_fault(given) is None else given.replace("_", "-").lower()
    fault = kebab_fault(id)
    if fault is not None and named:
        table.problem("id", fault, "Components are named like-this-one.")
    if "trigger" not in table:
        table.missing("trigger")
    component = read_common(table, variables="config", hosts_by_default=True)
    config = table.table("trigger").rest()
    table.refuse_rest()
    return id, component, config
