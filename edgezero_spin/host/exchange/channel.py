"""Bytes on their way between a guest's thread and whoever is at the other end.

A ``ByteChannel`` has exactly one writer and one reader, usually on different threads: the
event loop and a guest, a guest and an HTTP client, or two guests of a chained request. It
holds at most ``limit`` bytes when its writer asks ``room()`` first, which is how
back-pressure reaches a client or a guest.

Nothing here blocks and nothing takes a lock: each counter and flag is written by one side
only, and the chunks stand in a deque. Each side is told of a change through its callback
and then looks at the fields, so a change is always visible before its announcement.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["BODY_BUDGET", "PIECE", "ByteChannel", "BytesLike"]

BODY_BUDGET = 1024 * 1024
"""Bytes of one body that wait between guest and client (HTTP-17)."""

PIECE = 256 * 1024
"""Most bytes moved by one host call: larger ones leave the cache and cost twice as much."""

BytesLike = bytes | memoryview
"""What a reader gets: bytes, or a view of bytes that were put whole."""


def _nothing() -> None:
    return None


class ByteChannel:
    """A one-way stream of bytes with an end that is clean, failed or abandoned.

    Attributes:
        limit: Bytes that may wait.
        ended: The writer is done; no byte will follow those that wait.
        failure: Why the writer gave up, ``None`` after a clean end. Set before ``ended``.
        trailers: Header pairs that follow the bytes; ``None`` when there are none.
        closed: The reader is gone; what is written from now on is thrown away.
        on_data: Called on the writer's thread after bytes or the end came in.
        on_space: Called on the reader's thread after bytes were taken or the reader left.
    """

    __slots__ = (
        "_chunks",
        "_rest",
        "_taken",
        "_written",
        "closed",
        "ended",
        "failure",
        "limit",
        "on_data",
        "on_space",
        "trailers",
    )

    def __init__(self, limit: int = BODY_BUDGET) -> None:
        self.limit = limit
        self.ended = False
        self.closed = False
        self.failure: Any = None
        self.trailers: list[tuple[str, bytes]] | None = None
        self.on_data: Callable[[], None] = _nothing
        self.on_space: Callable[[], None] = _nothing
        self._chunks: deque[BytesLike] = deque()
        self._rest: memoryview | None = None
        self._written = 0
        self._taken = 0

    @property
    def size(self) -> int:
        """Bytes that wait to be read."""
        return self._written - self._taken

    def room(self) -> int:
        """Bytes that the writer may put now; 0 when the reader has to catch up."""
        return max(0, self.limit - self._written + self._taken)

    def has_room(self) -> bool:
        """Whether a writer has something to do: space, or a reader that left."""
        return self.closed or self._written - self._taken < self.limit

    def readable(self) -> bool:
        """Whether a reader has something to do: bytes, or the end."""
        return self._written != self._taken or self.ended

    def put(self, data: bytes) -> None:
        """Append bytes, or drop them when the reader is gone."""
        if data and not self.closed:
            self._chunks.append(data)
            self._written += len(data)
            self.on_data()

    def end(self, trailers: list[tuple[str, bytes]] | None = None) -> None:
        """Say that all bytes were put. Later calls of ``end`` and ``fail`` change nothing."""
        if not self.ended:
            self.trailers = trailers
            self.ended = True
            self.on_data()

    def fail(self, failure: Any) -> None:
        """Say that the rest will not come, and why."""
        if not self.ended:
            self.failure = failure
            self.ended = True
            self.on_data()

    def take(self, most: int) -> BytesLike:
        """Remove and return up to ``most`` bytes from the front; empty when none wait."""
        chunk: BytesLike
        if self._rest is not None:
            chunk, self._rest = self._rest, None
        else:
            try:
                chunk = self._chunks.popleft()
            except IndexError:
                return b""
        if len(chunk) > most:
            view = memoryview(chunk)
            chunk, self._rest = view[:most], view[most:]
        self._taken += len(chunk)
        self.on_space()
        return chunk

    def take_all(self) -> bytes:
        """Remove and return everything that waits."""
        first = self.take(self._written)
        if not self._chunks:
            return bytes(first)
        parts = [first]
        while part := self.take(self._written):
            parts.append(part)
        return b"".join(parts)

    def close(self) -> None:
        """Leave as the reader: what waits is dropped and the writer is told."""
        if not self.closed:
            self.closed = True
            self._chunks.clear()
            self._rest = None
            self._taken = self._written
            self.on_space()
