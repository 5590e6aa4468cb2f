"""Matching of core types: whether an export can be given to an import.

Source: WebAssembly core specification, 4.5 (matching of external types).
"""

from edgezero_spin.wasm.component.definitions import CoreExternType, CoreLimits, CoreModuleType
from edgezero_spin.wasm.component.errors import InvalidError

__all__ = ["check_module", "core_mismatch"]


def core_mismatch(wanted: CoreExternType, given: CoreExternType) -> str | None:
    """Say why what is given does not match what is imported; ``None`` if it does."""
    if wanted.kind != given.kind:
        return f"expected {wanted.kind}, found {given.kind}"
    if wanted.function != given.function:
        return "expected another function type"
    if wanted.value != given.value or wanted.is_mutable != given.is_mutable:
        return f"expected another {wanted.kind} type"
    if wanted.limits is not None and given.limits is not None:
        return _limits_mismatch(wanted.kind, wanted.limits, given.limits)
    return None


def _limits_mismatch(kind: str, wanted: CoreLimits, given: CoreLimits) -> str | None:
    if (wanted.is_64, wanted.is_shared, wanted.page_size_log2) != (
        given.is_64,
        given.is_shared,
        given.page_size_log2,
    ):
        return f"mismatch in the flags of a {kind}"
    if given.minimum < wanted.minimum or (
        wanted.maximum is not None and (given.maximum is None or given.maximum > wanted.maximum)
    ):
        return f"mismatch in {kind} limits"
    return None


def check_module(wanted: CoreModuleType, given: CoreModuleType, at: int) -> None:
    """Check that a module can stand for a module type.

    Raises:
        InvalidError: It imports something else, or does not export what the type does.
    """
    imports = {(module, name): type_ for module, name, type_ in wanted.imports}
    for module, name, type_ in given.imports:
        offered = imports.get((module, name))
        if offered is None:
            raise InvalidError(f"missing expected import `{module}::{name}`", at)
        mismatch = core_mismatch(type_, offered)
        if mismatch:
            raise InvalidError(f"type mismatch in import `{module}::{name}`: {mismatch}", at)
    exports = dict(given.exports)
    for name, type_ in wanted.exports:
        if name not in exports:
            raise InvalidError(f"missing expected export `{name}`", at)
        mismatch = core_mismatch(type_, exports[name])
        if mismatch:
            raise InvalidError(f"type mismatch in export `{name}`: {mismatch}", at)
