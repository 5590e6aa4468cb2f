"""Bounds as JSON Schema: of ``Annotated`` types, and of the validators of attrs.

In: what stands beside a type. Out: the keywords that say the same. A rule that no keyword says,
such as a function of the program's own, is left out: a schema promises no more than it can.

Source: JSON Schema 2020-12, validation vocabulary.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from edgezero_spin.core.openapi.declarations import Description, Example
from edgezero_spin.stores.json_values import JsonValueError, decode, encode

__all__ = ["json_value", "keywords_of_extras", "keywords_of_validator"]

_NUMBERS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}
_OPERATORS: Final = {
    ">=": "minimum",
    ">": "exclusiveMinimum",
    "<=": "maximum",
    "<": "exclusiveMaximum",
}
_LENGTHS: Final = {"string": "Length", "array": "Items", "object": "Properties"}


def keywords_of_extras(extras: Iterable[Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of what stands in ``Annotated`` behind a type.

    Args:
        extras: Bounds, descriptions and examples; whatever else is passed over.
        schema: The schema of the type.
    """
    found: dict[str, Any] = {}
    for extra in extras:
        if isinstance(extra, type):
            continue
        if isinstance(extra, Description):
            found["description"] = extra.text
        elif isinstance(extra, Example):
            found["examples"] = [json_value(value) for value in extra.values]
        for name, keyword in _NUMBERS.items():
            bound = getattr(extra, name, None)
            if bound is not None:
                _add_number(found, keyword, bound, schema)
        for end in ("min", "max"):
            length = getattr(extra, f"{end}_length", None)
            if length is not None:
                _add_length(found, end, length, schema)
    return found


def keywords_of_validator(validator: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of a validator of attrs."""
    found: dict[str, Any] = {}
    match type(validator).__name__:
        case "_AndValidator":
            for inner in validator._validators:
                found |= keywords_of_validator(inner, schema)
        case "_OptionalValidator":
            found = keywords_of_validator(validator.validator, schema)
        case "_NumberValidator":
            keyword = _OPERATORS.get(validator.compare_op)
            if keyword is not None:
                _add_number(found, keyword, validator.bound, schema)
        case "_MinLengthValidator":
            _add_length(found, "min", validator.min_length, schema)
        case "_MaxLengthValidator":
            _add_length(found, "max", validator.max_length, schema)
        case "_InValidator":
            values = [json_value(value) for value in validator.options]
            if None not in values:
                found["enum"] = values
        case "_MatchesReValidator":
            found |= _pattern(validator)
    return found


def _add_number(found: dict[str, Any], keyword: str, bound: Any, schema: Mapping[str, Any]) -> None:
    # The bounds of dates and decimals, which are texts, have no keyword.
    if isinstance(bound, int | float) and schema.get("type") in ("integer", "number"):
        found[keyword] = bound


def _add_length(found: dict[str, Any], end: str, length: int, schema: Mapping[str, Any]) -> None:
    noun = _LENGTHS.get(str(schema.get("type")))
    if noun is not None:
        found[f"{end}{noun}"] = length


def _pattern(validator: Any) -> dict[str, Any]:
    """Return the pattern of ``matches_re``, where JSON Schema has the same syntax for it."""
    if validator.pattern.flags & ~re.UNICODE or re.search(
        r"\(\?|\\[AZzab]", validator.pattern.pattern
    ):
        return {}
    text = validator.pattern.pattern
    match getattr(validator.match_func, "__name__", ""):
        case "fullmatch":
            text = f"^(?:{text})$"
        case "match":
            text = f"^(?:{text})"
    return {"pattern": text}


def json_value(value: Any) -> Any:
    """Return a value as JSON has it; ``None`` for one that it cannot hold."""
    try:
        return decode(encode(value))
    except JsonValueError:
        return None
