"""Canonical ABI: lifting, from core values to Python.

``lift`` gives ``(context, core values) -> value`` for a value that begins at a given place among
the core values.

Source: ``CanonicalABI.md``, "Flat Lifting".
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from edgezero_spin.host.runtime.cases import flag_names, label_of, makers_of
from edgezero_spin.host.runtime.handles import Handle
from edgezero_spin.host.runtime.loading import Loading
from edgezero_spin.host.runtime.memory import Context
from edgezero_spin.host.runtime.primitives import (
    Lift,
    UnsupportedTypeError,
    lift_primitive,
)
from edgezero_spin.host.runtime.traps import invalid_discriminant
from edgezero_spin.wasm.component import types as wit
from edgezero_spin.wasm.component.layout import (
    Formats,
    cases_of,
    fields_of,
    layout_of,
)

__all__ = ["Lifting"]

_MASK = 0xFFFF_FFFF


class Lifting(Loading):
    """Prepares closures that lift values of one side of a call; see ``Loading``."""

    def lift(self, type_: wit.ValueType, formats: Formats, at: int) -> Lift:
        """Return ``(context, core values) -> value``.

        Args:
            type_: The value's type, which has a flat form.
            formats: Formats of all core values that there will be.
            at: Which of them is the value's first.
        """
        match type_:
            case wit.Primitive.STRING:
                text = self._text
                return lambda cx, flat: text(cx, flat[at], flat[at + 1])
            case wit.Primitive():
                return lift_primitive(type_, formats[at], at)
            case wit.RecordType() | wit.TupleType():
                return self._lift_record(type_, formats, at)
            case wit.ListType(element, None):
                items = self._items(element)
                return lambda cx, flat: items(cx, flat[at], flat[at + 1])
            case wit.ListType(element, int(length)):
                lifts = self.lift_all([element] * length, formats, at)
                make: Callable[[Any], Any] = bytes if element is wit.Primitive.U8 else list
                return lambda cx, flat: make([lift(cx, flat) for lift in lifts])
            case wit.FlagsType():
                names = flag_names(type_.labels)
                return lambda cx, flat: names(flat[at])
            case wit.EnumType():
                labels = type_.labels
                return lambda cx, flat: label_of(labels, flat[at])
            case wit.OwnType() | wit.BorrowType():
                return self._lift_handle(type_, at)
            case wit.StreamType() | wit.FutureType():
                end = self._end(type_)
                return lambda cx, flat: end(cx, flat[at] & _MASK)
            case wit.VariantType() | wit.OptionType() | wit.ResultType():
                return self._lift_variant(type_, formats, at)
        raise UnsupportedTypeError(type_)

    def lift_all(self, types: Iterable[wit.ValueType], formats: Formats, at: int = 0) -> list[Lift]:
        """Return the lifts of values that lie one after the other; see ``lift``."""
        lifts = []
        for type_ in types:
            lifts.append(self.lift(type_, formats, at))
            at += len(layout_of(type_).flat or ())
        return lifts

    def lift_result(
        self, type_: wit.ValueType | None, formats: Formats, *, in_memory: bool
    ) -> Lift:
        """Return the lift of a result, which may be in memory, where its core value points."""
        if type_ is None:
            return lambda cx, flat: None
        if not in_memory:
            return self.lift(type_, formats, 0)
        load, layout = self.load(type_), layout_of(type_)

        def loaded(cx: Context, flat: Sequence[Any]) -> Any:
            cx.check(flat[0], layout.size, layout.alignment)
            return load(cx, flat[0])

        return loaded

    def _lift_handle(self, type_: wit.OwnType | wit.BorrowType, at: int) -> Lift:
        resource = self._identity(type_.resource)
        if not self.is_plain(type_):
            handle = self._handle(type_)
            return lambda cx, flat: handle(cx, flat[at] & _MASK)
        if isinstance(type_, wit.OwnType):
            return lambda cx, flat: cx.instance.take_own(flat[at] & _MASK, resource)

        # The ``self`` of a method, spelt out because most calls have one.
        def lift_borrow(cx: Context, flat: Sequence[Any]) -> Any:
            entry = cx.entries.get(flat[at] & _MASK)
            if entry.__class__ is not Handle or entry.type is not resource:
                raise cx.instance.mismatch(flat[at] & _MASK)
            return entry.rep

        return lift_borrow

    def _lift_record(self, type_: wit.AnyRecord, formats: Formats, at: int) -> Lift:
        names, types = fields_of(type_)
        lifts = self.lift_all(types, formats, at)
        if names is not None:
            named = [*zip(names, lifts, strict=True)]
            return lambda cx, flat: {name: lift(cx, flat) for name, lift in named}
        return lambda cx, flat: tuple([lift(cx, flat) for lift in lifts])

    def _lift_variant(self, type_: wit.AnyVariant, formats: Formats, at: int) -> Lift:
        lifts = [
            None if case is None else self.lift(case, formats, at + 1) for case in cases_of(type_)
        ]
        makers = makers_of(type_)

        def lift(cx: Context, flat: Sequence[Any]) -> Any:
            case = flat[at] & _MASK
            if case >= len(lifts):
                raise invalid_discriminant()
            lift = lifts[case]
            return makers[case](None if lift is None else lift(cx, flat))

        return lift
