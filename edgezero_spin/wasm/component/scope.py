"""Index spaces of a component, component type or instance type while it is evaluated.

Source: WebAssembly/component-model, ``design/mvp/Explainer.md``, "Index Spaces".
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from edgezero_spin.wasm.component.definitions import (
    Component,
    ComponentType,
    CoreExternType,
    CoreFunctionType,
    CoreModuleType,
    Sort,
)
from edgezero_spin.wasm.component.errors import InvalidError
from edgezero_spin.wasm.component.linked import Canonical, CoreExport, Function
from edgezero_spin.wasm.component.names import canonical_name, parse_extern_name
from edgezero_spin.wasm.component.types import FunctionType, ResourceType, ValueType

__all__ = [
    "ComponentItem",
    "ComponentScope",
    "CoreInstanceItem",
    "CoreItem",
    "InstanceItem",
    "ModuleItem",
    "Names",
    "ScopeItem",
    "TypeClosure",
    "TypeItem",
]

Found = TypeVar("Found")


@attrs.frozen(eq=False)
class TypeClosure:
    """A component or instance type, and the scope that its outer aliases refer to."""

    form: ComponentType
    scope: "ComponentScope"


TypeItem = ValueType | FunctionType | ResourceType | TypeClosure


@attrs.frozen(eq=False)
class InstanceItem:
    """An instance: sort and item of each export."""

    exports: Mapping[str, tuple[Sort, "ScopeItem"]]


@attrs.frozen(eq=False)
class ComponentItem:
    """A component: by its definitions, or (imported) by its type alone."""

    definition: Component | ComponentType
    scope: "ComponentScope | None"


@attrs.frozen(eq=False)
class ModuleItem:
    """A core module; ``data`` is ``None`` where it is imported."""

    data: bytes | None = attrs.field(repr=False)
    type: CoreModuleType


@attrs.frozen(eq=False)
class CoreItem:
    """A core function, table, memory, global or tag, and its type."""

    source: CoreExport | Canonical
    type: CoreExternType


CoreInstanceItem = dict[str, tuple[Sort, CoreItem]]

ScopeItem = (
    Function
    | TypeItem
    | InstanceItem
    | ComponentItem
    | ModuleItem
    | CoreItem
    | CoreInstanceItem
    | CoreFunctionType
    | CoreModuleType
)


@attrs.define(eq=False)
class Names:
    """Names of imports or exports of one scope, which must be strongly unique.

    Attributes:
        what: ``import`` or ``export``.
        labels: Resource types imported or exported so far, by label.
        visible: Types that have a name by these; exports may also use those of imports.
    """

    what: str
    labels: dict[str, ResourceType] = attrs.Factory(dict)
    visible: set[Any] = attrs.Factory(set)
    _seen: set[str] = attrs.Factory(set)

    def add(self, text: str, at: int) -> None:
        """Add a name.

        Raises:
            InvalidError: It is not valid, or conflicts with an earlier one.
        """
        if parse_extern_name(text) is None:
            raise InvalidError(f"`{text}` is not in kebab case, not a valid extern name", at)
        canonical = canonical_name(text)
        if canonical in self._seen:
            raise InvalidError(f"{self.what} name `{text}` conflicts with a previous name", at)
        self._seen.add(canonical)


@attrs.define(eq=False)
class ComponentScope:
    """Index spaces, and the scope around them.

    Attributes:
        parent: The scope around this one, ``None`` for a root.
        is_type: It is that of a component or instance type.
        instance: Index of the component instance, -1 in a type.
        spaces: Items of each sort, by index.
        imports, exports: Names taken.
    """

    parent: "ComponentScope | None" = None
    is_type: bool = False
    is_instance_type: bool = False
    instance: int = -1
    spaces: dict[Sort, list[Any]] = attrs.Factory(lambda: {sort: [] for sort in Sort})
    imports: Names = attrs.Factory(lambda: Names("import"))
    exports: Names = attrs.Factory(lambda: Names("export"))

    def item(self, sort: Sort, index: int, at: int) -> Any:
        """Return an item by its index.

        Raises:
            InvalidError: The index is out of bounds.
        """
        space = self.spaces[sort]
        if index >= len(space):
            raise InvalidError(
                f"unknown {sort.value} {index}: {sort.value} index out of bounds", at
            )
        return space[index]

    def type(self, index: int, kind: type[Found], what: str, at: int) -> Found:
        """Return a type by its index.

        Raises:
            InvalidError: The index is out of bounds, or the type is of another kind.
        """
        found = self.item(Sort.TYPE, index, at)
        if not isinstance(found, kind):
            raise InvalidError(f"type index {index} is not {what}", at)
        return found

    def outward(self, count: int, at: int) -> "ComponentScope":
        """Return the scope so many scopes outward."""
        scope = self
        for _ in range(count):
            if scope.parent is None:
                raise InvalidError(f"invalid outer alias count of {count}", at)
            scope = scope.parent
        return scope
