"""Canonical ABI: storing, from Python to a guest's memory.

``Storing`` prepares a closure for each type once; a call runs closures only. ``store`` gives
``(context, address, value)`` for a place in memory that the caller has checked. The Python
forms are those of ``host/runtime/interface.py``.

A value that does not fit raises whatever Python raises for it (``MISFITS``); ``misfit.py`` then
says which part of it does not. So values that fit are not looked at twice.

Source: ``CanonicalABI.md``, "Storing".
"""

from collections.abc import Callable
from struct import error as StructError  # noqa: N812 - it is a class
from typing import Any

from edgezero_spin.host.runtime.cases import flag_bits, split_case
from edgezero_spin.host.runtime.handles import GuestResource, Handle
from edgezero_spin.host.runtime.host_ends import shared_of
from edgezero_spin.host.runtime.interface import VariantTable
from edgezero_spin.host.runtime.memory import Context
from edgezero_spin.host.runtime.primitives import (
    STORES,
    Store,
    UnsupportedTypeError,
    store_word,
)
from edgezero_spin.host.runtime.staging import PACKS, Staging, store_staged
from edgezero_spin.host.runtime.streams import ReadableEnd, interned
from edgezero_spin.host.runtime.text import TEXT_PUTS, Put, allowed, put_bytes
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

__all__ = ["BYTES", "MISFITS", "Storing"]

MISFITS = (TypeError, ValueError, KeyError, AttributeError, OverflowError, StructError)
"""Exceptions of values that do not fit their type."""

BYTES = bytes | bytearray | memoryview
"""Types of the host for a list of bytes of fixed length."""


class Storing:
    """Prepares closures that store values on one side of a call.

    Args:
        encoding: How the guest encodes strings.
        class_of: Class of the host's objects for a resource type, ``None`` for a guest's.
        identity: The resource type that stands for another in handles.
        is_local: Whether a resource type is the guest's own: it gets the representation
            where others get a borrowed handle.
        from_host: Values come from the host, not from another component instance.
    """

    def __init__(
        self,
        encoding: Encoding,
        class_of: Callable[[wit.ResourceType], type | None],
        identity: Callable[[wit.ResourceType], wit.ResourceType],
        is_local: Callable[[wit.ResourceType], bool],
        *,
        from_host: bool,
    ) -> None:
        self._class_of = class_of
        self._identity = identity
        self._is_local = is_local
        self._from_host = from_host
        self._text = TEXT_PUTS[encoding]
        self._stores: dict[wit.ValueType, Store] = {}
        self._staging = Staging(encoding)

    def store(self, type_: wit.ValueType) -> Store:
        """Return ``(context, address, value)``."""
        found = self._stores.get(type_)
        if found is None:
            found = self._stores[type_] = self._store(type_)
        return found

    def _store(self, type_: wit.ValueType) -> Store:
        match type_:
            case wit.Primitive.STRING:
                return _store_put(self._text)
            case wit.Primitive() if type_ in STORES:
                return STORES[type_]
            case wit.RecordType() | wit.TupleType():
                return self._store_record(type_)
            case wit.ListType(element, None):
                return _store_put(self._items(element))
            case wit.ListType(element, int(length)):
                run = self.run(element)
                kind: Any = BYTES if element is wit.Primitive.U8 else list | tuple

                def store_list(cx: Context, at: int, value: Any) -> None:
                    if not isinstance(value, kind) or len(value) != length:
                        raise ValueError("another length")
                    run(cx, at, value)

                return store_list
            case wit.FlagsType():
                bits, word = flag_bits(type_.labels), store_word(layout_of(type_).size)
                return lambda cx, at, value: word(cx, at, bits(value))
            case wit.EnumType():
                numbers = {label: index for index, label in enumerate(type_.labels)}
                word = store_word(layout_of(type_).size)
                return lambda cx, at, value: word(cx, at, numbers[value])
            case wit.OwnType() | wit.BorrowType() | wit.StreamType() | wit.FutureType():
                handle = self._handle(type_)

                def store_handle(cx: Context, at: int, value: Any) -> None:
                    cx.u32[at >> 2] = handle(cx, value)

                return store_handle
            case wit.VariantType() | wit.OptionType() | wit.ResultType():
                return self._store_variant(type_)
        raise UnsupportedTypeError(type_)

    def _store_record(self, type_: wit.AnyRecord) -> Store:
        names, types = fields_of(type_)
        stores = [*zip(map(self.store, types), offsets_of(types), strict=True)]
        if names is None:

            def store_tuple(cx: Context, at: int, value: Any) -> None:
                if not isinstance(value, tuple):
                    raise TypeError("no tuple")
                for (store, offset), part in zip(stores, value, strict=True):
                    store(cx, at + offset, part)

            return store_tuple
        fields = [(name, *part) for name, part in zip(names, stores, strict=True)]

        def store_record(cx: Context, at: int, value: Any) -> None:
            if len(value) != len(fields):
                raise KeyError("other fields")
            for name, store, offset in fields:
                store(cx, at + offset, value[name])

        return store_record

    def _store_variant(self, type_: wit.AnyVariant) -> Store:
        cases = cases_of(type_)
        offset = payload_offset(cases)
        stores = [None if case is None else self.store(case) for case in cases]
        word = store_word(discriminant_size(len(cases)))
        is_byte = discriminant_size(len(cases)) == 1
        split = split_case(type_)
        if isinstance(type_, wit.OptionType) and not isinstance(type_.payload, wit.OptionType):
            store_some = self.store(type_.payload)

            def store_option(cx: Context, at: int, value: Any) -> None:
                cx.u8[at] = value is not None
                if value is not None:
                    store_some(cx, at + offset, value)

            return store_option

        def store_variant(cx: Context, at: int, value: Any) -> None:
            case, payload = split(value)
            if is_byte:
                cx.u8[at] = case
            else:
                word(cx, at, case)
            store = stores[case]
            if store is not None:
                store(cx, at + offset, payload)
            elif payload is not None:
                raise TypeError("the case has no payload")

        return store_variant

    def _handle(
        self, type_: wit.OwnType | wit.BorrowType | wit.StreamType | wit.FutureType
    ) -> Callable[[Context, Any], int]:
        """Return ``(context, representation or the host's resource) -> index``."""
        if isinstance(type_, wit.StreamType | wit.FutureType):
            return self._end(type_)
        resource = self._identity(type_.resource)
        owned = isinstance(type_, wit.OwnType)
        class_ = self._class_of(resource) if self._from_host else object

        def rep_of(cx: Context, value: Any) -> Any:
            if class_ is None:
                return GuestResource.rep_for(value, cx.owner, resource, taken=owned)
            if not isinstance(value, class_):
                raise TypeError("no such resource")
            return value

        if owned and class_ is not None:

            def index_of_object(cx: Context, value: Any) -> int:
                if not isinstance(value, class_):
                    raise TypeError("no such resource")
                return cx.instance.add_own(resource, value)

            return index_of_object
        if owned:
            return lambda cx, value: cx.instance.add_own(resource, rep_of(cx, value))
        if self._is_local(resource):
            return rep_of

        def index_of_borrow(cx: Context, value: Any) -> int:
            call = cx.call
            call.borrows += 1
            return cx.instance.add(Handle(resource, rep_of(cx, value), call))

        return index_of_borrow

    def _end(self, type_: wit.StreamType | wit.FutureType) -> Callable[[Context, Any], int]:
        """Return ``(context, what both ends share, or the host's form) -> index``."""
        from_host = self._from_host
        type_ = interned(type_)

        def index_of(cx: Context, value: Any) -> int:
            shared = shared_of(cx.owner, type_, value) if from_host else value
            end = ReadableEnd(shared)
            end.index = cx.instance.add(end)
            return end.index

        return index_of

    def _items(self, element: wit.ValueType) -> Put:
        if element is wit.Primitive.U8:
            return put_bytes
        run = self.run(element)
        layout = layout_of(element)
        size, alignment = layout.size, layout.alignment

        def put(cx: Context, value: Any) -> tuple[int, int]:
            if not isinstance(value, list | tuple | VariantTable):
                raise TypeError("no list")
            count = len(value)
            total = allowed(size * count)
            at = cx.allocate(total, alignment)
            run(cx, at, value)
            return at, count

        return put

    def run(self, element: wit.ValueType) -> Store:
        """Return ``(context, address, values)`` for elements one after the other."""
        if element is wit.Primitive.U8:

            def store_bytes(cx: Context, at: int, value: Any) -> None:
                data = memoryview(value).cast("B")
                cx.u8[at : at + len(data)] = data

            return store_bytes
        store, size = self.store(element), layout_of(element).size
        if isinstance(element, wit.Primitive) and element in PACKS:
            bytes_of = PACKS[element]

            def store_numbers(cx: Context, at: int, value: Any) -> None:
                data = bytes_of(value)
                cx.u8[at : at + len(data)] = data

            return store_numbers

        def store_run(cx: Context, at: int, value: Any) -> None:
            for part in value:
                store(cx, at, part)
                at += size

        staged = self._staging.worthwhile(element)
        if staged is None:
            return store_run
        stage, least = staged

        def store_large(cx: Context, at: int, value: Any) -> None:
            done = 0
            if len(value) >= least:
                done = store_staged(cx, stage, at, size, value)
            if done < len(value):
                store_run(cx, at + done * size, value[done:] if done else value)

        return store_large


def _store_put(put: Put) -> Store:
    def store(cx: Context, at: int, value: Any) -> None:
        begin, length = put(cx, value)
        at >>= 2
        words = cx.u32
        words[at] = begin
        words[at + 1] = length

    return store
