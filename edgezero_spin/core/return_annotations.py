"""Return annotations of handlers, checked when the app is compiled.

In: what stands behind ``->``. Out: nothing, or a ``TypeError`` that names the part of it that no
response can be made of. Abstract classes pass, because what is returned is another class.
"""

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterator
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from edgezero_spin.core.response import Response
from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.stores.aliases import resolved_hints
from edgezero_spin.stores.json_values import JsonValueError, writer_of
from edgezero_spin.stores.structure_hooks import is_model, supertype

__all__ = ["check_return"]

_STREAMS = (AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterator)
_BYTES = (bytes, bytearray, memoryview)
_ANYTHING = (Any, object, None, NoneType, ..., inspect.Parameter.empty)


def check_return(annotation: Any) -> None:
    """Check that a response can be made of what a handler is annotated to return.

    Raises:
        TypeError: Some value of it has no form.
    """
    origin = get_origin(annotation)
    if origin in _STREAMS:
        chunk = (get_args(annotation) or (Any,))[0]
        if isinstance(chunk, type) and not issubclass(chunk, _BYTES) and chunk not in _ANYTHING:
            raise TypeError(f"a streamed body gives bytes, not {chunk.__name__}")
    elif origin in (Union, UnionType, tuple):
        if origin is tuple:
            _check_order(annotation)
        for member in get_args(annotation):
            check_return(member)
    elif not (
        isinstance(annotation, type)
        and issubclass(annotation, (Response, EdgeZeroError, *_BYTES, *_STREAMS))
    ):
        _check_json(annotation, set())


def _check_order(annotation: Any) -> None:
    """Refuse a tuple that would be a status and a body for some values, and JSON for others."""
    first, *rest = get_args(annotation) or (Any,)
    if len(rest) not in (1, 2) or rest[0] is ...:
        return
    if not _is_number(first):
        if _is_number(rest[0]):
            raise TypeError(
                f"{annotation}: the status comes first; write tuple[int, ...] and "
                f"`return 201, body` (for a JSON array return a list)"
            )
        return
    if get_origin(first) is Literal and not all(200 <= status <= 599 for status in get_args(first)):
        raise TypeError(f"{annotation}: a status is one of 200 to 599")
    if len(rest) == 2 and (_is_number(rest[1]) or rest[1] in (str, bool, float, bytes, None)):
        raise TypeError(
            f"{annotation}: behind status and body stand headers, dict[str, str] (for a JSON array "
            f"return a list)"
        )


def _is_number(annotation: Any) -> bool:
    """Whether every value of an annotation is a whole number."""
    if get_origin(annotation) is Literal:
        return all(type(value) is int for value in get_args(annotation))
    annotation = supertype(annotation) or annotation
    is_class = isinstance(annotation, type)
    return is_class and issubclass(annotation, int) and annotation is not bool


def _check_json(annotation: Any, seen: set[Any]) -> None:
    try:
        if annotation in _ANYTHING or annotation in seen:
            return
        seen.add(annotation)
    except TypeError:
        # A note in it cannot be hashed; what it annotates can.
        pass
    inner = supertype(annotation)
    if isinstance(annotation, TypeVar) or get_origin(annotation) is Literal:
        return
    if inner is not None:
        _check_json(inner, seen)
        return
    for argument in get_args(annotation):
        _check_json(argument, seen)
    kind = get_origin(annotation) or annotation
    if not isinstance(kind, type) or kind in (Union, UnionType):
        return
    if is_model(kind):
        try:
            hints = resolved_hints(kind)
        except TypeError:
            return
        for hint in hints.values():
            _check_json(hint, seen)
    elif not _has_form(kind):
        raise TypeError(
            f"{kind.__qualname__} has no JSON form; return a Response, or register one: "
            f"converter.register_unstructure_hook({kind.__qualname__}, ...)"
        )


def _has_form(kind: type) -> bool:
    """Whether instances of a class, or of a class that stands for it, can be written."""
    if inspect.isabstract(kind) or getattr(kind, "_is_protocol", False):
        return True
    try:
        writer_of(kind)
    except JsonValueError:
        return any(map(_has_form, type.__subclasses__(kind)))
    return True
