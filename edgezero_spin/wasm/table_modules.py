"""The core modules that a component has once its large module defines the function table.

In: a ``SharedTable``. Out: the bytes of each module that changes or comes new.

Source: WebAssembly core specification, 5.5 (modules) and 4.5.4 (instantiation).
"""

from collections.abc import Sequence

import attrs

from edgezero_spin.wasm.binary import number_at, number_bytes, signed_bytes, vector_bytes
from edgezero_spin.wasm.module import (
    Export,
    Import,
    Kind,
    Module,
    Section,
    UnknownFormError,
    constant_global,
    export_section,
    import_section,
    module_bytes,
    parameter_counts,
    rewritten,
)
from edgezero_spin.wasm.shared_table import END, TABLE, SharedTable
from edgezero_spin.wasm.wiring import Exports

__all__ = [
    "BASE",
    "HOLDER",
    "Door",
    "behind",
    "doors",
    "entries_module",
    "filler_module",
    "holder_module",
    "memory_module",
    "stub_module",
]

BASE = "base"
"""Name under which a door imports from the base."""

HOLDER = "holder"
"""Name under which the stubs import from the holder."""

_DOOR_TABLE = "$door"
_LOCAL_GET, _CALL_INDIRECT, _I32_CONST = 0x20, 0x11, 0x41


@attrs.frozen
class Door:
    """What stands between the holder and one of the modules that it imports from.

    Attributes:
        name: The import module name.
        served: The instance that served it before.
        functions: What the holder imports of it and has to wait for.
        module: The door: hands through what the base has, and jumps for the functions.
    """

    name: str
    served: int
    functions: tuple[Import, ...]
    module: bytes


def behind(name: str) -> str:
    """Return the name under which the filler imports a door's own table."""
    return f"{name} door"


def memory_module(shape: SharedTable) -> bytes:
    """Return the base without its table and its stubs."""
    kept = (Kind.MEMORY, Kind.GLOBAL)
    exports = [each for each in shape.base_module.exports if each.kind in kept]
    gone = (Section.TYPE, Section.IMPORT, Section.FUNCTION, Section.TABLE, Section.CODE)
    return rewritten(
        shape.base_module,
        {**dict.fromkeys(gone), Section.EXPORT: export_section(exports)},
    )


def stub_module(shape: SharedTable) -> bytes:
    """Return the base's stubs, which jump through the holder's table."""
    base = shape.base_module
    tables = base.content(Section.TABLE) or b""
    count, at = number_at(tables, 0)
    if count != 1:
        raise UnknownFormError("the module of the memory has more than one table")
    imports = [*base.imports, Import(HOLDER, TABLE, Kind.TABLE, tables[at:])]
    exports = [each for each in base.exports if each.kind == Kind.FUNCTION]
    gone = (Section.TABLE, Section.MEMORY, Section.GLOBAL, Section.DATA, Section.DATA_COUNT)
    return rewritten(
        base,
        {
            **dict.fromkeys(gone),
            Section.IMPORT: import_section(imports),
            Section.EXPORT: export_section(exports),
        },
    )


def holder_module(shape: SharedTable) -> bytes:
    """Return the holder with the table defined, exported, and filled from a constant on."""
    module = shape.holder_module
    if any(each.name == TABLE for each in module.exports):
        raise UnknownFormError("the large module has a table of its own")
    elements = module.content(Section.ELEMENT) or b""
    # That it is one segment at a global's value was found before.
    index, at = number_at(elements, number_at(elements, 0)[1] + 2)
    start = _given_constant(shape, module.imported(Kind.GLOBAL)[index])
    imports = [each for each in module.imports if each.kind != Kind.TABLE]
    return rewritten(
        module,
        {
            Section.IMPORT: import_section(imports),
            Section.TABLE: shape.base_module.content(Section.TABLE),
            Section.EXPORT: export_section([*module.exports, Export(TABLE, Kind.TABLE, 0)]),
            Section.ELEMENT: b"\1\0" + bytes([_I32_CONST]) + signed_bytes(start) + elements[at:],
        },
    )


def _given_constant(shape: SharedTable, wanted: Import) -> int:
    """Return the value of a global that the base hands to the holder."""
    served = dict(shape.instantiation(shape.holder).arguments)[wanted.module]
    name = shape.base_export(*_items(shape, served)[wanted.name])
    index = next(each.index for each in shape.base_module.exports if each.name == name)
    return constant_global(shape.base_module, index)


def _items(shape: SharedTable, instance: int) -> dict[str, tuple[int, int]]:
    form = shape.instances[instance]
    if not isinstance(form, Exports):
        raise UnknownFormError("the large module imports from a whole instance")
    return {name: (kind, index) for name, kind, index in form.items}


def doors(shape: SharedTable) -> list[Door]:
    """Return what the holder imports from, so that it can start before its libraries."""
    return [
        _door(shape, name, served) for name, served in shape.instantiation(shape.holder).arguments
    ]


def _door(shape: SharedTable, name: str, served: int) -> Door:
    items = _items(shape, served)
    handed: list[Import] = []
    functions: list[Import] = []
    exports: list[Export] = []
    counts = {Kind.MEMORY: 0, Kind.GLOBAL: 0}
    for each in shape.holder_module.imports:
        if each.module != name or each.kind == Kind.TABLE:
            continue
        if each.kind == Kind.FUNCTION:
            exports.append(Export(each.name, Kind.FUNCTION, len(functions)))
            functions.append(each)
        else:
            source = shape.base_export(*items[each.name])
            handed.append(attrs.evolve(each, module=BASE, name=source))
            exports.append(Export(each.name, each.kind, counts[each.kind]))
            counts[each.kind] += 1
    types = shape.holder_module.content(Section.TYPE) or b"\0"
    module = _door_module(types, handed, functions, exports)
    return Door(name, served, tuple(functions), module)


def _door_module(
    types: bytes, handed: list[Import], functions: list[Import], exports: list[Export]
) -> bytes:
    parameters = parameter_counts(types)
    code = []
    for slot, each in enumerate(functions):
        count = parameters[number_at(each.type, 0)[0]]
        body = b"\0" + b"".join(bytes([_LOCAL_GET]) + number_bytes(i) for i in range(count))
        body += bytes([_I32_CONST]) + signed_bytes(slot)
        body += bytes([_CALL_INDIRECT]) + each.type + bytes([0, END])
        code.append(number_bytes(len(body)) + body)
    return module_bytes(
        [
            (Section.TYPE, types),
            (Section.IMPORT, import_section(handed)),
            (Section.FUNCTION, vector_bytes(each.type for each in functions)),
            (Section.TABLE, b"\1" + _table_of(len(functions))),
            (Section.EXPORT, export_section([*exports, Export(_DOOR_TABLE, Kind.TABLE, 0)])),
            (Section.CODE, vector_bytes(code)),
        ]
    )


def _table_of(size: int) -> bytes:
    """Return the type of a table of functions that has exactly this size."""
    return b"\x70\1" + number_bytes(size) * 2


def filler_module(shape: SharedTable, waiting: Sequence[Door]) -> bytes:
    """Return the module that makes the doors lead to the libraries."""
    imports: list[Import] = []
    segments: list[bytes] = []
    first = 0
    for place, door in enumerate(waiting):
        size = len(door.functions)
        imports += door.functions
        imports.append(Import(behind(door.name), _DOOR_TABLE, Kind.TABLE, _table_of(size)))
        indices = vector_bytes(number_bytes(first + i) for i in range(size))
        offset = bytes([_I32_CONST, 0, END])
        segments.append(b"\2" + number_bytes(place) + offset + b"\0" + indices)
        first += size
    return module_bytes(
        [
            (Section.TYPE, shape.holder_module.content(Section.TYPE) or b"\0"),
            (Section.IMPORT, import_section(imports)),
            (Section.ELEMENT, vector_bytes(segments)),
        ]
    )


def entries_module(module: Module, base_names: Sequence[str]) -> bytes:
    """Return a module that takes the base whole, left with the table entries that it fills.

    The linker's last module ran code once, to relocate addresses. In a snapshot of a component
    that has run, nothing calls it any more, and what it imports for it is not needed.

    Raises:
        UnknownFormError: It has another purpose as well.
    """
    if module.exports or module.content(Section.START) is not None:
        raise UnknownFormError("a module needs the base itself")
    kept = [each for each in module.imports if each.kind in (Kind.FUNCTION, Kind.TABLE)]
    if any(each.kind == Kind.FUNCTION and each.module in base_names for each in kept):
        raise UnknownFormError("a module needs stubs of the base itself")
    gone = (Section.FUNCTION, Section.CODE)
    return rewritten(module, {**dict.fromkeys(gone), Section.IMPORT: import_section(kept)})
