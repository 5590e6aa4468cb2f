"""Merged interfaces: what several components use of one interface, as one instance type.

In: instance types of imports with one name. Out: an instance type that has all that is in any of
them. A name means the same in each: of two types or functions with one name, the first counts.

Source: WebAssembly/component-model, ``design/mvp/Binary.md``, "Type Definitions".
"""

from collections.abc import Callable

from edgezero_spin.wasm.binary import vector_bytes
from edgezero_spin.wasm.component.definitions import (
    AliasDefinition,
    ComponentType,
    ExportDefinition,
    ExternType,
    Sort,
    TypeDefinition,
)
from edgezero_spin.wasm.component.errors import UnsupportedError
from edgezero_spin.wasm.component.type_writer import (
    extern_name_bytes,
    extern_type_bytes,
    outer_alias_bytes,
    type_bytes,
)

__all__ = ["MergedInterface"]


class MergedInterface:
    """An instance type that has what several have; a name means the same in each."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._declarators: list[bytes] = []
        self._types = 0
        self._known: dict[bytes, int] = {}
        self._exported: dict[str, int] = {}
        self._functions: set[str] = set()

    def type_bytes(self) -> bytes:
        """Return the instance type."""
        return b"\x42" + vector_bytes(self._declarators)

    def add(self, interface: ComponentType, outer: Callable[[int], int]) -> None:
        """Add what one of them has; ``outer`` says where the types around it are."""
        own: list[int] = []
        for made in interface.declarators:
            if isinstance(made, TypeDefinition):
                content = type_bytes(made.form, own.__getitem__, made.offset)
                own.append(self._define(b"\1" + content))
            elif isinstance(made, AliasDefinition) and made.target == "outer" and made.count == 1:
                own.append(self._define(b"\2" + outer_alias_bytes(1, outer(made.index))))
            elif isinstance(made, AliasDefinition) and made.target == "outer":
                own.append(own[made.index])
            elif isinstance(made, ExportDefinition) and made.type is not None:
                self._export(made, made.type, own)
            else:
                raise UnsupportedError(
                    f"the interface {self._name} has a part that is refused", made.offset
                )

    def _define(self, declarator: bytes) -> int:
        index = self._known.get(declarator)
        if index is None:
            index = self._known[declarator] = self._declare_type(declarator)
        return index

    def _declare_type(self, declarator: bytes) -> int:
        self._declarators.append(declarator)
        self._types += 1
        return self._types - 1

    def _export(self, made: ExportDefinition, type_: ExternType, own: list[int]) -> None:
        name = extern_name_bytes(made.name, made.implements)
        declarator = b"\4" + name + extern_type_bytes(type_, own.__getitem__)
        if type_.sort is Sort.TYPE:
            if made.name not in self._exported:
                self._exported[made.name] = self._declare_type(declarator)
            own.append(self._exported[made.name])
        elif type_.sort is Sort.FUNCTION:
            if made.name not in self._functions:
                self._functions.add(made.name)
                self._declarators.append(declarator)
        else:
            raise UnsupportedError(
                f"the interface {self._name} has a {type_.sort.value} in it", made.offset
            )
