"""What stands at each index of a component: its types, instances and functions.

In: a component's parts. Out: ``IndexSpaces``. Every definition of a component, also an import
or an export, has the next index of its kind; so each section is read for what it adds, and
only imported instances and functions taken from them are kept as what they are.

Source: the component model's binary format (``design/mvp/Binary.md``).
"""

from collections.abc import Iterator, Sequence

import attrs

from edgezero_spin.wasm.binary import number_at, number_bytes, text_at, text_bytes
from edgezero_spin.wasm.canonical import CANONICAL, Canonical, Lift, Lower, canonicals
from edgezero_spin.wasm.component_types import (
    Definition,
    InstanceType,
)
from edgezero_spin.wasm.module import Kind, UnknownFormError
from edgezero_spin.wasm.type_section import definitions, described_item, export_name
from edgezero_spin.wasm.wiring import (
    ALIAS,
    CUSTOM,
    CoreAlias,
    CoreInstance,
    Exports,
    Instantiation,
    Other,
    Part,
)

__all__ = [
    "TYPE",
    "FunctionAlias",
    "ImportedFunction",
    "IndexSpaces",
    "function_alias",
    "read_index_spaces",
]

TYPE = 7
"""Number of the section of types."""

COMPONENT, INSTANCE, IMPORT, EXPORT = 4, 5, 10, 11
_CORE, _FUNCTION, _TYPE, _INSTANCE = 0, 1, 3, 5
_FUNCTION_OF_INSTANCE = b"\1\0"


@attrs.frozen
class FunctionAlias:
    """A function that an instance exports.

    Attributes:
        instance: Index of the instance.
        name: The export.
    """

    instance: int
    name: str

    def to_bytes(self) -> bytes:
        """Return the alias in binary form."""
        return _FUNCTION_OF_INSTANCE + number_bytes(self.instance) + text_bytes(self.name)


@attrs.frozen
class ImportedFunction:
    """A function of an imported instance.

    Attributes:
        type: Index of the instance's type.
        scope: That type.
        name: The function's name there.
    """

    type: int
    scope: InstanceType
    name: str


@attrs.frozen
class IndexSpaces:
    """What stands at each index.

    Attributes:
        types: Definitions; ``None`` for a type that is known by another name.
        instances: For an imported instance the index of its type.
        functions: For a function taken from an instance which one.
        core_functions: Where each comes from.
        core_tables: Likewise.
        core_instances: How each is made.
        passed_on: Functions that are given to instances or exported.
    """

    types: list[Definition | None] = attrs.field(factory=list)
    instances: list[int | None] = attrs.field(factory=list)
    functions: list[FunctionAlias | None] = attrs.field(factory=list)
    core_functions: list[CoreAlias | Canonical] = attrs.field(factory=list)
    core_tables: list[CoreAlias] = attrs.field(factory=list)
    core_instances: list[Instantiation | Exports] = attrs.field(factory=list)
    passed_on: set[int] = attrs.field(factory=set)

    def add(self, part: Part) -> None:
        """Count what a part adds.

        Raises:
            UnknownFormError: It has something that is not known here.
        """
        match part:
            case CoreInstance(form):
                self.core_instances.append(form)
            case CoreAlias(Kind.FUNCTION):
                self.core_functions.append(part)
            case CoreAlias(Kind.TABLE):
                self.core_tables.append(part)
            case Other(section, content):
                self._add_section(section, content)

    def _add_section(self, number: int, content: bytes) -> None:
        match number:
            case section if section == ALIAS:
                self._add_alias(content)
            case section if section == TYPE:
                self.types.extend(found for found, _ in definitions(content))
            case section if section == CANONICAL:
                for canonical in canonicals(content):
                    if isinstance(canonical, Lift):
                        self.functions.append(None)
                    else:
                        self.core_functions.append(canonical)
            case section if section == IMPORT:
                self._add_imports(content)
            case section if section == EXPORT:
                self._add_exports(content)
            case section if section == INSTANCE:
                self._add_instances(content)
            case section if section not in (CUSTOM, COMPONENT):
                raise UnknownFormError(f"sections of number {section} are not known here")

    def _add_alias(self, content: bytes) -> None:
        alias = function_alias(content)
        if alias is not None:
            self.functions.append(alias)
        else:
            self._add_nameless(content[0], None)

    def _add_nameless(self, kind: int, index: int | None) -> None:
        if kind == _FUNCTION:
            self.functions.append(None)
        elif kind == _TYPE:
            self.types.append(None)
        elif kind == _INSTANCE:
            self.instances.append(index)

    def _add_imports(self, content: bytes) -> None:
        count, at = number_at(content, 0)
        for _ in range(count):
            _, at = export_name(content, at)
            kind, index, at = described_item(content, at)
            self._add_nameless(kind, index)

    def _add_exports(self, content: bytes) -> None:
        count, at = number_at(content, 0)
        for _ in range(count):
            _, at = export_name(content, at)
            kind, index, at = _mentioned(content, at)
            self._pass_on(kind, index)
            self._add_nameless(kind, None)
            if content[at]:
                _, _, at = described_item(content, at + 1)
            else:
                at += 1

    def _add_instances(self, content: bytes) -> None:
        count, at = number_at(content, 0)
        for _ in range(count):
            made = content[at] == 0
            at += 1
            if made:
                _, at = number_at(content, at)
            items, at = number_at(content, at)
            for _ in range(items):
                _, at = text_at(content, at) if made else export_name(content, at)
                kind, index, at = _mentioned(content, at)
                self._pass_on(kind, index)
            self.instances.append(None)

    def _pass_on(self, kind: int, index: int) -> None:
        if kind == _FUNCTION:
            self.passed_on.add(index)

    def lowered(self) -> Iterator[int]:
        """Yield the function of every ``lower``; one that is lowered twice comes twice."""
        for each in self.core_functions:
            if isinstance(each, Lower):
                yield each.function

    def imported(self, lower: Lower) -> ImportedFunction | None:
        """Return which function of an imported instance is lowered; ``None`` for any other."""
        alias = self.functions[lower.function]
        type_ = None if alias is None else self.instances[alias.instance]
        scope = None if type_ is None else self.types[type_]
        if alias is None or type_ is None or not isinstance(scope, InstanceType):
            return None
        return ImportedFunction(type_, scope, alias.name)


def _mentioned(content: bytes, at: int) -> tuple[int, int, int]:
    """Read kind and index of an item; return them and where they end."""
    kind = content[at]
    at += 2 if kind == _CORE else 1
    index, at = number_at(content, at)
    return kind, index, at


def function_alias(content: bytes) -> FunctionAlias | None:
    """Return what one alias means, if it is a function that an instance exports."""
    if not content.startswith(_FUNCTION_OF_INSTANCE):
        return None
    instance, at = number_at(content, 2)
    return FunctionAlias(instance, text_at(content, at)[0])


def read_index_spaces(parts: Sequence[Part]) -> IndexSpaces:
    """Read what stands at each index.

    Raises:
        UnknownFormError: The component has something that is not known here.
        ValueError, LookupError: It is damaged.
    """
    spaces = IndexSpaces()
    for part in parts:
        spaces.add(part)
    return spaces
