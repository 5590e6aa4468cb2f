"""Requests and responses as an embedding program sees them.

``HttpRequest`` goes into ``Host.handle``, ``HttpResponse`` comes out. Bodies stream both
ways; an ``HttpResponse`` that is not read to its end has to be closed.
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import Protocol, Self

import attrs

from edgezero_spin.errors import HostError

__all__ = ["HttpRequest", "HttpResponse", "ResponseAborted", "ResponseBodyReader"]


class ResponseAborted(HostError):  # noqa: N818 - read as a statement about the response
    """A response broke off before its end: the guest trapped or left its body unfinished.

    What was read of it before is not whole (RESP-7, RESP-9).

    Attributes:
        reason: Why.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _raw_headers(
    headers: Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]],
) -> list[tuple[bytes, bytes]]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [(_raw(name), _raw(value)) for name, value in pairs]


def _raw(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)


@attrs.frozen
class HttpRequest:
    """A request for an application.

    Attributes:
        method: ``GET``; case counts.
        target: Path and query as they stand in the request line, ``/notes?limit=2``.
        headers: Names and values in order. A mapping or text is accepted; text becomes
            UTF-8.
        body: All bytes, or pieces as they become known.
        scheme: ``http`` or ``https``.
        client: Address and port of the client.
        trailers: Names and values behind the body, which then comes in pieces.
    """

    method: str = "GET"
    target: str = "/"
    headers: list[tuple[bytes, bytes]] = attrs.field(factory=list, converter=_raw_headers)
    body: bytes | AsyncIterable[bytes] = b""
    scheme: str = "http"
    client: tuple[str, int] = ("127.0.0.1", 0)
    trailers: list[tuple[str, bytes]] = attrs.field(factory=list)


class ResponseBodyReader(Protocol):
    """Where the pieces of a response body come from."""

    async def next_piece(self) -> bytes | None:
        """Return the next bytes, ``None`` at the end.

        Raises:
            ResponseAborted: There will be no end.
        """

    def trailers(self) -> list[tuple[str, bytes]] | None:
        """Header pairs behind the body, known at its end."""

    def leave(self) -> None:
        """Say that no more is wanted."""


class HttpResponse:
    """A response; its body arrives while it is read.

    Use it in ``async with``, or ``read`` it: a response that is neither read to the end
    nor closed holds its guest back.

    Attributes:
        status: 200 to 999.
        headers: Lower-case names and values, in the guest's order.
        trailers: Header pairs behind the body, known at its end; ``None`` for none.
    """

    def __init__(
        self,
        status: int,
        headers: list[tuple[str, bytes]],
        reader: ResponseBodyReader | None = None,
    ) -> None:
        """Made by the host."""
        self.status = status
        self.headers = headers
        self.trailers: list[tuple[str, bytes]] | None = None
        self._reader = reader
        self._content: bytes | None = None if reader is not None else b""

    @classmethod
    def complete(cls, status: int, headers: list[tuple[str, bytes]], body: bytes) -> "HttpResponse":
        """A response whose body is known."""
        response = cls(status, headers)
        response._content = body
        return response

    def header(self, name: str) -> str | None:
        """The first value of a header as text, ``None`` when it is absent."""
        wanted = name.lower()
        return next((value.decode("latin-1") for key, value in self.headers if key == wanted), None)

    async def iter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the body piece by piece, once.

        Raises:
            ResponseAborted: The body broke off.
        """
        reader = self._reader
        if reader is None:
            if self._content:
                yield self._content
            return
        try:
            while (piece := await reader.next_piece()) is not None:
                if piece:
                    yield piece
            self.trailers = reader.trailers()
        finally:
            self._reader = None
            reader.leave()

    async def read(self) -> bytes:
        """Return the whole body; again and again if asked.

        Raises:
            ResponseAborted: The body broke off.
        """
        if self._content is None:
            parts = [piece async for piece in self.iter_bytes()]
            self._content = b"".join(parts)
        return self._content

    async def text(self) -> str:
        """Return the whole body as UTF-8 text."""
        return (await self.read()).decode()

    async def aclose(self) -> None:
        """Give up what was not read. Twice is harmless."""
        if self._reader is not None:
            self._reader.leave()
            self._reader = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()
