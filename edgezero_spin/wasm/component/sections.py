"""Sections of a component that is written.

In: definitions in binary form, in their order. Out: the component's bytes.

Source: WebAssembly/component-model, ``design/mvp/Binary.md``.
"""

from collections.abc import Iterable, Mapping

from edgezero_spin.wasm.binary import (
    COMPONENT,
    number_bytes,
    section_bytes,
    text_bytes,
    vector_bytes,
)
from edgezero_spin.wasm.component.definitions import Sort

__all__ = ["ComponentSections"]

CUSTOM, CORE_MODULE, CORE_INSTANCE, ALIAS, CANONICAL = 0, 1, 2, 6, 8
_CORE_SORTS = {Sort.CORE_FUNCTION: b"\0", Sort.CORE_TABLE: b"\1", Sort.CORE_MEMORY: b"\2"}


class ComponentSections:
    """Sections of a component in the making, neighbours of one kind in one."""

    def __init__(self) -> None:
        self._out = [COMPONENT]
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
        """Add an alias of what a core instance exports; return its index."""
        place = b"\0" + _CORE_SORTS[sort] + b"\1" + number_bytes(instance)
        return self.add(ALIAS, place + text_bytes(name), sort)

    def instantiate(self, module: int, arguments: Mapping[str, int]) -> None:
        """Add a core instance of a module."""
        given = vector_bytes(
            text_bytes(name) + b"\x12" + number_bytes(instance)
            for name, instance in arguments.items()
        )
        self.add(CORE_INSTANCE, b"\0" + number_bytes(module) + given)

    def gather(self, items: Iterable[tuple[str, Sort, int]]) -> None:
        """Add a core instance of definitions that are there."""
        exports = vector_bytes(
            text_bytes(name) + _CORE_SORTS[sort] + number_bytes(index)
            for name, sort, index in items
        )
        self.add(CORE_INSTANCE, b"\1" + exports)

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
