"""WIT packages in the binary format: the worlds that one defines.

In: bytes, as registries keep packages and ``wasm-tools component wit --wasm`` writes them. Out:
the type of each world, by its full name. Packages as text are not read.

Each world is in a component type of its own, or in one with the others, as wit-component
before 0.18 wrote them.

Source: wit-component, ``encoding/wit`` (formats 1 and 2); WebAssembly/component-model,
``design/mvp/WIT.md``, "Package format".
"""

from collections.abc import Iterator, Mapping

from edgezero_spin.wasm.component.definitions import (
    AliasDefinition,
    ComponentType,
    ExportDefinition,
    ExternType,
    Sort,
    TypeDefinition,
)
from edgezero_spin.wasm.component.errors import MalformedError
from edgezero_spin.wasm.component.reader import read_component

__all__ = ["exported_worlds", "read_worlds"]


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
    return {
        name: world
        for each in definitions
        if isinstance(each, TypeDefinition) and isinstance(each.form, ComponentType)
        for name, world in exported_worlds(each.form)
    }


def exported_worlds(package: ComponentType) -> Iterator[tuple[str, ComponentType]]:
    """Yield the name and type of each world that a component type exports."""
    types: list[object] = []
    for each in package.declarators:
        match each:
            case TypeDefinition():
                types.append(each.form)
            case AliasDefinition(sort=Sort.TYPE):
                types.append(None)
            case ExportDefinition(type=ExternType(sort=Sort.TYPE)):
                types.append(None)
            case ExportDefinition(type=ExternType(sort=Sort.COMPONENT, index=int(index))):
                world = types[index] if index < len(types) else None
                if isinstance(world, ComponentType) and not world.is_instance:
                    yield each.name, world
