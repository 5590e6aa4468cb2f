"""Trailers: fields behind a body, for what is known only when the body has been sent.

In: fields, or a function that returns them then; a body that arrives. Out: pairs as a host takes
them; the fields behind that body.

Source: RFC 9110, 6.5; RFC 9112, 7.1.2.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from edgezero_spin.core.headers import HOST_ONLY, HeaderInput, Headers, MutableHeaders

__all__ = ["TrailerInput", "announce_trailers", "read_trailers"]

TrailerInput: TypeAlias = HeaderInput | Callable[[], HeaderInput]
"""Fields, or a function without parameters that returns them when the body has been sent."""

_CHUNK_BYTES = 64 * 1024

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


class _Body(Protocol):
    """A body as it arrives."""

    async def read(self, limit: int) -> bytes: ...
    async def trailers(self) -> Sequence[tuple[str, bytes]]: ...


async def read_trailers(body: _Body) -> Headers:
    """Return the fields behind a body that arrives; what was not read of it is skipped.

    Raises:
        Exception: The body broke off.
    """
    while await body.read(_CHUNK_BYTES):
        pass
    return Headers.received(await body.trailers())


def _pairs(fields: HeaderInput) -> list[tuple[str, bytes]]:
    pairs = list(Headers(fields).pairs)
    for name, _ in pairs:
        if name in _REFUSED:
            raise ValueError(f"{name!r} cannot be a trailer; send it as a header")
    return pairs
