"""Return values of handlers: the response that each of them becomes.

In: a ``Response``, text, bytes, nothing, a JSON-able value or attrs instance, an iterator
of bytes, or any of these in ``(status, body)`` or ``(status, body, headers)``. Out: a ``Response``.

Source: contract edgezero.md, HND-2 and HND-3, with the difference that values serialised as
JSON say ``application/json``. A ``Response`` that a handler built is left as it is.
"""

from typing import Any, get_args, get_type_hints

from edgezero_spin.core.headers import MutableHeaders
from edgezero_spin.core.response import JSON, TEXT, Response, plain_response, sized_response
from edgezero_spin.core.streaming import BodyStream
from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.stores.json_values import encode, writer_of

__all__ = ["prepare_json", "to_response"]

_new = object.__new__
_prepared: set[Any] = set()
# The classes among them whose instances are nothing but JSON.
_models: set[type] = set()


def to_response(value: object) -> Response:
    """Turn what a handler returned into a response.

    Raises:
        EdgeZeroError: The handler returned one instead of raising it.
        TypeError: The value is not an answer: JSON cannot hold it, or the status is out of range.
    """
    kind = type(value)
    if kind is str:
        # Written out: a call costs more here than what it would save to read.
        text: bytes = value.encode()  # type: ignore[attr-defined]  # narrowed by its exact type
        response = _new(Response)
        response.status = 200
        response.body = text
        response._pairs = [TEXT, ("content-length", b"%d" % len(text))] if text else []
        return response
    if kind is Response:
        return value  # type: ignore[return-value]
    if value is None:
        return plain_response(b"", 204)
    if kind is bytes:
        return sized_response(value, TEXT, 200)  # type: ignore[arg-type]
    if kind in _models:
        return sized_response(encode(value), JSON, 200)
    return _convert(value)


def prepare_json(annotation: Any) -> None:
    """Choose now how values of a return annotation are written, models inside it included.

    What the annotation does not say is chosen when it is first returned.
    """
    try:
        if annotation in _prepared:
            return
        _prepared.add(annotation)
        for argument in get_args(annotation):
            prepare_json(argument)
        if hasattr(annotation, "__attrs_attrs__") or hasattr(annotation, "__dataclass_fields__"):
            writer_of(annotation)
            other = issubclass(annotation, EdgeZeroError | Response | str | bytes | tuple)
            if not other and not {"__next__", "__aiter__"} & set(dir(annotation)):
                _models.add(annotation)
            for hint in get_type_hints(annotation).values():
                prepare_json(hint)
    except (NameError, TypeError):
        # An annotation that cannot be looked into: a forward reference, an unhashable extra.
        return


def _convert(value: object) -> Response:
    """The returns that are rarer, or dearer anyway."""
    if type(value) is tuple and len(value) in (2, 3):
        response = _from_tuple(value)
        if response is not None:
            return response
    if isinstance(value, Response):
        return value
    if isinstance(value, EdgeZeroError):
        raise value
    if isinstance(value, str):
        return Response.text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return sized_response(bytes(value), TEXT, 200)
    # Not the abstract classes of collections.abc: their first answer is dear. Chunks are
    # checked when they are pulled.
    if hasattr(value, "__next__") or hasattr(value, "__aiter__"):
        return plain_response(BodyStream(value), 200)  # type: ignore[arg-type]
    if hasattr(value, "__await__"):
        raise _not_awaited(value)
    return Response.json(value)


def _from_tuple(value: tuple[Any, ...]) -> Response | None:
    """Read ``(status, body)`` and ``(status, body, headers)``; ``None`` for a plain array."""
    status, inner, *rest = value
    if not _is_status(status, 0, 999) or (rest and not _is_status(status, 100, 599)):
        if _is_status(inner, 100, 599):
            raise TypeError(
                f"a handler returned the status {inner} after the body; write "
                f"`return {inner}, body` (for a JSON array return a list)"
            )
        return None
    if not 200 <= status <= 599:
        raise TypeError(
            f"a handler returned the status {status}, not 200 to 599 (for a JSON array return a "
            f"list)"
        )
    if rest and not hasattr(rest[0], "__iter__"):
        raise TypeError(
            f"a handler returned {type(rest[0]).__name__} as the headers of status {status}; write "
            f"a mapping (for a JSON array return a list)"
        )
    response = to_response(inner)
    response.status = int(status)
    added = MutableHeaders(*rest)
    for name in added:
        response.headers.discard(name)
    response._pairs += added.pairs
    return response


def _is_status(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _not_awaited(value: Any) -> TypeError:
    call = getattr(value, "__qualname__", type(value).__name__)
    if hasattr(value, "close"):
        # It will not run, which is what the error says; no warning has to say it again.
        value.close()
    return TypeError(f"a handler returned what {call}(...) gave it; write `await` before the call")
