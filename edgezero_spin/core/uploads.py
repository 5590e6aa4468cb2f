"""Uploads: files of a form, kept in memory or read while they arrive.

In: a body that is sent as ``multipart/form-data``. Out: name and value of each field, a file as
``UploadFile``; or the parts one after the other, each to be read before the next.

Source: FastAPI and Starlette for the names of ``UploadFile``.
"""

from collections import deque
from collections.abc import AsyncIterator
from io import BytesIO
from typing import BinaryIO, Self, TypeAlias

from edgezero_spin.core.errors import PayloadTooLarge
from edgezero_spin.core.headers import Headers
from edgezero_spin.core.multipart import MultipartParser, PartEvent, PartHead

__all__ = ["FormValue", "Part", "PartStream", "UploadFile", "read_form"]


class UploadFile:
    """A file of a form, for a parameter ``photo: UploadFile`` or a field of ``Form[Model]``.

    Attributes:
        filename: As the client names it. It may be a path, and is not to be used as one.
        content_type: What the client says that it is.
        headers: The header fields of its part.
        size: Its bytes.
        file: Its content as a file that is open for reading.
    """

    __slots__ = ("content_type", "file", "filename", "headers", "size")

    def __init__(
        self, data: bytes, filename: str, content_type: str, headers: Headers | None = None
    ) -> None:
        self.filename = filename
        self.content_type = content_type
        self.headers = Headers() if headers is None else headers
        self.size = len(data)
        self.file: BinaryIO = BytesIO(data)

    async def read(self, size: int = -1) -> bytes:
        """Return the next bytes, all that are left unless a size is given."""
        return self.file.read(size)

    async def seek(self, offset: int) -> None:
        """Go to a place, 0 for the beginning."""
        self.file.seek(offset)

    async def close(self) -> None:
        """Let go of the content."""
        self.file.close()

    def __repr__(self) -> str:
        return f"<UploadFile {self.filename!r} {self.size} bytes>"


FormValue: TypeAlias = str | UploadFile


class Part:
    """One part of a form while it arrives: ``async for chunk in part``.

    Attributes:
        name: The name of the field.
        filename: The name of the file as the client gives it, ``None`` for a field of text.
        content_type: What the client says that it is.
        headers: Its header fields.
    """

    __slots__ = ("_limit", "_stream", "content_type", "filename", "headers", "name")

    def __init__(self, head: PartHead, stream: "PartStream", limit: int) -> None:
        """Made by ``request.multipart()``."""
        self.name, self.filename, self.content_type, self.headers = head
        self._stream = stream
        self._limit = limit

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._stream._content(self)
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def bytes(self, limit: int | None = None) -> bytes:
        """Return what is left of the content.

        Args:
            limit: Bytes that it may have; the body limit of the app when not given.

        Raises:
            PayloadTooLarge: It has more.
        """
        limit = self._limit if limit is None else limit
        data = bytearray()
        async for chunk in self:
            data += chunk
            if len(data) > limit:
                raise PayloadTooLarge(f"the part {self.name!r} has more than {limit} bytes")
        return bytes(data)

    async def text(self, limit: int | None = None) -> str:
        """Return what is left of the content as text; what is not UTF-8 becomes U+FFFD."""
        return (await self.bytes(limit)).decode("utf-8", "replace")


class PartStream:
    """The parts of a form, once, in order. What is not read of one is passed over.

    Raises (while it is iterated):
        BadRequest: The body is not a multipart form.
        PayloadTooLarge: It has too many parts, or one with too long a head.
    """

    def __init__(self, parser: MultipartParser, chunks: AsyncIterator[bytes], limit: int) -> None:
        """Made by ``request.multipart()``."""
        self._parser = parser
        self._chunks = chunks
        self._limit = limit
        self._events: deque[PartEvent] = deque()
        self._current: Part | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Part:
        while self._current is not None and await self._content(self._current) is not None:
            pass
        while not self._events:
            if not await self._pull():
                raise StopAsyncIteration
        head = self._events.popleft()
        if not isinstance(head, PartHead):
            raise TypeError(f"a part begins with its head, not with {head!r}")
        self._current = Part(head, self, self._limit)
        return self._current

    async def _content(self, part: Part) -> bytes | None:
        """Return the next piece of a part, ``None`` at its end and for one that is past."""
        if part is not self._current:
            return None
        while not self._events:
            await self._pull()
        event = self._events.popleft()
        if isinstance(event, bytes):
            return event
        self._current = None
        return None

    async def _pull(self) -> bool:
        """Read on; ``False`` at the end of a complete body."""
        chunk = await anext(self._chunks, b"")
        if not chunk:
            self._parser.finish()
            return False
        self._events.extend(self._parser.feed(chunk))
        return True


async def read_form(parts: PartStream, limit: int) -> list[tuple[str, FormValue]]:
    """Return name and value of each field; a file that was not chosen is left out.

    Args:
        parts: The form.
        limit: Bytes that all of it may have.

    Raises:
        PayloadTooLarge: It has more.
    """
    found: list[tuple[str, FormValue]] = []
    left = limit
    async for part in parts:
        try:
            data = await part.bytes(left)
        except PayloadTooLarge:
            raise PayloadTooLarge(f"request body too large: the limit is {limit} bytes") from None
        left -= len(data)
        if part.filename is None:
            found.append((part.name, data.decode("utf-8", "replace")))
        elif part.filename or data:
            found.append(
                (part.name, UploadFile(data, part.filename, part.content_type, part.headers))
            )
    return found
