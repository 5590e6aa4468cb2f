"""Canonical ABI: lowering, from Python to a guest's memory or to core values.

``Lowering`` prepares a closure for each type once; a call runs closures only. ``store`` gives
``(context, address, value)`` for a place in memory that the caller has checked. ``lower`` gives
``(context, value, core values)``, which fills in a list of core values from a given place on.
The Python forms are those of ``host/interface.py``.

A value that does not fit raises whatever Python raises for it (``MISFITS``); ``misfit.py`` then
says which part of it does not. So values that fit are not looked at twice.

Source: ``CanonicalABI.md``, "Storing" and "Flat Lowering".
"""

from collections.abc import Callable, Sequence
from struct import error as StructError  # noqa: N812 - it is a class
from typing import Any

from edgezero_spin.host.runtime.handles import GuestResource, Handle
from edgezero_spin.host.runtime.host_ends import shared_of
from edgezero_spin.host.runtime.interface import Err, Ok, Variants
from edgezero_spin.host.runtime.memory import Context
from edgezero_spin.host.runtime.primitives import (
    STORES,
    Lower,
    Store,
    UnsupportedTypeError,
    converter,
    lower_primitive,
    store_word,
)
from edgezero_spin.host.runtime.streams import ReadableEnd
from edgezero_spin.host.runtime.text import TEXT_PUTS, Put, allowed, put_bytes
from edgezero_spin.host.runtime.variant_runs import variant_run
from edgezero_spin.wasm.component.layout import (
    Formats,
    cases_of,
    discriminant_size,
    layout_of,
    offsets_of,
    payload_offset,
)
from edgezero_spin.wasm.component.linked import Encoding
from edgezero_spin.wasm.component.types import (
    BorrowType,
    EnumType,
    FlagsType,
    FutureType,
    ListType,
    OptionType,
    OwnType,
    Primitive,
    RecordType,
    ResourceType,
    ResultType,
    StreamType,
    TupleType,
    ValueType,
    VariantType,
)

__all__ = ["MISFITS", "Lowering"]


MISFITS = (TypeError, ValueError, KeyError, AttributeError, StructError)
"""What a value that does not fit its type can raise here."""

_BYTES = bytes | bytearray | memoryview


class Lowering:
    """Prepares closures that lower values to one side of a call.

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
        class_of: Callable[[ResourceType], type | None],
        identity: Callable[[ResourceType], ResourceType],
        is_local: Callable[[ResourceType], bool],
        *,
        from_host: bool,
    ) -> None:
        self._class_of = class_of
        self._identity = identity
        self._is_local = is_local
        self._from_host = from_host
        self._text = TEXT_PUTS[encoding]
        self._stores: dict[ValueType, Store] = {}

    def store(self, type_: ValueType) -> Store:
        """Return ``(context, address, value)``."""
        found = self._stores.get(type_)
        if found is None:
            found = self._stores[type_] = self._store(type_)
        return found

    def lower(self, type_: ValueType, formats: Formats, at: int) -> Lower:
        """Return ``(context, value, core values)``.

        Args:
            type_: The value's type, which has a flat form.
            formats: Formats of all core values that there will be.
            at: Which of them is the value's first.
        """
        match type_:
            case Primitive.STRING:
                return _lower_put(self._text, at)
            case Primitive():
                return lower_primitive(converter(type_, formats[at]), at)
            case RecordType() | TupleType():
                return self._lower_record(type_, formats, at)
            case ListType(element, None):
                return _lower_put(self._items(element), at)
            case ListType(element, int(length)):
                width = len(layout_of(element).flat or ())
                kind: Any = _BYTES if element is Primitive.U8 else list | tuple
                parts = [self.lower(element, formats, at + i * width) for i in range(length)]

                def lower_list(cx: Context, value: Any, flat: list[Any]) -> None:
                    if not isinstance(value, kind):
                        raise TypeError("no list")
                    for lower, part in zip(parts, value, strict=True):
                        lower(cx, part, flat)

                return lower_list
            case FlagsType():
                bits = _flags(type_.labels)

                def lower_flags(cx: Context, value: Any, flat: list[Any]) -> None:
                    flat[at] = bits(value)

                return lower_flags
            case EnumType():
                numbers = {label: index for index, label in enumerate(type_.labels)}

                def lower_enum(cx: Context, value: Any, flat: list[Any]) -> None:
                    flat[at] = numbers[value]

                return lower_enum
            case OwnType() | BorrowType() | StreamType() | FutureType():
                handle = self._handle(type_)

                def lower_handle(cx: Context, value: Any, flat: list[Any]) -> None:
                    flat[at] = handle(cx, value)

                return lower_handle
            case VariantType() | OptionType() | ResultType():
                return self._lower_variant(type_, formats, at)
        raise UnsupportedTypeError(type(type_).__name__)

    def scalar(self, type_: ValueType) -> Callable[[Context, Any], Any]:
        """Return ``(context, value) -> core value`` for a type with a single one."""
        formats = layout_of(type_).flat or ()
        match type_:
            case Primitive():
                convert = converter(type_, formats[0])
                return lambda cx, value: convert(value)
            case OwnType() | BorrowType():
                return self._handle(type_)
        lower = self.lower(type_, formats, 0)

        def scalar(cx: Context, value: Any) -> Any:
            flat = [0]
            lower(cx, value, flat)
            return flat[0]

        return scalar

    def case_of_result(self, type_: ResultType, case: int) -> Store:
        """Return ``(context, address, payload)`` for one case of a result in memory."""
        cases = cases_of(type_)
        payload, offset = cases[case], payload_offset(cases)
        if payload is None:

            def store_nothing(cx: Context, at: int, value: Any) -> None:
                if value is not None:
                    raise TypeError("the case has no payload")
                cx.u8[at] = case

            return store_nothing
        store = self.store(payload)

        def store_case(cx: Context, at: int, value: Any) -> None:
            cx.u8[at] = case
            store(cx, at + offset, value)

        return store_case

    def _store(self, type_: ValueType) -> Store:
        match type_:
            case Primitive.STRING:
                return _store_put(self._text)
            case Primitive() if type_ in STORES:
                return STORES[type_]
            case RecordType() | TupleType():
                return self._store_record(type_)
            case ListType(element, None):
                return _store_put(self._items(element))
            case ListType(element, int(length)):
                run = self.run(element)
                kind: Any = _BYTES if element is Primitive.U8 else list | tuple

                def store_list(cx: Context, at: int, value: Any) -> None:
                    if not isinstance(value, kind) or len(value) != length:
                        raise ValueError("another length")
                    run(cx, at, value)

                return store_list
            case FlagsType():
                bits, word = _flags(type_.labels), store_word(layout_of(type_).size)
                return lambda cx, at, value: word(cx, at, bits(value))
            case EnumType():
                numbers = {label: index for index, label in enumerate(type_.labels)}
                word = store_word(layout_of(type_).size)
                return lambda cx, at, value: word(cx, at, numbers[value])
            case OwnType() | BorrowType() | StreamType() | FutureType():
                handle = self._handle(type_)

                def store_handle(cx: Context, at: int, value: Any) -> None:
                    cx.u32[at >> 2] = handle(cx, value)

                return store_handle
            case VariantType() | OptionType() | ResultType():
                return self._store_variant(type_)
        raise UnsupportedTypeError(
            type_.value if isinstance(type_, Primitive) else type(type_).__name__
        )

    def _store_record(self, type_: RecordType | TupleType) -> Store:
        if isinstance(type_, TupleType):
            types: Sequence[ValueType] = type_.elements
            stores = [*zip(map(self.store, types), offsets_of(types), strict=True)]

            def store_tuple(cx: Context, at: int, value: Any) -> None:
                if not isinstance(value, tuple):
                    raise TypeError("no tuple")
                for (store, offset), part in zip(stores, value, strict=True):
                    store(cx, at + offset, part)

            return store_tuple
        types = [part for _, part in type_.fields]
        names = [name for name, _ in type_.fields]
        fields = [*zip(names, map(self.store, types), offsets_of(types), strict=True)]

        def store_record(cx: Context, at: int, value: Any) -> None:
            if len(value) != len(fields):
                raise KeyError("other fields")
            for name, store, offset in fields:
                store(cx, at + offset, value[name])

        return store_record

    def _lower_record(self, type_: RecordType | TupleType, formats: Formats, at: int) -> Lower:
        lowers: list[Lower] = []
        if isinstance(type_, RecordType):
            types: Sequence[ValueType] = [part for _, part in type_.fields]
        else:
            types = type_.elements
        for part in types:
            lowers.append(self.lower(part, formats, at))
            at += len(layout_of(part).flat or ())
        if not isinstance(type_, RecordType):

            def lower_tuple(cx: Context, value: Any, flat: list[Any]) -> None:
                if not isinstance(value, tuple):
                    raise TypeError("no tuple")
                for lower, part in zip(lowers, value, strict=True):
                    lower(cx, part, flat)

            return lower_tuple
        fields = [*zip([name for name, _ in type_.fields], lowers, strict=True)]

        def lower_record(cx: Context, value: Any, flat: list[Any]) -> None:
            if len(value) != len(fields):
                raise KeyError("other fields")
            for name, lower in fields:
                lower(cx, value[name], flat)

        return lower_record

    def _store_variant(self, type_: VariantType | OptionType | ResultType) -> Store:
        cases = cases_of(type_)
        offset = payload_offset(cases)
        stores = [None if case is None else self.store(case) for case in cases]
        word = store_word(discriminant_size(len(cases)))
        split = _split(type_)

        def store_variant(cx: Context, at: int, value: Any) -> None:
            case, payload = split(value)
            word(cx, at, case)
            store = stores[case]
            if store is not None:
                store(cx, at + offset, payload)
            elif payload is not None:
                raise TypeError("the case has no payload")

        return store_variant

    def _lower_variant(
        self, type_: VariantType | OptionType | ResultType, formats: Formats, at: int
    ) -> Lower:
        lowers = [
            None if case is None else self.lower(case, formats, at + 1) for case in cases_of(type_)
        ]
        split = _split(type_)

        def lower_variant(cx: Context, value: Any, flat: list[Any]) -> None:
            case, payload = split(value)
            flat[at] = case
            lower = lowers[case]
            if lower is not None:
                lower(cx, payload, flat)
            elif payload is not None:
                raise TypeError("the case has no payload")

        return lower_variant

    def _handle(
        self, type_: OwnType | BorrowType | StreamType | FutureType
    ) -> Callable[[Context, Any], int]:
        """Return ``(context, representation or the host's resource) -> index``."""
        if isinstance(type_, StreamType | FutureType):
            return self._end(type_)
        resource = self._identity(type_.resource)
        owned = isinstance(type_, OwnType)
        class_ = self._class_of(resource) if self._from_host else object

        def rep_of(cx: Context, value: Any) -> Any:
            if class_ is None:
                return GuestResource.rep_for(value, cx.owner, resource, taken=owned)
            if not isinstance(value, class_):
                raise TypeError("no such resource")
            return value

        if owned:

            def index_of_own(cx: Context, value: Any) -> int:
                return cx.instance.add(Handle(resource, rep_of(cx, value)))

            return index_of_own
        if self._is_local(resource):
            return rep_of

        def index_of_borrow(cx: Context, value: Any) -> int:
            call = cx.call
            call.borrows += 1
            return cx.instance.add(Handle(resource, rep_of(cx, value), call))

        return index_of_borrow

    def _end(self, type_: StreamType | FutureType) -> Callable[[Context, Any], int]:
        """Return ``(context, what both ends share, or the host's form) -> index``."""
        from_host = self._from_host

        def index_of(cx: Context, value: Any) -> int:
            shared = shared_of(cx.owner, type_, value) if from_host else value
            end = ReadableEnd(shared)
            end.index = cx.instance.add(end)
            return end.index

        return index_of

    def _put(self, type_: ValueType) -> Put:
        """Return what puts a string or list into memory."""
        return self._items(type_.element) if isinstance(type_, ListType) else self._text

    def _items(self, element: ValueType) -> Put:
        if element is Primitive.U8:
            return put_bytes
        run = self.run(element)
        layout = layout_of(element)
        size, alignment = layout.size, layout.alignment
        kinds: Any = list | tuple | Variants if isinstance(element, VariantType) else list | tuple

        def put(cx: Context, value: Any) -> tuple[int, int]:
            if not isinstance(value, kinds):
                raise TypeError("no list")
            count = len(value)
            total = allowed(size * count)
            at = cx.allocate(total, alignment)
            run(cx, at, value)
            return at, count

        return put

    def run(self, element: ValueType) -> Store:
        """Return ``(context, address, values)`` for elements one after the other."""
        if element is Primitive.U8:

            def store_bytes(cx: Context, at: int, value: Any) -> None:
                data = memoryview(value).cast("B")
                cx.u8[at : at + len(data)] = data

            return store_bytes
        if isinstance(element, VariantType):
            return variant_run(element, self.store, self._put)
        store, size = self.store(element), layout_of(element).size

        def store_run(cx: Context, at: int, value: Any) -> None:
            for part in value:
                store(cx, at, part)
                at += size

        return store_run


def _lower_put(put: Put, at: int) -> Lower:
    def lower(cx: Context, value: Any, flat: list[Any]) -> None:
        flat[at], flat[at + 1] = put(cx, value)

    return lower


def _store_put(put: Put) -> Store:
    def store(cx: Context, at: int, value: Any) -> None:
        begin, length = put(cx, value)
        at >>= 2
        words = cx.u32
        words[at] = begin
        words[at + 1] = length

    return store


def _split(
    type_: VariantType | OptionType | ResultType,
) -> Callable[[Any], tuple[int, Any]]:
    """Return ``value -> (case, payload)``."""
    match type_:
        case VariantType():
            numbers = {name: index for index, (name, _) in enumerate(type_.cases)}

            def split_variant(value: Any) -> tuple[int, Any]:
                name, payload = value
                return numbers[name], payload

            return split_variant
        case OptionType(OptionType()):
            return lambda value: (0, None) if value is None else (1, value.value)
        case OptionType():
            return lambda value: (0, None) if value is None else (1, value)
        case ResultType():
            return _split_result


def _split_result(value: Any) -> tuple[int, Any]:
    if isinstance(value, Ok):
        return 0, value.value
    if isinstance(value, Err):
        return 1, value.value
    raise TypeError("neither Ok nor Err")


def _flags(labels: tuple[str, ...]) -> Callable[[Any], int]:
    bits = {label: 1 << index for index, label in enumerate(labels)}

    def number(value: Any) -> int:
        if not isinstance(value, frozenset | set):
            raise TypeError("no set")
        result = 0
        for label in value:
            result |= bits[label]
        return result

    return number
