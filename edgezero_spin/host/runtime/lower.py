"""Canonical ABI: lowering, from Python to core values.

``lower`` gives ``(context, value, core values)``, which puts a value where it begins among the
core values; ``scalar`` gives the only core value of a type.

Source: ``CanonicalABI.md``, "Flat Lowering".
"""

from collections.abc import Callable, Iterable
from typing import Any

from edgezero_spin.host.runtime.cases import flag_bits, split_case
from edgezero_spin.host.runtime.memory import Context
from edgezero_spin.host.runtime.primitives import (
    Lower,
    UnsupportedTypeError,
    converter,
    lower_primitive,
)
from edgezero_spin.host.runtime.storing import BYTES, Storing
from edgezero_spin.host.runtime.text import Put
from edgezero_spin.wasm.component import types as wit
from edgezero_spin.wasm.component.layout import Formats, cases_of, fields_of, layout_of

__all__ = ["Lowering"]


class Lowering(Storing):
    """Prepares closures that lower values to one side of a call; see ``Storing``."""

    def lower(self, type_: wit.ValueType, formats: Formats, at: int) -> Lower:
        """Return ``(context, value, core values)``.

        Args:
            type_: The value's type, which has a flat form.
            formats: Formats of all core values that there will be.
            at: Which of them is the value's first.
        """
        match type_:
            case wit.Primitive.STRING:
                return _lower_put(self._text, at)
            case wit.Primitive():
                return lower_primitive(converter(type_, formats[at]), at)
            case wit.RecordType() | wit.TupleType():
                return self._lower_record(type_, formats, at)
            case wit.ListType(element, None):
                return _lower_put(self._items(element), at)
            case wit.ListType(element, int(length)):
                kind: Any = BYTES if element is wit.Primitive.U8 else list | tuple
                parts = self.lower_all([element] * length, formats, at)

                def lower_list(cx: Context, value: Any, flat: list[Any]) -> None:
                    if not isinstance(value, kind):
                        raise TypeError("no list")
                    for lower, part in zip(parts, value, strict=True):
                        lower(cx, part, flat)

                return lower_list
            case wit.FlagsType():
                bits = flag_bits(type_.labels)

                def lower_flags(cx: Context, value: Any, flat: list[Any]) -> None:
                    flat[at] = bits(value)

                return lower_flags
            case wit.EnumType():
                numbers = {label: index for index, label in enumerate(type_.labels)}

                def lower_enum(cx: Context, value: Any, flat: list[Any]) -> None:
                    flat[at] = numbers[value]

                return lower_enum
            case wit.OwnType() | wit.BorrowType() | wit.StreamType() | wit.FutureType():
                handle = self._handle(type_)

                def lower_handle(cx: Context, value: Any, flat: list[Any]) -> None:
                    flat[at] = handle(cx, value)

                return lower_handle
            case wit.VariantType() | wit.OptionType() | wit.ResultType():
                return self._lower_variant(type_, formats, at)
        raise UnsupportedTypeError(type_)

    def lower_all(
        self, types: Iterable[wit.ValueType], formats: Formats, at: int = 0
    ) -> list[Lower]:
        """Return the lowers of values that lie one after the other; see ``lower``."""
        lowers = []
        for type_ in types:
            lowers.append(self.lower(type_, formats, at))
            at += len(layout_of(type_).flat or ())
        return lowers

    def scalar(self, type_: wit.ValueType) -> Callable[[Context, Any], Any]:
        """Return ``(context, value) -> core value`` for a type with a single one."""
        formats = layout_of(type_).flat or ()
        match type_:
            case wit.Primitive():
                convert = converter(type_, formats[0])
                return lambda cx, value: convert(value)
            case wit.OwnType() | wit.BorrowType():
                return self._handle(type_)
        lower = self.lower(type_, formats, 0)

        def scalar(cx: Context, value: Any) -> Any:
            flat = [0]
            lower(cx, value, flat)
            return flat[0]

        return scalar

    def _lower_record(self, type_: wit.AnyRecord, formats: Formats, at: int) -> Lower:
        names, types = fields_of(type_)
        lowers = self.lower_all(types, formats, at)
        if names is None:

            def lower_tuple(cx: Context, value: Any, flat: list[Any]) -> None:
                if not isinstance(value, tuple):
                    raise TypeError("no tuple")
                for lower, part in zip(lowers, value, strict=True):
                    lower(cx, part, flat)

            return lower_tuple
        fields = [*zip(names, lowers, strict=True)]

        def lower_record(cx: Context, value: Any, flat: list[Any]) -> None:
            if len(value) != len(fields):
                raise KeyError("other fields")
            for name, lower in fields:
                lower(cx, value[name], flat)

        return lower_record

    def _lower_variant(self, type_: wit.AnyVariant, formats: Formats, at: int) -> Lower:
        lowers = [
            None if case is None else self.lower(case, formats, at + 1) for case in cases_of(type_)
        ]
        split = split_case(type_)

        def lower_variant(cx: Context, value: Any, flat: list[Any]) -> None:
            case, payload = split(value)
            flat[at] = case
            lower = lowers[case]
            if lower is not None:
                lower(cx, payload, flat)
            elif payload is not None:
                raise TypeError("the case has no payload")

        return lower_variant


def _lower_put(put: Put, at: int) -> Lower:
    def lower(cx: Context, value: Any, flat: list[Any]) -> None:
        flat[at], flat[at + 1] = put(cx, value)

    return lower
