"""Sources of requests: what a runner offers, and a request made by hand.

``RequestSource`` is the seam to whoever received the request. It is asked for headers and
body only when a handler wants them, because on a component each is a call to the host.
``MemorySource`` holds a request that a test or a middleware wrote.
"""

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from typing import Protocol

from edgezero_spin.core.headers import HeaderInput, Headers
from edgezero_spin.core.percent import encode_literal

__all__ = ["MemorySource", "RequestSource"]


class RequestSource(Protocol):
    """One request as a host has it.

    Attributes:
        method: The method as sent (``GET``).
        raw_path: The path as sent, still percent-encoded and without the query.
        query: What follows the ``?``, ``None`` without one.
        scheme: ``http`` or ``https``, ``None`` when the host does not say.
        authority: Host and port of the request, ``None`` when the host does not say.
    """

    @property
    def method(self) -> str: ...
    @property
    def raw_path(self) -> bytes: ...
    @property
    def query(self) -> bytes | None: ...
    @property
    def scheme(self) -> str | None: ...
    @property
    def authority(self) -> str | None: ...

    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Return every field in order. Called at most once."""

    async def read(self, limit: int) -> bytes:
        """Return the next bytes of the body, at most ``limit``; ``b""`` at its end.

        Waits until there are some.

        Raises:
            BodyReadError: The body broke off.
        """

    async def trailers(self) -> Sequence[tuple[str, bytes]]:
        """Return the fields behind the body. Called when that was read to its end."""


class MemorySource:
    """A request held in memory: ``MemorySource("GET", "/notes?limit=5")``.

    Args:
        target: A path with or without query, or a whole URL. Characters that cannot stand
            in a request line are percent-encoded, as a client would.
        body: The body, or its chunks in the order in which reads shall give them.
        trailers: The fields behind it, or a coroutine function that returns them.
    """

    def __init__(
        self,
        method: str,
        target: str,
        headers: HeaderInput = (),
        body: bytes | Iterable[bytes] | AsyncIterable[bytes] = b"",
        trailers: HeaderInput | Callable[[], Awaitable[HeaderInput]] = (),
    ) -> None:
        self.method = method
        self.scheme: str | None = None
        self.authority: str | None = None
        path, question, query = target.partition("#")[0].partition("?")
        scheme, separator, rest = path.partition("://")
        if separator and scheme.isalpha():
            authority, slash, path = rest.partition("/")
            self.scheme, self.authority, path = scheme, authority, slash + path
        self.raw_path = encode_literal(path) or b"/"
        self.query = encode_literal(query) if question else None
        self._headers = headers if isinstance(headers, Headers) else Headers(headers)
        self._chunks: Iterator[bytes] | AsyncIterator[bytes]
        if isinstance(body, AsyncIterable):
            self._chunks = aiter(body)
        else:
            self._chunks = iter([body] if isinstance(body, bytes) else body)
        self._rest = b""
        self._trailers = trailers

    def headers(self) -> Sequence[tuple[str, bytes]]:
        """The fields that were given."""
        return self._headers.pairs

    async def read(self, limit: int) -> bytes:
        """The next of the given bytes; a chunk longer than ``limit`` takes several reads."""
        while not self._rest:
            if isinstance(self._chunks, AsyncIterator):
                chunk = await anext(self._chunks, None)
            else:
                chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = chunk
        piece, self._rest = self._rest[:limit], self._rest[limit:]
        return piece

    async def trailers(self) -> Sequence[tuple[str, bytes]]:
        """The fields that were given."""
        fields = self._trailers
        return Headers(await fields() if callable(fields) else fields).pairs
