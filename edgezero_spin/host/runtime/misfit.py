"""Type mismatches: the part of a Python value that does not fit its WIT type.

In: a type and a value that could not be lowered. Out: a ``ValueMismatchError`` with the place
and what would have fitted, or ``None`` if all of it fits. Lowering itself only notices that
something is wrong, and this runs afterwards, once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edgezero_spin.host.errors import ValueMismatchError
from edgezero_spin.host.runtime.host_ends import is_readable
from edgezero_spin.host.runtime.interface import Err, Ok, Some, VariantTable
from edgezero_spin.host.runtime.primitives import RANGES
from edgezero_spin.wasm.component import types as wit

__all__ = ["describe", "misfit", "misfit_of_arguments"]


def misfit(
    type_: wit.ValueType | None, value: Any, class_of: Callable[[wit.ResourceType], type | None]
) -> ValueMismatchError | None:
    """Return what does not fit, ``None`` if the value fits.

    Args:
        type_: The type; ``None`` allows ``None`` only.
        class_of: Class of the host's objects for a resource type, ``None`` for a guest's.
    """
    return _Search(class_of).at("", type_, value)


def misfit_of_arguments(
    type_: wit.FunctionType,
    values: Sequence[Any],
    class_of: Callable[[wit.ResourceType], type | None],
) -> ValueMismatchError | None:
    """Return what does not fit among the arguments of a call."""
    for index, ((_, part), value) in enumerate(zip(type_.parameters, values, strict=True)):
        found = misfit(part, value, class_of)
        if found is not None:
            return ValueMismatchError(f"argument {index}{found.place}", found.expected, found.value)
    return None


class _Search:
    def __init__(self, class_of: Callable[[wit.ResourceType], type | None]) -> None:
        self._class_of = class_of

    def at(self, place: str, type_: wit.ValueType | None, value: Any) -> ValueMismatchError | None:
        match type_:
            case None:
                fits = value is None
                expected = "no payload (None)" if place else "nothing (None)"
            case wit.Primitive():
                fits, expected = _primitive(type_, value)
            case wit.ListType(wit.Primitive.U8, length):
                fits = _is_bytes(value, length)
                expected = f"{describe(type_)} (bytes, or a contiguous buffer)"
            case wit.ListType(element, length):
                fits = isinstance(value, list | tuple | VariantTable) and length in (
                    None,
                    len(value),
                )
                expected = f"{describe(type_)} (a list or tuple)"
                if fits:
                    return self._first(
                        (f"{place}[{index}]", element, part) for index, part in enumerate(value)
                    )
            case wit.TupleType(elements):
                fits = isinstance(value, tuple) and len(value) == len(elements)
                expected = f"{describe(type_)} (a tuple of {len(elements)})"
                if fits:
                    return self._first(
                        (f"{place}[{index}]", element, part)
                        for index, (element, part) in enumerate(zip(elements, value, strict=True))
                    )
            case wit.RecordType(fields):
                fits = isinstance(value, Mapping) and value.keys() == {name for name, _ in fields}
                expected = f"{describe(type_)} (a dict with exactly these keys)"
                if fits:
                    return self._first(
                        (f"{place}.{name}", part, value[name]) for name, part in fields
                    )
            case wit.EnumType(labels):
                fits, expected = isinstance(value, str) and value in labels, describe(type_)
            case wit.FlagsType(labels):
                fits = isinstance(value, frozenset | set) and value <= set(labels)
                expected = f"{describe(type_)} (a set of these names)"
            case wit.OwnType(resource) | wit.BorrowType(resource):
                class_ = self._class_of(resource)
                if class_ is None:
                    fits, expected = False, "a live GuestResource of this instance"
                else:
                    fits = isinstance(value, class_)
                    expected = f"{describe(type_)} ({class_.__name__})"
            case wit.VariantType() | wit.OptionType() | wit.ResultType():
                return self._variant(place, type_, value)
            case wit.StreamType() | wit.FutureType():
                fits = is_readable(type_, value)
                expected = (
                    "a stream (a source, bytes, a list or an open reader)"
                    if isinstance(type_, wit.StreamType)
                    else "a future (a FutureValue or an open reader)"
                )
            case _:
                fits, expected = False, describe(type_)
        return None if fits else ValueMismatchError(place, expected, value)

    def _variant(self, place: str, type_: wit.AnyVariant, value: Any) -> ValueMismatchError | None:
        match type_:
            case wit.VariantType(cases):
                payloads = dict(cases)
                if (
                    isinstance(value, tuple | list)
                    and len(value) == 2
                    and isinstance(value[0], str)
                    and value[0] in payloads
                ):
                    return self.at(f"{place}.{value[0]}", payloads[value[0]], value[1])
                form = "a tuple of case name and payload"
            case wit.OptionType(wit.OptionType() as payload):
                if value is None:
                    return None
                if isinstance(value, Some):
                    return self.at(place, payload, value.value)
                form = "None or Some"
            case wit.OptionType(payload):
                return None if value is None else self.at(place, payload, value)
            case wit.ResultType(ok, error):
                if isinstance(value, Ok):
                    return self.at(f"{place}.ok", ok, value.value)
                if isinstance(value, Err):
                    return self.at(f"{place}.err", error, value.value)
                form = "Ok or Err"
        return ValueMismatchError(place, f"{describe(type_)} ({form})", value)

    def _first(self, parts: Any) -> ValueMismatchError | None:
        return next(filter(None, (self.at(*part) for part in parts)), None)


def _primitive(type_: wit.Primitive, value: Any) -> tuple[bool, str]:
    match type_:
        case wit.Primitive.BOOL:
            return value is True or value is False, "bool"
        case wit.Primitive.F32 | wit.Primitive.F64:
            return _is_float(value), type_.value
        case wit.Primitive.CHAR:
            fits = isinstance(value, str) and len(value) == 1 and not "\ud800" <= value <= "\udfff"
            return fits, "char (a str of one Unicode scalar value)"
        case wit.Primitive.STRING:
            fits = isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)
            return fits, "string (a str without surrogates)"
    if type_ not in RANGES:
        return False, type_.value
    least, most = RANGES[type_]
    fits = isinstance(value, int) and least <= value <= most
    return fits, f"{type_.value} ({_shown(least)} to {_shown(most)})"


def _shown(bound: int) -> str:
    """Return the bound of an integer type, a long one as a power of two."""
    if -(1 << 16) < bound < 1 << 16:
        return str(bound)
    return f"-2**{bound.bit_length() - 1}" if bound < 0 else f"2**{bound.bit_length()}-1"


def _is_float(value: Any) -> bool:
    try:
        return isinstance(value, float | int) and float(value) is not None
    except OverflowError:
        return False


def _is_bytes(value: Any, length: int | None) -> bool:
    try:
        size = memoryview(value).cast("B").nbytes
    except TypeError:
        return False
    return length in (None, size)


def describe(type_: wit.ValueType | None) -> str:
    """Return a type as WIT writes it, as far as a message needs it."""
    match type_:
        case None:
            return "_"
        case wit.Primitive():
            return type_.value
        case wit.ListType(element, None):
            return f"list<{describe(element)}>"
        case wit.ListType(element, length):
            return f"list<{describe(element)}, {length}>"
        case wit.TupleType(elements):
            return f"tuple<{', '.join(map(describe, elements))}>"
        case wit.StreamType(element):
            return "stream" if element is None else f"stream<{describe(element)}>"
        case wit.FutureType(payload):
            return "future" if payload is None else f"future<{describe(payload)}>"
        case wit.OptionType(payload):
            return f"option<{describe(payload)}>"
        case wit.ResultType(ok, error):
            return f"result<{describe(ok)}, {describe(error)}>"
        case wit.RecordType(fields):
            return f"record {{{', '.join(name for name, _ in fields)}}}"
        case wit.VariantType(cases):
            return f"variant {{{', '.join(name for name, _ in cases)}}}"
        case wit.EnumType(labels):
            return f"enum {{{', '.join(labels)}}}"
        case wit.FlagsType(labels):
            return f"flags {{{', '.join(labels)}}}"
        case wit.OwnType(resource):
            return f"own<{resource.name}>"
        case wit.BorrowType(resource):
            return f"borrow<{resource.name}>"
    return type(type_).__name__
