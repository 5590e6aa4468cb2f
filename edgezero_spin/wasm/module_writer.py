"""Writer of core modules.

In: items of sections in binary form. Out: the module's bytes.

Source: WebAssembly core specification, 5.5 (modules).
"""

import attrs

from edgezero_spin.wasm.binary import (
    MODULE,
    number_bytes,
    section_bytes,
    text_bytes,
    vector_bytes,
)
from edgezero_spin.wasm.component.definitions import CoreFunctionType
from edgezero_spin.wasm.core_module import (
    CUSTOM,
    DATA,
    DATA_COUNT,
    EXPORT,
    IMPORT,
    SECTION_ORDER,
    START,
    TYPE,
)

__all__ = [
    "ModuleSections",
    "body_bytes",
    "export_bytes",
    "function_import_bytes",
    "reexport_module",
]


@attrs.define(eq=False)
class ModuleSections:
    """The sections of a module, item by item, before they are written.

    Attributes:
        types: Function types; an index is given to a new one.
        sections: Items by section number.
        names: Index and name of functions.
        names_segments: Code may name data segments.
    """

    types: dict[CoreFunctionType, int] = attrs.Factory(dict)
    sections: dict[int, list[bytes]] = attrs.Factory(dict)
    names: list[bytes] = attrs.Factory(list)
    names_segments: bool = False

    def type_index(self, type_: CoreFunctionType) -> int:
        """Return the index of a function type."""
        return self.types.setdefault(type_, len(self.types))

    def module(self) -> bytes:
        """Return the module in binary form."""
        parts = [section_bytes(TYPE, vector_bytes(map(_function_type_bytes, self.types)))]
        data = self.sections.get(DATA)
        for number in SECTION_ORDER:
            items = self.sections.get(number)
            if number == DATA_COUNT and data and self.names_segments:
                parts.append(section_bytes(DATA_COUNT, number_bytes(len(data))))
            elif number == START and items:
                parts.append(section_bytes(START, items[0]))
            elif items:
                parts.append(section_bytes(number, vector_bytes(items)))
        if self.names:
            content = text_bytes("name") + section_bytes(1, vector_bytes(self.names))
            parts.append(section_bytes(CUSTOM, content))
        return MODULE + b"".join(parts)


def _function_type_bytes(type_: CoreFunctionType) -> bytes:
    return b"\x60" + vector_bytes(type_.parameters) + vector_bytes(type_.results)


def body_bytes(code: bytes) -> bytes:
    """Return a function body without locals, given its code without the end."""
    return number_bytes(len(code) + 2) + b"\0" + code + b"\x0b"


def export_bytes(name: str, kind: int, index: bytes) -> bytes:
    """Return an export in binary form."""
    return text_bytes(name) + bytes([kind]) + index


def function_import_bytes(module: str, name: str, type_: int) -> bytes:
    """Return the import of a function whose type has this index."""
    return text_bytes(module) + text_bytes(name) + b"\0" + number_bytes(type_)


def reexport_module(type_: CoreFunctionType) -> bytes:
    """Return a module that imports a function by empty names and exports it by one."""
    content = ModuleSections()
    content.sections = {
        IMPORT: [function_import_bytes("", "", content.type_index(type_))],
        EXPORT: [export_bytes("", 0, b"\0")],
    }
    return content.module()
