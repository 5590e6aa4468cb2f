"""Canonical ABI: cases of variants and enums, and flags, between numbers and Python's forms.

Source: ``CanonicalABI.md``, "Loading" and "Storing" of variants and flags.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from edgezero_spin.host.runtime.interface import Err, Ok, Some
from edgezero_spin.host.runtime.traps import invalid_discriminant
from edgezero_spin.wasm.component import types as wit

__all__ = ["flag_bits", "flag_names", "label_of", "makers_of", "split_case"]


def makers_of(type_: wit.AnyVariant) -> list[Callable[[Any], Any]]:
    """Return, for each case, what makes the Python form from the payload."""
    match type_:
        case wit.VariantType():
            return [partial(_case, name) for name, _ in type_.cases]
        case wit.OptionType(wit.OptionType()):
            return [_same, Some]
        case wit.OptionType():
            return [_same, _same]
        case wit.ResultType():
            return [Ok, Err]


def _same(value: Any) -> Any:
    return value


def _case(name: str, payload: Any) -> tuple[str, Any]:
    return name, payload


def label_of(labels: tuple[str, ...], index: int) -> str:
    """Return a case of an enum."""
    if index >= len(labels):
        raise invalid_discriminant()
    return labels[index]


def flag_names(labels: tuple[str, ...]) -> Callable[[int], frozenset[str]]:
    """Return ``bits -> names`` for flags."""
    bits = [(1 << index, label) for index, label in enumerate(labels)]
    return lambda value: frozenset([label for bit, label in bits if value & bit])


def split_case(type_: wit.AnyVariant) -> Callable[[Any], tuple[int, Any]]:
    """Return ``value -> (case, payload)``."""
    match type_:
        case wit.VariantType():
            numbers = {name: index for index, (name, _) in enumerate(type_.cases)}

            def split_variant(value: Any) -> tuple[int, Any]:
                name, payload = value
                return numbers[name], payload

            return split_variant
        case wit.OptionType(wit.OptionType()):
            return lambda value: (0, None) if value is None else (1, value.value)
        case wit.OptionType():
            return lambda value: (0, None) if value is None else (1, value)
        case wit.ResultType():
            return _split_result


def _split_result(value: Any) -> tuple[int, Any]:
    if isinstance(value, Ok):
        return 0, value.value
    if isinstance(value, Err):
        return 1, value.value
    raise TypeError("neither Ok nor Err")


def flag_bits(labels: tuple[str, ...]) -> Callable[[Any], int]:
    """Return ``names -> bits`` for flags."""
    bits = {label: 1 << index for index, label in enumerate(labels)}

    def number(value: Any) -> int:
        if not isinstance(value, frozenset | set):
            raise TypeError("no set")
        result = 0
        for label in value:
            result |= bits[label]
        return result

    return number
