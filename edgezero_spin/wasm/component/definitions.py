"""Definitions of a component, as its binary spells them, indices not resolved.

``read_component`` makes them; ``link`` evaluates them, a component's once for each time it is
instantiated.

Source: WebAssembly/component-model, ``design/mvp/Binary.md``.
"""

from enum import Enum

import attrs

from edgezero_spin.wasm.component.types import Primitive

__all__ = [
    "AliasDefinition",
    "Bound",
    "CanonicalDefinition",
    "Component",
    "ComponentType",
    "CoreExternType",
    "CoreFunctionType",
    "CoreInstanceExports",
    "CoreInstantiate",
    "CoreLimits",
    "CoreModule",
    "CoreModuleType",
    "CoreTypeDefinition",
    "Definition",
    "ExportDefinition",
    "ExternType",
    "FunctionForm",
    "ImportDefinition",
    "InstanceExports",
    "Instantiate",
    "OuterFunctionType",
    "ResourceForm",
    "Sort",
    "TypeDefinition",
    "TypeForm",
    "ValueForm",
    "ValueRef",
]


class Sort(Enum):
    """Sorts of definitions; each has an index space."""

    CORE_FUNCTION = "core func"
    CORE_TABLE = "core table"
    CORE_MEMORY = "core memory"
    CORE_GLOBAL = "core global"
    CORE_TAG = "core tag"
    CORE_TYPE = "core type"
    CORE_MODULE = "core module"
    CORE_INSTANCE = "core instance"
    FUNCTION = "func"
    VALUE = "value"
    TYPE = "type"
    COMPONENT = "component"
    INSTANCE = "instance"

    @property
    def is_core(self) -> bool:
        """Whether a component cannot import or export it; a core module it can."""
        return self.value.startswith("core ") and self is not Sort.CORE_MODULE


# A value type where one is referred to: a primitive, or the index of a defined type.
ValueRef = Primitive | int

SortIndex = tuple[Sort, int]


@attrs.frozen
class ValueForm:
    """A defined value type.

    Attributes:
        kind: ``record``, ``variant``, ``list``, ``tuple``, ``flags``, ``enum``, ``option``,
            ``result``, ``own``, ``borrow``, ``stream``, ``future``, ``map`` or ``primitive``.
        labels: Names of fields, cases or flags.
        parts: Types of fields, cases, elements, payloads; ``None`` for one left out.
        length: Of a list of fixed length.
    """

    kind: str
    labels: tuple[str, ...] = ()
    parts: tuple[ValueRef | None, ...] = ()
    length: int | None = None


@attrs.frozen
class FunctionForm:
    """A component function type."""

    parameters: tuple[tuple[str, ValueRef], ...]
    result: ValueRef | None
    is_async: bool


@attrs.frozen
class ResourceForm:
    """A resource type with the index of its destructor, if it has one."""

    destructor: int | None


@attrs.frozen
class ComponentType:
    """A component type, or (``is_instance``) an instance type, by its declarators."""

    declarators: tuple["Definition", ...]
    is_instance: bool


TypeForm = ValueForm | FunctionForm | ResourceForm | ComponentType


class Bound(Enum):
    """Bounds of an imported or exported type."""

    EQ = "eq"
    SUB_RESOURCE = "sub resource"


@attrs.frozen
class ExternType:
    """The type of an import or export.

    Attributes:
        index: Index of its type; ``None`` with ``Bound.SUB_RESOURCE``.
        bound: Of a type.
    """

    sort: Sort
    index: int | None
    bound: Bound | None = None


@attrs.frozen
class CoreFunctionType:
    """A core function type: value types by their bytes."""

    parameters: tuple[bytes, ...]
    results: tuple[bytes, ...]


@attrs.frozen
class OuterFunctionType(CoreFunctionType):
    """A core function type around a core module type, by its place.

    Attributes:
        count: How many scopes outward, 1 for that of the module type.
        index: Its index there.
    """

    count: int
    index: int


@attrs.frozen
class CoreModuleType:
    """A core module type.

    Attributes:
        imports: Module, name and type of each.
        exports: Name and type of each.
        outer: Function types around it, which the others may refer to until it is evaluated.
    """

    imports: tuple[tuple[str, str, "CoreExternType"], ...]
    exports: tuple[tuple[str, "CoreExternType"], ...]
    outer: tuple[OuterFunctionType, ...] = ()


@attrs.frozen
class CoreLimits:
    """Limits of a memory or table.

    Attributes:
        minimum, maximum: In pages or elements; no maximum is ``None``.
        is_64, is_shared: As the flags say.
        page_size_log2: Of a memory with pages of its own size.
    """

    minimum: int
    maximum: int | None
    is_64: bool = False
    is_shared: bool = False
    page_size_log2: int = 16


@attrs.frozen
class CoreExternType:
    """The type of a core import or export.

    Attributes:
        kind: ``func``, ``table``, ``memory``, ``global`` or ``tag``.
        function: Of a function or tag.
        value: Element type of a table, type of a global, as bytes.
        is_mutable: Of a global.
    """

    kind: str
    function: CoreFunctionType | None = None
    limits: CoreLimits | None = None
    value: bytes = b""
    is_mutable: bool = False


@attrs.frozen(kw_only=True)
class Definition:
    """Something that a section or a type declares; ``offset`` is the byte at which it begins."""

    offset: int = attrs.field(eq=False)


@attrs.frozen
class CoreModule(Definition):
    """A core module by its bytes."""

    data: bytes = attrs.field(repr=False)


@attrs.frozen
class Component(Definition):
    """A component by its definitions, in their order."""

    definitions: tuple[Definition, ...]


@attrs.frozen
class CoreInstantiate(Definition):
    """A core instance made of a module: its index, and an instance for each argument."""

    module: int
    arguments: tuple[tuple[str, int], ...]


@attrs.frozen
class CoreInstanceExports(Definition):
    """A core instance made of definitions that are there."""

    exports: tuple[tuple[str, SortIndex], ...]


@attrs.frozen
class Instantiate(Definition):
    """An instance made of a component: its index, and a definition for each argument."""

    component: int
    arguments: tuple[tuple[str, SortIndex], ...]


@attrs.frozen
class InstanceExports(Definition):
    """An instance made of definitions that are there: the name of each, what it is, and the
    interface that it implements if one is named.
    """

    exports: tuple[tuple[str, SortIndex, str | None], ...]


@attrs.frozen
class AliasDefinition(Definition):
    """An alias.

    Attributes:
        sort: What it refers to.
        target: ``export``, ``core export`` or ``outer``.
        index: Of the instance; for ``outer``, in the index space of the scope.
        name: Of the export.
        count: How many scopes outward.
    """

    sort: Sort
    target: str
    index: int
    name: str = ""
    count: int = 0


@attrs.frozen
class CoreTypeDefinition(Definition):
    """A core type."""

    form: CoreFunctionType | CoreModuleType


@attrs.frozen
class TypeDefinition(Definition):
    """A type."""

    form: TypeForm


@attrs.frozen
class CanonicalDefinition(Definition):
    """A canonical definition.

    Attributes:
        name: The name in the text format: ``lift``, ``lower``, ``resource.drop``.
        index: Of the function lifted or lowered, or of the type.
        type: Of a lift, the index of its type; of ``task.return``, its result.
        options: Name and value of each, in their order; encodings and ``async`` have 0.
        flag: ``async`` or ``cancellable`` is given.
        slot, core_type: Of ``context.get`` and ``context.set``.
    """

    name: str
    index: int | None = None
    type: ValueRef | None = None
    options: tuple[tuple[str, int], ...] = ()
    flag: bool = False
    slot: int = 0
    core_type: str = "i32"


@attrs.frozen
class ImportDefinition(Definition):
    """An import.

    Attributes:
        name: Its name, checked by ``names.py``.
        type: What is imported.
        implements: The interface that ``(implements ..)`` names, if any.
    """

    name: str
    type: ExternType
    implements: str | None = None


@attrs.frozen
class ExportDefinition(Definition):
    """An export; in a type, ``reference`` is ``None`` and ``type`` is given.

    Attributes:
        name, implements: As for an import.
        reference: What is exported.
        type: The type that it is given, if any.
    """

    name: str
    reference: SortIndex | None
    type: ExternType | None
    implements: str | None = None
