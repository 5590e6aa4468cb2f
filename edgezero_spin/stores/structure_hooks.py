"""Strict cattrs hooks: what each kind of type takes of a decoded JSON value.

``"5"`` is not an integer, ``1`` not a boolean, ``"ab"`` not an array. Registered on the
``converter`` in order; the type decides at import which hook serves it. Members that a class does
not have are ignored.

A hook raises ``JsonValueError`` with one problem; cattrs gathers those of a class or a
container and notes their places, which ``structure_errors`` puts together.

Source: contract edgezero.md, EXT-1; our own for the kinds that JSON does not know.
"""

import typing
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from types import GenericAlias, NoneType
from typing import Annotated, Any, Final, Literal, NewType, TypeVar, Union, get_args, get_origin

from cattrs import IterableValidationError
from cattrs.cols import list_structure_factory
from cattrs.errors import IterableValidationNote
from cattrs.gen import make_dict_structure_fn, make_mapping_structure_fn, override
from cattrs.gen.typeddicts import make_dict_structure_fn as make_typeddict_structure_fn

from edgezero_spin.stores.aliases import outside_names, resolved_hints
from edgezero_spin.stores.config_model import are_names, is_secret, rule_free
from edgezero_spin.stores.constraints import rule_of
from edgezero_spin.stores.converting import converter
from edgezero_spin.stores.json_values import JsonValueError, ModelRuleError, writer_of
from edgezero_spin.stores.text_values import text_form

__all__ = ["KINDS", "Hook", "is_model", "misfit", "supertype"]

Hook = Callable[[Any, Any], Any]

_LISTS: Final = ("list", "Sequence", "MutableSequence", "Iterable", "Collection")
_SETS: Final = ("set", "Set", "MutableSet", "frozenset")
_MAPPINGS: Final = ("dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict")


def misfit(expected: str, value: Any) -> JsonValueError:
    """Return the error for a value of another JSON type."""
    return JsonValueError(f"expected {expected}, got {_name_of(value)} @ $")


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


# The types of JSON itself


def _any(value: Any, _: Any) -> Any:
    return value


def _str(value: Any, _: Any) -> str:
    if type(value) is str:
        return value
    raise misfit("a string", value)


def _int(value: Any, _: Any) -> int:
    if type(value) is int:
        return value
    raise misfit("an integer", value)


def _float(value: Any, _: Any) -> float:
    kind = type(value)
    if kind is float or kind is int:
        try:
            return float(value)
        except OverflowError:
            raise JsonValueError("number out of range @ $") from None
    raise misfit("a number", value)


def _bool(value: Any, _: Any) -> bool:
    if type(value) is bool:
        return value
    raise misfit("a boolean", value)


def _none(value: Any, _: Any) -> None:
    if value is not None:
        raise misfit("null", value)


_PLAIN: Final[dict[Any, Hook]] = {
    Any: _any,
    object: _any,
    str: _str,
    int: _int,
    float: _float,
    bool: _bool,
    None: _none,
    NoneType: _none,
}


# Names for other types


def supertype(to: Any) -> Any:
    """Return the type behind a name, an annotation or a variable; ``None`` for a type proper."""
    origin = get_origin(to)
    if origin is Annotated:
        return get_args(to)[0]
    if origin is typing.Final or origin in (typing.Required, typing.NotRequired):
        return get_args(to)[0]
    if isinstance(to, NewType):
        return to.__supertype__
    if isinstance(to, TypeVar):
        return to.__bound__ or (Union[to.__constraints__] if to.__constraints__ else Any)  # noqa: UP007
    if hasattr(to, "__value__"):  # an alias made by a ``type`` statement
        return to.__value__
    if hasattr(origin, "__value__"):
        return origin.__value__[get_args(to)]
    return None


def _named(to: Any) -> Hook:
    inner = supertype(to)
    hook: Hook = converter.get_structure_hook(inner)
    rule = rule_of(to)
    if rule is None:
        return lambda value, _: hook(value, inner)

    def convert(value: Any, _: Any) -> Any:
        built = hook(value, inner)
        problem = rule(built)
        if problem is not None:
            raise ModelRuleError(f"{problem} @ $")
        return built

    return convert


# Choices and text


def _choice(options: Mapping[tuple[type, Any], Any]) -> Hook:
    offer = ", ".join(repr(option) for _, option in options)

    def convert(value: Any, _: Any) -> Any:
        try:
            return options[type(value), value]
        except (KeyError, TypeError):
            raise JsonValueError(f"expected one of {offer} @ $") from None

    return convert


def _literal(to: Any) -> Hook:
    plain = ((o.value if isinstance(o, Enum) else o, o) for o in get_args(to))
    return _choice({(type(value), value): option for value, option in plain})


def _enum(to: Any) -> Hook:
    return _choice({(type(member.value), member.value): member for member in to})


def _text(to: Any) -> Hook:
    form = text_form(to)
    if form is None:
        raise TypeError(f"{to!r} has no JSON form")
    read, _, noun = form
    numbers = (int, float) if noun == "a decimal number" else ()

    def convert(value: Any, _: Any) -> Any:
        if type(value) in numbers:
            value = repr(value)
        elif type(value) is not str:
            raise misfit(noun if numbers else f"{noun} as a string", value)
        try:
            return read(value)
        except ValueError:
            raise JsonValueError(f"expected {noun} @ $") from None

    return convert


# Containers


def _origin_name(to: Any) -> str:
    origin = get_origin(to) or to
    return getattr(origin, "__name__", "") if isinstance(origin, type) else ""


def _argument(to: Any, index: int) -> Any:
    arguments = get_args(to)
    return arguments[index] if index < len(arguments) else Any


def _array(item: Any, make: Callable[[list[Any]], Any] | None) -> Hook:
    listed: Any = GenericAlias(list, item)
    build = list_structure_factory(listed, converter)

    def convert(value: Any, _: Any) -> Any:
        if type(value) is not list:
            raise misfit("an array", value)
        built = build(value, listed)
        if make is None:
            return built
        try:
            return make(built)
        except TypeError:
            raise JsonValueError("an array or object cannot be in a set @ $") from None

    return convert


def _list(to: Any) -> Hook:
    return _array(_argument(to, 0), None)


def _set(to: Any) -> Hook:
    mutable = _origin_name(to) in ("set", "MutableSet")
    return _array(_argument(to, 0), set if mutable else frozenset)


def _deque(to: Any) -> Hook:
    return _array(_argument(to, 0), deque)


def _tuple(to: Any) -> Hook:
    arguments = get_args(to)
    if not arguments and to is tuple:
        arguments = (Any, ...)
    if arguments[-1:] == (...,):
        return _array(arguments[0], tuple)
    hooks = [(converter.get_structure_hook(item), item) for item in arguments]
    return _fixed(to, hooks, tuple, len(hooks))


def _named_tuple(to: Any) -> Hook:
    hints = resolved_hints(to)
    kinds = [hints.get(name, Any) for name in to._fields]
    hooks = [(converter.get_structure_hook(kind), kind) for kind in kinds]
    return _fixed(to, hooks, lambda values: to(*values), len(hooks) - len(to._field_defaults))


def _fixed(
    to: Any, hooks: list[tuple[Hook, Any]], make: Callable[[list[Any]], Any], least: int
) -> Hook:
    count = len(hooks) if least == len(hooks) else f"{least} to {len(hooks)}"

    def convert(value: Any, _: Any) -> Any:
        if type(value) is not list:
            raise misfit("an array", value)
        if not least <= len(value) <= len(hooks):
            raise JsonValueError(f"expected {count} items, got {len(value)} @ $")
        built: list[Any] = []
        errors = []
        for place, ((hook, item), member) in enumerate(zip(hooks, value, strict=False)):
            try:
                built.append(hook(member, item))
            except Exception as error:
                error.add_note(IterableValidationNote("", place, item))
                errors.append(error)
        if errors:
            raise IterableValidationError("", errors, to)
        return make(built)

    return convert


def _mapping(to: Any) -> Hook:
    key, item = _argument(to, 0), _argument(to, 1)
    # Names are text already; int has a rule of its own for them.
    kind = {str: Any, int: _IntKey}.get(key, key)
    typed: Any = GenericAlias(dict, (kind, item))
    build = make_mapping_structure_fn(typed, converter)

    def convert(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise misfit("an object", value)
        return build(value, to)

    return convert


_IntKey = NewType("_IntKey", int)


def _int_key(name: str, _: Any) -> int:
    digits = name.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= 4300:
        return int(name)
    raise JsonValueError(f"expected an integer as key, got {name!r} @ $")


# Classes


def is_model(to: Any) -> bool:
    """Whether a type is an attrs class or a dataclass, generic or not."""
    to = get_origin(to) or to
    return hasattr(to, "__attrs_attrs__") or hasattr(to, "__dataclass_fields__")


def _model(to: Any) -> Hook:
    base = get_origin(to) or to
    hints = resolved_hints(base)
    if hasattr(base, "__attrs_attrs__"):
        _resolve(base, hints)
    names: dict[str, Any] = {
        name: override(rename=alias) for name, alias in outside_names(base).items()
    }
    for field in getattr(base, "__attrs_attrs__", ()):
        if is_secret(field) and rule_free(hints.get(field.name)) != hints.get(field.name):
            names[field.name] = override(struct_hook=_secret(hints[field.name]))
    build = make_dict_structure_fn(to, converter, _cattrs_use_linecache=False, **names)
    writer_of(base)

    def convert(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise misfit("an object", value)
        return build(value, to)

    convert.overrides = names  # type: ignore[attr-defined]  # where cattrs looks for them
    convert.build = build  # type: ignore[attr-defined]
    return convert


def _secret(hint: Any) -> Hook:
    """Return the hook of a secret field, whose rules are not for the name of the secret."""
    plain = rule_free(hint)
    of_value, of_name = converter.get_structure_hook(hint), converter.get_structure_hook(plain)

    def convert(value: Any, _: Any) -> Any:
        return of_name(value, plain) if are_names() else of_value(value, hint)

    return convert


def _resolve(model: Any, hints: dict[str, Any]) -> None:
    """Replace annotations that are text, as ``attrs.resolve_types`` does, local names too."""
    for field in model.__attrs_attrs__:
        if field.name in hints:
            object.__setattr__(field, "type", hints[field.name])
    model.__attrs_types_resolved__ = model


def _typed_dict(to: Any) -> Hook:
    base = get_origin(to) or to
    build = make_typeddict_structure_fn(to, converter, _cattrs_use_linecache=False)
    names = list(resolved_hints(base))

    def convert(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise misfit("an object", value)
        built = build(value, to)
        return {name: built[name] for name in names if name in built}

    return convert


KINDS: Final[list[tuple[Callable[[Any], bool], Callable[[Any], Hook]]]] = [
    (lambda to: text_form(to) is not None, _text),
    (is_model, _model),
    (lambda to: _origin_name(to) in _MAPPINGS, _mapping),
    (lambda to: typing.is_typeddict(get_origin(to) or to), _typed_dict),
    (lambda to: _origin_name(to) == "deque", _deque),
    (lambda to: _origin_name(to) in _SETS, _set),
    (lambda to: _origin_name(to) in _LISTS, _list),
    (lambda to: _origin_name(to) == "tuple", _tuple),
    (lambda to: issubclass(to, tuple) and hasattr(to, "_fields"), _named_tuple),
    (lambda to: issubclass(to, Enum), _enum),
    (lambda to: get_origin(to) is Literal, _literal),
    (lambda to: supertype(to) is not None, _named),
    (lambda to: to in _PLAIN, lambda to: _PLAIN[to]),
    (lambda to: to is _IntKey, lambda _: _int_key),
]
"""Which types a factory of hooks serves; where two do, the later one."""
