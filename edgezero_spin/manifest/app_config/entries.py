"""Entries of a configuration, as a store keeps them.

``[service]`` with ``timeout_ms = 1500`` becomes the key ``service.timeout_ms`` with the text
``1500``. A list is one entry, as compact JSON. A date or time is its TOML text. What is not
set has no entry.

In: a tree of TOML values, or a model. Out: entries in the order of their keys at each level.

Source: contract edgezero.md, FLT-1 to FLT-15 with OPQ-12 to OPQ-14, GEN-5 to GEN-7.
"""

import datetime
import math
from collections import deque
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import attrs

from edgezero_spin.manifest.decoding import datetime_text
from edgezero_spin.manifest.errors import Problem
from edgezero_spin.manifest.keys import join_key, places_of
from edgezero_spin.stores import JsonValueError, converter
from edgezero_spin.stores.aliases import outside_names
from edgezero_spin.stores.json_values import encode_text
from edgezero_spin.stores.structure_hooks import is_model
from edgezero_spin.stores.text_values import text_form

__all__ = ["ConfigEntry", "flatten", "json_ready", "non_finite_numbers", "tree_of"]

_SIMPLE = (str, int, float, datetime.date, datetime.time)


@attrs.frozen
class ConfigEntry:
    """One key of a config store and its text.

    Attributes:
        key: Names of tables and the value's own, joined by dots.
        value: The text.
    """

    key: str
    value: str = attrs.field(repr=False)


def flatten(tree: Mapping[str, Any], problems: list[Problem]) -> tuple[ConfigEntry, ...]:
    """Return the entries of a tree.

    Args:
        tree: The root table; ``None`` stands for what is not set.
        problems: Values that have no text, and values that share a key, are added here.
    """
    places: dict[str, str] = {}
    entries = []
    for key, place, value in _leaves(tree, "", ""):
        twin = places.setdefault(key, place)
        if twin != place:
            reason = f"has the same entry key `{key}` as {twin}"
            problems.append(Problem(place, reason, "Rename one of them."))
        try:
            entries.append(ConfigEntry(key, _text_of(value)))
        except JsonValueError as error:
            problems.append(Problem(place, str(error)))
    problems += non_finite_numbers(tree)
    return tuple(entries)


def non_finite_numbers(tree: Mapping[str, Any]) -> list[Problem]:
    """Return a problem for every infinity and NaN in a tree."""
    reason = "a non-finite float (inf or nan) has no entry text"
    return [
        Problem(place, reason, "Give a number.")
        for place, value in places_of(tree)
        if isinstance(value, float) and not math.isfinite(value)
    ]


def tree_of(model: object) -> Any:
    """Return a model as the tree that it would be read from, fields of all levels included.

    Raises:
        JsonValueError: Something in it has no such form.
    """
    if isinstance(model, Enum):
        return tree_of(model.value)
    if model is None or isinstance(model, _SIMPLE):
        return model
    kind: Any = type(model)
    own = converter.written.get(kind)
    if own is not None:
        return tree_of(own(model))
    if is_model(kind):
        fields = attrs.fields_dict(kind) if attrs.has(kind) else kind.__dataclass_fields__
        outside = outside_names(kind)
        return {outside.get(name, name): tree_of(getattr(model, name)) for name in fields}
    if isinstance(model, Mapping):
        return {_key_text(name): tree_of(item) for name, item in model.items()}
    if isinstance(model, set | frozenset):
        items = [tree_of(item) for item in model]
        return sorted(items, key=lambda item: encode_text(json_ready(item)))
    if isinstance(model, list | tuple | deque):
        return [tree_of(item) for item in model]
    form = text_form(kind)
    if form is not None:
        return form.write(model)
    raise JsonValueError(f"a {kind.__qualname__} has no entry text")


def _leaves(table: Mapping[str, Any], prefix: str, place: str) -> Iterator[tuple[str, str, Any]]:
    """Yield entry key, place in the file and value, keys in order at each level."""
    for name in sorted(table):
        value = table[name]
        key, here = f"{prefix}{name}", join_key(place, name)
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{key}.", here)
        elif value is not None:
            yield key, here, value


def _text_of(value: Any) -> str:
    text = value if isinstance(value, str) else _written(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise JsonValueError("the text holds half of a surrogate pair") from None
    return text


def _written(value: Any) -> str:
    if isinstance(value, datetime.date | datetime.time):
        return datetime_text(value)
    return encode_text(json_ready(value))


def json_ready(value: Any) -> Any:
    """Return a tree with the texts of its dates and times."""
    if isinstance(value, list):
        return [json_ready(item) for item in value]
    if isinstance(value, Mapping):
        return {name: json_ready(item) for name, item in value.items()}
    if isinstance(value, datetime.date | datetime.time):
        return datetime_text(value)
    return value


def _key_text(name: object) -> str:
    name = name.value if isinstance(name, Enum) else name
    if isinstance(name, str):
        return name
    if isinstance(name, int):
        return encode_text(name)
    raise JsonValueError(f"a {type(name).__qualname__} cannot be the key of a table")
