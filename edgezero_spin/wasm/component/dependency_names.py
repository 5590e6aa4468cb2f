"""Names of a Spin component's dependencies, matched with its imports.

In: the names that a manifest has, and those of a component's imports. Out: which belong together,
or every fault.

Source: contract spin-host.md, MAN-71 and MAN-75b; services.md, CPS-2.
"""

import re
from collections.abc import Sequence

__all__ = ["CompositionError", "Inherited", "export_fault", "imports_for", "match_imports"]

Inherited = bool | tuple[str, ...]
"""Configuration that a dependency inherits: all, none, or the kinds of these names (MAN-75)."""

_PACKAGE = re.compile(
    r"(?P<package>[^:/@]+:[^/@]+)(?:/(?P<interface>[^@]+))?(?:@(?P<version>.+))?\Z"
)


class CompositionError(ValueError):
    """A component and its dependencies do not fit together.

    Attributes:
        problems: One sentence for each fault.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(self.problems)


def imports_for(dependency: str, imports: Sequence[str]) -> list[str]:
    """Return the imports that a dependency is for; what it does not say matches anything."""
    wanted = _PACKAGE.match(dependency)
    if wanted is None:
        return [name for name in imports if name == dependency]
    found = []
    for name in imports:
        there = _PACKAGE.match(name)
        if (
            there is not None
            and there["interface"] is not None
            and all(
                wanted[part] is None or wanted[part] == there[part]
                for part in ("package", "interface", "version")
            )
        ):
            found.append(name)
    return found


def match_imports(
    component_id: str, imports: Sequence[str], dependencies: Sequence[str]
) -> dict[str, list[str]]:
    """Return which imports of a component each of its dependencies is for.

    Raises:
        CompositionError: One is for none, or two are for one; every fault is named (MAN-75b).
    """
    matched = {name: imports_for(name, imports) for name in dependencies}
    problems = [
        f"dependency '{name}' doesn't match any imports of component '{component_id}' "
        f"(it imports {', '.join(imports) or 'nothing'})"
        for name in dependencies
        if not matched[name]
    ]
    conflicts = []
    for wanted in imports:
        users = [name for name in dependencies if wanted in matched[name]]
        if len(users) > 1:
            conflicts.append(f"import '{wanted}' satisfied by dependencies: '{', '.join(users)}'")
    if conflicts:
        problems.append(
            f"component '{component_id}' has dependency conflicts: {'; '.join(conflicts)}"
        )
    if problems:
        raise CompositionError(*problems)
    return matched


def export_fault(dependency: str, export: str, wanted: str, exports: Sequence[str]) -> str | None:
    """Return that a dependency lacks the export for an import; ``None`` where it has it."""
    if export in exports:
        return None
    return (
        f"dependency '{dependency}' doesn't export '{export}' to satisfy import '{wanted}' "
        f"(it exports {', '.join(exports) or 'nothing'})"
    )
