"""Proposals of the component model that Spin does not run, and this host does not either.

Source: contract wasi03.md, XP-12.
"""

from collections.abc import Mapping

from edgezero_spin.wasm.component.linked import (
    Builtin,
    ComponentExport,
    ExportedInstance,
    Function,
    LiftedFunction,
    LinkedComponent,
    LoweredFunction,
)

__all__ = ["refused_proposal"]


def refused_proposal(linked: LinkedComponent) -> str | None:
    """Return what of a component belongs to such a proposal, ``None`` if nothing does."""
    for core in linked.core_instances:
        for imported in core.imports:
            match imported.source:
                case Builtin(name):
                    if name.startswith("error-context."):
                        return f"error contexts ({name})"
                    if name.startswith("thread.") and name != "thread.yield":
                        return f"threads within a component ({name})"
                case LoweredFunction(_, callee, _) if _is_stackful(callee):
                    return "an `async` lift without a callback"
    left: list[Mapping[str, ComponentExport]] = [linked.exports]
    while left:
        for name, export in left.pop().items():
            if isinstance(export, ExportedInstance):
                left.append(export.exports)
            elif isinstance(export, LiftedFunction) and _is_stackful(export):
                return f"an `async` lift without a callback ({name})"
    return None


def _is_stackful(function: Function) -> bool:
    if not isinstance(function, LiftedFunction):
        return False
    return function.options.is_async and function.options.callback is None
