"""Trailers: fields behind a body, for what is known only when the body has been sent.

In: fields, or a function that returns them then. Out: pairs as a host takes them.

Source: RFC 9110, 6.5; RFC 9112, 7.1.2.
"""

from collections.abc import Callable
from typing import TypeAlias

from edgezero_spin.core.headers import HOST_ONLY, HeaderInput, Headers, MutableHeaders

__all__ = ["TrailerInput", "announce_trailers"]

TrailerInput: TypeAlias = HeaderInput | Callable[[], HeaderInput]
"""Fields, or a function without parameters that returns them when the body has been sent."""

# They say how the message is framed or where it goes, which is over by then.
_REFUSED = HOST_ONLY | {"content-length", "te", "trailer"}


def announce_trailers(
    trailers: TrailerInput, headers: MutableHeaders
) -> Callable[[], list[tuple[str, bytes]]]:
    """Say in the head of a message that trailers follow, and return what gives them.

    Args:
        trailers: See ``TrailerInput``.
        headers: Lose their length, which HTTP/1.1 has no room for trailers behind; ``trailer``
            is added where the fields are known.

    Raises:
        ValueError: A field is malformed, or has to stand in front of the body. What is returned
            raises it for fields that are known later.
    """
    headers.discard("content-length")
    if callable(trailers):
        later = trailers
        return lambda: _pairs(later())
    pairs = _pairs(trailers)
    headers.setdefault("trailer", ", ".join(dict.fromkeys(name for name, _ in pairs)))
    return lambda: pairs


def _pairs(fields: HeaderInput) -> list[tuple[str, bytes]]:
    pairs = list(Headers(fields).pairs)
    for name, _ in pairs:
        if name in _REFUSED:
            raise ValueError(f"{name!r} cannot be a trailer; send it as a header")
    return pairs
