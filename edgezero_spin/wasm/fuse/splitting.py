"""Fused module as two: code, and what changes with each edit of an app.

A Python component is mostly the same for all apps of a world: what differs is the snapshot of
the memory and the values of a few globals. Split, the large module is the same to the byte for
all of them and compiled once; the small one has no code to compile.

- The data module defines the memories with their segments, so that the engine maps them
  copy-on-write, imports the host's functions, and puts them into a table. One more function in
  the table returns the initial values of the globals.
- The code module imports memories and table; it calls the host through the table. Its start
  function takes over the values of the globals.

Splitting costs an instance a second instantiation with a few imports (20 us instead of 13 us
were measured), and code a load for the address of the memory, which it has in an unfused
component as well: a loop in Python takes 4 % longer. In return the first start after an edit
compiles 0.02 s instead of 8 s.
"""

from collections.abc import Mapping, Sequence

import attrs

from edgezero_spin.wasm.binary import number_bytes, text_bytes, vector_bytes
from edgezero_spin.wasm.component.definitions import CoreFunctionType, CoreLimits
from edgezero_spin.wasm.core_module import (
    CODE,
    DATA,
    ELEMENT,
    EXPORT,
    FUNCTION,
    GLOBAL,
    IMPORT,
    MEMORY,
    START,
    TABLE,
)
from edgezero_spin.wasm.fuse.emitting import ModuleLayout, content_of, lay_out
from edgezero_spin.wasm.fuse.encoding import (
    data_bytes,
    entry_call,
    function_table_bytes,
    function_type,
    import_bytes,
    limits_bytes,
    parameters,
    type_of,
)
from edgezero_spin.wasm.fuse.entities import Entity, EntityKind
from edgezero_spin.wasm.fuse.program import Program
from edgezero_spin.wasm.module_writer import ModuleSections, body_bytes, export_bytes

__all__ = [
    "SNAPSHOT_BYTES",
    "Code",
    "can_split",
    "code_imports",
    "data_module",
    "memory_export",
    "split",
]

# A megabyte of data is a snapshot; a component without one is compiled in a moment.
SNAPSHOT_BYTES = 1 << 20
TABLE_EXPORT = "functions"

_ZEROS = {
    b"\x7f": b"\x41\0",
    b"\x7e": b"\x42\0",
    b"\x7d": b"\x43" + bytes(4),
    b"\x7c": b"\x44" + bytes(8),
}
_END = b"\x0b"


@attrs.frozen
class Code:
    """The code module of a split program.

    Attributes:
        imports: The entities that the data module imports, in order.
        variables: The globals whose initial values the data module returns.
    """

    module: bytes
    imports: tuple[Entity, ...]
    variables: tuple[Entity, ...]


def code_imports(program: Program) -> list[str]:
    """Return the exports of the data module that the code module imports, in order."""
    return [*map(memory_export, range(len(program.memories))), TABLE_EXPORT]


def memory_export(index: int) -> str:
    """Return the name by which the data module exports a memory."""
    return f"memory.{index}"


def can_split(program: Program, min_bytes: int) -> bool:
    """Return whether a program can be split and has so many bytes of data."""
    active = [each for each in program.data.values() if each.memory is not None]
    return (
        sum(each.end - each.start for each in active) >= min_bytes
        and all(each.address is not None for each in active)
        and not any(each.content.start is not None for each in program.members.values())
        and all(each.kind == EntityKind.FUNCTION for each in program.imports.values())
    )


def split(program: Program, exports: Mapping[str, Entity]) -> Code:
    """Return the code module of a program, and what its data module takes.

    Args:
        program: The program, with everything reached; one that ``can_split``.
        exports: What it exports, without memories.
    """
    # The table of functions is the first one of the code module.
    layout = lay_out(program, first_table=1)
    variables = [
        each
        for each in layout.defined[EntityKind.GLOBAL]
        if each.value and type_of(each).value in _ZEROS
    ]
    return Code(
        _code_module(program, layout, variables, exports), tuple(layout.imports), tuple(variables)
    )


def _initial_values(variables: Sequence[Entity]) -> CoreFunctionType:
    return CoreFunctionType((), tuple(type_of(each).value for each in variables))


def data_module(
    program: Program,
    hosts: Sequence[Entity],
    variables: Sequence[Entity],
    names: Mapping[Entity, tuple[str, str]],
) -> bytes:
    """Return the data module of a program, reached or not.

    Args:
        program: The program; one that ``can_split``.
        hosts: The functions that it imports, in order.
        variables: The globals whose initial values it returns.
        names: The names of each import.
    """
    memories = program.memories
    for at, memory in enumerate(memories):
        memory.reference.code = number_bytes(at)
    content = ModuleSections()
    content.sections[IMPORT] = [import_bytes(content, each, names[each]) for each in hosts]
    content.sections[FUNCTION] = [number_bytes(content.type_index(_initial_values(variables)))]
    count = len(hosts) + 1
    values = b"".join(each.value or b"" for each in variables)
    indices = vector_bytes(number_bytes(at) for at in range(count))
    content.sections |= {
        TABLE: [function_table_bytes(count)],
        MEMORY: [limits_bytes(type_of(each).limits) for each in memories],
        EXPORT: [
            *(export_bytes(memory_export(at), 2, number_bytes(at)) for at in range(len(memories))),
            export_bytes(TABLE_EXPORT, 1, b"\0"),
        ],
        ELEMENT: [b"\0\x41\0" + _END + indices],
        CODE: [body_bytes(values)],
        DATA: [
            data_bytes(program, entity, is_passive=False)
            for entity, segment in program.data.items()
            if segment.memory is not None
        ],
    }
    return content.module()


def _code_module(
    program: Program,
    layout: ModuleLayout,
    variables: Sequence[Entity],
    exports: Mapping[str, Entity],
) -> bytes:
    hosts = layout.imports
    content = content_of(program, layout, exports, None)[0]
    sections = content.sections
    places = {each: at for at, each in enumerate(layout.defined[EntityKind.GLOBAL])}
    for entity in variables:
        type_, at = type_of(entity), places[entity]
        sections[GLOBAL][at] = type_.value + b"\1" + _ZEROS[type_.value] + _END
    # An imported memory of any size matches, so that the size of a snapshot changes nothing.
    memories = [
        _named(memory_export(at), b"\2" + limits_bytes(_any_size(type_of(each).limits)))
        for at, each in enumerate(layout.defined[EntityKind.MEMORY])
    ]
    count = len(hosts) + 1
    sections[IMPORT] = [*memories, _named(TABLE_EXPORT, b"\1" + function_table_bytes(count))]
    sections[MEMORY] = []
    initial = content.type_index(_initial_values(variables))
    start = entry_call(b"", len(hosts), initial) + b"".join(
        b"\x24" + each.reference.code for each in reversed(variables)
    )
    types = [content.type_index(function_type(each)) for each in hosts]
    calls = [
        body_bytes(entry_call(parameters(function_type(each)), at, type_))
        for at, (each, type_) in enumerate(zip(hosts, types, strict=True))
    ]
    sections[START] = [number_bytes(len(hosts) + len(sections[FUNCTION]))]
    start_type = content.type_index(CoreFunctionType((), ()))
    sections[FUNCTION] = [
        *map(number_bytes, types),
        *sections[FUNCTION],
        number_bytes(start_type),
    ]
    sections[CODE] = [*calls, *sections[CODE], body_bytes(start)]
    segments = layout.defined[EntityKind.DATA]
    sections[DATA] = []
    if program.names_segments():
        # Indices stay: an active segment is dropped, that is empty, once it is applied.
        sections[DATA] = [
            b"\1\0" if program.data[each].memory else data_bytes(program, each, is_passive=True)
            for each in segments
        ]
    return content.module()


def _named(name: str, type_: bytes) -> bytes:
    return text_bytes("data") + text_bytes(name) + type_


def _any_size(limits: CoreLimits | None) -> CoreLimits | None:
    return None if limits is None else attrs.evolve(limits, minimum=0, maximum=None)
