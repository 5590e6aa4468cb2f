"""Callables: functions, classes, partials and objects with ``__call__``, as handlers are.

In: a callable. Out: its annotations, its name for messages, and whether a call is awaited.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, get_type_hints

from edgezero_spin.core.annotations import Marked

__all__ = ["hints_of", "is_async", "name_of", "spelled"]


def hints_of(function: Callable[..., object]) -> dict[str, Any]:
    """Return the annotations of a callable.

    Raises:
        TypeError: One of them means nothing.
    """
    try:
        hints = get_type_hints(_annotated(function), include_extras=True)
        return {n: hint[Any] if isinstance(hint, Marked) else hint for n, hint in hints.items()}
    except NameError as error:
        raise TypeError(f"handler {name_of(function)}: {error}") from error


def is_async(handler: Callable[..., object]) -> bool:
    """Tell whether a call of a callable gives something to await."""
    while isinstance(handler, partial):
        handler = handler.func
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004  # looking at the method, not for one
    )


def name_of(handler: Callable[..., object]) -> str:
    """Return ``module.function`` for messages."""
    name = getattr(handler, "__qualname__", None) or repr(handler)
    return f"{getattr(handler, '__module__', '')}.{name}"


def spelled(hint: Any) -> str:
    """Return an annotation as messages write it."""
    return hint.__qualname__ if isinstance(hint, type) else str(hint)


def _annotated(handler: Callable[..., object]) -> Any:
    """The function that carries a callable's annotations."""
    while isinstance(handler, partial):
        handler = handler.func
    handler = inspect.unwrap(handler)
    if inspect.isroutine(handler):
        return handler
    if isinstance(handler, type):
        return inspect.getattr_static(handler, "__init__")
    return type(handler).__call__
