"""Build the model of an app's configuration from the tree of its file.

In: a tree of TOML values and an attrs class. Out: the model, or everything that does not
fit, with its place. Dates and times reach the model through their texts, which is how fields
of type ``datetime`` read them.

Source: contract edgezero.md, APC-3, APC-4, APC-8, APC-9.
"""

import datetime
import typing
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import attrs

from edgezero_spin.manifest.decoding import datetime_text
from edgezero_spin.manifest.errors import Problem
from edgezero_spin.manifest.keys import item_key, join_key
from edgezero_spin.stores import JsonValueError, ModelRuleError, refuses_unknown_fields, structurer

__all__ = ["Decoded", "decode_model"]

M = TypeVar("M")


@attrs.frozen
class Decoded:
    """What came of decoding.

    Attributes:
        model: The model; ``None`` when there are problems.
        misfits: What does not have the shape of the model.
        broken_rules: What has its shape but is refused by a validator of it.
    """

    model: Any = None
    misfits: tuple[Problem, ...] = ()
    broken_rules: tuple[Problem, ...] = ()


def decode_model(tree: Mapping[str, Any], model: type) -> Decoded:
    """Build ``model`` from the root table of a file.

    Raises:
        TypeError: The class has a field that no file can hold.
    """
    surplus = tuple(_unknown(tree, model, "")) if refuses_unknown_fields(model) else ()
    try:
        built = structurer(model)(_with_texts(tree))
    except ModelRuleError as error:
        return Decoded(misfits=surplus, broken_rules=_located(error))
    except JsonValueError as error:
        return Decoded(misfits=(*_located(error), *surplus))
    return Decoded(misfits=surplus) if surplus else Decoded(built)


def _located(error: JsonValueError) -> tuple[Problem, ...]:
    """Move the place from the end of each text to where a problem has it."""
    found = []
    for text in error.problems:
        reason, _, place = text.rpartition(" @ $")
        found.append(Problem(place.removeprefix("."), reason or text))
    return tuple(found)


def _with_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_texts(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_texts(item) for item in value]
    if isinstance(value, datetime.date | datetime.time):
        return datetime_text(value)
    return value


def _unknown(value: object, hint: Any, place: str) -> Iterator[Problem]:
    if isinstance(hint, type) and attrs.has(hint):
        if isinstance(value, dict):
            yield from _unknown_in_model(value, hint, place)
        return
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if isinstance(value, dict):
            for name, item in value.items():
                yield from _unknown(item, arguments[1], join_key(place, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for argument in arguments[:1]:
                yield from _unknown(item, argument, item_key(place, index))
    else:
        # Of a union with several models it is not known here which one is meant.
        models = [argument for argument in arguments if argument is not type(None)]
        if len(models) == 1 or origin is typing.Annotated:
            yield from _unknown(value, models[0], place)


def _unknown_in_model(table: Mapping[str, Any], model: type, place: str) -> Iterator[Problem]:
    hints = typing.get_type_hints(model, None, {model.__name__: model})
    known = [field.name for field in attrs.fields(model) if field.init]
    for name, item in table.items():
        here = join_key(place, name)
        if name in known:
            yield from _unknown(item, hints.get(name, Any), here)
        else:
            offer = ", ".join(known)
            yield Problem(here, f"unknown field `{name}`", f"{model.__name__} has: {offer}.")
