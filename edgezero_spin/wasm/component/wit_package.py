"""WIT packages in the binary format: the worlds that one defines.

In: bytes, as registries keep packages and ``wasm-tools component wit --wasm`` writes them. Out:
the type of each world, by its full name. Packages as text are not read.

Source: wit-component, ``encoding/wit`` (format 2); WebAssembly/component-model,
``design/mvp/WIT.md``, "Package format".
"""

from collections.abc import Mapping

from edgezero_spin.wasm.component.definitions import (
    ComponentType,
    ExportDefinition,
    Sort,
    TypeDefinition,
)
from edgezero_spin.wasm.component.errors import MalformedError
from edgezero_spin.wasm.component.reader import read_component

__all__ = ["exported_world", "read_worlds"]


def read_worlds(data: bytes) -> Mapping[str, ComponentType]:
    """Return the worlds of a package by their names, ``spin:up/http-trigger@3.2.0``.

    Raises:
        MalformedError: It is not a package in the binary format.
        UnsupportedError: It has a form that is refused by name.
    """
    definitions = read_component(data).definitions
    for each in definitions:
        is_type = isinstance(each, ExportDefinition) and (each.reference or (None,))[0] == Sort.TYPE
        if not is_type and not isinstance(each, TypeDefinition):
            raise MalformedError("it is a component, not a WIT package", each.offset)
    found = (
        exported_world(each.form)
        for each in definitions
        if isinstance(each, TypeDefinition) and isinstance(each.form, ComponentType)
    )
    return dict(each for each in found if each is not None)


def exported_world(package: ComponentType) -> tuple[str, ComponentType] | None:
    """Return the name and type of the world that a component type exports, ``None`` without one."""
    types = [each.form for each in package.declarators if isinstance(each, TypeDefinition)]
    for each in package.declarators:
        if isinstance(each, ExportDefinition) and each.type is not None:
            index = each.type.index
            if each.type.sort == Sort.COMPONENT and index is not None and index < len(types):
                world = types[index]
                if isinstance(world, ComponentType) and not world.is_instance:
                    return each.name, world
    return None
