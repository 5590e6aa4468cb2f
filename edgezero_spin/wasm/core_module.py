"""Core modules: their sections, and the types of everything that has an index.

In: a module's bytes. Out: a ``CoreModuleContent``: types, imports, exports and the types of
its functions, tables, memories, globals and tags, imported ones first. Code, elements and
data stay ranges of bytes. wasmtime validates modules when it compiles them; here only what is
read is checked.

Source: WebAssembly core specification, 5.5 (modules).
"""

import attrs

from edgezero_spin.wasm.binary import MODULE
from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.definitions import (
    CoreExternType,
    CoreFunctionType,
    CoreModuleType,
)
from edgezero_spin.wasm.component.errors import InvalidError
from edgezero_spin.wasm.core_types import (
    KINDS,
    read_core_extern_type,
    read_function_type,
    read_global_type,
    read_limits,
    read_table_type,
)

__all__ = [
    "SECTION_ORDER",
    "CoreDefinition",
    "CoreModuleContent",
    "read_constant",
    "read_core_module",
]

CUSTOM, TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START = range(9)
ELEMENT, CODE, DATA, DATA_COUNT, TAG = range(9, 14)
SECTION_ORDER: tuple[int, ...] = (TYPE, IMPORT, FUNCTION, TABLE, MEMORY, TAG, GLOBAL, EXPORT)
SECTION_ORDER += (START, ELEMENT, DATA_COUNT, CODE, DATA)


@attrs.frozen
class CoreDefinition:
    """A table or global that the module defines.

    Attributes:
        start, end: Where its constant expression is; no start for a table that is filled with
            null.
    """

    type: CoreExternType
    start: int | None
    end: int


@attrs.define
class CoreModuleContent:
    """A core module.

    Attributes:
        types: Its function types.
        imports: Module, name and type of each import; for a function or tag, with the index
            of its type in ``import_types``.
        import_types: Per import, the index of the type of a function or tag, else -1.
        functions: Per function defined, the index of its type.
        tags: Per tag defined, the index of its type.
        tables, memories, globals: Those that it defines.
        exports: Name, kind (a position in ``KINDS``) and index of each.
        start: Index of the start function.
        sections: Start and end of the content of elements, code and data.
        customs: Name, start and end of the content of each custom section.
        spaces: Per kind, the types of everything with an index of that kind.
    """

    data: bytes
    types: list[CoreFunctionType] = attrs.Factory(list)
    imports: list[tuple[str, str, CoreExternType]] = attrs.Factory(list)
    import_types: list[int] = attrs.Factory(list)
    functions: list[int] = attrs.Factory(list)
    tags: list[int] = attrs.Factory(list)
    tables: list[CoreDefinition] = attrs.Factory(list)
    memories: list[CoreExternType] = attrs.Factory(list)
    globals: list[CoreDefinition] = attrs.Factory(list)
    exports: list[tuple[str, int, int]] = attrs.Factory(list)
    start: int | None = None
    sections: dict[int, tuple[int, int]] = attrs.Factory(dict)
    customs: list[tuple[str, int, int]] = attrs.Factory(list)
    spaces: tuple[list[CoreExternType], ...] = attrs.Factory(lambda: ([], [], [], [], []))

    def module_type(self) -> CoreModuleType:
        """Return what the module imports and exports."""
        return CoreModuleType(
            tuple(self.imports),
            tuple((name, self.spaces[kind][index]) for name, kind, index in self.exports),
        )


def read_core_module(data: bytes) -> CoreModuleContent:
    """Read a core module.

    Raises:
        MalformedError, InvalidError: It is damaged.
        UnsupportedError: It has a form that is refused by name.
    """
    cursor = Cursor(data)
    if cursor.take(8) != MODULE:
        cursor.fail("expected a version header for a module", 0)
    module = CoreModuleContent(data)
    last = -1
    while cursor.at < cursor.end:
        at = cursor.at
        number = cursor.byte()
        section = cursor.range()
        if number == CUSTOM:
            name = section.name()
            module.customs.append((name, section.at, section.end))
            continue
        if number not in SECTION_ORDER:
            cursor.fail(f"malformed section id {number}", at)
        place = SECTION_ORDER.index(number)
        if place <= last:
            cursor.fail("section out of order", at)
        last = place
        module.sections[number] = section.at, section.end
        if number in _READERS:
            _READERS[number](module, section)
            section.finish("the section")
    names = {name for name, _, _ in module.exports}
    if len(names) < len(module.exports):
        raise InvalidError("an export name of a module is already defined", 0)
    for _, kind, index in module.exports:
        if index >= len(module.spaces[kind]):
            raise InvalidError(f"unknown {KINDS[kind]} {index}: index out of bounds", 0)
    return module


def read_constant(cursor: Cursor) -> list[tuple[int, int, int]]:
    """Read a constant expression and its end; return opcode, start and end of each instruction."""
    found: list[tuple[int, int, int]] = []
    while True:
        at = cursor.at
        opcode = cursor.byte()
        if opcode == 0x0B:
            return found
        if opcode in (0x41, 0x42):
            while cursor.byte() >= 0x80:
                pass
        elif opcode == 0x43:
            cursor.take(4)
        elif opcode == 0x44:
            cursor.take(8)
        elif opcode in (0x23, 0xD2):
            cursor.u32()
        elif opcode == 0xD0:
            cursor.byte()
        elif opcode == 0xFD and cursor.u32() == 0x0C:
            cursor.take(16)
        elif opcode not in (0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E):
            cursor.fail(f"unknown instruction {opcode:#x} in a constant expression", at)
        found.append((opcode, at, cursor.at))


def _types(module: CoreModuleContent, cursor: Cursor) -> None:
    module.types += cursor.vector(read_function_type)


def _imports(module: CoreModuleContent, cursor: Cursor) -> None:
    for _ in range(cursor.u32()):
        names = cursor.name(), cursor.name()
        start = cursor.at
        kind = cursor.peek()
        type_ = read_core_extern_type(cursor, module.types)
        index = -1
        if kind in (0, 4):
            index = Cursor(cursor.data, start + (1 if kind == 0 else 2), cursor.at).u32()
        module.imports.append((*names, type_))
        module.import_types.append(index)
        module.spaces[kind].append(type_)


def _function_type(module: CoreModuleContent, cursor: Cursor) -> int:
    at = cursor.at
    index = cursor.u32()
    if index >= len(module.types):
        raise InvalidError(f"unknown type {index}: type index out of bounds", at)
    return index


def _functions(module: CoreModuleContent, cursor: Cursor) -> None:
    module.functions += cursor.vector(lambda c: _function_type(module, c))
    types = [CoreExternType("func", function=each) for each in module.types]
    module.spaces[0].extend(types[index] for index in module.functions)


def _tables(module: CoreModuleContent, cursor: Cursor) -> None:
    for _ in range(cursor.u32()):
        start: int | None = None
        if cursor.peek() == 0x40:
            cursor.byte()
            cursor.choose("table", 0)
            type_ = read_table_type(cursor)
            start = cursor.at
            read_constant(cursor)
        else:
            type_ = read_table_type(cursor)
        module.tables.append(CoreDefinition(type_, start, cursor.at))
        module.spaces[1].append(type_)


def _memories(module: CoreModuleContent, cursor: Cursor) -> None:
    module.memories += cursor.vector(
        lambda c: CoreExternType("memory", limits=read_limits(c, is_table=False))
    )
    module.spaces[2].extend(module.memories)


def _globals(module: CoreModuleContent, cursor: Cursor) -> None:
    for _ in range(cursor.u32()):
        type_ = read_global_type(cursor)
        start = cursor.at
        read_constant(cursor)
        module.globals.append(CoreDefinition(type_, start, cursor.at))
        module.spaces[3].append(type_)


def _tags(module: CoreModuleContent, cursor: Cursor) -> None:
    for _ in range(cursor.u32()):
        cursor.choose("tag attribute", 0)
        module.tags.append(_function_type(module, cursor))
        module.spaces[4].append(CoreExternType("tag", function=module.types[module.tags[-1]]))


def _exports(module: CoreModuleContent, cursor: Cursor) -> None:
    module.exports += cursor.vector(
        lambda c: (c.name(), c.choose("core external kind", 0, 1, 2, 3, 4), c.u32())
    )


def _start(module: CoreModuleContent, cursor: Cursor) -> None:
    module.start = cursor.u32()


_READERS = {
    TYPE: _types,
    IMPORT: _imports,
    FUNCTION: _functions,
    TABLE: _tables,
    MEMORY: _memories,
    GLOBAL: _globals,
    EXPORT: _exports,
    START: _start,
    TAG: _tags,
}
