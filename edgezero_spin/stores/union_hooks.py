"""Strict hooks for unions: which member a decoded JSON value belongs to.

Classes are told apart by a field that each annotates with a ``Literal`` of its own (a tag), else
by a required field that only one of them has. Other members are tried in order, the wider
types (``str`` takes the text of a date, ``float`` an integer) last.
"""

import typing
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from cattrs import BaseValidationError
from cattrs.disambiguators import create_default_dis_func

from edgezero_spin.stores.aliases import outside_names, resolved_hints
from edgezero_spin.stores.converting import converter
from edgezero_spin.stores.json_values import JsonValueError
from edgezero_spin.stores.structure_errors import combined
from edgezero_spin.stores.structure_hooks import Hook, is_model, misfit

__all__ = ["is_union", "union_hook"]

_ABSENT: Any = object()


def is_union(to: Any) -> bool:
    """Whether a type is ``A | B``, ``Union[A, B]`` or ``Optional[A]``."""
    return get_origin(to) in (Union, UnionType)


def union_hook(to: Any) -> Hook:
    """Return the hook of a union.

    Raises:
        TypeError: A member has no JSON form, or classes cannot be told apart.
    """
    own: Hook | None = converter.hook_of_union(to)
    if own is not None:
        return own
    options = [option for option in get_args(to) if option is not NoneType]
    nullable = len(options) < len(get_args(to))
    if len(options) == 1:
        option = options[0]
        hook: Hook = converter.get_structure_hook(option)
        return lambda value, _: None if value is None else hook(value, option)
    records = [option for option in options if _is_record(option)]
    others = sorted((o for o in options if o not in records), key=_width)
    hooks = [(converter.get_structure_hook(option), option) for option in others]
    record = _record_hook(records) if records else None
    # A record answers for every object, unless a mapping could take it as well.
    alone = not any(_takes_objects(option) for option in others)

    def convert(value: Any, to: Any) -> Any:
        if value is None and nullable:
            return None
        tries = hooks
        if record is not None and type(value) is dict:
            if alone:
                return record(value, to)
            tries = [(record, to), *hooks]
        problems: list[str] = []
        for hook, option in tries:
            try:
                return hook(value, option)
            except (JsonValueError, BaseValidationError) as error:
                whole = combined(error)
                if whole.rules_only:
                    raise whole from None
                problems += whole.problems
        if record is not None and type(value) is not dict:
            problems += misfit("an object", value).problems
        raise JsonValueError(*dict.fromkeys(problems))

    return convert


def _is_record(option: Any) -> bool:
    return is_model(option) or typing.is_typeddict(get_origin(option) or option)


def _takes_objects(option: Any) -> bool:
    kind = get_origin(option) or option
    return kind in (Any, object) or (isinstance(kind, type) and hasattr(kind, "keys"))


def _width(option: Any) -> int:
    if option in (Any, object):
        return 2
    return 1 if option in (str, float) else 0


def _record_hook(records: list[Any]) -> Hook:
    if len(records) == 1:
        hook: Hook = converter.get_structure_hook(records[0])
        return lambda value, _: hook(value, records[0])
    hooks = {record: converter.get_structure_hook(record) for record in records}
    tag = _tag(records)
    if tag is not None:
        return _by_tag(*tag, hooks)
    if not all(map(is_model, records)):
        return _first_that_fits(hooks)
    try:
        which = create_default_dis_func(converter, *records, use_literals=False)
    except TypeError:
        names = ", ".join(record.__name__ for record in records)
        raise TypeError(
            f"{names} cannot be told apart in JSON; give each a tag of its own, "
            f"such as `kind: Literal[{records[0].__name__.lower()!r}]`"
        ) from None

    def convert(value: Any, _: Any) -> Any:
        try:
            record = which(value)
        except ValueError:
            names = " or ".join(record.__name__ for record in records)
            raise JsonValueError(f"expected the members of {names} @ $") from None
        return hooks[record](value, record)

    return convert


def _first_that_fits(hooks: dict[Any, Hook]) -> Hook:
    def convert(value: Any, _: Any) -> Any:
        problems: list[str] = []
        for record, hook in hooks.items():
            try:
                return hook(value, record)
            except (JsonValueError, BaseValidationError) as error:
                problems += combined(error).problems
        raise JsonValueError(*dict.fromkeys(problems))

    return convert


def _tag(records: list[Any]) -> tuple[str, dict[Any, Any]] | None:
    """Return the member that tells records apart, and the record of each value."""
    found = [_literals(record) for record in records]
    for name in found[0]:
        by_value: dict[Any, Any] = {}
        values = [value for literals in found for value in literals.get(name, ())]
        if not all(name in literals for literals in found) or len(set(values)) < len(values):
            continue
        for record, literals in zip(records, found, strict=True):
            by_value |= dict.fromkeys(literals[name], record)
        return name, by_value
    return None


def _literals(record: Any) -> dict[str, list[Any]]:
    base = get_origin(record) or record
    outside = outside_names(base)
    found = {}
    for name, hint in resolved_hints(base).items():
        if get_origin(hint) is typing.Annotated:
            hint = get_args(hint)[0]
        if get_origin(hint) is Literal:
            options = [getattr(option, "value", option) for option in get_args(hint)]
            found[outside.get(name, name)] = [(type(option), option) for option in options]
    return found


def _by_tag(name: str, records: dict[Any, Any], hooks: dict[Any, Hook]) -> Hook:
    offer = ", ".join(repr(value) for _, value in records)

    def convert(value: Any, _: Any) -> Any:
        tag = value.get(name, _ABSENT)
        if tag is _ABSENT:
            raise JsonValueError(f"required field missing @ $.{name}")
        try:
            record = records[type(tag), tag]
        except (KeyError, TypeError):
            raise JsonValueError(f"expected one of {offer} @ $.{name}") from None
        return hooks[record](value, record)

    return convert
