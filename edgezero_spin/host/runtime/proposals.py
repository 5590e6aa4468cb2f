"""Proposals of the component model that Spin does not run, and this host does not either.

Source: contract wasi03.md, XP-12.
"""

from edgezero_spin.wasm.component.linked import (
    Builtin,
    LiftedFunction,
    LinkedComponent,
    LoweredFunction,
    lifted_functions,
)

__all__ = ["refused_proposal"]


def refused_proposal(linked: LinkedComponent) -> str | None:
    """Return what of a component belongs to such a proposal, ``None`` if nothing does."""
    for source in linked.canonicals():
        match source:
            case Builtin(name):
                if name.startswith("error-context."):
                    return f"error contexts ({name})"
                if name.startswith("thread.") and name != "thread.yield":
                    return f"threads within a component ({name})"
            case LoweredFunction(_, LiftedFunction() as callee, _) if _is_stackful(callee):
                return "an `async` lift without a callback"
    for name, function in lifted_functions(linked.exports):
        if _is_stackful(function):
            return f"an `async` lift without a callback ({name})"
    return None


def _is_stackful(function: LiftedFunction) -> bool:
    return function.options.is_async and function.options.callback is None
