"""Middleware of HTTP triggers: components in front of the one that answers.

In: a component and the middleware of its trigger. Out: one linked component, in which each
middleware imports the handler of the one behind it. All of them live in the instance of the
component, whose grants a middleware has as far as the manifest says that it inherits them.

Source: contract wasi03.md, XP-11; spin-host.md, MAN-75 and LOCK-22.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgezero_spin.host.load.dependencies import (
    DependencyError,
    DependencyPlan,
    ResolvedDependency,
    granted,
)
from edgezero_spin.host.runtime.component_loading import CompiledComponent, load_component
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.runtime.interface import Interface
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.host.runtime.prepared import PreparedComponent
from edgezero_spin.wasm.component.linked import WASI_01

__all__ = ["MIDDLEWARE_HANDLER", "link_behind_middleware"]

MIDDLEWARE_HANDLER = "wasi:http/handler@0.3.0"
"""Interface that middleware exports and imports; no other version counts."""


def link_behind_middleware(
    engine: Engine,
    component: CompiledComponent,
    component_id: str,
    dependencies: Mapping[str, ResolvedDependency],
    middleware: Sequence[DependencyPlan],
    interfaces: Mapping[str, Interface],
    cache_dir: Path | None,
) -> PreparedComponent:
    """Link a component with its middleware.

    Args:
        engine: What everything runs on.
        component_id: Its id, for messages.
        dependencies: What satisfies its imports, by import.
        middleware: Outermost first; at least one.
        interfaces: What this host has.
        cache_dir: Where compiled components are kept.

    Raises:
        DependencyError: One of them lacks the handler of WASI 0.3.0.
        ComponentError: The file of one cannot be used.
        LinkError: They do not fit each other.
    """
    plans = [
        (plan, load_component(engine, plan.source, cache_dir, joined=True)) for plan in middleware
    ]
    problems = [
        f"component '{component_id}': {plan.name} ({plan.source}) does not {verb} "
        f"{MIDDLEWARE_HANDLER}, as middleware does (it {verb}s {', '.join(names) or 'nothing'})"
        for plan, found in plans
        for verb, names in zip(("import", "export"), found.names(), strict=True)
        if MIDDLEWARE_HANDLER not in names
    ]
    _, exports = component.names()
    if MIDDLEWARE_HANDLER not in exports:
        problems.append(
            f"component '{component_id}' has middleware and does not export {MIDDLEWARE_HANDLER} "
            f"(it exports {', '.join(exports) or 'nothing'}); build it for WASI 0.3.0"
        )
    if problems:
        raise DependencyError(*problems)
    inner = ResolvedDependency(
        component_id, component, MIDDLEWARE_HANDLER, interfaces, dependencies
    )
    for plan, found in reversed(plans):
        inner = ResolvedDependency(
            plan.name,
            found,
            MIDDLEWARE_HANDLER,
            granted(interfaces, plan.inherit),
            {MIDDLEWARE_HANDLER: inner},
        )
    seen = dict(inner.interfaces)
    if middleware[0].inherit is not True:
        # WASI 0.1 does not distinguish kinds of grants.
        seen.pop(WASI_01, None)
    return link(engine, inner.component, seen, inner.dependencies)
