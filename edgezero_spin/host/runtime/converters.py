"""Converters of one component: lifting and lowering for every side of its calls.

Closures depend on a type, on a string encoding and on who is on the other side. They are made
once for each combination and shared by all functions of the component.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from edgezero_spin.host.runtime.lift import Lifting
from edgezero_spin.host.runtime.lower import Lowering
from edgezero_spin.host.runtime.memory import Context
from edgezero_spin.host.runtime.primitives import Lift
from edgezero_spin.wasm.component import types as wit
from edgezero_spin.wasm.component.layout import (
    CoreSignature,
    cases_of,
    fields_of,
    layout_of,
    offsets_of,
)
from edgezero_spin.wasm.component.linked import (
    Builtin,
    Encoding,
    HostResource,
    LinkedComponent,
    LocalResource,
    LoweredFunction,
    Options,
    lifted_functions,
)

__all__ = ["Converters", "contains", "lift_parameters", "lower_parameters", "needs_async"]


class Converters:
    """Makes and keeps the converters of one component.

    Args:
        resources: Whose each resource type is.
        class_of: Class of the host's objects for a resource type that it defines.
    """

    def __init__(
        self,
        resources: Mapping[wit.ResourceType, LocalResource | HostResource],
        class_of: Callable[[HostResource], type],
    ) -> None:
        self.resources = resources
        self._classes: dict[wit.ResourceType, type | None] = {}
        self._same: dict[wit.ResourceType, wit.ResourceType] = {}
        by_class: dict[type, wit.ResourceType] = {}
        for type_, owner in resources.items():
            class_ = class_of(owner) if isinstance(owner, HostResource) else None
            self._classes[type_] = class_
            if class_ not in (None, object):
                self._same[type_] = by_class.setdefault(class_, type_)
        self._lifting: dict[Any, Lifting] = {}
        self._lowering: dict[Any, Lowering] = {}

    def class_of(self, resource: wit.ResourceType) -> type | None:
        """Return the class of the host's objects, ``None`` for a guest's resource type."""
        return self._classes.get(resource)

    def identity(self, resource: wit.ResourceType) -> wit.ResourceType:
        """Return the type that stands for a resource type in handles.

        Resource types of the host with one class are the same, whatever version of an
        interface they are imported from.
        """
        return self._same.get(resource, resource)

    def lifting(self, encoding: Encoding, *, to_host: bool, lends: bool) -> Lifting:
        """Return what lifts values of a guest with this encoding."""
        key = (encoding, to_host, lends)
        found = self._lifting.get(key)
        if found is None:
            found = Lifting(encoding, self.class_of, self.identity, to_host=to_host, lends=lends)
            self._lifting[key] = found
        return found

    def lowering(self, encoding: Encoding, instance: int, *, from_host: bool) -> Lowering:
        """Return what lowers values to a component instance with this encoding."""
        key = (encoding, instance, from_host)
        found = self._lowering.get(key)
        if found is None:

            def is_local(resource: wit.ResourceType) -> bool:
                owner = self.resources.get(resource)
                return isinstance(owner, LocalResource) and owner.instance == instance

            found = Lowering(encoding, self.class_of, self.identity, is_local, from_host=from_host)
            self._lowering[key] = found
        return found


def lift_parameters(
    lifting: Lifting, type_: wit.FunctionType, signature: CoreSignature
) -> list[Lift]:
    """Return one lift for each parameter of a lowered function.

    Parameters that are in memory are loaded through the pointer among the core values; the
    first lift checks it.
    """
    types = type_.parameter_types
    if not signature.spilled:
        return lifting.lift_all(types, signature.parameters)
    record = layout_of(wit.TupleType(types))

    def lift_of(load: Any, offset: int) -> Lift:
        if offset:
            return lambda cx, flat: load(cx, flat[0] + offset)

        def first(cx: Context, flat: Any) -> Any:
            cx.check(flat[0], record.size, record.alignment)
            return load(cx, flat[0])

        return first

    return [
        lift_of(lifting.load(part), offset)
        for part, offset in zip(types, offsets_of(types), strict=True)
    ]


def lower_parameters(
    lowering: Lowering, type_: wit.FunctionType, signature: CoreSignature
) -> Callable[[Context, tuple[Any, ...], list[Any]], None]:
    """Return ``(context, parameters, core values)`` for the call of a lifted function."""
    types = type_.parameter_types
    if signature.spilled:
        record = wit.TupleType(types)
        layout, store = layout_of(record), lowering.store(record)

        def lower_spilled(cx: Context, values: tuple[Any, ...], flat: list[Any]) -> None:
            at = flat[0] = cx.allocate(layout.size, layout.alignment)
            store(cx, at, values)

        return lower_spilled
    lowers = lowering.lower_all(types, signature.parameters)

    def lower_flat(cx: Context, values: tuple[Any, ...], flat: list[Any]) -> None:
        for lower, value in zip(lowers, values, strict=True):
            lower(cx, value, flat)

    return lower_flat


def needs_async(linked: LinkedComponent) -> bool:
    """Tell whether a component needs the asynchronous ABI."""

    def is_async(type_: wit.FunctionType, options: Options) -> bool:
        return (
            type_.is_async
            or options.is_async
            or contains(type_.types, wit.StreamType, wit.FutureType)
        )

    for source in linked.canonicals():
        match source:
            case Builtin():
                return True
            case LoweredFunction(_, callee, options) if is_async(callee.type, options):
                return True
    return any(
        is_async(function.type, function.options)
        for _, function in lifted_functions(linked.exports)
    )


def contains(types: Iterable[wit.ValueType], *kinds: type) -> bool:
    """Tell whether any of these types has a part of one of these kinds."""
    return any(not _kinds_in(type_).isdisjoint(kinds) for type_ in types)


@lru_cache(4096)
def _kinds_in(type_: wit.ValueType) -> frozenset[type]:
    """Return the kinds of a type and of all its parts."""
    parts = [_kinds_in(part) for part in _parts(type_) if part is not None]
    return frozenset([type(type_)]).union(*parts)


def _parts(type_: wit.ValueType) -> "tuple[wit.ValueType | None, ...]":
    match type_:
        case wit.RecordType() | wit.TupleType():
            return fields_of(type_)[1]
        case wit.VariantType() | wit.OptionType() | wit.ResultType():
            return cases_of(type_)
        case wit.ListType() | wit.StreamType():
            return (type_.element,)
        case wit.FutureType():
            return (type_.payload,)
        case _:
            return ()
