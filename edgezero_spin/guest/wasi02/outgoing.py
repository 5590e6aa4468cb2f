"""Responses to the host, the body first as far as it is taken at once.

A body that fits what ``check-write`` grants is written and finished before the response is
set, and of a larger one as much as is granted. So head and body leave the host in one packet;
in two, the second waits for the acknowledgement of the first, which a client may delay by
40 ms (RFC 1122, 4.2.3.2; RFC 896).

The rest goes in pieces as large as ``check-write`` grants, and waits on the stream's pollable
when it grants nothing: that is the back-pressure.

Source: ``wasi:http/types@0.2.0`` (response-outparam, outgoing-body),
``wasi:io/streams@0.2.0`` (output-stream).
"""

from componentize_py_types import Err, Ok
from wit_world.imports import streams, types

from edgezero_spin.core.streaming import BodyStream
from edgezero_spin.guest.response_rules import HeaderRefusedError, PeerGoneError, headers_of_nothing
from edgezero_spin.guest.wasi02.waiting import has_loop, until_ready

__all__ = ["BodyWriter", "send_bytes", "send_stream"]

_SMALL = 4096
_Closed = streams.StreamError_Closed
_Fields = types.Fields
_OutgoingResponse = types.OutgoingResponse
_finish = types.OutgoingBody.finish
_set = types.ResponseOutparam.set


def _response(status: int, headers: list[tuple[str, bytes]]) -> types.OutgoingResponse:
    try:
        fields = _Fields.from_list(headers) if headers else _Fields()
    except Err as error:
        reason = type(error.value).__name__.removeprefix("HeaderError_")
        raise HeaderRefusedError(reason) from None
    response = _OutgoingResponse(fields)
    if status != 200:
        try:
            response.set_status_code(status)
        except Err:
            raise HeaderRefusedError(f"status {status}") from None
    return response


def send_bytes(
    outparam: types.ResponseOutparam,
    status: int,
    headers: list[tuple[str, bytes]],
    data: bytes,
    method: str = "",
) -> None:
    """Answer with a body that is whole.

    A peer that goes away meanwhile is not an error: there is nobody left to tell.

    Raises:
        HeaderRefusedError: Before anything was sent; another response may follow. Also when the
            content-length header says something else than a body that is sent at once.
    """
    if not data:
        _send_nothing(outparam, status, headers, method)
        return
    response = _response(status, headers)
    body = _body(response)
    stream = body.write()
    start = 0
    end = len(data)
    sent = gone = False
    try:
        granted = stream.check_write()
        if granted:
            stream.write(data if granted >= end else data[:granted])
            start = granted
        if start < end:
            sent = True
            _set(outparam, Ok(response))
            _write(stream, data[start:])
    except Err as error:
        gone = isinstance(error.value, _Closed)
        _forget(error)
    except BaseException:
        stream.__exit__(None, None, None)
        body.__exit__(None, None, None)
        raise
    stream.__exit__(None, None, None)
    if not _end(body) and not sent and not gone:
        raise HeaderRefusedError(f"content-length is not {end}, which the body has")
    if not sent:
        _set(outparam, Ok(response))


def _send_nothing(
    outparam: types.ResponseOutparam, status: int, headers: list[tuple[str, bytes]], method: str
) -> None:
    """Answer without a body.

    A host may leave out a body that was never taken, but not every host can: jco ends at
    one. So it is taken and finished.
    """
    headers = headers_of_nothing(status, headers, method)
    response = _response(status, headers)
    body = _body(response)
    _set(outparam, Ok(response))
    _end(body)


def _body(response: types.OutgoingResponse) -> types.OutgoingBody:
    try:
        return response.body()
    except Err:
        raise HeaderRefusedError("content-length is not one number") from None


def _end(body: types.OutgoingBody, trailers: list[tuple[str, bytes]] | None = None) -> bool:
    """Finish a body; ``False`` when it has not the length that the headers promised.

    The host aborts such a response.
    """
    try:
        _finish(body, _Fields.from_list(trailers) if trailers else None)
    except Err:
        return False
    return True


async def send_stream(
    outparam: types.ResponseOutparam,
    status: int,
    headers: list[tuple[str, bytes]],
    chunks: BodyStream,
) -> None:
    """Answer with a body that is made while it is sent.

    Its first piece, which is there already, goes ahead of the head as far as it fits. A peer
    that goes away meanwhile is not an error.

    Raises:
        HeaderRefusedError: Before anything was sent; another response may follow.
        Exception: Whatever the chunks raise; the body is aborted then.
    """
    response = _response(status, headers)
    body = BodyWriter(_body(response))
    sent = False
    try:
        first = await anext(chunks, b"")
        if first:
            first = body.write_granted(first)
        sent = True
        _set(outparam, Ok(response))
        if first:
            await body.write(first)
        await body.write_all(chunks)
        body.finish(None if chunks.trailers is None else chunks.trailers())
    except PeerGoneError:
        body.abort()
        if not sent:
            _set(outparam, Ok(response))
    except BaseException:
        body.abort()
        raise


class BodyWriter:
    """The body of a response or of a request, written piece by piece."""

    __slots__ = ("_body", "_stream")

    def __init__(self, body: types.OutgoingBody) -> None:
        self._body = body
        self._stream = body.write()

    def write_granted(self, data: bytes) -> bytes:
        """Send as much of ``data`` as is taken at once; return the rest.

        Raises:
            PeerGoneError: The peer no longer reads.
        """
        try:
            granted = self._stream.check_write()
            if granted:
                self._stream.write(data[:granted])
        except Err as error:
            _forget(error)
            raise PeerGoneError from None
        return data[granted:]

    async def write(self, data: bytes) -> None:
        """Send ``data``, as fast as the peer takes it.

        Every piece is handed on before the call returns, so that a reader sees it
        also when the next one is a long time coming.

        Raises:
            PeerGoneError: The peer no longer reads.
        """
        if has_loop():
            while data := self.write_granted(data):
                await until_ready(self._stream.subscribe())
            await self._flush()
            return
        try:
            if len(data) <= _SMALL:
                self._stream.blocking_write_and_flush(data)
            else:
                _write(self._stream, data)
        except Err as error:
            _forget(error)
            raise PeerGoneError from None

    async def _flush(self) -> None:
        try:
            self._stream.flush()
        except Err as error:
            _forget(error)
            raise PeerGoneError from None
        await until_ready(self._stream.subscribe())

    async def write_all(self, chunks: BodyStream) -> None:
        """Send chunk by chunk; what only passes through goes on without this program.

        Raises:
            PeerGoneError: The peer no longer reads.
            Exception: Whatever the chunks raise.
        """
        await self._splice(chunks)
        async for chunk in chunks:
            if chunk:
                await self.write(chunk)
            await self._splice(chunks)

    async def _splice(self, chunks: BodyStream) -> None:
        splice_to = getattr(chunks.source, "splice_to", None)
        if splice_to is not None:
            await splice_to(self._stream)

    def finish(self, trailers: list[tuple[str, bytes]] | None = None) -> None:
        """End the body: what was sent is all of it.

        Args:
            trailers: The fields behind it.
        """
        self._stream.__exit__(None, None, None)
        _end(self._body, trailers)

    def abort(self) -> None:
        """End the connection: what was sent is not all of it.

        A body that is dropped unfinished is an aborted one (contract RESP-9).
        """
        self._stream.__exit__(None, None, None)
        self._body.__exit__(None, None, None)


def _write(stream: streams.OutputStream, data: bytes) -> None:
    """Write all of ``data`` and hand it on, blocking while nobody takes it."""
    start = 0
    end = len(data)
    while start < end:
        granted = stream.check_write()
        if not granted:
            pollable = stream.subscribe()
            try:
                pollable.block()
            finally:
                pollable.__exit__(None, None, None)
            continue
        stop = min(start + granted, end)
        stream.write(data[start:stop])
        start = stop
    stream.blocking_flush()


def _forget(error: Err[streams.StreamError]) -> None:
    """Drop the resource inside a stream error; a closed stream has none."""
    if not isinstance(error.value, _Closed):
        error.value.value.__exit__(None, None, None)
