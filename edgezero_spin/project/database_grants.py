"""Grants of databases: what ``spin.toml`` has to give a component that imports them.

In: a component of a manifest, and what the built file imports. Out: what it lacks, each with its
remedy. Only components that import what an app of this library names are judged; those of other
kits import more than they use.

Source: contract spin-host.md, DB-1, NET-22 to NET-25.
"""

from collections.abc import Iterator

from edgezero_spin.manifest.spin import ManifestComponent
from edgezero_spin.project.inspection import Inspection
from edgezero_spin.project.world import INTERFACES, Need

__all__ = ["missing_grants"]

# The scheme of an address, and a sample of it.
_SERVERS: dict[Need, tuple[str, str]] = {
    "redis": ("redis", "redis://HOST:6379"),
    "postgres": ("postgres", "postgres://HOST:5432"),
    "mysql": ("mysql", "mysql://HOST:3306"),
}


def missing_grants(
    id: str, component: ManifestComponent, found: Inspection
) -> Iterator[tuple[str, str]]:
    """Yield what a component may not use although it imports it, and what to write.

    Args:
        id: The component.
        component: What the manifest gives it.
        found: What its file imports.
    """
    if found.world is None:
        return
    if _imports(found, "sqlite") and not component.sqlite_databases:
        yield (
            "uses SQLite, and sqlite_databases grants it no database",
            f'Add sqlite_databases = ["default"] to [component.{id}].',
        )
    for need, (scheme, sample) in _SERVERS.items():
        entries = component.allowed_outbound_hosts
        if _imports(found, need) and not any(_may_be(scheme, entry) for entry in entries):
            yield (
                f"connects to {need} servers, and allowed_outbound_hosts has none",
                f'Add "{sample}" to allowed_outbound_hosts of [component.{id}].',
            )


def _imports(found: Inspection, need: Need) -> bool:
    return any(
        row[need].imports and set(row[need].imports) <= set(found.imports)
        for row in INTERFACES.values()
    )


def _may_be(scheme: str, entry: str) -> bool:
    """Whether an entry, possibly a template, allows a scheme."""
    before, separator, _ = entry.partition("://")
    return not separator or before.strip() in ("*", scheme) or "{{" in before
