"""Write a response: one call when it is small, the host's own pieces when it is not.

A body of at most 4096 bytes goes out with one ``blocking-write-and-flush`` (the
most that call takes). A larger one goes in pieces as large as ``check-write`` grants,
and waits on the stream's pollable when it grants nothing: that is the back-pressure.

Source: ``wasi:http/types@0.2.0`` (response-outparam, outgoing-body),
``wasi:io/streams@0.2.0`` (output-stream).
"""

from componentize_py_types import Err, Ok
from wit_world.imports import streams, types

from edgezero_spin.core.streaming import BodyStream

__all__ = ["HeaderRefusedError", "OutgoingBody", "PeerGoneError", "send_bytes", "send_head"]

_SMALL = 4096
_Closed = streams.StreamError_Closed
_Fields = types.Fields
_OutgoingResponse = types.OutgoingResponse
_finish = types.OutgoingBody.finish
_set = types.ResponseOutparam.set


class HeaderRefusedError(Exception):
    """The host does not take a response header: its name or value is not valid HTTP."""


class PeerGoneError(Exception):
    """Nobody reads the response any more."""


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
    outparam: types.ResponseOutparam, status: int, headers: list[tuple[str, bytes]], data: bytes
) -> None:
    """Answer with a body that is whole.

    A peer that goes away meanwhile is not an error: there is nobody left to tell.

    Raises:
        HeaderRefusedError: Before anything was sent; another response may follow.
    """
    if not data:
        _send_nothing(outparam, status, headers)
        return
    response = _response(status, headers)
    body = response.body()
    _set(outparam, Ok(response))
    stream = body.write()
    try:
        if len(data) <= _SMALL:
            stream.blocking_write_and_flush(data)
        else:
            _write(stream, data)
            stream.blocking_flush()
    except Err as error:
        _forget(error)
        stream.__exit__(None, None, None)
        body.__exit__(None, None, None)
        return
    stream.__exit__(None, None, None)
    try:
        _finish(body, None)
    except Err:
        return


def _send_nothing(
    outparam: types.ResponseOutparam, status: int, headers: list[tuple[str, bytes]]
) -> None:
    """Answer without a body.

    A host may leave out a body that was never taken, but not every host can: jco ends at
    one. So it is taken and finished, with a length where HTTP has one, which the host would
    otherwise replace by an empty chunk. The length of an answer to HEAD is what GET has.
    """
    if status not in (204, 304) and not any(name == "content-length" for name, _ in headers):
        headers = [*headers, ("content-length", b"0")]
    response = _response(status, headers)
    body = response.body()
    _set(outparam, Ok(response))
    try:
        _finish(body, None)
    except Err:
        return


def send_head(
    outparam: types.ResponseOutparam, status: int, headers: list[tuple[str, bytes]]
) -> "OutgoingBody":
    """Answer with status and headers; the body follows through what is returned.

    Raises:
        HeaderRefusedError: Before anything was sent; another response may follow.
    """
    response = _response(status, headers)
    body = response.body()
    _set(outparam, Ok(response))
    return OutgoingBody(body)


class OutgoingBody:
    """The body of a response whose head has been sent."""

    __slots__ = ("_body", "_stream")

    def __init__(self, body: types.OutgoingBody) -> None:
        self._body = body
        self._stream = body.write()

    def write(self, data: bytes) -> None:
        """Send ``data``, as fast as the peer takes it.

        Every piece is handed on before the call returns, so that a reader sees it
        also when the next one is a long time coming.

        Raises:
            PeerGoneError: The peer no longer reads.
        """
        try:
            if len(data) <= _SMALL:
                self._stream.blocking_write_and_flush(data)
            else:
                _write(self._stream, data)
                self._stream.blocking_flush()
        except Err as error:
            _forget(error)
            raise PeerGoneError from None

    async def write_all(self, chunks: BodyStream) -> None:
        """Send chunk by chunk; what only passes through goes on without this program.

        Raises:
            PeerGoneError: The peer no longer reads.
            Exception: Whatever the chunks raise.
        """
        async for chunk in chunks:
            if chunk:
                self.write(chunk)
            splice_to = getattr(chunks.source, "splice_to", None)
            if splice_to is not None:
                await splice_to(self._stream)

    def finish(self) -> None:
        """End the body: what was sent is all of it."""
        self._stream.__exit__(None, None, None)
        try:
            _finish(self._body, None)
        except Err:
            # Fewer or more bytes than the content-length promised: the host aborts.
            return

    def abort(self) -> None:
        """End the connection: what was sent is not all of it.

        A body that is dropped unfinished is an aborted one (contract RESP-9).
        """
        self._stream.__exit__(None, None, None)
        self._body.__exit__(None, None, None)


def _write(stream: streams.OutputStream, data: bytes) -> None:
    start = 0
    end = len(data)
    while start < end:
        granted = stream.check_write()
        if not granted:
            pollable = stream.subscribe()
            pollable.block()
            pollable.__exit__(None, None, None)
            continue
        stop = min(start + granted, end)
        stream.write(data[start:stop])
        start = stop


def _forget(error: Err[streams.StreamError]) -> None:
    """Drop the resource inside a stream error; a closed stream has none."""
    if not isinstance(error.value, _Closed):
        error.value.value.__exit__(None, None, None)
