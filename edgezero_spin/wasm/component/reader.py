"""Reader of components: bytes to definitions.

In: a component in the binary format. Out: a ``Component``: every definition of it and of the
components in it, in their order, with indices as they are spelled. Core modules stay bytes.
Custom sections are passed over.

Refused by name: values and start functions of components, and core types of the
garbage-collection proposal. Whether indices are in range and types match is for ``link``.

Source: WebAssembly/component-model, ``design/mvp/Binary.md``.
"""

from collections.abc import Callable

from edgezero_spin.wasm.binary import COMPONENT, MODULE
from edgezero_spin.wasm.component.canonical_format import read_canonical
from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.definitions import (
    Component,
    CoreInstanceExports,
    CoreInstantiate,
    CoreModule,
    Definition,
    InstanceExports,
    Instantiate,
    SortIndex,
)
from edgezero_spin.wasm.component.errors import UnsupportedError
from edgezero_spin.wasm.component.type_reader import (
    MAX_DEPTH,
    check_depth,
    read_alias,
    read_core_sort,
    read_core_type,
    read_export,
    read_extern_name,
    read_import,
    read_reference,
    read_type,
)

__all__ = ["MAX_DEPTH", "read_component"]


def read_component(data: bytes) -> Component:
    """Read a component.

    Raises:
        MalformedError: It is not in the binary format.
        UnsupportedError: It has a form that is refused by name.
    """
    return _component(Cursor(data), 0)


def _component(cursor: Cursor, depth: int) -> Component:
    offset = cursor.at
    if cursor.take(8) != COMPONENT:
        cursor.fail("not a component: unknown binary version or magic", offset)
    definitions: list[Definition] = []
    while cursor.at < cursor.end:
        at = cursor.at
        number = cursor.byte()
        section = cursor.range()
        cursor.count(1, at)
        if number == 0:
            section.name()
        elif number == 1:
            if section.data[section.at : section.at + 8] != MODULE:
                section.fail("expected a version header for a module")
            definitions.append(
                CoreModule(offset=section.at, data=section.take(section.end - section.at))
            )
        elif number == 4:
            check_depth(depth, section.at)
            definitions.append(_component(section, depth + 1))
        elif number in (9, 12):
            raise UnsupportedError("values and start functions of components are refused", at)
        elif number in _SECTIONS:
            definitions += section.vector(_SECTIONS[number])
            section.finish("the section")
        else:
            cursor.fail(f"malformed section id {number}", at)
    return Component(offset=offset, definitions=tuple(definitions))


# Instances


def _core_instance(cursor: Cursor) -> Definition:
    at = cursor.at
    if cursor.choose("core instance", 0, 1) == 0:
        return CoreInstantiate(
            offset=at, module=cursor.u32(), arguments=cursor.vector(_core_argument)
        )
    return CoreInstanceExports(
        offset=at, exports=cursor.vector(lambda c: (c.name(), (read_core_sort(c), c.u32())))
    )


def _core_argument(cursor: Cursor) -> tuple[str, int]:
    name = cursor.name()
    cursor.choose("instantiation arg kind", 0x12)
    return name, cursor.u32()


def _instance(cursor: Cursor) -> Definition:
    at = cursor.at
    if cursor.choose("instance", 0, 1) == 0:
        return Instantiate(
            offset=at,
            component=cursor.u32(),
            arguments=cursor.vector(lambda c: (c.name(), read_reference(c))),
        )
    return InstanceExports(offset=at, exports=cursor.vector(_inline_export))


def _inline_export(cursor: Cursor) -> tuple[str, SortIndex, str | None]:
    name, implements = read_extern_name(cursor)
    return name, read_reference(cursor), implements


_SECTIONS: dict[int, Callable[[Cursor], Definition]] = {
    2: _core_instance,
    3: read_core_type,
    5: _instance,
    6: read_alias,
    7: read_type,
    8: read_canonical,
    10: read_import,
    11: read_export,
}
