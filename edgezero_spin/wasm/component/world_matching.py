"""Agreement of a component with a world: what it imports is there, and it exports what it must.

In: a component and the type of a world. Out: a ``WorldMismatch`` with every import that the world
lacks, every export that the component lacks, and the first difference of each interface that both
have. Interfaces are matched by name, compatible versions included; of resources, the names count.

Source: https://semver.org/; WebAssembly/component-model, ``design/mvp/WIT.md``, "WIT Worlds";
the rules are those of Spin's target checks (the crate ``wac-types``, ``validate_target``).
"""

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any

import attrs

from edgezero_spin.wasm.component import types as wit
from edgezero_spin.wasm.component.core_guest import CoreGuest
from edgezero_spin.wasm.component.definitions import (
    Component,
    ComponentType,
    ImportDefinition,
)
from edgezero_spin.wasm.component.evaluating import Evaluator
from edgezero_spin.wasm.component.linked import (
    ExportedInstance,
    HostResource,
    ImportedFunction,
    LiftedFunction,
)
from edgezero_spin.wasm.component.linking import link
from edgezero_spin.wasm.component.names import compatible_name
from edgezero_spin.wasm.component.scope import InstanceItem

__all__ = ["ComponentSurface", "TypeMismatch", "WorldMismatch", "match_world", "surface_of"]

Path = tuple[str, ...]
"""Names that lead to a function or type: its own, after that of its interface if it is in one."""


@attrs.frozen
class TypeMismatch:
    """An import or export that means something else on either side.

    Attributes:
        kind: ``import`` or ``export``.
        name: As the component has it for an import, as the world has it for an export.
        reason: The first difference.
    """

    kind: str
    name: str
    reason: str


@attrs.frozen(kw_only=True)
class WorldMismatch:
    """Why a component does not fit a world; false where it does.

    Attributes:
        imports: What the component imports and the world has not, sorted.
        exports: What the world exports and the component has not, sorted, with the kind of each.
        types: What both have, with other types.
    """

    imports: tuple[str, ...] = ()
    exports: tuple[tuple[str, str], ...] = ()
    types: tuple[TypeMismatch, ...] = ()

    def __len__(self) -> int:
        """Return the number of faults."""
        return len(self.imports) + len(self.exports) + len(self.types)


@attrs.frozen(kw_only=True)
class ComponentSurface:
    """What a component has to do with the world around it.

    Attributes:
        imports: Names of its imports.
        used: The functions and resources that it imports.
        exported: The functions and types that it exports.
        exports: Names of its exports.
    """

    imports: frozenset[str]
    used: Mapping[Path, Any] = attrs.field(repr=False)
    exports: frozenset[str]
    exported: Mapping[Path, Any] = attrs.field(repr=False)


def surface_of(component: Component | CoreGuest) -> ComponentSurface:
    """Return what a component imports and exports.

    Of a core module that is adapted, the functions of WASI 0.1 are left out.

    Raises:
        WasmError: It is not valid.
    """
    linked = link(component)
    used: dict[Path, Any] = {each.path: each for each in linked.imports}
    for resource, owner in linked.resources.items():
        if isinstance(owner, HostResource):
            used[owner.path] = resource
    declared = (each.name for each in component.definitions if isinstance(each, ImportDefinition))
    return ComponentSurface(
        imports=frozenset((*declared, *(path[0] for path in used))),
        used=used,
        exports=frozenset(linked.exports),
        exported=_flat(linked.exports),
    )


def match_world(surface: ComponentSurface, world: ComponentType) -> WorldMismatch:
    """Compare a component with a world.

    Raises:
        WasmError: The world is not valid.
    """
    offered, wanted = Evaluator().world(world, None)
    imports = {name: compatible_name(name, offered) for name in surface.imports}
    exports = {name: compatible_name(name, surface.exports) for name in wanted}
    lacking = [(name, wanted[name][0].value) for name, found in exports.items() if found is None]
    return WorldMismatch(
        imports=tuple(sorted(name for name, found in imports.items() if found is None)),
        exports=tuple(sorted(lacking)),
        types=(
            *_mismatches("import", surface.used, _flat(offered, itemgetter(1)), imports),
            *_mismatches("export", _flat(wanted, itemgetter(1)), surface.exported, exports),
        ),
    )


def _flat(
    entries: Mapping[str, Any], item_of: Callable[[Any], Any] = lambda entry: entry
) -> dict[Path, Any]:
    """Return the items of entries, and those of the instances among them, by their paths."""
    found: dict[Path, Any] = {}
    for name, entry in entries.items():
        item = item_of(entry)
        if isinstance(item, InstanceItem | ExportedInstance):
            found |= {(name, inner): item_of(each) for inner, each in item.exports.items()}
        else:
            found[name,] = item
    return found


def _mismatches(
    kind: str, needed: Mapping[Path, Any], given: Mapping[Path, Any], names: Mapping[str, Any]
) -> Iterable[TypeMismatch]:
    """Yield the first difference of each interface that both sides have.

    Args:
        kind: ``import``, where the component needs what the world has; or ``export``.
        names: What the interfaces that are needed are called on the other side.
    """
    giver = "environment" if kind == "import" else "component"
    seen = set()
    for path, item in needed.items():
        there = names[path[0]]
        if there is None or path[0] in seen:
            continue
        found = given.get((there, *path[1:]))
        if found is None:
            reason: str | None = f"the {giver} has no {_kind(item)} `{path[-1]}` in it"
        else:
            sides = (found, item) if kind == "import" else (item, found)
            reason = _item_fault(*sides, path)
        if reason is not None:
            seen.add(path[0])
            yield TypeMismatch(kind, path[0], reason)


# Types


def _kind(item: Any) -> str:
    return "func" if isinstance(item, ImportedFunction | LiftedFunction) else "type"


def _item_fault(wanted: Any, found: Any, path: Path) -> str | None:
    """Return how a function or type differs from the one of the environment."""
    place = f"`{path[-1]}`: "
    if _kind(wanted) != _kind(found):
        return f"{place}expected {_kind(wanted)}, found {_kind(found)}"
    if _kind(wanted) == "func":
        fault = _function_fault(wanted.type, found.type)
    elif isinstance(wanted, wit.ResourceType) and isinstance(found, wit.ResourceType):
        # Both have the name that leads to them.
        return None
    else:
        fault = _value_fault(wanted, found)
    return None if fault is None else place + fault


def _function_fault(wanted: wit.FunctionType, found: wit.FunctionType) -> str | None:
    if wanted.is_async != found.is_async:
        kinds = {True: "an async func", False: "a sync func"}
        return f"expected {kinds[wanted.is_async]}, found {kinds[found.is_async]}"
    fault = _parts_fault("parameter", wanted.parameters, found.parameters)
    return fault or _part_fault("the result", wanted.result, found.result)


def _parts_fault(
    what: str,
    wanted: tuple[tuple[str, wit.ValueType | None], ...],
    found: tuple[tuple[str, wit.ValueType | None], ...],
) -> str | None:
    """Compare parts with names, in their order."""
    names, other = [name for name, _ in wanted], [name for name, _ in found]
    if names != other:
        return (
            f"expected the {what}s {', '.join(names) or '(none)'}, "
            f"found {', '.join(other) or '(none)'}"
        )
    faults = (
        _part_fault(f"{what} `{name}`", part, given)
        for (name, part), (_, given) in zip(wanted, found, strict=True)
    )
    return next((fault for fault in faults if fault is not None), None)


def _part_fault(
    place: str, wanted: wit.ValueType | None, found: wit.ValueType | None
) -> str | None:
    if wanted is None or found is None:
        fault = None if wanted is found else f"expected {_shown(wanted)}, found {_shown(found)}"
    else:
        fault = _value_fault(wanted, found)
    return None if fault is None else f"{place}: {fault}"


def _value_fault(wanted: wit.ValueType, found: wit.ValueType) -> str | None:
    if _shown(wanted) != _shown(found):
        return f"expected {_shown(wanted)}, found {_shown(found)}"
    match wanted, found:
        case wit.RecordType(fields), wit.RecordType(given):
            return _parts_fault("field", fields, given)
        case wit.VariantType(cases), wit.VariantType(given):
            return _parts_fault("case", cases, given)
        case (wit.FlagsType(labels), wit.FlagsType(given)) | (
            wit.EnumType(labels),
            wit.EnumType(given),
        ):
            nothing = (None,) * max(len(labels), len(given))
            return _parts_fault(
                "case",
                tuple(zip(labels, nothing, strict=False)),
                tuple(zip(given, nothing, strict=False)),
            )
    pairs = zip(_unnamed_parts(wanted), _unnamed_parts(found), strict=True)
    faults = (_part_fault(place, part, given) for (place, part), (_, given) in pairs)
    return next((fault for fault in faults if fault is not None), None)


def _unnamed_parts(type_: wit.ValueType) -> tuple[tuple[str, wit.ValueType | None], ...]:
    match type_:
        case wit.ListType(part) | wit.StreamType(part):
            return (("element", part),)
        case wit.TupleType(elements):
            return tuple((f"element {number}", part) for number, part in enumerate(elements))
        case wit.OptionType(part) | wit.FutureType(part):
            return (("payload", part),)
        case wit.ResultType(ok, error):
            return (("ok", ok), ("error", error))
    return ()


def _shown(type_: wit.ValueType | None) -> str:
    """Return what a type is, without the types in it; resources by their names."""
    match type_:
        case None:
            return "no type"
        case wit.Primitive():
            return type_.value
        case wit.OwnType(resource):
            return f"resource `{resource.name}`"
        case wit.BorrowType(resource):
            return f"borrow of resource `{resource.name}`"
        case wit.TupleType(elements):
            return f"tuple of {len(elements)}"
        case wit.ListType(_, int() as length):
            return f"list of {length}"
    return type(type_).__name__.removesuffix("Type").lower()
