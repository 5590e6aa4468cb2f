"""Types of one component while it is linked.

In: type forms, and what their indices refer to. Out: resolved types, each made once: equal
types are one object, so that comparing and hashing them takes constant time however large
they are as trees.

Source: WebAssembly/component-model, ``design/mvp/Binary.md``, "Type Definitions" (the rules
of validation among them).
"""

from collections.abc import Callable, Iterable, Iterator

import attrs

from edgezero_spin.wasm.component import types as wit
from edgezero_spin.wasm.component.definitions import FunctionForm, ValueForm, ValueRef
from edgezero_spin.wasm.component.errors import InvalidError, UnsupportedError
from edgezero_spin.wasm.component.layout import layout_of
from edgezero_spin.wasm.component.names import is_label

__all__ = ["TypeFacts", "TypeTable"]

MAX_VALUE_BYTES = 1 << 28
# Types as trees, so that recursive functions over them end in time and stack.
MAX_TYPE_DEPTH = 100
MAX_TYPE_NODES = 1_000_000


@attrs.frozen
class TypeFacts:
    """What is known about a type and all types in it.

    Attributes:
        depth: Levels of nesting.
        nodes: How many types it has as a tree.
        has_borrow: A ``borrow`` is in it.
        has_pointer: A string or list of no fixed length is in it.
        has_resource: A handle is in it.
        parts: The types that it is directly made of.
    """

    depth: int = 1
    nodes: int = 1
    has_borrow: bool = False
    has_pointer: bool = False
    has_resource: bool = False
    parts: tuple[wit.ValueType, ...] = ()


_NO_KEYS = (wit.Primitive.F32, wit.Primitive.F64, wit.Primitive.ERROR_CONTEXT)
_PLAIN = TypeFacts()
_POINTER = TypeFacts(has_pointer=True)


class TypeTable:
    """Makes types and knows facts about them."""

    def __init__(self) -> None:
        self._types: dict[wit.ValueType, wit.ValueType] = {}
        self._facts: dict[wit.ValueType, TypeFacts] = {}

    def facts(self, type_: wit.ValueType) -> TypeFacts:
        """Return what is known about a type."""
        if isinstance(type_, wit.Primitive):
            return _POINTER if type_ is wit.Primitive.STRING else _PLAIN
        return self._facts[type_]

    def value(
        self,
        form: ValueForm,
        resolve: Callable[[ValueRef], wit.ValueType],
        resource: Callable[[int], wit.ResourceType],
        at: int,
    ) -> wit.ValueType:
        """Make a defined type.

        Args:
            resolve: Returns the type that a reference stands for.
            resource: Returns the resource type with an index.
        """
        _check_form(form, at)
        kind = form.kind
        if kind in ("own", "borrow"):
            index = form.parts[0]
            if not isinstance(index, int):
                raise InvalidError("not a resource type", at)
            handle: wit.ValueType = (wit.OwnType if kind == "own" else wit.BorrowType)(
                resource(index)
            )
            return self._made(handle, (), at)
        parts = tuple(None if part is None else resolve(part) for part in form.parts)
        if kind == "primitive":
            return parts[0] or wit.Primitive.BOOL
        given = tuple(part for part in parts if part is not None)
        if kind == "map":
            if not isinstance(given[0], wit.Primitive) or given[0] in _NO_KEYS:
                raise InvalidError("a map type has an invalid key type", at)
            # A map crosses as the list of its entries.
            given = (self._made(wit.TupleType(given), given, at, is_bounded=False),)
        made = _MAKERS[kind](form, parts, given)
        if kind in ("stream", "future") and any(self.facts(part).has_borrow for part in given):
            raise InvalidError(f"a {kind} type cannot contain a `borrow` type", at)
        if kind == "stream" and given == (wit.Primitive.CHAR,):
            raise InvalidError("`stream<char>` is not valid at this time", at)
        return self._made(made, given, at)

    def _made(
        self,
        type_: wit.ValueType,
        parts: tuple[wit.ValueType, ...],
        at: int,
        *,
        is_bounded: bool = True,
    ) -> wit.ValueType:
        known = self._types.get(type_)
        if known is not None:
            return known
        facts = [self.facts(part) for part in parts]
        depth = 1 + max((each.depth for each in facts), default=0)
        nodes = 1 + sum(each.nodes for each in facts)
        if depth > MAX_TYPE_DEPTH or nodes > MAX_TYPE_NODES:
            raise UnsupportedError("a type is nested too deep or too large", at)
        self._facts[type_] = TypeFacts(
            depth,
            nodes,
            isinstance(type_, wit.BorrowType) or any(each.has_borrow for each in facts),
            (isinstance(type_, wit.ListType) and type_.length is None)
            or (
                # What a stream or future carries crosses later, with options of its own.
                not isinstance(type_, wit.StreamType | wit.FutureType)
                and any(each.has_pointer for each in facts)
            ),
            isinstance(type_, wit.OwnType | wit.BorrowType)
            or any(each.has_resource for each in facts),
            parts,
        )
        if is_bounded and layout_of(type_, pointer=8).size >= MAX_VALUE_BYTES:
            raise InvalidError("a value of the type exceeds the maximum byte size", at)
        self._types[type_] = type_
        return type_

    def function(
        self, form: FunctionForm, resolve: Callable[[ValueRef], wit.ValueType], at: int
    ) -> wit.FunctionType:
        """Make a function type."""
        _check_labels([name for name, _ in form.parameters], "function parameter", at)
        parameters = tuple((name, resolve(part)) for name, part in form.parameters)
        result = None if form.result is None else resolve(form.result)
        if result is not None and self.facts(result).has_borrow:
            raise InvalidError("a function result cannot contain a `borrow` type", at)
        return wit.FunctionType(parameters, result, form.is_async)

    def nominal(self, types: Iterable[wit.ValueType]) -> Iterator[wit.ValueType | wit.ResourceType]:
        """Yield what needs a name where it is exported, in these types and all types in them.

        These are resources, records, variants, enums and flags; each comes once.
        """
        waiting = list(types)
        seen = set()
        while waiting:
            type_ = waiting.pop()
            if type_ in seen:
                continue
            seen.add(type_)
            if isinstance(type_, wit.RecordType | wit.VariantType | wit.EnumType | wit.FlagsType):
                yield type_
            elif isinstance(type_, wit.OwnType | wit.BorrowType):
                yield type_.resource
            waiting += self.facts(type_).parts


_LABELLED = {
    "record": ("record field", "field"),
    "variant": ("variant case", "case"),
    "flags": ("flag", "entry"),
    "enum": ("enum tag", "variant"),
}


def _check_form(form: ValueForm, at: int) -> None:
    if form.kind in _LABELLED:
        what, one = _LABELLED[form.kind]
        if not form.labels:
            raise InvalidError(f"{form.kind} type must have at least one {one}", at)
        _check_labels(form.labels, what, at)
    if form.kind == "tuple" and not form.parts:
        raise InvalidError("tuple type must have at least one type", at)
    if form.kind == "flags" and len(form.labels) > 32:
        raise InvalidError("cannot have more than 32 flags", at)
    if form.length == 0:
        raise InvalidError("a list of fixed length must have at least one element", at)


def _check_labels(labels: Iterable[str], what: str, at: int) -> None:
    seen = set()
    for label in labels:
        if not label:
            raise InvalidError(f"{what} name cannot be empty", at)
        if not is_label(label):
            raise InvalidError(f"{what} name `{label}` is not in kebab case", at)
        if label.lower() in seen:
            raise InvalidError(f"{what} name `{label}` conflicts with a previous name", at)
        seen.add(label.lower())


Parts = tuple[wit.ValueType | None, ...]
Given = tuple[wit.ValueType, ...]

_MAKERS: dict[str, Callable[[ValueForm, Parts, Given], wit.ValueType]] = {
    "record": lambda form, _, given: wit.RecordType(tuple(zip(form.labels, given, strict=True))),
    "variant": lambda form, parts, _: wit.VariantType(tuple(zip(form.labels, parts, strict=True))),
    "list": lambda form, _, given: wit.ListType(given[0], form.length),
    "map": lambda _, __, given: wit.ListType(given[0]),
    "tuple": lambda _, __, given: wit.TupleType(given),
    "flags": lambda form, _, __: wit.FlagsType(form.labels),
    "enum": lambda form, _, __: wit.EnumType(form.labels),
    "option": lambda _, __, given: wit.OptionType(given[0]),
    "result": lambda _, parts, __: wit.ResultType(*parts),
    "stream": lambda _, parts, __: wit.StreamType(parts[0]),
    "future": lambda _, parts, __: wit.FutureType(parts[0]),
}
