"""Flat text fields into typed values: query strings, forms, path parameters, headers, cookies.

In: the fields, once: those of a class (attrs, dataclass, or any with a typed ``__init__``), or the
parameters of a handler. Out: a function from ``(name, text)`` pairs to an instance, or to the
arguments. Each field is one scalar (in a form, a file as well), optional, or a list of them that
gathers repeats. Names that nobody asks for are ignored. ``dict[str, str]`` takes every text, the
last of a name winning.

An empty text is how a browser sends a field that was not filled in: in a form it is not a value for
anything but text, nor for text that may be ``None``. A checkbox that is not ticked is not sent: in
a form, a ``bool`` that is missing is ``False``.

What cannot be read is a 400 that opens with the words of the contract and names every field;
what was read and breaks a rule (a bound, or what runs in ``__init__``) is a 422 with the rule's
own text.

Source: contract edgezero.md, EXT-2 to EXT-4, EXT-8, TV-31 to TV-35; HTML, "Constructing the
entry list", for forms.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias, get_args, get_origin

from edgezero_spin.core.errors import BadRequest, ValidationFailed
from edgezero_spin.core.headers import header_text
from edgezero_spin.core.scalars import Reader, scalar_reader, without_none
from edgezero_spin.core.uploads import FormValue, UploadFile
from edgezero_spin.stores.aliases import alias_of, resolved_hints
from edgezero_spin.stores.constraints import Rule, rule_of
from edgezero_spin.stores.rule_text import RULE_ERRORS, rule_text

__all__ = [
    "BAD_COOKIE",
    "BAD_FORM",
    "BAD_HEADER",
    "BAD_PATH",
    "BAD_QUERY",
    "ArgumentsReader",
    "Field",
    "FieldsReader",
    "arguments_reader",
    "field_of",
    "fields_reader",
]

BAD_QUERY = "invalid query string"
BAD_FORM = "invalid form payload"
BAD_PATH = "invalid path parameters"
BAD_HEADER = "invalid headers"
BAD_COOKIE = "invalid cookies"

_Fields: TypeAlias = Iterable[tuple[str, FormValue | bytes]]
FieldsReader: TypeAlias = Callable[[_Fields], Any]
ArgumentsReader: TypeAlias = Callable[[_Fields], dict[str, Any]]

_readers: dict[tuple[Any, str], FieldsReader] = {}
_COLLECTIONS: dict[Any, Callable[[list[Any]], Any]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    tuple: tuple,
}
_TICKED = {"true": True, "on": True, "yes": True, "1": True}
_UNTICKED = {"false": False, "off": False, "no": False, "0": False}


class Field(NamedTuple):
    """One field.

    Attributes:
        argument: Its name in Python.
        read: Text to a value.
        collect: What gathers repeats, ``None`` for a single value.
        rule: The bounds in its annotation.
        empty: Whether an empty text is a value.
        absent: What an absent one is, unless it has to be there or the callee has a default.
    """

    argument: str
    read: Reader
    collect: Callable[[list[Any]], Any] | None
    rule: Rule | None
    empty: bool
    absent: Any

    @property
    def required(self) -> bool:
        """Whether a request without it is refused."""
        return self.absent is _MISSING


_MISSING: Any = object()
_LEFT_OUT: Any = object()


def field_of(argument: str, hint: Any, default: Any, failure: str) -> Field | None:
    """Return a field of a handler or a class, ``None`` when text cannot become its type.

    Args:
        argument: Its name in Python.
        hint: Its annotation.
        default: ``inspect.Parameter.empty`` when it has none.
        failure: Where it is read: one of the ``BAD_`` texts.
    """
    rule = rule_of(hint)
    inner, nullable = without_none(_plain(hint))
    rule = _both(rule, rule_of(inner))
    inner = _plain(inner)
    collect = _COLLECTIONS.get(get_origin(inner))
    arguments = get_args(inner)
    if collect is tuple and arguments[1:] != (...,):
        return None
    if collect is not None:
        inner = arguments[0]
        rule = _both(_of_each(rule_of(without_none(inner)[0])), rule)
    read = _upload if inner is UploadFile and failure == BAD_FORM else scalar_reader(inner)
    if read is None:
        return None
    if _plain(inner) is bool and failure != BAD_PATH:
        read = _tick
    is_text = read is str
    if default is not inspect.Parameter.empty:
        absent = _LEFT_OUT
    elif nullable:
        absent = None
    elif collect is not None:
        absent = collect([])
    elif _plain(inner) is bool and failure == BAD_FORM:
        absent = False
    else:
        absent = _MISSING
    if failure == BAD_FORM and read is not _upload:
        read = _of_text(read)
    elif failure == BAD_HEADER:
        read = _of_bytes(read)
    empty = failure != BAD_FORM or (is_text and not nullable)
    return Field(argument, read, collect, rule, empty, absent)


def arguments_reader(fields: dict[str, Field], failure: str) -> ArgumentsReader:
    """Return the function from text fields to arguments by their name in Python.

    Args:
        fields: The fields by their name in the request.
        failure: How a 400 opens.
    """

    # Tables of what each step needs: a look-up of an attribute costs in a component.
    known = {
        name: (field.argument, field.read, field.collect, field.empty)
        for name, field in fields.items()
    }.get
    required = [(name, field.argument) for name, field in fields.items() if field.required]
    missing = [
        (field.argument, field.absent, field.collect)
        for field in fields.values()
        if field.absent is not _MISSING and field.absent is not _LEFT_OUT
    ]
    finished = [
        (name, field.argument, field.collect, field.rule)
        for name, field in fields.items()
        if field.rule is not None or field.collect not in (None, list)
    ]

    def read(pairs: _Fields) -> dict[str, Any]:
        values: dict[str, Any] = {}
        problems: list[str] = []
        for name, text in pairs:
            field = known(name)
            if field is None:
                continue
            argument, read_text, collect, empty = field
            if not (text or empty):
                continue
            try:
                value = read_text(text)  # type: ignore[arg-type]  # one of the two it takes
            except ValueError as error:
                problems.append(f"{name}: {error}")
                # Not missing as well.
                values.setdefault(argument, [])
                continue
            if collect is not None:
                values.setdefault(argument, []).append(value)
            elif argument in values:
                problems.append(f"{name}: given more than once")
            else:
                values[argument] = value
        for name, argument in required:
            if argument not in values:
                problems.append(f"{name}: missing")
        if problems:
            raise BadRequest(f"{failure}: {'; '.join(dict.fromkeys(problems))}")
        if finished:
            finish(values)
        for argument, absent, collect in missing:
            if argument not in values:
                # A list of its own for every request.
                values[argument] = absent if absent is None or collect is None else collect([])
        return values

    def finish(values: dict[str, Any]) -> None:
        broken: list[str] = []
        for name, argument, collect, rule in finished:
            if argument in values:
                if collect is not None:
                    values[argument] = collect(values[argument])
                problem = rule(values[argument]) if rule is not None else None
                if problem is not None:
                    broken.append(f"{name}: {problem}")
        if broken:
            raise ValidationFailed("; ".join(broken))

    return read


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
        return _texts
    arguments = arguments_reader(_fields(model, failure), failure)

    def read(pairs: _Fields) -> Any:
        values = arguments(pairs)
        try:
            return model(**values)
        except RULE_ERRORS as error:
            raise ValidationFailed(rule_text(error) or "a value breaks a rule") from error

    return read


def _fields(model: Any, failure: str) -> dict[str, Field]:
    if not isinstance(model, type) or model.__module__ == "builtins":
        raise TypeError(f"{model!r} is not a model: it names no fields")
    # attrs spells a private field without its underscore in __init__.
    names = {a.alias: a.name for a in getattr(model, "__attrs_attrs__", ())}
    hints = resolved_hints(model)
    parameters = inspect.signature(model).parameters.values()
    if not names and any(parameter.name not in hints for parameter in parameters):
        inits = [vars(base)["__init__"] for base in model.__mro__ if "__init__" in vars(base)]
        hints = inspect.get_annotations(inits[0], eval_str=True) | hints
    fields: dict[str, Field] = {}
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        hint = hints.get(names.get(parameter.name, parameter.name), str)
        field = field_of(parameter.name, hint, parameter.default, failure)
        if field is None:
            raise TypeError(f"{model.__qualname__}.{parameter.name}: text cannot become {hint!r}")
        name = alias_of(hint) or parameter.name
        if name in fields:
            raise TypeError(f"{model.__qualname__}: two fields are called {name!r}")
        fields[name] = field
    return fields


def _both(one: Rule | None, other: Rule | None) -> Rule | None:
    if one is None or other is None:
        return one or other
    return lambda value: one(value) or other(value)


def _of_each(rule: Rule | None) -> Rule | None:
    """Return the rule of a collection whose items have one."""
    if rule is None:
        return None
    return lambda values: next((said for value in values if (said := rule(value))), None)


def _plain(hint: Any) -> Any:
    """Return a type without the notes of ``Annotated``."""
    return hint.__origin__ if hasattr(hint, "__metadata__") else hint


def _texts(pairs: _Fields) -> dict[str, str]:
    return {name: text for name, text in pairs if isinstance(text, str)}


def _upload(value: FormValue) -> UploadFile:
    if isinstance(value, UploadFile):
        return value
    raise ValueError("not a file; the form needs enctype='multipart/form-data'")


def _of_text(read: Reader) -> Reader:
    """Return a reader that refuses the files of a form."""

    def read_text(value: FormValue) -> Any:
        if isinstance(value, str):
            return read(value)
        raise ValueError("a file, not text")

    return read_text


def _of_bytes(read: Reader) -> Reader:
    """Return a reader of the value of a header.

    Most of the many headers of a request are nobody's parameters: those stay undecoded.
    """

    def read_bytes(value: Any) -> Any:
        return read(header_text(value))

    return header_text if read is str else read_bytes  # type: ignore[return-value]


def _tick(text: str) -> bool:
    lower = text.lower()
    if lower in _TICKED or lower in _UNTICKED:
        return lower in _TICKED
    raise ValueError("not one of true, false")
