"""Interfaces whose functions trap, in the place of what a component may not use.

In: the instance type of an import, and a component in the making. Out: that component exports
what the interface has, its resources its own and its functions ones that trap.

Source: WebAssembly/component-model, ``design/mvp/CanonicalABI.md``, "canon lift"; contract
services.md, CPS-6.
"""

from collections.abc import Callable, Iterable, Mapping

from edgezero_spin.wasm.binary import MODULE, number_bytes, section_bytes, text_bytes, vector_bytes
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
from edgezero_spin.wasm.component.layout import core_signature, encoded_types
from edgezero_spin.wasm.component.sections import ComponentSections
from edgezero_spin.wasm.component.type_writer import extern_name_bytes, sort_bytes, type_bytes
from edgezero_spin.wasm.component.types import FunctionType

__all__ = ["export_trapping"]

CORE_MODULE, CORE_INSTANCE, TYPE, CANONICAL, EXPORT = 1, 2, 7, 8, 11
_RESOURCE = b"\x3f\x7f\0"
_REALLOC = b"\x60\4\x7f\x7f\x7f\x7f\1\x7f"


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

    def export(name: str, sort: Sort, index: int) -> int:
        place = sort_bytes(sort) + number_bytes(index)
        return out.add(EXPORT, extern_name_bytes(name) + place + b"\0", sort)

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
                own.append(export(made.name, Sort.TYPE, out.add(TYPE, _RESOURCE, Sort.TYPE)))
            elif described.sort is Sort.TYPE and described.index is not None:
                own.append(export(made.name, Sort.TYPE, own[described.index]))
            elif described.sort is Sort.FUNCTION and described.index is not None:
                export(made.name, Sort.FUNCTION, lift(made.name, own[described.index]))
        else:
            raise UnsupportedError("a part of an interface cannot be refused", made.offset)


class _Lifting:
    """Lifts functions of a core module that traps whichever is called."""

    def __init__(self, out: ComponentSections, functions: Mapping[str, FunctionType]) -> None:
        self._out = out
        self._numbers = {name: str(number) for number, name in enumerate(functions)}
        code = _module(functions.values())
        module = out.copy(CORE_MODULE, code, Sort.CORE_MODULE)
        made = b"\0" + number_bytes(module) + vector_bytes([])
        self._instance = out.add(CORE_INSTANCE, made, Sort.CORE_INSTANCE)
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
    signatures = [core_signature(type_, lowered=False) for type_ in types]
    forms = [
        b"\x60"
        + vector_bytes(encoded_types(signature.parameters))
        + vector_bytes(encoded_types(signature.results))
        for signature in signatures
    ]
    count = len(forms)
    exports = [text_bytes(str(number)) + b"\0" + number_bytes(number) for number in range(count)]
    exports.append(text_bytes("realloc") + b"\0" + number_bytes(count))
    exports.append(text_bytes("memory") + b"\2\0")
    # No locals, `unreachable`, `end`.
    body = b"\3\0\0\x0b"
    return MODULE + b"".join(
        (
            section_bytes(1, vector_bytes([*forms, _REALLOC])),
            section_bytes(3, vector_bytes(number_bytes(number) for number in range(count + 1))),
            section_bytes(5, vector_bytes([b"\0\1"])),
            section_bytes(7, vector_bytes(exports)),
            section_bytes(10, vector_bytes([body] * (count + 1))),
        )
    )
