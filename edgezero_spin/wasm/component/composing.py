"""Composition: a component and those that satisfy its imports, as one component.

In: the parts, each a component by its bytes, the last one the root; which imports of a part an
earlier part satisfies, and which are refused. Out: the bytes of a component that imports what is
left, instantiates every part once and exports what the root exports.

An interface that several parts import becomes one import, which has all that each of them uses of
it, so that its resources are the same for all. A refused interface is a set of functions that
trap.

Refused: imports of modules, components and values, and interfaces with instances in them.

Source: WebAssembly/component-model, ``design/mvp/Binary.md`` and ``Explainer.md``, "Import and
Export Definitions"; contract services.md, CPS-1, CPS-2, CPS-6.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from edgezero_spin.wasm.binary import number_bytes, text_bytes, vector_bytes
from edgezero_spin.wasm.component.definitions import (
    AliasDefinition,
    Component,
    ComponentType,
    Definition,
    ExportDefinition,
    ImportDefinition,
    InstanceExports,
    Instantiate,
    Sort,
    TypeDefinition,
)
from edgezero_spin.wasm.component.errors import InvalidError, UnsupportedError
from edgezero_spin.wasm.component.linking import link
from edgezero_spin.wasm.component.merging import MergedInterface
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.component.sections import (
    COMPONENT,
    IMPORT,
    INSTANCE,
    TYPE,
    ComponentSections,
)
from edgezero_spin.wasm.component.trapping import export_trapping
from edgezero_spin.wasm.component.type_writer import (
    extern_name_bytes,
    extern_type_bytes,
    sort_bytes,
    type_bytes,
)
from edgezero_spin.wasm.component.types import FunctionType

__all__ = ["ComposedPart", "compose"]


@attrs.frozen
class ComposedPart:
    """A component to be composed.

    Attributes:
        data: Its bytes.
        given: Imports that another part satisfies: the number of that part, and the export;
            ``None`` for an instance of all its exports.
        refused: Imports whose functions trap.
    """

    data: bytes = attrs.field(repr=False)
    given: Mapping[str, tuple[int, str | None]] = attrs.field(factory=dict)
    refused: frozenset[str] = frozenset()


def compose(parts: Sequence[ComposedPart]) -> bytes:
    """Return one component that does what the last of some parts does with the others.

    Args:
        parts: The parts; one satisfies imports of later ones only.

    Raises:
        MalformedError: A part is not a component.
        UnsupportedError: A part imports something that is refused.
        InvalidError: A part lacks an export that another one needs.
    """
    composition = _Composition(parts, [_Spaces(part.data) for part in parts])
    for number in range(len(parts)):
        composition.instantiate(number)
    composition.export_all(len(parts) - 1)
    return composition.out.component()


class _Spaces:
    """The index spaces of types and instances of one part: what made each entry."""

    def __init__(self, data: bytes) -> None:
        self.component: Component = read_component(data)
        self.types: list[Definition] = []
        self.instances: list[Definition] = []
        self.imports: list[ImportDefinition] = []
        self.exports: list[tuple[ExportDefinition, Sort]] = []
        for definition in self.component.definitions:
            self._place(definition)

    def _place(self, definition: Definition) -> None:
        sort: Sort | None = None
        if isinstance(definition, TypeDefinition):
            sort = Sort.TYPE
        elif isinstance(definition, Instantiate | InstanceExports):
            sort = Sort.INSTANCE
        elif isinstance(definition, AliasDefinition):
            sort = definition.sort
        elif isinstance(definition, ImportDefinition):
            self.imports.append(definition)
            sort = definition.type.sort
        elif isinstance(definition, ExportDefinition) and definition.reference is not None:
            sort = definition.reference[0]
            self.exports.append((definition, sort))
        if sort is Sort.TYPE:
            self.types.append(definition)
        elif sort is Sort.INSTANCE:
            self.instances.append(definition)

    @functools.cached_property
    def functions(self) -> dict[str, dict[str, FunctionType]]:
        """Types of the functions of each imported interface, resolved."""
        found: dict[str, dict[str, FunctionType]] = {}
        for function in link(self.component).imports:
            if len(function.path) == 2:
                found.setdefault(function.path[0], {})[function.path[1]] = function.type
        return found

    def interface(self, declared: ImportDefinition) -> ComponentType:
        """Return the instance type that an import has."""
        index = declared.type.index
        found = None if index is None else self.types[index]
        form = found.form if isinstance(found, TypeDefinition) else None
        if not (isinstance(form, ComponentType) and form.is_instance):
            raise UnsupportedError(f"the import {declared.name} has no type of its own", 0)
        return form


class _Composition:
    """The component in the making; what is needed of a part is written when it is asked for."""

    def __init__(self, parts: Sequence[ComposedPart], spaces: Sequence[_Spaces]) -> None:
        self.out = ComponentSections()
        self.parts = parts
        self.spaces = spaces
        self._types: dict[tuple[int, int], int] = {}
        self._instances: dict[int, int] = {}
        self._arguments: dict[tuple[int, str], tuple[Sort, int]] = {}
        self._imports: dict[str, tuple[Sort, int]] = {}
        self._components: dict[bytes, int] = {}

    # What a part is given

    def instantiate(self, number: int) -> None:
        """Write a part and an instance of it."""
        imports = self.spaces[number].imports
        data = self.parts[number].data
        self._instances[number] = self._instantiate(number, imports, data)

    def _instantiate(self, number: int, imports: Iterable[ImportDefinition], data: bytes) -> int:
        """Write an instance of a component that has imports of a part."""
        arguments = []
        for declared in imports:
            sort, index = self._argument(number, declared)
            place = sort_bytes(sort) + number_bytes(index)
            arguments.append(text_bytes(declared.name) + place)
        component = self._components.get(data)
        if component is None:
            component = self.out.copy(COMPONENT, data, Sort.COMPONENT)
            self._components[data] = component
        made = b"\0" + number_bytes(component) + vector_bytes(arguments)
        return self.out.add(INSTANCE, made, Sort.INSTANCE)

    def export_all(self, number: int) -> None:
        """Export what a part exports."""
        for exported, sort in self.spaces[number].exports:
            index = self.out.alias(sort, self._instances[number], exported.name)
            self.out.export(exported.name, sort, index, exported.implements)

    def _argument(self, number: int, declared: ImportDefinition) -> tuple[Sort, int]:
        """Return what satisfies an import, written where it is not yet."""
        key = (number, declared.name)
        if key not in self._arguments:
            self._arguments[key] = self._satisfy(number, declared)
        return self._arguments[key]

    def _satisfy(self, number: int, declared: ImportDefinition) -> tuple[Sort, int]:
        part, name = self.parts[number], declared.name
        given = part.given.get(name)
        if given is not None:
            provider, export = given
            if export is None:
                return Sort.INSTANCE, self._instances[provider]
            for each, sort in self.spaces[provider].exports:
                if each.name == export:
                    return sort, self.out.alias(sort, self._instances[provider], export)
            raise InvalidError(f"there is no export {export} for the import {name}", 0)
        if name in part.refused:
            return Sort.INSTANCE, self._trap(number, declared)
        if name not in self._imports:
            self._imports[name] = self._import(number, declared)
        return self._imports[name]

    def _trap(self, number: int, declared: ImportDefinition) -> int:
        """Write an instance of an interface whose functions trap.

        It is one of a component of its own, which exports methods under their names.
        """
        spaces = self.spaces[number]
        inner = _Composition([ComposedPart(b"")], [spaces])
        export_trapping(
            inner.out,
            spaces.interface(declared),
            spaces.functions.get(declared.name, {}),
            functools.partial(inner.type, 0),
        )
        needed = [each for each in spaces.imports if each.name in inner._imports]
        return self._instantiate(number, needed, inner.out.component())

    # Imports

    def _import(self, number: int, declared: ImportDefinition) -> tuple[Sort, int]:
        """Write an import, with all that any part uses of it."""
        sort = declared.type.sort
        if sort is Sort.INSTANCE:
            interface = MergedInterface(declared.name)
            for each, other in self._importers(declared.name):
                outer = functools.partial(self.type, each)
                interface.add(self.spaces[each].interface(other), outer)
            type_ = self.out.add(TYPE, interface.type_bytes(), Sort.TYPE)
            described = sort_bytes(sort) + number_bytes(type_)
        elif sort in (Sort.FUNCTION, Sort.TYPE):
            described = extern_type_bytes(declared.type, functools.partial(self.type, number))
        else:
            raise UnsupportedError(f"the import {declared.name} of a {sort.value} is refused", 0)
        name = extern_name_bytes(declared.name, declared.implements)
        return sort, self.out.add(IMPORT, name + described, sort)

    def _importers(self, name: str) -> Iterator[tuple[int, ImportDefinition]]:
        for number, (part, spaces) in enumerate(zip(self.parts, self.spaces, strict=True)):
            for declared in spaces.imports:
                if declared.name == name and name not in part.given and name not in part.refused:
                    yield number, declared

    # Types

    def type(self, number: int, index: int) -> int:
        """Return the index of a type of a part in the composition, written where it is not yet."""
        key = (number, index)
        if key not in self._types:
            self._types[key] = self._type(number, self.spaces[number].types[index])
        return self._types[key]

    def _type(self, number: int, made: Definition) -> int:
        if isinstance(made, TypeDefinition):
            content = type_bytes(made.form, functools.partial(self.type, number), made.offset)
            return self.out.add(TYPE, content, Sort.TYPE)
        if isinstance(made, ImportDefinition):
            return self._argument(number, made)[1]
        if isinstance(made, ExportDefinition) and made.reference is not None:
            return self.type(number, made.reference[1])
        if isinstance(made, AliasDefinition) and made.target == "export":
            source = self.spaces[number].instances[made.index]
            if isinstance(source, ImportDefinition):
                instance = self._argument(number, source)[1]
                return self.out.alias(Sort.TYPE, instance, made.name)
        raise UnsupportedError("an import has a type that is not imported", made.offset)
