"""Sections of a component that is written.

In: definitions in binary form, in their order. Out: the component's bytes.

Source: WebAssembly/component-model, ``design/mvp/Binary.md``.
"""

from collections.abc import Iterable, Mapping

from edgezero_spin.wasm.binary import COMPONENT as PREAMBLE
from edgezero_spin.wasm.binary import (
    number_bytes,
    section_bytes,
    text_bytes,
    vector_bytes,
)
from edgezero_spin.wasm.component.definitions import Sort
from edgezero_spin.wasm.component.type_writer import extern_name_bytes, sort_bytes

__all__ = ["ComponentSections"]

CUSTOM, CORE_MODULE, CORE_INSTANCE, CORE_TYPE, COMPONENT, INSTANCE, ALIAS, TYPE = range(8)
CANONICAL, START, IMPORT, EXPORT = range(8, 12)


class ComponentSections:
    """Sections of a component in the making, neighbours of one kind in one."""

    def __init__(self) -> None:
        self._out = [PREAMBLE]
        self._pending: list[bytes] = []
        self._kind = -1
        self._counts = dict.fromkeys(Sort, 0)

    def add(self, section: int, item: bytes, sort: Sort | None = None) -> int:
        """Add an item to a vector; return its index among those of its sort."""
        if section != self._kind:
            self._finish()
            self._kind = section
        self._pending.append(item)
        return self._count(sort)

    def copy(self, section: int, content: bytes, sort: Sort | None = None) -> int:
        """Add a whole section; return the index of what is in it among those of its sort."""
        self._finish()
        self._out.append(section_bytes(section, content))
        return self._count(sort)

    def alias(self, sort: Sort, instance: int, name: str) -> int:
        """Add an alias of what an instance, or a core instance, exports; return its index."""
        target = b"\1" if sort.is_core else b"\0"
        place = sort_bytes(sort) + target + number_bytes(instance)
        return self.add(ALIAS, place + text_bytes(name), sort)

    def export(self, name: str, sort: Sort, index: int, implements: str | None = None) -> int:
        """Add an export; return the index that it has itself."""
        item = sort_bytes(sort) + number_bytes(index) + b"\0"
        return self.add(EXPORT, extern_name_bytes(name, implements) + item, sort)

    def instantiate(self, module: int, arguments: Mapping[str, int]) -> int:
        """Add a core instance of a module; return its index."""
        given = vector_bytes(
            text_bytes(name) + b"\x12" + number_bytes(instance)
            for name, instance in arguments.items()
        )
        made = b"\0" + number_bytes(module) + given
        return self.add(CORE_INSTANCE, made, Sort.CORE_INSTANCE)

    def gather(self, items: Iterable[tuple[str, Sort, int]]) -> None:
        """Add a core instance of definitions that are there."""
        exports = vector_bytes(
            text_bytes(name) + sort_bytes(sort)[1:] + number_bytes(index)
            for name, sort, index in items
        )
        self.add(CORE_INSTANCE, b"\1" + exports, Sort.CORE_INSTANCE)

    def component(self) -> bytes:
        """Return the component."""
        self._finish()
        return b"".join(self._out)

    def _count(self, sort: Sort | None) -> int:
        if sort is None:
            return -1
        self._counts[sort] += 1
        return self._counts[sort] - 1

    def _finish(self) -> None:
        if self._pending:
            self._out.append(section_bytes(self._kind, vector_bytes(self._pending)))
        self._pending, self._kind = [], -1
