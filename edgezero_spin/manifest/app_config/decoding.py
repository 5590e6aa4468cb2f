"""Models of an app's configuration, built from the tree of its file.

In: a tree of TOML values and an attrs class. Out: the model, or everything that does not
fit, with its place. Dates and times reach the model through their texts, which is how fields
of type ``datetime`` read them.

Source: contract edgezero.md, APC-3, APC-4, APC-8, APC-9.
"""

import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import attrs

from edgezero_spin.manifest.app_config.entries import json_ready
from edgezero_spin.manifest.errors import Problem
from edgezero_spin.manifest.keys import item_key, join_key
from edgezero_spin.stores import (
    JsonValueError,
    ModelRuleError,
    SecretField,
    refuses_unknown_fields,
    secret_fields,
    structurer,
)
from edgezero_spin.stores.aliases import outside_names, resolved_hints
from edgezero_spin.stores.config_model import is_secret, names_of_secrets
from edgezero_spin.stores.rule_text import RULE_ERRORS, rule_text

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
    build = structurer(model)
    values = json_ready(tree)
    secrets = secret_fields(model)
    try:
        if secrets:
            # The file has names where the rules of secret fields are for what is named.
            with names_of_secrets():
                built = build(values)
            broken = tuple(_broken_rules(built, ""))
            if broken:
                return Decoded(misfits=surplus, broken_rules=broken)
        else:
            built = build(values)
    except ModelRuleError as error:
        return Decoded(misfits=surplus, broken_rules=_located(error))
    except JsonValueError as error:
        problems = dict.fromkeys((*_located(error), *_more_problems(build, values, secrets)))
        return Decoded(misfits=(*problems, *surplus))
    return Decoded(misfits=surplus) if surplus else Decoded(built)


def _more_problems(
    build: Callable[[Any], Any], values: Any, secrets: tuple[SecretField, ...]
) -> Iterator[Problem]:
    """Yield the broken rules beside misfits, but those of secret fields."""
    names = {step for field in secrets for step in field.path}
    try:
        build(values)
    except JsonValueError as error:
        for problem in _located(error):
            words = {*problem.reason.split("'"), problem.key.rpartition(".")[2]}
            if not (secrets and names & words):
                yield problem


def _broken_rules(value: Any, place: str) -> Iterator[Problem]:
    """Ask the validators of attrs about every field but those that name secrets."""
    if attrs.has(type(value)):
        outside = outside_names(type(value))
        for field in attrs.fields(type(value)):
            member = getattr(value, field.name)
            here = join_key(place, outside.get(field.name, field.name))
            if field.validator is not None and not is_secret(field):
                try:
                    field.validator(value, field, member)
                except RULE_ERRORS as error:
                    yield Problem(here, rule_text(error) or "a value breaks a rule")
            yield from _broken_rules(member, here)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _broken_rules(item, join_key(place, str(name)))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _broken_rules(item, item_key(place, index))


def _located(error: JsonValueError) -> tuple[Problem, ...]:
    """Move the place from the end of each text to where a problem has it."""
    found = []
    for text in error.problems:
        reason, _, place = text.rpartition(" @ $")
        found.append(Problem(place.removeprefix("."), reason or text))
    return tuple(found)


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
    hints = resolved_hints(model)
    outside = outside_names(model)
    fields = [field.name for field in attrs.fields(model) if field.init]
    known = {outside.get(name, name): hints.get(name, Any) for name in fields}
    for name, item in table.items():
        here = join_key(place, name)
        if name in known:
            yield from _unknown(item, known[name], here)
        else:
            offer = ", ".join(known)
            yield Problem(here, f"unknown field `{name}`", f"{model.__name__} has: {offer}.")
