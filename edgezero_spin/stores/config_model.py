"""Mark which fields of an app's configuration model name secrets.

The model of ``<name>.toml`` is an attrs class. A field made by ``secret()`` holds the *name*
of a secret, never the secret: a key of the secret store, or, with ``store_ref=True``, the
logical id of one. Such fields are checked when the file is, and are never pushed.

A model can be imported by the app, so this module needs attrs only.

Source: contract edgezero.md, SAN-1 to SAN-4, APC-4 and GEN-8.
"""

import typing
from collections.abc import Iterator
from typing import Any, Final, Literal, TypeVar

import attrs

__all__ = ["SecretField", "config_model", "refuses_unknown_fields", "secret", "secret_fields"]

C = TypeVar("C", bound=type)
SecretKind = Literal["secret", "store_ref"]

_MARK: Final = "edgezero_spin.secret"
_STRICT: Final = "__edgezero_config_model__"


@attrs.frozen
class SecretField:
    """One marked field of a model.

    Attributes:
        kind: ``secret`` when the value is a key of the default secret store,
            ``store_ref`` when it is the id of a secret store.
        name: The field, which is also its key in the file.
    """

    kind: SecretKind
    name: str


def secret(*, store_ref: bool = False) -> Any:
    """Make a required text field whose value names a secret.

    Use it on the top level of a model, with the annotation ``str``::

        @config_model
        @attrs.frozen(kw_only=True)
        class AppConfig:
            greeting: str
            api_token: str = secret()
            vault: str = secret(store_ref=True)

    Args:
        store_ref: Whether the value is the id of a secret store, rather than a key in the
            default one.

    Raises:
        TypeError: ``store_ref`` is not a boolean; the id of the store is the field's value.
    """
    if not isinstance(store_ref, bool):
        raise TypeError(
            f"store_ref is True or False, not {store_ref!r}; which store is meant is the value "
            "of the field in the file"
        )
    return attrs.field(metadata={_MARK: "store_ref" if store_ref else "secret"})


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
    """Return the marked fields of a model, in the order of the class.

    Raises:
        TypeError: The class is not an attrs class, a marked field is not a plain ``str``
            that the file sets, or a model inside this one has marks.
    """
    if not attrs.has(model):
        raise TypeError(f"{model!r} is not an attrs class, as the model of a configuration is")
    hints = _hints_of(model)
    found = []
    for field in attrs.fields(model):
        hint = hints.get(field.name, field.type)
        kind = field.metadata.get(_MARK)
        place = f"{model.__qualname__}.{field.name}"
        if kind is None:
            _refuse_marks_inside(hint, place, {model})
            continue
        if hint is not str:
            raise TypeError(f"{place}: a secret field is annotated `str`, not {hint!r}")
        if not field.init:
            raise TypeError(f"{place}: a secret field is read from the file (no `init=False`)")
        found.append(SecretField(kind, field.name))
    return tuple(found)


def _refuse_marks_inside(hint: Any, place: str, seen: set[Any]) -> None:
    for inner in _models_in(hint):
        if inner in seen:
            continue
        seen.add(inner)
        hints = _hints_of(inner)
        for field in attrs.fields(inner):
            inside = f"{place}.{field.name}"
            if _MARK in field.metadata:
                raise TypeError(f"{inside}: secret fields stand on the top level of a model only")
            _refuse_marks_inside(hints.get(field.name, field.type), inside, seen)


def _models_in(hint: Any) -> Iterator[Any]:
    if isinstance(hint, type) and attrs.has(hint):
        yield hint
    for argument in typing.get_args(hint):
        yield from _models_in(argument)


def _hints_of(model: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(model, None, {model.__name__: model})
    except NameError as error:
        raise TypeError(
            f"an annotation of {model.__qualname__} cannot be resolved: {error}"
        ) from None
