"""Dependencies: exports of other components for the imports of one.

In: a component, its dependencies as the manifest has them, and the interfaces of this host.
Out: for each import that a dependency satisfies, a ``ResolvedDependency`` that ``linking.link``
takes. Every fault is reported at the start.

A dependency sees what its user is granted only where the manifest says that it inherits
it. Everything else is as it would be for a component that is granted nothing: stores deny
access, there are no variables, files or environment, and no request leaves.

Source: contract spin-host.md, MAN-71 to MAN-75b and LOCK-37.
"""

from collections.abc import Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.host.errors import SetupError
from edgezero_spin.host.factors.instance import Grants, InstanceState
from edgezero_spin.host.factors.outbound_http.interface import OUTGOING_HANDLER
from edgezero_spin.host.factors.wasi.http.outbound import OutgoingRequest
from edgezero_spin.host.runtime.component_loading import CompiledComponent, load_component
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.runtime.interface import HostFunction, Interface, WitError
from edgezero_spin.wasm.component.dependency_names import (
    CompositionError,
    Inherited,
    export_fault,
    match_imports,
)

__all__ = [
    "DependencyError",
    "DependencyPlan",
    "Inherited",
    "ResolvedDependency",
    "dependencies_of",
    "granted",
    "restricted_to",
]


@attrs.frozen(kw_only=True)
class DependencyPlan:
    """A dependency of a component, as ``plan`` reads it.

    Attributes:
        name: Which imports it is for: a plain name, or ``ns:pkg[/interface][@version]``.
        source: The wasm file.
        export: What it exports for them; ``None`` for the import's own name.
        inherit: What it may use of its user's configuration.
    """

    name: str
    source: Path
    export: str | None = None
    inherit: Inherited = False


class DependencyError(SetupError):
    """The dependencies of a component do not fit it."""


def dependencies_of(
    engine: Engine,
    component: CompiledComponent,
    component_id: str,
    plans: Sequence[DependencyPlan],
    interfaces: Mapping[str, Interface],
    cache_dir: Path | None,
) -> "dict[str, ResolvedDependency]":
    """Return what satisfies imports of a component, by import.

    Args:
        cache_dir: Where compiled components are kept.

    Raises:
        DependencyError: They do not fit; every fault is named (MAN-75b).
        ComponentError: The file of one cannot be used.
    """
    if not plans:
        return {}
    imports, _ = component.names()
    try:
        matched = match_imports(component_id, imports, [plan.name for plan in plans])
    except CompositionError as error:
        raise DependencyError(*error.problems) from error
    problems: list[str | None] = []
    found: dict[str, ResolvedDependency] = {}
    for plan in plans:
        provider = load_component(engine, plan.source, cache_dir, joined=True)
        _, exports = provider.names()
        seen = granted(interfaces, plan.inherit)
        for name in matched[plan.name]:
            export = plan.export or name
            problems.append(export_fault(plan.name, export, name, exports))
            found[name] = ResolvedDependency(plan.name, provider, export, seen)
    faults = [problem for problem in problems if problem is not None]
    if faults:
        raise DependencyError(*faults)
    return found


@attrs.frozen(eq=False)
class ResolvedDependency:
    """A dependency in the place of one import.

    Attributes:
        name: As the manifest has it, for messages.
        export: What of it is used.
        interfaces: What the host has for it.
        dependencies: What satisfies its own imports, by import.
    """

    name: str
    component: CompiledComponent
    export: str
    interfaces: Mapping[str, Interface]
    dependencies: "Mapping[str, ResolvedDependency]" = attrs.field(factory=dict)


def granted(interfaces: Mapping[str, Interface], inherit: Inherited) -> Mapping[str, Interface]:
    """Return the interfaces of this host as a dependency sees them."""
    if inherit is True:
        return interfaces
    kinds = inherit or ()
    seen = {}
    for key, interface in interfaces.items():
        functions = dict(interface.functions)
        if interface.name == OUTGOING_HANDLER.name and "allowed_outbound_hosts" not in kinds:
            functions = {"handle": _deny_request}
        if interface.name == _ENVIRONMENT and "environment" not in kinds:
            functions = _NO_ENVIRONMENT
        restrict = _Restriction(kinds)
        seen[key] = attrs.evolve(
            interface, functions={name: restrict(function) for name, function in functions.items()}
        )
    return seen


_ENVIRONMENT = "wasi:cli/environment"
_NO_ENVIRONMENT: dict[str, HostFunction] = {
    "get-environment": lambda state: [],
    "get-arguments": lambda state: [],
    "initial-cwd": lambda state: None,
}


def _deny_request(state: InstanceState, request: OutgoingRequest, options: Any) -> Any:
    request.drop_body()
    raise WitError(("internal-error", '"wasi:http/outgoing-handler" is not permitted'))


class _Restriction:
    """Runs host functions with what a dependency inherits in the place of what there is."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self._kinds = kinds
        # The grants of a component hardly ever change between two calls.
        self._last: tuple[Grants, Grants] | None = None

    def __call__(self, function: HostFunction) -> HostFunction:
        """Return the function as the dependency has it."""

        @wraps(function)
        def restricted(state: InstanceState, *arguments: Any) -> Any:
            return function(_View(state, self._grants(state.grants)), *arguments)

        return restricted

    def _grants(self, grants: Grants) -> Grants:
        last = self._last
        if last is None or last[0] is not grants:
            last = self._last = (grants, restricted_to(grants, self._kinds))
        return last[1]


def restricted_to(grants: Grants, kinds: Sequence[str]) -> Grants:
    """Return what is left of some grants."""
    nothing: dict[str, tuple[str, Any]] = {
        "ai_models": ("ai_models", ()),
        "allowed_outbound_hosts": ("outbound", None),
        "environment": ("environment", ()),
        "files": ("mounts", ()),
        "key_value_stores": ("key_value", {}),
        "sqlite_databases": ("databases", {}),
        "variables": ("variables", None),
    }
    return attrs.evolve(grants, **dict(nothing[kind] for kind in nothing.keys() - set(kinds)))


class _View:
    """The state of an instance with other grants; everything else is the instance's own."""

    __slots__ = ("_state", "grants")

    def __init__(self, state: InstanceState, grants: Grants) -> None:
        object.__setattr__(self, "_state", state)
        object.__setattr__(self, "grants", grants)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._state, name, value)
