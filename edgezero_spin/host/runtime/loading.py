"""Canonical ABI: loading, from a guest's memory to Python.

``Loading`` prepares a closure for each type once; a call runs closures only. ``load`` gives
``(context, address) -> value`` for a value in memory, whose address the caller has checked for
its alignment and range. The Python forms are those of ``host/runtime/interface.py``.

Source: ``CanonicalABI.md``, "Loading".
"""

from collections.abc import Callable
from typing import Any

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.runtime.cases import flag_names, label_of, makers_of
from edgezero_spin.host.runtime.handles import GuestResource, Handle
from edgezero_spin.host.runtime.host_ends import reader_of
from edgezero_spin.host.runtime.memory import MAX_CALL_BYTES, Context, too_much
from edgezero_spin.host.runtime.primitives import (
    LOADS,
    RUNS,
    Load,
    UnsupportedTypeError,
    word_type,
)
from edgezero_spin.host.runtime.streams import ReadableEnd, end_at, interned
from edgezero_spin.host.runtime.text import TEXT_LIFTS, UTF16_TAG
from edgezero_spin.host.runtime.traps import invalid_discriminant
from edgezero_spin.wasm.component import types as wit
from edgezero_spin.wasm.component.layout import (
    cases_of,
    discriminant_size,
    fields_of,
    layout_of,
    offsets_of,
    payload_offset,
)
from edgezero_spin.wasm.component.linked import Encoding

__all__ = ["Loading"]

_MASK = 0xFFFF_FFFF
_ELEMENT_BYTES = 16
"""The least that an element of a list counts; see ``Context.charge``."""


class Loading:
    """Prepares closures that load values of one side of a call.

    Args:
        encoding: How the guest encodes strings.
        class_of: Class of the host's objects for a resource type, ``None`` for a guest's.
        identity: The resource type that stands for another in handles.
        to_host: Values go to the host, not to another component instance.
        lends: Borrowed handles are kept in ``Context.lent`` for the time of the call.
    """

    def __init__(
        self,
        encoding: Encoding,
        class_of: Callable[[wit.ResourceType], type | None],
        identity: Callable[[wit.ResourceType], wit.ResourceType],
        *,
        to_host: bool,
        lends: bool,
    ) -> None:
        self._class_of = class_of
        self._identity = identity
        self._to_host = to_host
        self._lends = lends
        self._text = TEXT_LIFTS[encoding]
        # Their lengths are sums of a tag and a number.
        self._tags_lengths = encoding is Encoding.LATIN1_UTF16
        self._loads: dict[wit.ValueType, Load] = {}

    def load(self, type_: wit.ValueType) -> Load:
        """Return ``(context, address) -> value``."""
        found = self._loads.get(type_)
        if found is None:
            found = self._loads[type_] = self._load(type_)
        return found

    def _load(self, type_: wit.ValueType) -> Load:
        match type_:
            case wit.Primitive.STRING:
                text = self._text

                def load_text(cx: Context, at: int) -> str:
                    at >>= 2
                    size = cx.u32[at + 1]
                    cx.charge(size & ~UTF16_TAG)
                    return text(cx, cx.u32[at], size)

                return load_text
            case wit.Primitive():
                load = LOADS.get(type_)
                if load is not None:
                    return load
            case wit.RecordType() | wit.TupleType():
                return self._load_record(type_)
            case wit.ListType(element, None):
                items = self._items(element)

                def load_list(cx: Context, at: int) -> Any:
                    at >>= 2
                    count = cx.u32[at + 1]
                    cx.charge(count)
                    return items(cx, cx.u32[at], count)

                return load_list
            case wit.ListType(element, int(length)):
                run = self.run(element)
                return lambda cx, at: run(cx, at, length)
            case wit.FlagsType():
                names, word = flag_names(type_.labels), LOADS[word_type(layout_of(type_).size)]
                return lambda cx, at: names(word(cx, at))
            case wit.EnumType():
                labels, word = type_.labels, LOADS[word_type(layout_of(type_).size)]
                return lambda cx, at: label_of(labels, word(cx, at))
            case wit.OwnType() | wit.BorrowType():
                handle = self._handle(type_)
                return lambda cx, at: handle(cx, cx.u32[at >> 2])
            case wit.StreamType() | wit.FutureType():
                end = self._end(type_)
                return lambda cx, at: end(cx, cx.u32[at >> 2])
            case wit.VariantType() | wit.OptionType() | wit.ResultType():
                return self._load_variant(type_)
        raise UnsupportedTypeError(type_)

    def _load_record(self, type_: wit.AnyRecord) -> Load:
        names, types = fields_of(type_)
        parts = [*zip(map(self.load, types), offsets_of(types), strict=True)]
        if names is not None:
            named = [(name, *part) for name, part in zip(names, parts, strict=True)]
            return lambda cx, at: {name: load(cx, at + offset) for name, load, offset in named}
        if len(parts) == 2:
            (load_0, _), (load_1, offset_1) = parts
            return lambda cx, at: (load_0(cx, at), load_1(cx, at + offset_1))
        return lambda cx, at: tuple([load(cx, at + offset) for load, offset in parts])

    def _load_variant(self, type_: wit.AnyVariant) -> Load:
        cases = cases_of(type_)
        offset = payload_offset(cases)
        loads = [None if case is None else self.load(case) for case in cases]
        word = LOADS[word_type(discriminant_size(len(cases)))]
        makers = makers_of(type_)

        def load(cx: Context, at: int) -> Any:
            case = word(cx, at)
            if case >= len(loads):
                raise invalid_discriminant()
            load = loads[case]
            return makers[case](None if load is None else load(cx, at + offset))

        return load

    def _handle(self, type_: wit.OwnType | wit.BorrowType) -> Load:
        """Return ``(context, index) -> representation``, or the resource for the host."""
        resource = self._identity(type_.resource)
        owned = isinstance(type_, wit.OwnType)
        if owned:

            def rep_of(cx: Context, index: int) -> Any:
                return cx.instance.take_own(index, resource)

        elif self._lends:

            def rep_of(cx: Context, index: int) -> Any:
                handle = cx.instance.handle(index, resource)
                handle.lends += 1
                cx.lent.append(handle)
                return handle.rep

        else:

            def rep_of(cx: Context, index: int) -> Any:
                entry = cx.entries.get(index)
                if entry.__class__ is not Handle or entry.type is not resource:
                    raise cx.instance.mismatch(index)
                return entry.rep

        if self._to_host and self._class_of(resource) is None:
            return lambda cx, index: GuestResource(cx.owner, resource, rep_of(cx, index), owned)
        return rep_of

    def is_plain(self, type_: wit.OwnType | wit.BorrowType) -> bool:
        """Whether a handle gives the host's object, and nothing is noted of it."""
        if isinstance(type_, wit.BorrowType) and self._lends:
            return False
        return not self._to_host or self._class_of(self._identity(type_.resource)) is not None

    def _end(self, type_: wit.StreamType | wit.FutureType) -> Load:
        """Return ``(context, index) -> what both ends share``, or the reader for the host."""
        to_host = self._to_host
        type_ = interned(type_)

        def end_of(cx: Context, index: int) -> Any:
            shared = end_at(cx.instance, index, ReadableEnd, type_).take_out()
            cx.instance.remove(index)
            return reader_of(cx.owner, shared) if to_host else shared

        return end_of

    def _items(self, element: wit.ValueType) -> "Callable[[Context, int, int], Any]":
        """Return ``(context, address, count) -> list`` for a list anywhere in memory."""
        if element is wit.Primitive.U8:
            return _bytes
        run = self.run(element)
        layout = layout_of(element)
        size, mask = layout.size, layout.alignment - 1
        held = max(size, _ELEMENT_BYTES)

        def items(cx: Context, at: int, count: int) -> Any:
            total = size * count
            if total > MAX_CALL_BYTES:
                raise too_much()
            if at & mask:
                raise Trap("list unaligned pointer")
            if at + total > cx.size:
                cx.extend(at + total, "list content out-of-bounds")
            cx.charge(held * count)
            return run(cx, at, count)

        return items

    def run(self, element: wit.ValueType) -> "Callable[[Context, int, int], Any]":
        """Return ``(context, address, count) -> list`` for elements that are in range."""
        match element:
            case wit.Primitive.U8:
                return lambda cx, at, count: cx.u8[at : at + count].tobytes()
            case wit.TupleType(
                (wit.Primitive.STRING, wit.Primitive.STRING | wit.ListType(wit.Primitive.U8, None))
            ) if not self._tags_lengths:
                return self._pairs(element)
            case wit.Primitive() if element in RUNS:
                name, shift = RUNS[element]

                def numbers(cx: Context, at: int, count: int) -> Any:
                    at >>= shift
                    return getattr(cx, name)[at : at + count].tolist()

                return numbers
        load, size = self.load(element), layout_of(element).size
        return lambda cx, at, count: [
            load(cx, place) for place in range(at, at + size * count, size)
        ]

    def _pairs(self, element: wit.TupleType) -> "Callable[[Context, int, int], Any]":
        text = self._text
        second = (
            text if element.elements[1] is wit.Primitive.STRING else self._items(wit.Primitive.U8)
        )

        def pairs(cx: Context, at: int, count: int) -> Any:
            words = cx.u32[at >> 2 : (at >> 2) + 4 * count].tolist()
            sizes = words[1::4], words[3::4]
            cx.charge(sum(map(sum, sizes)))
            return [
                (text(cx, *first), second(cx, *other))
                for first, other in zip(
                    zip(words[0::4], sizes[0], strict=True),
                    zip(words[2::4], sizes[1], strict=True),
                    strict=True,
                )
            ]

        return pairs


def _bytes(cx: Context, at: int, count: int) -> bytes:
    """Return a list of bytes, which counts by itself; see ``MAX_CALL_BYTES``."""
    if count > MAX_CALL_BYTES:
        raise too_much()
    if at + count > cx.size:
        cx.extend(at + count, "list content out-of-bounds")
    return cx.u8[at : at + count].tobytes()
