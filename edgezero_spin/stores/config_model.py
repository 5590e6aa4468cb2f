"""Configuration models: attrs classes with fields that name secrets.

In: the model of ``<name>.toml``. Out: its secret fields, each with its path from the root. A field
made by ``secret()`` holds the *name* of a secret in the file and in the store, never the secret:
a key of a secret store, or, with ``store_ref=True``, the logical id of one. An app that asks for
``AppConfig[Model]`` finds the secrets themselves there.

A model can be imported by the app, so this module needs attrs only.

Source: contract edgezero.md, SAN-1 to SAN-4 and APC-4; SAN-3 for nested and optional fields.
"""

import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import attrs

from edgezero_spin.stores.aliases import alias_of, resolved_hints

__all__ = [
    "EACH",
    "SecretField",
    "are_names",
    "config_model",
    "field_names",
    "is_secret",
    "names_of_secrets",
    "refuses_unknown_fields",
    "rule_free",
    "secret",
    "secret_fields",
]

C = TypeVar("C", bound=type)
SecretKind = Literal["secret", "store_ref"]

EACH: Final = "[*]"
"""The step of a path into every item of a list, or every value of a table."""

_MARK: Final = "edgezero_spin.secret"
_STRICT: Final = "__edgezero_config_model__"

_names_only = False


@attrs.frozen
class SecretField:
    """One marked field of a model.

    Attributes:
        kind: ``secret`` when the value is a key of a secret store, ``store_ref`` when it is the
            id of a secret store.
        name: The place of the field, dotted: ``service.token``, ``mirrors[*].token``.
        path: The same in steps: names of the file, and ``EACH``.
        optional: Whether the field may be ``None``.
        store: The field beside it that has the id of its store; ``None`` for the default store.
    """

    kind: SecretKind
    name: str
    path: tuple[str, ...] = attrs.Factory(lambda self: (self.name,), takes_self=True)
    optional: bool = False
    store: str | None = None


@attrs.frozen
class _Mark:
    """What ``secret()`` notes on a field."""

    kind: SecretKind
    store: str | None = None


def secret(
    *,
    store_ref: bool = False,
    store: str | None = None,
    default: Any = attrs.NOTHING,
    factory: Callable[[], Any] | None = None,
    validator: Any = None,
) -> Any:
    """Make a field whose value in the file names a secret.

    ```python
    @config_model
    @attrs.frozen(kw_only=True)
    class Settings:
        greeting: str
        api_token: str = secret()
        proxy_token: str | None = secret(default=None)
        vault: str = secret(store_ref=True)
        payment_key: str = secret(store="vault")
    ```

    The field is annotated ``str``, a list, tuple or table of ``str``, or one of these ``| None``.

    Args:
        store_ref: Whether the value is the id of a secret store, rather than a key of one.
        store: The field beside this one that has the id of its store; the default store unless
            given.
        default: The name, or ``None``, where the file has none.
        factory: What makes the default, for a list or table of names: ``list``.
        validator: A rule for the secret itself, as of attrs. It is not asked about the name.

    Raises:
        TypeError: ``store_ref`` is not a boolean, or goes with ``store``.
    """
    if not isinstance(store_ref, bool):
        raise TypeError(
            f"store_ref is True or False, not {store_ref!r}; which store is meant is the value "
            "of the field in the file"
        )
    if store_ref and store is not None:
        raise TypeError("a field with the id of a store has no store itself")
    mark = _Mark("store_ref" if store_ref else "secret", store)
    return attrs.field(
        metadata={_MARK: mark}, default=default, factory=factory, validator=validator
    )


def is_secret(field: "attrs.Attribute[Any]") -> bool:
    """Tell whether a field was made by ``secret()``."""
    return _MARK in field.metadata


@contextmanager
def names_of_secrets() -> Iterator[None]:
    """Build models whose secret fields hold names, without their rules and any attrs validators.

    For commands, which run one thing at a time.
    """
    global _names_only
    with attrs.validators.disabled():
        _names_only = True
        try:
            yield
        finally:
            _names_only = False


def are_names() -> bool:
    """Tell whether ``names_of_secrets`` is in force."""
    return _names_only


def rule_free(hint: Any) -> Any:
    """Return an annotation without what ``Annotated`` adds, at any depth."""

    def holder() -> None: ...

    holder.__annotations__ = {"hint": hint}
    return typing.get_type_hints(holder)["hint"]


def config_model(model: C) -> C:
    """Check a configuration model now, and have it refuse fields that it does not know.

    Stands above ``attrs.frozen`` or ``attrs.define``. Holds for the models inside it too.

    Raises:
        TypeError: The class is not an attrs class, or a mark is where none can be.
    """
    secret_fields(model)
    setattr(model, _STRICT, True)
    return model


def refuses_unknown_fields(model: object) -> bool:
    """Tell whether a file may hold only the fields of this model."""
    return bool(getattr(model, _STRICT, False))


def secret_fields(model: type) -> tuple[SecretField, ...]:
    """Return the marked fields of a model and of the models inside it, in their order.

    Raises:
        TypeError: The class is not an attrs class, a marked field cannot hold a name, or it is
            where its place cannot be told: in a union of models, or in a model inside itself.
    """
    if not attrs.has(model):
        raise TypeError(f"{model!r} is not an attrs class, as the model of a configuration is")
    return tuple(_fields_of(model, (), (), model.__qualname__))


def _fields_of(
    model: Any, path: tuple[str, ...], inside: tuple[Any, ...], place: str
) -> Iterator[SecretField]:
    hints = resolved_hints(model)
    for field in attrs.fields(model):
        hint = hints.get(field.name, field.type)
        here = f"{place}.{field.name}"
        steps = (*path, alias_of(hint) or field.name)
        mark = field.metadata.get(_MARK)
        if mark is None:
            yield from _fields_inside(hint, steps, (*inside, model), here)
        else:
            yield _field_of(model, field, hint, mark, steps, here)


def _field_of(
    model: Any, field: "attrs.Attribute[Any]", hint: Any, mark: _Mark, path: Any, place: str
) -> SecretField:
    inner, optional = _without_none(_plain(hint))
    inner = _plain(inner)
    text, each = _item_of(inner)
    if text is not str or (mark.kind == "store_ref" and each):
        more = "" if mark.kind == "store_ref" else "; a list or table of `str` will do, too"
        raise TypeError(f"{place}: a secret field is annotated `str`, not {hint!r}{more}")
    if not field.init:
        raise TypeError(f"{place}: a secret field is read from the file (no `init=False`)")
    if alias_of(hint) is not None:
        raise TypeError(f"{place}: a secret field has the same name in the file (no Alias)")
    if mark.store is not None:
        beside = {other.name: other.metadata.get(_MARK) for other in attrs.fields(model)}
        if beside.get(mark.store) != _Mark("store_ref"):
            raise TypeError(
                f"{place}: no field {mark.store!r} beside it is made by secret(store_ref=True)"
            )
    if each:
        path = (*path, EACH)
    return SecretField(mark.kind, _dotted(path), path, optional, mark.store)


def _fields_inside(
    hint: Any, path: tuple[str, ...], inside: tuple[Any, ...], place: str
) -> Iterator[SecretField]:
    hint = _plain(_without_none(_plain(hint))[0])
    if isinstance(hint, type) and attrs.has(hint):
        if hint not in inside:
            yield from _fields_of(hint, path, inside, place)
        elif _has_marks(hint, set()):
            raise TypeError(f"{place}: a model with secret fields cannot be inside itself")
        return
    item, each = _item_of(hint)
    if each:
        yield from _fields_inside(item, (*path, EACH), inside, place)
    elif any(_has_marks(argument, set()) for argument in get_args(hint)):
        raise TypeError(f"{place}: secret fields cannot be told in {_spell(hint)}")


def _item_of(hint: Any) -> tuple[Any, bool]:
    """Return what a list or table holds, and whether it is one."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple:
        return (arguments[0], True) if arguments[1:] == (...,) else (hint, False)
    if not isinstance(origin, type) or not arguments:
        return hint, False
    if issubclass(origin, Mapping):
        return _plain(arguments[1]), True
    return (_plain(arguments[0]), True) if hasattr(origin, "__iter__") else (hint, False)


def field_names(hint: Any) -> Iterator[str]:
    """Yield the name of each field of a model and of the models inside it."""
    yield from _names(hint, set())


def _names(hint: Any, seen: set[Any]) -> Iterator[str]:
    hint = _plain(hint)
    if isinstance(hint, type) and attrs.has(hint):
        if hint not in seen:
            seen.add(hint)
            hints = resolved_hints(hint)
            for field in attrs.fields(hint):
                yield field.name
                yield from _names(hints.get(field.name, field.type), seen)
        return
    for argument in get_args(hint):
        yield from _names(argument, seen)


def _has_marks(hint: Any, seen: set[Any]) -> bool:
    hint = _plain(hint)
    if isinstance(hint, type) and attrs.has(hint):
        if hint in seen:
            return False
        seen.add(hint)
        hints = resolved_hints(hint)
        return any(
            _MARK in field.metadata or _has_marks(hints.get(field.name, field.type), seen)
            for field in attrs.fields(hint)
        )
    return any(_has_marks(argument, seen) for argument in get_args(hint))


def _plain(hint: Any) -> Any:
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    return hint


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) not in (Union, UnionType):
        return hint, False
    rest = [option for option in get_args(hint) if option is not NoneType]
    optional = len(rest) < len(get_args(hint))
    return (rest[0] if len(rest) == 1 else typing.Union[tuple(rest)]), optional  # noqa: UP007


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(path).replace(f".{EACH}", EACH)


def _spell(hint: Any) -> str:
    return hint.__qualname__ if isinstance(hint, type) and not get_args(hint) else str(hint)
