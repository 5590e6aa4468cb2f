"""A response body that is made while it is sent.

In: an iterator or async iterator of bytes, as a handler returns it. Out: one async
iterator whichever it was, for the runner to pull from, and its first chunk on demand.

The application pulls the first chunk before it hands the response over (``prime``), so
a generator that fails at once still becomes an honest 500. A generator that has nothing
to say yet and wants its head sent can yield ``b""`` first.

A body that only passes through (``Response(request.stream())``) is a ``SourceStream``, which
tells where its bytes come from: a runner can have the host move them.

An iterator that needs no event loop never suspends here.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Protocol, Self, TypeAlias

__all__ = ["BodyStream", "ByteSource", "Chunks", "SourceStream"]

Chunks: TypeAlias = Iterable[bytes] | AsyncIterable[bytes]


class ByteSource(Protocol):
    """Where a body comes from."""

    async def read(self, limit: int) -> bytes:
        """Return the next bytes, at most ``limit``; ``b""`` at the end."""


class SourceStream:
    """The bytes of a source as an async iterator, once.

    Attributes:
        source: Where the rest comes from, once the first bytes were asked for. Whoever
            sends them on may take them from there.
    """

    __slots__ = ("_begin", "_chunk_bytes", "_close", "source")

    def __init__(
        self,
        begin: Callable[[], ByteSource],
        chunk_bytes: int,
        close: Callable[[], None] | None = None,
    ) -> None:
        """Touch nothing yet.

        Args:
            begin: Gives the source, when the first bytes are asked for.
            chunk_bytes: Most bytes of one piece.
            close: Lets go of the source.
        """
        self._begin = begin
        self._chunk_bytes = chunk_bytes
        self._close = close
        self.source: ByteSource | None = None

    def begin(self) -> ByteSource:
        """Return the source, which is taken now if it was not before.

        Raises:
            RuntimeError: Somebody else took it.
        """
        source = self.source
        if source is None:
            source = self.source = self._begin()
        return source

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self.begin().read(self._chunk_bytes)
        if not chunk:
            # What follows the bytes may still be asked for, so the source stays.
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Let go of the source. Twice is harmless."""
        if self._close is not None:
            self._close()


class BodyStream:
    """Chunks of bytes to be pulled once, in order.

    ``async for chunk in stream`` gives every chunk; empty ones may be among them. Whoever
    stops early calls ``aclose()``, which runs the generator's ``finally``; closing twice is
    harmless. A chunk that is not bytes raises ``TypeError``.

    Attributes:
        trailers: Gives the fields behind the last chunk, when that has been sent; ``None`` where
            there are none.
    """

    __slots__ = ("_async", "_first", "_primed", "_sync", "trailers")

    def __init__(
        self, chunks: Chunks, trailers: Callable[[], list[tuple[str, bytes]]] | None = None
    ) -> None:
        self.trailers = trailers
        self._sync: Iterator[bytes] | None = None
        self._async: AsyncIterator[bytes] | None = None
        # hasattr and not isinstance: an abstract class's first answer is dear in a component.
        if hasattr(chunks, "__aiter__"):
            self._async = aiter(chunks)  # type: ignore[arg-type]
        else:
            self._sync = iter(chunks)
        self._first: bytes | None = None
        self._primed = False

    @property
    def source(self) -> ByteSource | None:
        """Where the rest comes from as it is, ``None`` when something is still to be done."""
        chunks = self._async
        if self._first is None and isinstance(chunks, SourceStream):
            return chunks.source
        return None

    def give_source(self) -> Any:
        """Give away where all that is left comes from, in the form that the host has it in.

        ``None`` where this program has something to do with the bytes, or the host cannot take
        them over: then they are still here.

        Raises:
            RuntimeError: Somebody else took it.
        """
        give = self._giving()
        return None if give is None else give()

    def _giving(self) -> Callable[[], Any] | None:
        """``give_away`` of a source that the host can take over."""
        chunks = self._async
        if not isinstance(chunks, SourceStream) or self._first is not None or self.trailers:
            return None
        return getattr(chunks.begin(), "give_away", None)

    async def prime(self) -> None:
        """Pull the first chunk and keep it for ``__anext__``; not of what the host can pass on.

        Raises:
            Exception: Whatever the iterator raises before its first chunk.
        """
        if not self._primed and self._giving() is None:
            self._first = await self._pull()
            self._primed = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = self._first
        if chunk is not None:
            self._first = None
            return chunk
        self._primed = True
        chunk = await self._pull()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def _pull(self) -> bytes | None:
        try:
            if self._sync is not None:
                chunk = next(self._sync)
            elif self._async is not None:
                chunk = await anext(self._async)
            else:
                return None
        except (StopIteration, StopAsyncIteration):
            self._sync = self._async = None
            return None
        if isinstance(chunk, bytes):
            return chunk
        if isinstance(chunk, bytearray | memoryview):
            return bytes(chunk)
        raise TypeError(f"a streamed body gives bytes, got {type(chunk).__name__}")

    async def aclose(self) -> None:
        """End the iteration, wherever it stands."""
        sync: Any = self._sync
        asynchronous: Any = self._async
        self._sync = self._async = self._first = None
        if hasattr(sync, "close"):
            sync.close()
        if hasattr(asynchronous, "aclose"):
            await asynchronous.aclose()
