"""Decoded JSON values to the types that a program names.

``structurer(Note)`` compiles a function once per type; calling it checks the value and builds
the object, or says what is wrong at every place at once. Checks are strict: ``"5"`` is no
integer and ``1`` no boolean. Members that a class does not have are ignored.

Covered here: ``Any``, the JSON types, lists, tuples, sets, dictionaries, ``Literal``, enums,
optional values and unions of these, dates, UUIDs, attrs classes and dataclasses. What is left
(typed dictionaries, generic classes, unions of several classes) goes to cattrs, which is
imported only when such a type is compiled: it makes a component 2.5 MB larger. A component can
import nothing once it is built, so such a type has to be compiled while the module of the app
is imported. Types of handler parameters are; a type that only a handler's body names needs a
``structurer(...)`` call at the top level.

Source: our own; the wording of places (``@ $.title``) follows ``cattrs.transform_error``.
"""

import types
import typing
from collections.abc import (
    Callable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    MutableSequence,
    Sequence,
)
from collections.abc import Set as AbstractSet
from enum import Enum
from importlib import import_module
from typing import Any, Final, TypeVar, overload

import attrs

from edgezero_spin.stores.json_values import JsonValueError, ModelRuleError, writer_of

__all__ = ["Structurer", "structure", "structurer"]

T = TypeVar("T")
Structurer = Callable[[Any], Any]


@overload
def structure(value: Any, to: type[T]) -> T: ...
@overload
def structure(value: Any, to: Any) -> Any: ...
def structure(value: Any, to: Any) -> Any:
    """Build an object of a type from a decoded JSON value.

    Raises:
        JsonValueError: The value does not fit; every misfit is named with its place.
        TypeError: The type has no JSON form.
    """
    return structurer(to)(value)


def structurer(to: Any) -> Structurer:
    """Return the function that builds objects of a type, compiled once.

    Raises:
        TypeError: The type has no JSON form.
    """
    try:
        found = _COMPILED.get(to)
        if found is None:
            found = _COMPILED[to] = _compile(to)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        found = _compile(to)
    return found


def _name_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, (int, float)):
        return "a number"
    return "an object" if isinstance(value, dict) else "an array"


def _misfit(expected: str, value: Any) -> JsonValueError:
    return JsonValueError(f"expected {expected}, got {_name_of(value)} @ $")


def _combined(misfits: list[tuple[str, JsonValueError]]) -> JsonValueError:
    """Make one error of those found one step further in, such as ``.title`` or ``[2]``."""
    problems = []
    for step, error in misfits:
        for problem in error.problems:
            text, _, place = problem.rpartition(" @ $")
            problems.append(f"{text} @ ${step}{place}")
    if all(isinstance(error, ModelRuleError) for _, error in misfits):
        return ModelRuleError(*problems)
    return JsonValueError(*problems)


def _reason(error: BaseException) -> str:
    # attrs puts its sentence first and the evidence after it.
    first = error.args[0] if error.args else None
    text = first if isinstance(first, str) else str(error)
    return " ".join(text.split()) or type(error).__name__


def _any(value: Any) -> Any:
    return value


def _str(value: Any) -> str:
    if type(value) is str:
        return value
    raise _misfit("a string", value)


def _int(value: Any) -> int:
    if type(value) is int:
        return value
    raise _misfit("an integer", value)


def _float(value: Any) -> float:
    kind = type(value)
    if kind is float or kind is int:
        try:
            return float(value)
        except OverflowError:
            raise JsonValueError("number out of range @ $") from None
    raise _misfit("a number", value)


def _bool(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise _misfit("a boolean", value)


def _none(value: Any) -> None:
    if value is not None:
        raise _misfit("null", value)


def _bare_list(value: Any) -> list[Any]:
    if type(value) is list:
        return value
    raise _misfit("an array", value)


def _bare_dict(value: Any) -> dict[str, Any]:
    if type(value) is dict:
        return value
    raise _misfit("an object", value)


_COMPILED: Final[dict[Any, Structurer]] = {
    Any: _any,
    object: _any,
    str: _str,
    int: _int,
    float: _float,
    bool: _bool,
    None: _none,
    type(None): _none,
    list: _bare_list,
    dict: _bare_dict,
    tuple: lambda value: tuple(_bare_list(value)),
    set: lambda value: _collected(set, _any)(value),
    frozenset: lambda value: _collected(frozenset, _any)(value),
}
_EXACT: Final = (str, int, bool, float)
_LISTS: Final = (list, Sequence, MutableSequence, Iterable)
_SETS: Final = (set, AbstractSet)
_MAPPINGS: Final = (dict, Mapping, MutableMapping)


def _collected(make: Callable[[list[Any]], Any], item: Structurer) -> Structurer:
    def convert(value: Any) -> Any:
        members = _bare_list(value)
        try:
            return make([item(member) for member in members])
        except JsonValueError:
            misfits = _misfits(item, ((f"[{i}]", member) for i, member in enumerate(members)))
            raise _combined(misfits) from None
        except TypeError as error:  # an array of arrays cannot become a set
            raise JsonValueError(f"{_reason(error)} @ $") from None

    return convert


def _misfits(
    convert: Structurer, members: Iterable[tuple[str, Any]]
) -> list[tuple[str, JsonValueError]]:
    found = []
    for step, member in members:
        try:
            convert(member)
        except JsonValueError as error:
            found.append((step, error))
    return found


def _fixed_tuple(items: list[Structurer]) -> Structurer:
    def convert(value: Any) -> tuple[Any, ...]:
        members = _bare_list(value)
        if len(members) != len(items):
            raise JsonValueError(f"expected {len(items)} items, got {len(members)} @ $")
        built: list[Any] = []
        misfits = []
        for place, (item, member) in enumerate(zip(items, members, strict=True)):
            try:
                built.append(item(member))
            except JsonValueError as error:
                misfits.append((f"[{place}]", error))
        if misfits:
            raise _combined(misfits)
        return tuple(built)

    return convert


def _mapping(key: Structurer, item: Structurer) -> Structurer:
    def convert(value: Any) -> dict[Any, Any]:
        members = _bare_dict(value)
        try:
            return {key(name): item(member) for name, member in members.items()}
        except JsonValueError:
            misfits = _misfits(key, ((f".{name}", name) for name in members))
            misfits += _misfits(item, ((f".{name}", member) for name, member in members.items()))
            raise _combined(misfits) from None

    return convert


def _key_of(to: Any) -> Structurer:
    """Return what turns the name of an object's member into a key of this type."""
    if to is int:
        return _int_key
    return structurer(to)


def _int_key(name: str) -> int:
    digits = name.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= 4300:
        return int(name)
    raise JsonValueError(f"expected an integer as key, got {name!r} @ $")


def _choice(options: Mapping[tuple[type, Any], Any]) -> Structurer:
    def convert(value: Any) -> Any:
        try:
            return options[type(value), value]
        except (KeyError, TypeError):
            offer = ", ".join(repr(option) for _, option in options)
            raise JsonValueError(f"expected one of {offer} @ $") from None

    return convert


def _optional(convert: Structurer) -> Structurer:
    return lambda value: None if value is None else convert(value)


def _first_that_fits(converts: list[Structurer]) -> Structurer:
    def convert(value: Any) -> Any:
        problems: list[str] = []
        for attempt in converts:
            try:
                return attempt(value)
            except JsonValueError as error:
                problems += error.problems
        raise JsonValueError(*dict.fromkeys(problems))

    return convert


def _from_text(build: Callable[[str], Any]) -> Structurer:
    def convert(value: Any) -> Any:
        text = _str(value)
        try:
            return build(text)
        except ValueError as error:
            raise JsonValueError(f"{_reason(error)} @ $") from None

    return convert


def _compile(to: Any) -> Structurer:
    origin = typing.get_origin(to)
    if origin is not None:
        return _compile_composed(to, origin, typing.get_args(to))
    if isinstance(to, typing.NewType):
        return structurer(to.__supertype__)
    if hasattr(to, "__value__"):  # an alias made by a ``type`` statement
        return structurer(to.__value__)
    if isinstance(to, type):
        if issubclass(to, Enum):
            return _choice({(type(member.value), member.value): member for member in to})
        if _is_model(to) and not getattr(to, "__parameters__", ()):
            return _compile_model(to)
        if hasattr(to, "fromisoformat"):
            return _from_text(to.fromisoformat)
        if to.__module__ == "uuid" and to.__name__ == "UUID":
            return _from_text(to)
        if issubclass(to, (bytes, bytearray, memoryview)):
            raise TypeError(f"{to.__qualname__} has no JSON form")
    return _compile_with_cattrs(to)


def _compile_composed(to: Any, origin: Any, arguments: tuple[Any, ...]) -> Structurer:
    if origin is typing.Annotated:
        return structurer(arguments[0])
    if origin is typing.Literal:
        return _choice({(type(option), option): option for option in arguments})
    if origin in _LISTS:
        return _collected(list, structurer(arguments[0]))
    if origin is tuple:
        if arguments[-1:] == (...,):
            return _collected(tuple, structurer(arguments[0]))
        return _fixed_tuple([structurer(argument) for argument in arguments])
    if origin in _SETS or origin is frozenset:
        made: Any = frozenset if origin is not set else set
        return _collected(made, structurer(arguments[0]))
    if origin in _MAPPINGS:
        return _mapping(_key_of(arguments[0]), structurer(arguments[1]))
    if origin is typing.Union or origin is types.UnionType:
        return _compile_union(to, arguments)
    return _compile_with_cattrs(to)


def _compile_union(to: Any, arguments: tuple[Any, ...]) -> Structurer:
    options = [option for option in arguments if option is not type(None)]
    if len(options) == 1:
        return _optional(structurer(options[0]))
    if sum(map(_is_model, options)) > 1:
        return _compile_with_cattrs(to)
    # A float also takes integers, so it comes last.
    options.sort(key=lambda option: option is float)
    convert = _first_that_fits([structurer(option) for option in options])
    return _optional(convert) if len(options) < len(arguments) else convert


class _Never:
    """The type of no JSON value."""


def _compile_model(to: type) -> Structurer:
    # Filled after the function is known, because a class may contain itself.
    members: list[tuple[str, str, type, Structurer, bool]] = []

    def convert(value: Any) -> Any:
        if type(value) is not dict:
            raise _misfit("an object", value)
        arguments = {}
        misfits = []
        for name, argument, exact, build, required in members:
            if name in value:
                member = value[name]
                if type(member) is exact:
                    arguments[argument] = member
                    continue
                try:
                    arguments[argument] = build(member)
                except JsonValueError as error:
                    misfits.append((f".{name}", error))
            elif required:
                misfits.append((f".{name}", JsonValueError("required field missing @ $")))
        if misfits:
            raise _combined(misfits)
        try:
            return to(**arguments)
        except Exception as error:
            raise ModelRuleError(f"{_reason(error)} @ $") from error

    _COMPILED[to] = convert
    writer_of(to)
    try:
        for name, argument, hint, required in _members_of(to):
            exact = hint if hint in _EXACT else _Never
            members.append((name, argument, exact, structurer(hint), required))
    except BaseException:
        del _COMPILED[to]
        raise
    return convert


def _is_model(to: Any) -> bool:
    return hasattr(to, "__attrs_attrs__") or hasattr(to, "__dataclass_fields__")


def _members_of(to: Any) -> Iterator[tuple[str, str, Any, bool]]:
    """Yield name, parameter of ``__init__``, type and necessity of each field."""
    try:
        hints = typing.get_type_hints(to, None, {to.__name__: to}, include_extras=True)
    except NameError as error:
        raise TypeError(f"an annotation of {to.__qualname__} cannot be resolved: {error}") from None
    if attrs.has(to):
        for field in attrs.fields(to):
            if field.init:
                hint = hints.get(field.name, field.type or Any)
                yield field.name, field.alias, hint, field.default is attrs.NOTHING
        return
    # A component that has such a class holds the module already; the others need not.
    dataclasses = import_module("dataclasses")
    for field in dataclasses.fields(to):
        if field.init:
            required = field.default is field.default_factory is dataclasses.MISSING
            yield field.name, field.name, hints[field.name], required


def _compile_with_cattrs(to: Any) -> Structurer:
    try:
        cattrs = import_module("cattrs")
    except ImportError:
        raise TypeError(
            f"{to!r} needs cattrs, which this component does not hold: "
            f"call edgezero_spin.stores.structurer({getattr(to, '__name__', to)}) at the top level "
            f"of the module of the app, so that it is compiled while the component is built"
        ) from None
    if not _CATTRS:
        _CATTRS.append(_make_converter(cattrs))
    converter = _CATTRS[0]
    try:
        hook = converter.get_structure_hook(to)
    except Exception as error:
        raise TypeError(f"{to!r} has no JSON form: {error}") from None

    def convert(value: Any) -> Any:
        try:
            return hook(value, to)
        except JsonValueError:
            raise
        except Exception as error:
            problems = cattrs.transform_error(error, format_exception=_cattrs_text)
            raise JsonValueError(*problems) from None

    return convert


_CATTRS: Final[list[Any]] = []


def _make_converter(cattrs: Any) -> Any:
    converter = cattrs.Converter()
    for kind in (str, int, float, bool, type(None)):
        convert = _COMPILED[kind]
        converter.register_structure_hook(kind, lambda value, _, convert=convert: convert(value))
    return converter


def _cattrs_text(error: BaseException, kind: type | None) -> str:
    if isinstance(error, JsonValueError):
        return error.problems[0].removesuffix(" @ $")
    if isinstance(error, KeyError):
        return "required field missing"
    return _reason(error)
