"""Flat text fields into a model: query strings, urlencoded forms, path parameters.

In: a class (attrs, dataclass, or any with a typed ``__init__``), once. Out: a function from
``(name, text)`` pairs to an instance. Each field is one scalar, optional, or a list of
scalars that gathers repeats. Names that the model does not know are ignored.
``dict[str, str]`` takes every field, the last of a name winning.

What cannot be read is a 400 that opens with the words of the contract; what was read and
breaks a rule of the model (its validators and converters run in ``__init__``) is a 422 with
the rule's own text.

Source: contract edgezero.md, EXT-2 to EXT-4, EXT-8, TV-31 to TV-35.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

from edgezero_spin.core.errors import BadRequest, ValidationFailed
from edgezero_spin.core.scalars import Reader, scalar_reader, without_none
from edgezero_spin.stores.rule_text import RULE_ERRORS, rule_text

__all__ = ["BAD_FORM", "BAD_PATH", "BAD_QUERY", "FieldsReader", "fields_reader"]

BAD_QUERY = "invalid query string"
BAD_FORM = "invalid form payload"
BAD_PATH = "invalid path parameters"

_Fields: TypeAlias = Iterable[tuple[str, str]]
FieldsReader: TypeAlias = Callable[[_Fields], Any]

_readers: dict[tuple[Any, str], FieldsReader] = {}


class _Field(NamedTuple):
    """One parameter of a model's ``__init__``."""

    read: Reader
    many: bool
    required: bool
    nullable: bool


def fields_reader(model: Any, failure: str) -> FieldsReader:
    """Return the function that makes a model of text fields; made once per model.

    Args:
        model: The class, or ``dict[str, str]``.
        failure: How a 400 opens: one of the ``BAD_`` texts.

    Raises:
        TypeError: A field has a type that text cannot become.
    """
    known = _readers.get((model, failure))
    if known is None:
        known = _readers[model, failure] = _compile(model, failure)
    return known


def _compile(model: Any, failure: str) -> FieldsReader:
    if model is dict or (get_origin(model) is dict and get_args(model) == (str, str)):
        return dict
    fields = _fields(model)
    required = {name: field for name, field in fields.items() if field.required}

    def read(pairs: _Fields) -> Any:
        values: dict[str, Any] = {}
        for name, text in pairs:
            field = fields.get(name)
            if field is None:
                continue
            try:
                value = field.read(text)
            except ValueError as error:
                raise BadRequest(f"{failure}: {name}: {error}") from None
            if field.many:
                values.setdefault(name, []).append(value)
            elif name in values:
                raise BadRequest(f"{failure}: {name}: given more than once")
            else:
                values[name] = value
        for name, field in required.items():
            if name in values:
                continue
            if not field.nullable and not field.many:
                raise BadRequest(f"{failure}: {name}: missing")
            values[name] = None if field.nullable else []
        try:
            return model(**values)
        except RULE_ERRORS as error:
            raise ValidationFailed(rule_text(error) or "a value breaks a rule") from error

    return read


def _fields(model: Any) -> dict[str, _Field]:
    if not isinstance(model, type) or model.__module__ == "builtins":
        raise TypeError(f"{model!r} is not a model: it names no fields")
    # attrs spells a private field without its underscore in __init__.
    names = {a.alias: a.name for a in getattr(model, "__attrs_attrs__", ())}
    try:
        hints = get_type_hints(model, include_extras=True)
    except NameError as error:
        raise TypeError(f"an annotation of {model.__qualname__} means nothing: {error}") from error
    parameters = inspect.signature(model).parameters.values()
    if not names and any(parameter.name not in hints for parameter in parameters):
        inits = [vars(base)["__init__"] for base in model.__mro__ if "__init__" in vars(base)]
        hints = get_type_hints(inits[0], include_extras=True) | hints
    fields = {}
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        hint = hints.get(names.get(parameter.name, parameter.name), str)
        required = parameter.default is parameter.empty
        fields[parameter.name] = _field(model, parameter.name, hint, required)
    return fields


def _field(model: type, name: str, hint: Any, required: bool) -> _Field:
    inner, nullable = without_none(hint)
    many = get_origin(inner) is list
    read = scalar_reader(get_args(inner)[0] if many else inner)
    if read is None:
        raise TypeError(f"{model.__qualname__}.{name}: text cannot become {hint!r}")
    return _Field(read, many, required, nullable)
