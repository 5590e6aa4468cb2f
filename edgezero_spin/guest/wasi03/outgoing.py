"""Responses as a component of WASI 0.3 hands them to the host.

The head leaves when the export returns; the body follows while the component task runs on.

Source: ``wasi:http/types@0.3.0``, response; contract wasi03.md, WH-30 to WH-39.
"""

from typing import Any

import componentize_py_runtime as runtime
import wit_world
from componentize_py_types import Err, Ok
from wit_world.imports import wasi_http_types as types

from edgezero_spin.core.streaming import BodyStream
from edgezero_spin.guest.wasi03.tasks import ComponentTask, await_result, watch

__all__ = ["HeaderRefusedError", "OutgoingBody", "PeerGoneError", "response_of"]

_trailers_future = wit_world.result_option_wasi_http_types_fields_wasi_http_types_error_code_future
_Fields = types.Fields
_Response = types.Response
_COMPLETE = Ok(None)


def _complete() -> Ok[None]:
    return _COMPLETE


class HeaderRefusedError(Exception):
    """The host does not take a header of the response."""


class PeerGoneError(Exception):
    """Nobody reads the body any more."""


class OutgoingBody:
    """The body of a message that is being sent: a stream, then a future that ends it.

    Attributes:
        contents, trailers: The ends that go to the host.
    """

    __slots__ = ("_end", "_writer", "contents", "trailers")

    def __init__(self) -> None:
        self._writer, self.contents = wit_world.byte_stream()
        self._end, self.trailers = _trailers_future(_complete)

    def send(self, task: ComponentTask, data: bytes) -> None:
        """Send all of the body and end it, in callbacks of ``task``, which is held so long."""
        task.holds += 2
        writer = self._writer
        writer.finalizer.detach()
        type_, handle = writer.type_, writer.handle

        def written(result: tuple[int, int]) -> None:
            nonlocal data
            code, count = result
            if not code and count < len(data):
                data = data[count:]
                _then(task, runtime.stream_write(type_, handle, data), written)
                return
            runtime.stream_drop_writable(type_, handle)
            task.holds -= 1

        _then(task, runtime.stream_write(type_, handle, data), written)
        self._finish(task, _COMPLETE)

    def skip(self, task: ComponentTask) -> None:
        """End a message that has no content, without a stream for it."""
        task.holds += 1
        self._writer.__exit__(None, None, None)
        self.contents.__exit__(None, None, None)
        self._finish(task, _COMPLETE)

    async def send_all(self, task: ComponentTask, chunks: BodyStream) -> None:
        """Send chunk by chunk and end the body.

        A body whose iteration fails is aborted, so that nobody takes it for whole.

        Raises:
            Exception: Whatever the chunks raise.
        """
        task.holds += 1
        complete: Any = Err(types.ErrorCode_InternalError(None))
        try:
            with self._writer:
                async for chunk in chunks:
                    if chunk:
                        await self._write(chunk)
            complete = _COMPLETE
        except PeerGoneError:
            pass
        finally:
            try:
                await chunks.aclose()
            finally:
                self._finish(task, complete)

    async def _write(self, data: bytes) -> None:
        writer = self._writer
        while True:
            code, count = await await_result(
                runtime.stream_write(writer.type_, writer.handle, data)
            )
            if code:
                raise PeerGoneError
            if count == len(data):
                return
            data = data[count:]

    def _finish(self, task: ComponentTask, value: Any) -> None:
        end = self._end
        end.finalizer.detach()
        type_, handle = end.type_, end.handle

        def written(_: Any) -> None:
            runtime.future_drop_writable(type_, handle)
            task.holds -= 1

        _then(task, runtime.future_write(type_, handle, value), written)


def response_of(
    status: int, headers: list[tuple[str, bytes]], body: OutgoingBody
) -> types.Response:
    """Make a response resource.

    Raises:
        HeaderRefusedError: The host refuses a header or the status.
    """
    try:
        fields = _Fields.from_list(headers)
    except Err as error:
        raise HeaderRefusedError(
            f"the host refuses the response's headers: {type(error.value).__name__}: {headers}"
        ) from None
    response, sent = _Response.new(fields, body.contents, body.trailers)
    sent.__exit__(None, None, None)
    if status != 200:
        try:
            response.set_status_code(status)
        except Err:
            raise HeaderRefusedError(f"the host refuses the status {status}") from None
    return response


def _then(task: ComponentTask, result: Any, done: Any) -> None:
    if type(result) is Ok:
        done(result.value)
    else:
        watch(task, result.value, done)
