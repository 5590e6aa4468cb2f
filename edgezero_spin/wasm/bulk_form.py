"""The form of a function in which its ``list<u8>`` cross in bulk.

In: what an imported instance has, and the name of one of its functions. Out: a second
function beside it, in which text stands for bytes; see ``bulk_bytes`` for why. Whether a
function can have that form depends on where its texts and bytes are:

- As parameters of their own, bytes become text. Text of this kind has to begin at an even
  address, which not all bytes do. Where they begin at an odd one, they are given from the
  byte before it, and a last parameter says so, a bit for each.
- In results, bytes become text wherever they stand in options, tuples and results. Records
  and variants have names, and stay as they are. Before the result comes the length of the
  one text in it, so that room can be made for just that.
- A text *inside* a parameter could be at an odd address, too, and nothing could be done about
  it; and of several texts in a result each had its own length. Such functions have no bulk
  form.
"""

import attrs

from edgezero_spin.wasm.binary import number_bytes, text_bytes
from edgezero_spin.wasm.bulk_names import IN_BULK, SIZED, UNALIGNED
from edgezero_spin.wasm.component_types import (
    Compound,
    Definition,
    Form,
    Function,
    Handle,
    InstanceType,
    Plain,
    Primitive,
    Reference,
    ValueType,
)
from edgezero_spin.wasm.flattening import (
    I32,
    MOST_PARAMETERS,
    aligned,
    flattened,
    flattened_function,
    layout,
)
from edgezero_spin.wasm.module import UnknownFormError
from edgezero_spin.wasm.type_section import definition_bytes

__all__ = ["BulkForm", "GrowingInstance", "Room"]

_NEW_TYPE, _NEW_EXPORT, _PLAIN_NAME, _OF_FUNCTION = b"\1", b"\4", b"\0", b"\1"
_STRING = Plain(Primitive.STRING)
_LENGTH_BYTES = 4


@attrs.frozen
class Room:
    """Where a result lies that came behind its length.

    Attributes:
        offset: From where the length is.
        size: In bytes.
    """

    offset: int
    size: int


@attrs.frozen(kw_only=True)
class BulkForm:
    """A bulk function and how it is called.

    Attributes:
        name: Its name.
        parameters, results: Core values of the function that it stands for.
        pairs: Which parameters are addresses of texts; the length is behind each.
        returns_in_memory: The last parameter says where the result goes.
        room: Where the result comes behind a length, its place.
        has_text: Text is among what crosses, not only bytes.
    """

    name: str
    parameters: tuple[int, ...]
    results: tuple[int, ...]
    pairs: tuple[int, ...]
    returns_in_memory: bool
    room: Room | None
    has_text: bool

    @property
    def bulk_parameters(self) -> tuple[int, ...]:
        """Core parameters of the bulk function."""
        if not self.pairs:
            return self.parameters
        given = len(self.parameters) - self.returns_in_memory
        return (*self.parameters[:given], I32, *self.parameters[given:])


class GrowingInstance:
    """An instance type that bulk functions are added to, behind what it has."""

    def __init__(self, scope: InstanceType) -> None:
        """Add nothing yet."""
        self.scope = scope
        self._added: list[bytes] = []
        self._next_type = len(scope.types)
        self._forms: dict[str, BulkForm | None] = {}

    def bulk_form(self, name: str) -> BulkForm | None:
        """Return the bulk form of a function, added now; ``None`` when it has none."""
        if name not in self._forms:
            try:
                self._forms[name] = self._add(name)
            except UnknownFormError:
                self._forms[name] = None
        return self._forms[name]

    def to_bytes(self) -> bytes:
        """Return the instance type in binary form."""
        return attrs.evolve(
            self.scope, declarations=(*self.scope.declarations, *self._added)
        ).to_bytes()

    def _add(self, name: str) -> BulkForm | None:
        scope = self.scope
        index = scope.functions.get(name)
        function = None if index is None else scope.types[index]
        if not isinstance(function, Function) or not _has_bytes(function, scope):
            return None
        pairs = _pairs(function, scope)
        parameters, results, in_memory = flattened_function(function, scope)
        if pairs and len(parameters) - in_memory == MOST_PARAMETERS:
            return None
        room = _room_for(function.result, scope)
        bulk_name = name + (IN_BULK if room is None else SIZED)
        if bulk_name in scope.names:
            return None
        self._export(bulk_name, self._bulk(function, bool(pairs), sized=room is not None))
        return BulkForm(
            name=bulk_name,
            parameters=parameters,
            results=results,
            pairs=pairs,
            returns_in_memory=in_memory,
            room=room,
            has_text=any(_may_hold_text(type_, scope) for type_ in _types_of(function)),
        )

    def _bulk(self, function: Function, paired: bool, *, sized: bool) -> Function:
        given: list[tuple[str, ValueType]] = []
        for name, type_ in function.parameters:
            if _is_bytes(self.scope.resolved(type_)):
                given.append((name + IN_BULK, Primitive.STRING))
            else:
                given.append((name, type_))
        if paired:
            given.append((UNALIGNED, Primitive.U32))
        result = None if function.result is None else self._replaced(function.result)
        if sized:
            result = self._define(Compound(Form.TUPLE, ((None, Primitive.U32), (None, result))))
        return Function(tuple(given), result)

    def _replaced(self, type_: ValueType) -> ValueType:
        """Return a type with text for bytes, wherever no name stands between."""
        found = self.scope.resolved(type_)
        if _is_bytes(found):
            return Primitive.STRING
        if not isinstance(found, Compound) or not _holds_bytes(type_, self.scope):
            return type_
        parts = tuple(
            (name, None if part is None else self._replaced(part)) for name, part in found.parts
        )
        return self._define(Compound(found.form, parts))

    def _define(self, definition: Compound | Function) -> Reference:
        self._added.append(_NEW_TYPE + definition_bytes(definition))
        self._next_type += 1
        return Reference(self._next_type - 1)

    def _export(self, name: str, function: Function) -> None:
        type_ = self._define(function)
        described = _OF_FUNCTION + number_bytes(type_.index)
        self._added.append(_NEW_EXPORT + _PLAIN_NAME + text_bytes(name) + described)


def _types_of(function: Function) -> list[ValueType]:
    given = [type_ for _, type_ in function.parameters]
    return given if function.result is None else [*given, function.result]


def _has_bytes(function: Function, scope: InstanceType) -> bool:
    """Whether there is anything that would cross in bulk."""
    return any(_is_bytes(scope.resolved(type_)) for _, type_ in function.parameters) or (
        function.result is not None and _holds_bytes(function.result, scope)
    )


def _is_bytes(found: Definition | None) -> bool:
    return found == Compound(Form.LIST, ((None, Primitive.U8),))


def _holds_bytes(type_: ValueType, scope: InstanceType) -> bool:
    """Whether there are bytes in a type that no name stands between."""
    found = scope.resolved(type_)
    if _is_bytes(found):
        return True
    if not isinstance(found, Compound) or _is_named(type_, scope):
        return False
    return found.form in (Form.OPTION, Form.TUPLE, Form.RESULT) and any(
        part is not None and _holds_bytes(part, scope) for _, part in found.parts
    )


def _may_hold_text(type_: ValueType, scope: InstanceType) -> bool:
    """Whether there is text anywhere in a type; a type from elsewhere may have some."""
    found = scope.resolved(type_)
    if isinstance(found, Compound):
        return any(part is not None and _may_hold_text(part, scope) for _, part in found.parts)
    return found is None or found == _STRING


def _pairs(function: Function, scope: InstanceType) -> tuple[int, ...]:
    """Return the core parameters that are addresses of texts and bytes.

    Raises:
        UnknownFormError: Text may stand inside a parameter.
    """
    pairs = []
    place = 0
    for _, type_ in function.parameters:
        found = scope.resolved(type_)
        if _is_bytes(found) or found == _STRING:
            pairs.append(place)
        elif _may_hold_text(type_, scope):
            raise UnknownFormError("there is text inside a parameter")
        place += len(flattened(type_, scope))
    return tuple(pairs)


def _room_for(result: ValueType | None, scope: InstanceType) -> Room | None:
    """Return where a result would lie behind its length; ``None`` if it has no text or bytes.

    Raises:
        UnknownFormError: It may have several.
    """
    if result is None or not _texts_in(result, scope, named=False):
        return None
    size, alignment = layout(result, scope)
    return Room(aligned(_LENGTH_BYTES, alignment), size)


def _texts_in(type_: ValueType, scope: InstanceType, *, named: bool) -> int:
    """Return for how many texts a value of the type asks for memory, 1 at the most.

    Args:
        type_: The type, in which bytes are texts unless a name stands between.
        scope: Where it stands.
        named: A name stands before it.

    Raises:
        UnknownFormError: For several, or for something else.
    """
    found = scope.resolved(type_)
    if found == _STRING or (_is_bytes(found) and not named):
        return 1
    if isinstance(found, Plain | Handle):
        return 0
    if not isinstance(found, Compound) or found.form == Form.LIST:
        raise UnknownFormError("the result has lists, or a type from elsewhere")
    named = named or _is_named(type_, scope)
    counts = [0 if part is None else _texts_in(part, scope, named=named) for _, part in found.parts]
    count = sum(counts) if found.form in (Form.RECORD, Form.TUPLE) else max(counts, default=0)
    if count > 1:
        raise UnknownFormError("the result has several texts")
    return count


def _is_named(type_: ValueType, scope: InstanceType) -> bool:
    return isinstance(type_, Reference) and isinstance(scope.types[type_.index], Reference)
