"""Shim and fix-up: modules that let an instance import functions which do not exist yet.

The shim's functions call the entries of a table; the fix-up module fills them once the
functions are there. wit-component uses the same pair.
"""

from collections.abc import Sequence

from edgezero_spin.wasm.binary import number_bytes, text_bytes, vector_bytes
from edgezero_spin.wasm.component.definitions import CoreFunctionType
from edgezero_spin.wasm.core_module import CODE, ELEMENT, EXPORT, FUNCTION, IMPORT, TABLE
from edgezero_spin.wasm.fuse.encoding import (
    entry_call,
    function_table_bytes,
    parameters,
)
from edgezero_spin.wasm.module_writer import (
    ModuleSections,
    body_bytes,
    export_bytes,
    function_import_bytes,
)

__all__ = ["TABLE_NAME", "fix_up_module", "shim_module"]

TABLE_NAME = "$imports"
"""The name of the table, as the shim exports and the fix-up module imports it."""


def shim_module(types: Sequence[CoreFunctionType]) -> bytes:
    """Return the module whose functions call table entries, each exported by its number."""
    content = ModuleSections()
    indices = [content.type_index(each) for each in types]
    exports = [export_bytes(str(entry), 0, number_bytes(entry)) for entry in range(len(types))]
    content.sections = {
        FUNCTION: [number_bytes(index) for index in indices],
        TABLE: [function_table_bytes(len(types))],
        EXPORT: [*exports, export_bytes(TABLE_NAME, 1, b"\0")],
        CODE: [
            body_bytes(entry_call(parameters(type_), entry, index))
            for entry, (type_, index) in enumerate(zip(types, indices, strict=True))
        ],
    }
    return content.module()


def fix_up_module(types: Sequence[CoreFunctionType]) -> bytes:
    """Return the module that fills the table with functions imported by their numbers."""
    content = ModuleSections()
    imports = [b"\0" + text_bytes(TABLE_NAME) + b"\1" + function_table_bytes(len(types))]
    imports += [
        function_import_bytes("", str(entry), content.type_index(type_))
        for entry, type_ in enumerate(types)
    ]
    functions = vector_bytes(map(number_bytes, range(len(types))))
    content.sections = {IMPORT: imports, ELEMENT: [b"\0\x41\0\x0b" + functions]}
    return content.module()
