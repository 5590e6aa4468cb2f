"""Responses as a component of WASI 0.3 hands them to the host.

The head leaves when the export returns; the body follows while the component task runs on.

Source: ``wasi:http/types@0.3.0``, response; contract wasi03.md, WH-30 to WH-39.
"""

from collections.abc import Callable
from typing import Any

import componentize_py_runtime as runtime
import wit_world
from componentize_py_types import Err, Ok
from wit_world.imports import wasi_http_types as types

from edgezero_spin.core.streaming import BodyStream
from edgezero_spin.guest.response_rules import HeaderRefusedError, PeerGoneError
from edgezero_spin.guest.wasi03.ends import index_of, new_future, new_stream
from edgezero_spin.guest.wasi03.tasks import ComponentTask, await_result, watch

__all__ = ["BodyWriter", "response_of", "response_passing_on"]

_Fields = types.Fields
_Response = types.Response
_COMPLETE = Ok(None)
_FAILED = Err(types.ErrorCode_InternalError(None))

_BYTES = index_of(wit_world.byte_stream, "stream_new")
_TRAILERS = index_of(
    wit_world.result_option_wasi_http_types_fields_wasi_http_types_error_code_future,
    "future_new",
    lambda: _COMPLETE,
)


class BodyWriter:
    """The body of a message that is being sent: a stream, then a future that ends it.

    One of ``send``, ``send_all`` and ``skip`` has to follow, whatever became of the message.

    Attributes:
        contents, trailers: The ends that go to the host.
    """

    __slots__ = ("_end", "_writer", "contents", "trailers")

    def __init__(self) -> None:
        self._writer, self.contents = new_stream(_BYTES)
        self._end, self.trailers = new_future(_TRAILERS)

    def send(
        self, task: ComponentTask, data: bytes, sent: Callable[[], object] | None = None
    ) -> None:
        """Send all of the body and end it, in callbacks of ``task``, which is held so long.

        Args:
            task: Whose message it is.
            data: The body.
            sent: Called when the host has taken it, or wants no more.
        """
        code, count = 0, 0
        if data:
            result = runtime.stream_write(_BYTES, self._writer, data)
            if type(result) is not Ok:
                self._send_later(task, result.value, data, sent)
                return
            code, count = result.value
        if not code and count < len(data):
            self._send_later(task, None, data[count:], sent)
            return
        runtime.stream_drop_writable(_BYTES, self._writer)
        if sent is not None:
            sent()
        self._finish(task, _COMPLETE)

    def _send_later(
        self,
        task: ComponentTask,
        pending: tuple[int, int] | None,
        data: bytes,
        sent: Callable[[], object] | None,
    ) -> None:
        """Go on with a write that waits, or with the rest of one that was taken in part."""
        task.holds += 1

        def written(result: tuple[int, int]) -> None:
            nonlocal data
            code, count = result
            data = data[count:]
            if data and not code:
                _then(task, runtime.stream_write(_BYTES, self._writer, data), written)
                return
            runtime.stream_drop_writable(_BYTES, self._writer)
            if sent is not None:
                sent()
            self._finish(task, _COMPLETE)
            task.holds -= 1

        if pending is None:
            written((0, 0))
        else:
            watch(task, pending, written)

    def skip(self, task: ComponentTask) -> None:
        """End a message that has no content, or is not sent at all."""
        if hasattr(self.contents, "handle"):
            # It was made without a stream.
            runtime.stream_drop_readable(_BYTES, self.contents.handle)
        runtime.stream_drop_writable(_BYTES, self._writer)
        self._finish(task, _COMPLETE)

    async def send_all(self, task: ComponentTask, chunks: BodyStream) -> None:
        """Send chunk by chunk and end the body.

        A body whose iteration fails is aborted, so that nobody takes it for whole.

        Raises:
            Exception: Whatever the chunks raise.
        """
        complete = _FAILED
        try:
            try:
                async for chunk in chunks:
                    if chunk:
                        await self._write(chunk)
                complete = _end_of(chunks)
            finally:
                runtime.stream_drop_writable(_BYTES, self._writer)
        except PeerGoneError:
            pass
        finally:
            try:
                await chunks.aclose()
            finally:
                self._finish(task, complete)

    async def _write(self, data: bytes) -> None:
        while True:
            code, count = await await_result(runtime.stream_write(_BYTES, self._writer, data))
            if code:
                raise PeerGoneError
            if count == len(data):
                return
            data = data[count:]

    def _finish(self, task: ComponentTask, value: Any) -> None:
        end = self._end
        result = runtime.future_write(_TRAILERS, end, value)
        if type(result) is Ok:
            runtime.future_drop_writable(_TRAILERS, end)
            return
        task.holds += 1

        def written(_: Any) -> None:
            runtime.future_drop_writable(_TRAILERS, end)
            task.holds -= 1

        watch(task, result.value, written)


def _end_of(chunks: BodyStream) -> Any:
    """What ends a body that was sent: its trailers, if it has any."""
    trailers = chunks.trailers
    if trailers is None:
        return _COMPLETE
    pairs = trailers()
    return Ok(_Fields.from_list(pairs)) if pairs else _COMPLETE


def response_of(status: int, headers: list[tuple[str, bytes]]) -> tuple[types.Response, BodyWriter]:
    """Make a response resource, and the body that it is to have.

    Raises:
        HeaderRefusedError: The host refuses a header or the status.
    """
    fields = _checked(status, headers)
    body = BodyWriter()
    return _response(status, fields, body.contents, body.trailers), body


def response_passing_on(
    status: int, headers: list[tuple[str, bytes]], contents: Any, trailers: Any
) -> types.Response:
    """Make a response resource whose body is the host's: it sends that by itself.

    Args:
        headers: The header fields.
        contents, trailers: Stream and future of a body that came in.

    Raises:
        HeaderRefusedError: The host refuses a header or the status.
    """
    return _response(status, _checked(status, headers), contents, trailers)


def _checked(status: int, headers: list[tuple[str, bytes]]) -> types.Fields:
    try:
        fields = _Fields.from_list(headers)
    except Err as error:
        raise HeaderRefusedError(
            f"the host refuses the response's headers: {type(error.value).__name__}: {headers}"
        ) from None
    if not 100 <= status <= 599:
        raise HeaderRefusedError(f"the host refuses the status {status}")
    return fields


def _response(status: int, fields: types.Fields, contents: Any, trailers: Any) -> types.Response:
    response, sent = _Response.new(fields, contents, trailers)
    sent.__exit__(None, None, None)
    if status != 200:
        response.set_status_code(status)
    return response


def _then(task: ComponentTask, result: Any, done: Callable[[Any], None]) -> None:
    if type(result) is Ok:
        done(result.value)
    else:
        watch(task, result.value, done)
