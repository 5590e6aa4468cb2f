"""Dependencies of a Spin component, composed with it.

In: a component and its dependencies as a manifest has them. Out: one component without
dependencies, in which what a dependency does not inherit traps.

Source: contract spin-host.md, MAN-71 to MAN-75b; services.md, CPS-1, CPS-2, CPS-6.
"""

from collections.abc import Mapping, Sequence

import attrs

from edgezero_spin.wasm.component.composing import ComposedPart, compose
from edgezero_spin.wasm.component.definitions import Component, ExportDefinition, ImportDefinition
from edgezero_spin.wasm.component.dependency_names import (
    CompositionError,
    Inherited,
    export_fault,
    match_imports,
)
from edgezero_spin.wasm.component.errors import WasmError
from edgezero_spin.wasm.component.linking import validate
from edgezero_spin.wasm.component.reader import read_component

__all__ = ["SpinDependency", "compose_dependencies"]

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
        CompositionError: They do not fit together, or one is not a component that can be composed.
    """
    root = _read(f"component '{component_id}'", data)
    names = [dependency.name for dependency in dependencies]
    matched = match_imports(component_id, _imports(root), names)
    parts: list[ComposedPart] = []
    given: dict[str, tuple[int, str | None]] = {}
    problems: list[str | None] = []
    for number, dependency in enumerate(dependencies):
        component = _read(f"dependency '{dependency.name}'", dependency.data)
        exports = [
            each.name for each in component.definitions if isinstance(each, ExportDefinition)
        ]
        parts.append(ComposedPart(dependency.data, {}, _refused(component, dependency.inherit)))
        for name in matched[dependency.name]:
            export = dependency.export or name
            problems.append(export_fault(dependency.name, export, name, exports))
            given[name] = (number, export)
    faults = [problem for problem in problems if problem is not None]
    if faults:
        raise CompositionError(*faults)
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
        raise CompositionError(f"{what} is not a component that can be joined: {error}") from error
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
