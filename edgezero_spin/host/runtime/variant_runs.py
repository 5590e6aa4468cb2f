"""Canonical ABI: lists of variants, a list at a time.

Rows of a table are lists of variants in which the same cases come again and again in the same
order. Such a shape is prepared once: discriminants and payloads of a whole list are then
written by one call, and only what is allocated by itself is written apart.

In: a variant type and a list of ``(case, payload)``, or ``Variants``. Out: its bytes in memory.

Source: ``CanonicalABI.md``, "Storing".
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

import attrs

from edgezero_spin.host.runtime.interface import Variants
from edgezero_spin.host.runtime.memory import Context
from edgezero_spin.host.runtime.primitives import Store
from edgezero_spin.host.runtime.text import Put
from edgezero_spin.wasm.component.layout import (
    cases_of,
    discriminant_size,
    layout_of,
    offsets_of,
    payload_offset,
)
from edgezero_spin.wasm.component.types import (
    ListType,
    Primitive,
    TupleType,
    ValueType,
    VariantType,
)

__all__ = ["variant_run"]

MAX_SHAPES = 256
"""Shapes of one type that are kept; lists of others are written a variant at a time."""

MAX_VARIANTS = 256
"""Variants of a list that is written at once."""

_FORMATS = {
    Primitive.S8: "b",
    Primitive.U8: "B",
    Primitive.S16: "h",
    Primitive.U16: "H",
    Primitive.S32: "i",
    Primitive.U32: "I",
    Primitive.S64: "q",
    Primitive.U64: "Q",
    Primitive.F64: "d",
}
_DISCRIMINANTS = {1: "B", 2: "H", 4: "I"}

PayloadChange = Callable[[Context, Any], Any]
"""``(context, payload) -> what the format of the shape takes``."""


@attrs.frozen
class _Case:
    """How one case is written.

    Attributes:
        format: Of its payload, for ``struct``; takes one value.
        size: Bytes that the format writes.
        change: Makes that value of the payload; ``None`` where the payload is it.
        store: Writes the payload after everything else; ``None`` where the format does.
    """

    format: str
    size: int
    change: PayloadChange | None = None
    store: Store | None = None


def _no_payload(cx: Context, payload: Any) -> bytes:
    if payload is not None:
        raise TypeError("the case has no payload")
    return b""


def _bool(cx: Context, payload: Any) -> int:
    if payload is True:
        return 1
    if payload is False:
        return 0
    raise TypeError("no bool")


def _case(
    type_: ValueType | None,
    store_of: Callable[[ValueType], Store],
    put_of: Callable[[ValueType], Put],
) -> _Case:
    match type_:
        case None:
            return _Case("0s", 0, _no_payload)
        case Primitive.BOOL:
            return _Case("B", 1, _bool)
        case Primitive.STRING | ListType(_, None):
            put = put_of(type_)

            def place(cx: Context, payload: Any) -> int:
                at, length = put(cx, payload)
                return at | length << 32

            return _Case("Q", 8, place)
        case Primitive() if type_ in _FORMATS:
            return _Case(_FORMATS[type_], layout_of(type_).size)
        case TupleType(elements) if all(part in _FORMATS for part in elements):
            return _tuple(elements)
    return _Case("0s", 0, lambda cx, payload: b"", store_of(type_))


def _tuple(elements: Sequence[ValueType]) -> _Case:
    text, at = "<", 0
    for part, offset in zip(elements, offsets_of(elements), strict=True):
        layout = layout_of(part)
        text += f"{offset - at}x{_FORMATS[part]}"  # type: ignore[index] # primitives alone
        at = offset + layout.size
    struct = Struct(text)
    pack = struct.pack

    def packed(cx: Context, payload: Any) -> bytes:
        if not isinstance(payload, tuple):
            raise TypeError("no tuple")
        return pack(*payload)

    return _Case(f"{struct.size}s", struct.size, packed)


class _Shape:
    """The cases of a list, in order."""

    def __init__(self, numbers: Sequence[int], cases: Sequence[_Case], type_: VariantType) -> None:
        payloads = cases_of(type_)
        offset, size = payload_offset(payloads), layout_of(type_).size
        width = discriminant_size(len(payloads))
        text = "<"
        for case in cases:
            rest = size - offset - case.size
            text += f"{_DISCRIMINANTS[width]}{offset - width}x{case.format}{rest}x"
        self._pack_into = Struct(text).pack_into
        # Discriminants at even places, payloads at odd ones.
        self._flat: list[Any] = [number for number in numbers for _ in range(2)]
        self._changes = [
            (index, case.change) for index, case in enumerate(cases) if case.change is not None
        ]
        self._stores = [
            (index, index * size + offset, case.store)
            for index, case in enumerate(cases)
            if case.store is not None
        ]

    def store(self, cx: Context, at: int, payloads: Sequence[Any]) -> None:
        """Write the list."""
        values = list(payloads)
        for index, change in self._changes:
            values[index] = change(cx, values[index])
        flat = self._flat.copy()
        flat[1::2] = values
        self._pack_into(cx.u8, at, *flat)
        for index, offset, store in self._stores:
            store(cx, at + offset, payloads[index])


def variant_run(
    type_: VariantType,
    store_of: Callable[[ValueType], Store],
    put_of: Callable[[ValueType], Put],
) -> Store:
    """Return ``(context, address, values)`` for variants one after the other.

    Args:
        store_of: Returns the store of a type.
        put_of: Returns what puts a string or list of a type into memory.
    """
    numbers = {name: index for index, (name, _) in enumerate(type_.cases)}
    cases = [_case(payload, store_of, put_of) for payload in cases_of(type_)]
    one, size = store_of(type_), layout_of(type_).size
    shapes: dict[tuple[str, ...], _Shape] = {}

    def store_run(cx: Context, at: int, values: Sequence[Any]) -> None:
        if not 1 < len(values) <= MAX_VARIANTS:
            for value in values:
                one(cx, at, value)
                at += size
            return
        payloads: Sequence[Any]
        if isinstance(values, Variants):
            names, payloads = values.cases, values.payloads
        else:
            names, payloads = zip(*values, strict=True)
        shape = shapes.get(names)
        if shape is None:
            indices = [numbers[name] for name in names]
            shape = _Shape(indices, [cases[index] for index in indices], type_)
            if len(shapes) < MAX_SHAPES:
                shapes[names] = shape
        shape.store(cx, at, payloads)

    return store_run
