"""Names of a model's fields outside Python: ``sender: Annotated[str, Alias("from")]``.

In: an attrs class or dataclass. Out: the name of each field in JSON, queries and forms.
"""

import typing
from typing import Annotated, Any, get_args, get_origin

import attrs

__all__ = ["Alias", "alias_of", "outside_names", "resolved_hints"]


@attrs.frozen
class Alias:
    """The name that a field or parameter has in a request or in JSON.

    Attributes:
        name: Any text: ``from``, ``@id``, ``X-Request-Id``.
    """

    name: str


def alias_of(hint: Any) -> str | None:
    """Return the name in an annotation's ``Alias``, ``None`` when it has none."""
    if get_origin(hint) is Annotated:
        for extra in get_args(hint)[1:]:
            if isinstance(extra, Alias):
                return extra.name
    return None


def resolved_hints(model: Any) -> dict[str, Any]:
    """Return the annotations of a class, ``Annotated`` kept; it may name itself.

    Raises:
        TypeError: An annotation means nothing.
    """
    try:
        return typing.get_type_hints(model, None, {model.__name__: model}, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"an annotation of {model.__qualname__} cannot be resolved: {error}"
        ) from None


def outside_names(model: Any) -> dict[str, str]:
    """Return the fields that have another name outside, and that name.

    Raises:
        TypeError: An annotation means nothing, or two fields have one name.
    """
    names = {}
    hints = resolved_hints(model)
    for field, hint in hints.items():
        alias = alias_of(hint)
        if alias is not None:
            names[field] = alias
    for field, alias in names.items():
        others = [other for other in hints if other != field and names.get(other, other) == alias]
        if others:
            raise TypeError(f"{model.__qualname__}: {field} and {others[0]} are both {alias!r}")
    return names
