"""Interfaces whose functions trap, in the place of what a component may not use.

In: the instance type of an import, and a component in the making. Out: that component exports
what the interface has, its resources its own and its functions ones that trap.

Source: WebAssembly/component-model, ``design/mvp/CanonicalABI.md``, "canon lift"; contract
services.md, CPS-6.
"""

from collections.abc import Callable, Iterable, Mapping

from edgezero_spin.wasm.binary import number_bytes
from edgezero_spin.wasm.component.canonical import REALLOC, core_function_type
from edgezero_spin.wasm.component.canonical_format import canonical_bytes
from edgezero_spin.wasm.component.definitions import (
    AliasDefinition,
    Bound,
    CanonicalDefinition,
    ComponentType,
    ExportDefinition,
    Sort,
    TypeDefinition,
)
from edgezero_spin.wasm.component.errors import UnsupportedError
from edgezero_spin.wasm.component.layout import core_signature
from edgezero_spin.wasm.component.sections import CANONICAL, CORE_MODULE, TYPE, ComponentSections
from edgezero_spin.wasm.component.type_writer import type_bytes
from edgezero_spin.wasm.component.types import FunctionType
from edgezero_spin.wasm.core_module import CODE, EXPORT, FUNCTION, MEMORY
from edgezero_spin.wasm.module_writer import ModuleSections, body_bytes, export_bytes

__all__ = ["export_trapping"]

_RESOURCE = b"\x3f\x7f\0"


def export_trapping(
    out: ComponentSections,
    interface: ComponentType,
    functions: Mapping[str, FunctionType],
    outer: Callable[[int], int],
) -> None:
    """Write what an interface has into a component.

    Args:
        out: The component; nothing is in it but imports.
        functions: The type of each of its functions, its resources resolved.
        outer: Where the types around the interface are in ``out``.

    Raises:
        UnsupportedError: Something in it is no type or function.
    """
    lift = _Lifting(out, functions)
    own: list[int] = []
    for made in interface.declarators:
        described = made.type if isinstance(made, ExportDefinition) else None
        if isinstance(made, TypeDefinition):
            own.append(
                out.add(TYPE, type_bytes(made.form, own.__getitem__, made.offset), Sort.TYPE)
            )
        elif isinstance(made, AliasDefinition) and made.target == "outer" and made.count == 1:
            own.append(outer(made.index))
        elif isinstance(made, ExportDefinition) and described is not None:
            if described.bound is Bound.SUB_RESOURCE:
                own.append(out.export(made.name, Sort.TYPE, out.add(TYPE, _RESOURCE, Sort.TYPE)))
            elif described.sort is Sort.TYPE and described.index is not None:
                own.append(out.export(made.name, Sort.TYPE, own[described.index]))
            elif described.sort is Sort.FUNCTION and described.index is not None:
                out.export(made.name, Sort.FUNCTION, lift(made.name, own[described.index]))
        else:
            raise UnsupportedError("a part of an interface cannot be refused", made.offset)


class _Lifting:
    """Lifts functions of a core module that traps whichever is called."""

    def __init__(self, out: ComponentSections, functions: Mapping[str, FunctionType]) -> None:
        self._out = out
        self._numbers = {name: str(number) for number, name in enumerate(functions)}
        module = out.copy(CORE_MODULE, _module(functions.values()), Sort.CORE_MODULE)
        self._instance = out.instantiate(module, {})
        self._memory = out.alias(Sort.CORE_MEMORY, self._instance, "memory")
        self._realloc = out.alias(Sort.CORE_FUNCTION, self._instance, "realloc")

    def __call__(self, name: str, type_: int) -> int:
        """Write a function of this name and type; return its index."""
        definition = CanonicalDefinition(
            offset=0,
            name="lift",
            index=self._out.alias(Sort.CORE_FUNCTION, self._instance, self._numbers[name]),
            type=type_,
            options=(("memory", self._memory), ("realloc", self._realloc)),
        )
        return self._out.add(CANONICAL, canonical_bytes(definition), Sort.FUNCTION)


def _module(types: Iterable[FunctionType]) -> bytes:
    """Return a core module whose functions trap: "0", "1" and so on, and ``realloc``."""
    forms = [core_function_type(core_signature(type_, lowered=False)) for type_ in types]
    names = [*map(str, range(len(forms))), "realloc"]
    content = ModuleSections()
    indices = [content.type_index(form) for form in [*forms, REALLOC]]
    content.sections = {
        FUNCTION: [*map(number_bytes, indices)],
        MEMORY: [b"\0\1"],
        EXPORT: [
            *(export_bytes(name, 0, number_bytes(at)) for at, name in enumerate(names)),
            export_bytes("memory", 2, b"\0"),
        ],
        # `unreachable`
        CODE: [body_bytes(b"\0")] * len(names),
    }
    return content.module()
