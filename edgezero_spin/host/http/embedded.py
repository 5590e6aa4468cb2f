"""Requests of a program in this process: ``Host.handle``.

In: the head and body of a request. Out: an ``HttpResponse`` whose body is taken from the guest
no faster than the program reads it.
"""

import asyncio
from collections.abc import AsyncIterable, Sequence

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.exchange.upload import Upload
from edgezero_spin.host.execution.executor import InstanceWatch
from edgezero_spin.host.http.gateway import RequestHead
from edgezero_spin.host.http.messages import HttpResponse, ResponseAborted
from edgezero_spin.host.http.request_handler import Responder
from edgezero_spin.host.http.service import Service

__all__ = ["answer"]


async def answer(
    service: Service,
    head: RequestHead,
    body: bytes | AsyncIterable[bytes],
    trailers: list[Pair],
    watch: InstanceWatch | None,
    *,
    observed: bool = True,
) -> HttpResponse:
    """Answer one request; return when the head of the response is known.

    Args:
        body: All bytes, or pieces as they become known.
        trailers: Fields behind them.
        watch: Told when the instance that answers starts and ends.
        observed: Whether observers are told of the request.
    """
    channel, upload = None, None
    if not isinstance(body, bytes):
        upload = Upload()
        channel = upload.channel
    elif body or trailers:
        channel = ByteChannel()
        channel.put(body)
        channel.end(trailers or None)
    reader = _PullWriter()
    reader.responder = service.begin(head, channel, reader, watch=watch, observed=observed)
    if upload is not None and not isinstance(body, bytes):
        reader.pump = asyncio.create_task(_pump(body, trailers, upload))
    try:
        return await reader.response
    except BaseException:
        reader.leave()
        raise


async def _pump(pieces: AsyncIterable[bytes], trailers: list[Pair], upload: Upload) -> None:
    try:
        async for piece in pieces:
            await upload.put(piece)
        upload.channel.end(trailers or None)
    finally:
        # Without effect after a clean end.
        upload.channel.fail(("connection-terminated", None))


class _PullWriter:
    """Writes a response that its reader asks for piece by piece.

    Attributes:
        response: The response, once its head is known.
        responder: What is told of the reader; ``None`` when nothing follows.
        pump: Sends the body of the request; ``None`` where it needs nobody.
    """

    def __init__(self) -> None:
        self.response: asyncio.Future[HttpResponse] = asyncio.get_running_loop().create_future()
        self.responder: Responder | None = None
        self.pump: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._piece: bytes | None = None
        self._trailers: list[Pair] | None = None
        self._aborted: str | None = None
        self._ended = False

    # ResponseWriter

    def ready(self) -> bool:
        """Whether the reader has taken the piece before."""
        return self._piece is None

    def send(self, status: int, headers: Sequence[Pair], body: bytes) -> None:
        """Answer with a response whose body is known."""
        self._ended = True
        self._respond(HttpResponse.complete(status, list(headers), body))
        self._stop_pump()

    def start(self, status: int, headers: Sequence[Pair]) -> None:
        """Answer with a response whose body follows."""
        self._respond(HttpResponse(status, list(headers), self))

    def _respond(self, response: HttpResponse) -> None:
        if not self.response.done():
            self.response.set_result(response)

    def write(self, data: bytes, *, last: bool, trailers: list[Pair] | None = None) -> None:
        """Keep a piece until it is asked for."""
        self._piece = data
        self._ended = last
        self._trailers = trailers
        self._changed.set()

    def abort(self, reason: str) -> None:
        """Fail at the end of what was kept."""
        self._aborted = reason
        self._ended = True
        self._changed.set()
        if not self.response.done():
            self.response.set_exception(ResponseAborted(reason))

    # BodyReader

    async def next_piece(self) -> bytes | None:
        """Return the next bytes, ``None`` at the end.

        Raises:
            ResponseAborted: There will be no end.
        """
        while self._piece is None:
            if self._aborted is not None:
                raise ResponseAborted(self._aborted)
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        piece, self._piece = self._piece, None
        if self.responder is not None:
            self.responder.resume()
        return piece

    def trailers(self) -> list[Pair] | None:
        """Header pairs behind the body, known at its end."""
        return self._trailers

    def leave(self) -> None:
        """Say that no more is wanted."""
        if self.responder is not None:
            self.responder.abandon()
        self._stop_pump()

    def _stop_pump(self) -> None:
        if self.pump is not None:
            self.pump.cancel()
