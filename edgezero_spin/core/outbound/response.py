"""The answer to a request that was sent, its body read when it is asked for.

In: an ``OutboundReply``. Out: status, headers, body and trailers, decoded and typed. A body streams
without a cap; reads that keep it whole have a limit.

Source: the names are those of httpx.
"""

from typing import Any, TypeAlias, TypeVar, overload

from edgezero_spin.core.headers import Headers
from edgezero_spin.core.outbound.decoding import MAX_DECODED_BYTES
from edgezero_spin.core.outbound.transport import OutboundError, OutboundReply
from edgezero_spin.core.payloads import json_reader
from edgezero_spin.core.response_status import ResponseStatus
from edgezero_spin.core.streaming import ByteSource, SourceStream
from edgezero_spin.core.trailers import read_trailers

__all__ = ["OutboundResponse", "OutboundStatusError"]

# Inside a class with a method of that name, ``bytes`` is the method.
_Bytes: TypeAlias = bytes

_T = TypeVar("_T")

_CHUNK_BYTES = 64 * 1024


class OutboundStatusError(OutboundError):
    """``raise_for_status()`` found another status than 200 to 299.

    Attributes:
        response: The answer; its body was given up.
    """

    def __init__(self, response: "OutboundResponse") -> None:
        super().__init__(f"a request of this application was answered with {response.status}")
        self.response = response


class OutboundResponse(ResponseStatus):
    """The answer to a request that was sent, in the words of httpx.

    Attributes:
        status: The status; ``status_code`` is the same.
        headers: The header fields, repeats included.
    """

    def __init__(self, reply: OutboundReply) -> None:
        self._reply = reply
        self._body: _Bytes | None = None
        self._streamed = False
        self._trailers: Headers | None = None
        self.status = reply.status
        self.headers = Headers.received(reply.headers)

    def raise_for_status(self) -> "OutboundResponse":
        """Return this response.

        Raises:
            OutboundStatusError: Its status is not 200 to 299.
        """
        if not self.is_success:
            self._reply.close()
            raise OutboundStatusError(self)
        return self

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that are set, by name; one that is deleted is empty."""
        found: dict[str, str] = {}
        for text in self.headers.get_all("set-cookie"):
            name, mark, value = text.partition(";")[0].partition("=")
            if mark and name.strip():
                found[name.strip()] = value.strip().strip('"')
        return found

    async def bytes(self, limit: int = MAX_DECODED_BYTES) -> _Bytes:
        """Return the whole body as it was sent, and keep it, so that it can be asked for again.

        Raises:
            OutboundError: It has more bytes than ``limit``, or broke off.
            RuntimeError: It was streamed already.
        """
        body = self._body
        if body is None:
            body = self._body = await self._read_all(limit)
        elif len(body) > limit:
            raise _too_large(limit)
        return body

    async def _read_all(self, limit: int) -> _Bytes:
        parts = []
        size = 0
        async for chunk in self.stream():
            size += len(chunk)
            if size > limit:
                self._reply.close()
                raise _too_large(limit)
            parts.append(chunk)
        return b"".join(parts)

    async def text(self, limit: int = MAX_DECODED_BYTES) -> str:
        """Return the whole body as UTF-8 text; what is not shows as U+FFFD."""
        return (await self.bytes(limit)).decode("utf-8", "replace")

    @overload
    async def json(self, model: type[_T], limit: int = MAX_DECODED_BYTES) -> _T: ...
    @overload
    async def json(self, model: Any = Any, limit: int = MAX_DECODED_BYTES) -> Any: ...
    async def json(self, model: Any = Any, limit: int = MAX_DECODED_BYTES) -> Any:
        """Return the body as JSON, built into ``model`` when one is given.

        Raises:
            OutboundError: It is not JSON or does not fit.
        """
        data = await self.bytes(limit)
        try:
            return json_reader(model)(data)
        except Exception as error:
            raise OutboundError(f"response body: {error}") from error

    async def trailers(self) -> Headers:
        """Return the fields behind the body; what was not read of it is skipped.

        Raises:
            OutboundError: It broke off.
        """
        fields = self._trailers
        if fields is None:
            self._streamed = True
            fields = self._trailers = await read_trailers(self._reply)
        return fields

    def iter_bytes(self) -> SourceStream:
        """Iterate over the body as it arrives; ``stream`` by its name in httpx."""
        return self.stream()

    def stream(self) -> SourceStream:
        """Iterate over the body as it arrives. As the body of a response, the iterator lets
        the host pass the bytes on without this program.

        A body that was read whole before is given again.

        Raises (at the first piece or a later one):
            OutboundError: It broke off.
            RuntimeError: It was streamed already.
        """
        return SourceStream(self._begin, _CHUNK_BYTES, self._reply.close)

    def _begin(self) -> ByteSource:
        if self._body is not None:
            return _Kept(self._body)
        if self._streamed:
            raise RuntimeError("the response body was read already")
        self._streamed = True
        return self._reply


class _Kept:
    """A body that was read whole, as a ``ByteSource``."""

    def __init__(self, body: bytes) -> None:
        self._rest = body

    async def read(self, limit: int) -> bytes:
        piece, self._rest = self._rest[:limit], self._rest[limit:]
        return piece


def _too_large(limit: int) -> OutboundError:
    return OutboundError(f"response body exceeds maximum size of {limit} bytes")
