"""Dependencies of a Spin component: which imports they satisfy, and all of them in one component.

In: a component and its dependencies as a manifest has them. Out: which import each satisfies; or
one component without dependencies, in which what a dependency does not inherit traps.

Source: contract spin-host.md, MAN-71 to MAN-75b; services.md, CPS-1, CPS-2, CPS-6.
"""

import re
from collections.abc import Mapping, Sequence

import attrs

from edgezero_spin.wasm.component.composing import ComposedPart, compose
from edgezero_spin.wasm.component.definitions import (
    Component,
    ExportDefinition,
    ImportDefinition,
)
from edgezero_spin.wasm.component.errors import WasmError
from edgezero_spin.wasm.component.linking import validate
from edgezero_spin.wasm.component.reader import read_component

__all__ = [
    "CompositionError",
    "Inherited",
    "SpinDependency",
    "compose_dependencies",
    "imports_for",
    "match_imports",
]

Inherited = bool | tuple[str, ...]
"""What a dependency inherits: all, nothing, or the kinds named (MAN-75)."""

_PACKAGE = re.compile(
    r"(?P<package>[^:/@]+:[^/@]+)(?:/(?P<interface>[^@]+))?(?:@(?P<version>.+))?\Z"
)

# Interfaces by the kind of configuration that they use, whatever their version.
_KINDS: Mapping[str, tuple[str, ...]] = {
    "ai_models": ("fermyon:spin/llm",),
    "allowed_outbound_hosts": (
        *(f"fermyon:spin/{name}" for name in ("http", "mqtt", "mysql", "postgres", "redis")),
        *(f"spin:{name}/{name}" for name in ("mqtt", "mysql", "postgres", "redis")),
        "wasi:http/client",
        "wasi:http/outgoing-handler",
        "wasi:sockets/ip-name-lookup",
        "wasi:sockets/tcp",
        "wasi:sockets/tcp-create-socket",
        "wasi:sockets/udp",
        "wasi:sockets/udp-create-socket",
    ),
    "environment": ("wasi:cli/environment",),
    "files": ("wasi:filesystem/preopens",),
    "key_value_stores": (
        "fermyon:spin/key-value",
        "spin:key-value/key-value",
        # The others have the resource of the first.
        *(f"wasi:keyvalue/{name}" for name in ("store", "atomics", "batch")),
    ),
    "sqlite_databases": ("fermyon:spin/sqlite", "spin:sqlite/sqlite"),
    "variables": (
        "fermyon:spin/config",
        "fermyon:spin/variables",
        "spin:variables/variables",
        "wasi:config/store",
    ),
}


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


@attrs.frozen(kw_only=True)
class SpinDependency:
    """A dependency of a component.

    Attributes:
        name: Which imports it is for: a plain name, or ``ns:pkg[/interface][@version]``.
        data: The component's bytes.
        export: What it exports for them; ``None`` for the import's own name.
        inherit: What it may use of its user's configuration.
    """

    name: str
    data: bytes = attrs.field(repr=False)
    export: str | None = None
    inherit: Inherited = False


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


def compose_dependencies(
    component_id: str, data: bytes, dependencies: Sequence[SpinDependency]
) -> bytes:
    """Return one component that does what a component does with its dependencies.

    Each dependency is instantiated once. What it does not inherit, traps.

    Args:
        component_id: Of the component, for errors.
        data: The component's bytes.
        dependencies: What it depends on.

    Raises:
        CompositionError: They do not fit together, or one is no component that can be composed.
    """
    root = _read(f"component '{component_id}'", data)
    names = [dependency.name for dependency in dependencies]
    matched = match_imports(component_id, _imports(root), names)
    parts: list[ComposedPart] = []
    given: dict[str, tuple[int, str | None]] = {}
    problems = []
    for number, dependency in enumerate(dependencies):
        component = _read(f"dependency '{dependency.name}'", dependency.data)
        exports = [
            each.name for each in component.definitions if isinstance(each, ExportDefinition)
        ]
        parts.append(ComposedPart(dependency.data, {}, _refused(component, dependency.inherit)))
        for name in matched[dependency.name]:
            export = dependency.export or name
            if export not in exports:
                problems.append(
                    f"dependency '{dependency.name}' doesn't export '{export}' to satisfy import "
                    f"'{name}' (it exports {', '.join(exports) or 'nothing'})"
                )
            given[name] = (number, export)
    if problems:
        raise CompositionError(*problems)
    try:
        composed = compose([*parts, ComposedPart(data, given)])
        validate(read_component(composed))
    except WasmError as error:
        raise CompositionError(
            f"component '{component_id}' cannot be joined with its dependencies: {error.reason}"
        ) from error
    return composed


def _read(what: str, data: bytes) -> Component:
    try:
        component = read_component(data)
        validate(component)
    except WasmError as error:
        raise CompositionError(f"{what} is no component that can be joined: {error}") from error
    return component


def _imports(component: Component) -> list[str]:
    return [each.name for each in component.definitions if isinstance(each, ImportDefinition)]


def _refused(component: Component, inherit: Inherited) -> frozenset[str]:
    """Return the imports of a dependency that use what it does not inherit."""
    if inherit is True:
        return frozenset()
    kinds = inherit or ()
    names = {name for kind, names in _KINDS.items() if kind not in kinds for name in names}
    return frozenset(name for name in _imports(component) if name.partition("@")[0] in names)
