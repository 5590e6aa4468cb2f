"""Bounds in annotations: ``page: Annotated[int, Ge(1), Le(100)]``.

In: what stands in ``Annotated`` behind a type. Out: a check of a value, for bodies, queries and
every other place where the annotation is read. The names and attributes are those of the package
``annotated-types``, whose own objects are understood as well.
"""

from collections.abc import Callable, Iterable
from operator import ge, gt, le, lt
from typing import Annotated, Any, Final, get_args, get_origin

import attrs

__all__ = ["Ge", "Gt", "Le", "Lt", "MaxLen", "MinLen", "Rule", "rule_of"]

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
    """Return the check of all bounds in an annotation, ``None`` when it has none."""
    if get_origin(annotation) is not Annotated:
        return None
    checks = list(_checks(get_args(annotation)[1:]))
    if not checks:
        return None

    def check(value: Any) -> str | None:
        for holds, bound, text in checks:
            if value is not None and not holds(value, bound):
                return text
        return None

    return check


def _checks(extras: Iterable[Any]) -> Iterable[tuple[Callable[[Any, Any], bool], Any, str]]:
    for extra in extras:
        for name, holds, text in _BOUNDS:
            bound = getattr(extra, name, None)
            if bound is not None and not isinstance(extra, type):
                yield holds, bound, text.format(bound)
