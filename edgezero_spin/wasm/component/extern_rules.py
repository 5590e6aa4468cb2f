"""Rules for imports and exports: annotated names, and types that are visible outside.

Source: WebAssembly/component-model, ``design/mvp/Explainer.md``, "Import and Export
Definitions" and "External Visibility of Types".
"""

from collections.abc import Iterable, Mapping
from typing import Any

from edgezero_spin.wasm.component import types as wit
from edgezero_spin.wasm.component.definitions import Sort
from edgezero_spin.wasm.component.errors import InvalidError
from edgezero_spin.wasm.component.names import parse_extern_name
from edgezero_spin.wasm.component.scope import ComponentScope, InstanceItem, Names, TypeClosure
from edgezero_spin.wasm.component.type_table import TypeTable

__all__ = ["check_annotation", "check_visibility"]


def check_annotation(
    name: str,
    sort: Sort,
    implements: str | None,
    item: Any,
    labels: Mapping[str, wit.ResourceType],
    at: int,
) -> None:
    """Check what the annotations of a name ask of an import or export.

    Args:
        sort: What is imported or exported.
        implements: The interface that it implements, if one is named.
        item: What is imported or exported.
        labels: Resource types imported or exported before, by label.
    """
    parsed = parse_extern_name(name)
    if implements is not None:
        interface = parse_extern_name(implements)
        if interface is None or not interface.is_interface:
            raise InvalidError(f"`{implements}` is not a valid name: it must be an interface", at)
        if sort != Sort.INSTANCE:
            raise InvalidError("only instances can have an `implements`", at)
        if parsed is not None and parsed.is_interface:
            raise InvalidError(f"name `{name}` is not valid with `implements`", at)
    if parsed is None or parsed.annotation is None:
        return
    if sort != Sort.FUNCTION:
        raise InvalidError(f"`{name}` is not a func", at)
    type_: wit.FunctionType = item.type
    resource = labels.get(parsed.resource or "")
    if resource is None:
        raise InvalidError(f"`{name}`: a resource of this name is not known in this context", at)
    if parsed.annotation == "constructor":
        result = type_.result
        if isinstance(result, wit.ResultType):
            result = result.ok
        if not isinstance(result, wit.OwnType):
            raise InvalidError(f"`{name}` should return `(own $T)` or `(result (own $T))`", at)
        if result.resource is not resource:
            raise InvalidError(f"`{name}`: function does not match expected resource name", at)
    if parsed.annotation == "method":
        if not type_.parameters or type_.parameters[0][0] != "self":
            raise InvalidError(f"`{name}` should have a first argument called `self`", at)
        first = type_.parameters[0][1]
        if not isinstance(first, wit.BorrowType):
            raise InvalidError(f"`{name}` should take a first argument of `(borrow $T)`", at)
        if first.resource is not resource:
            raise InvalidError(f"`{name}`: function does not match expected resource name", at)


def check_visibility(
    types: TypeTable, scope: ComponentScope, names: Names, sort: Sort, item: Any, at: int
) -> None:
    """Check that types that need a name have one, and record those that this gives a name.

    Args:
        names: The names of the scope's imports or exports.
        sort: What is imported or exported.
        item: What is imported or exported.
    """
    new: set[Any] = set()
    if not _is_visible(types, names.visible, new, sort, item):
        raise InvalidError(
            f"{sort.value} not valid to be used as {names.what}: a type has no name", at
        )
    names.visible |= new
    scope.exports.visible |= new


def _is_visible(types: TypeTable, visible: set[Any], new: set[Any], sort: Sort, item: Any) -> bool:
    if sort == Sort.INSTANCE:
        inner: InstanceItem = item
        return all(_is_visible(types, visible, new, *each) for each in inner.exports.values())
    used: Iterable[Any] = ()
    if sort == Sort.FUNCTION:
        used = types.nominal(item.type.types)
    elif sort == Sort.TYPE and isinstance(item, wit.FunctionType):
        used = types.nominal(item.types)
    elif sort == Sort.TYPE and isinstance(item, wit.ResourceType):
        new.add(item)
    elif sort == Sort.TYPE and not isinstance(item, TypeClosure):
        if isinstance(item, wit.RecordType | wit.VariantType | wit.EnumType | wit.FlagsType):
            new.add(item)
        used = types.nominal([item])
    return all(each in visible or each in new for each in used)
