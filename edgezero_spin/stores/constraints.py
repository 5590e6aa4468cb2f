"""Bounds in annotations: ``page: Annotated[int, Ge(1), Le(100)]``.

In: what stands in ``Annotated`` behind a type. Out: a check of a value, for bodies, queries and
every other place where the annotation is read. The names and attributes are those of the package
``annotated-types``, whose own objects are understood as well.
"""

from collections.abc import Callable, Iterable
from operator import ge, gt, le, lt
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

import attrs

__all__ = ["Ge", "Gt", "Le", "Lt", "MaxLen", "MinLen", "Rule", "rule_of"]

_SAMPLES: Final[dict[Any, Any]] = {
    kind: kind() for kind in (int, float, bool, str, bytes, list, tuple, set, frozenset, dict)
}

Rule = Callable[[Any], str | None]
"""A value to what is wrong with it, ``None`` when nothing is."""


@attrs.frozen
class Ge:
    """At least ``ge``."""

    ge: Any


@attrs.frozen
class Gt:
    """More than ``gt``."""

    gt: Any


@attrs.frozen
class Le:
    """At most ``le``."""

    le: Any


@attrs.frozen
class Lt:
    """Less than ``lt``."""

    lt: Any


@attrs.frozen
class MinLen:
    """At least ``min_length`` characters or items."""

    min_length: int


@attrs.frozen
class MaxLen:
    """At most ``max_length`` characters or items."""

    max_length: int


_BOUNDS: Final = (
    ("ge", ge, "must be at least {}"),
    ("gt", gt, "must be more than {}"),
    ("le", le, "must be at most {}"),
    ("lt", lt, "must be less than {}"),
    ("min_length", lambda value, bound: len(value) >= bound, "must have a length of at least {}"),
    ("max_length", lambda value, bound: len(value) <= bound, "must have a length of at most {}"),
)


def rule_of(annotation: Any) -> Rule | None:
    """Return the check of all bounds in an annotation, ``None`` when it has none.

    Raises:
        TypeError: A bound can be compared with no value of the type.
    """
    if get_origin(annotation) is not Annotated:
        return None
    kind, *extras = get_args(annotation)
    checks = list(_checks(extras))
    if not checks:
        return None
    _check_kind(kind, checks)

    def check(value: Any) -> str | None:
        for holds, bound, text in checks:
            if value is not None and not holds(value, bound):
                return text
        return None

    return check


def _check_kind(kind: Any, checks: Iterable[tuple[Callable[[Any, Any], bool], Any, str]]) -> None:
    """Refuse the bound of a length for a number, and that of a number for a text."""
    origin = get_origin(kind) or kind
    if origin in (Union, UnionType):
        for member in get_args(kind):
            _check_kind(member, checks)
    if origin not in _SAMPLES:
        return
    for holds, bound, text in checks:
        try:
            holds(_SAMPLES[origin], bound)
        except TypeError as error:
            raise TypeError(f'the bound "{text}" is none for {origin.__name__}: {error}') from None


def _checks(extras: Iterable[Any]) -> Iterable[tuple[Callable[[Any, Any], bool], Any, str]]:
    for extra in extras:
        for name, holds, text in _BOUNDS:
            bound = getattr(extra, name, None)
            if bound is not None and not isinstance(extra, type):
                yield holds, bound, text.format(bound)
