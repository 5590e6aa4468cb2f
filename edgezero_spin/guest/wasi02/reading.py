"""Bodies that arrive: of a request that came in, or of the answer to one that was sent.

The stream is a child of the body and a pollable one of the stream; whoever drops a parent
first is ended by the host. So they are kept here and go in that order, also when a task is
cancelled or the body is closed while another task waits for its bytes.

Source: ``wasi:http/types@0.2.0`` (incoming-body), ``wasi:io/streams@0.2.0`` (input-stream).
"""

from collections.abc import Callable

from componentize_py_types import Err, Ok
from wit_world.imports import streams, types

from edgezero_spin.guest.outbound_rules import code_name
from edgezero_spin.guest.response_rules import PeerGoneError
from edgezero_spin.guest.wasi02.waiting import has_loop, until_ready

__all__ = ["BodyReader"]

_Closed = streams.StreamError_Closed
_PIECE = 256 * 1024


class BodyReader:
    """The bytes of one body, in order, once."""

    __slots__ = ("_body", "_broken", "_closing", "_stream", "_waits")

    def __init__(self, body: types.IncomingBody, broken: Callable[[str], Exception]) -> None:
        """Take the body over.

        Args:
            body: Nobody else has its stream.
            broken: Makes the error that is raised when the body breaks off.
        """
        self._body: types.IncomingBody | None = body
        self._broken = broken
        self._stream: streams.InputStream | None = body.stream()
        self._waits = 0
        self._closing = False

    async def read(self, limit: int) -> bytes:
        """Return the next bytes, at most ``limit``; ``b""`` at the end.

        With an event loop, other tasks go on meanwhile; without one, the call blocks.

        Raises:
            Exception: It broke off.
        """
        waits = has_loop()
        while (stream := self._stream) is not None:
            try:
                data: bytes = stream.read(limit) if waits else stream.blocking_read(limit)
            except Err as error:
                self._end(error)
                return b""
            if data:
                return data
            if waits:
                await self._until_readable()
        return b""

    async def splice_to(self, target: streams.OutputStream) -> None:
        """Have the host move what is left, until one of the two streams ends.

        Raises:
            Exception: The body broke off.
            PeerGoneError: Nobody reads the target any more.
        """
        stream = self._stream
        if stream is None:
            return
        try:
            if not has_loop():
                while True:
                    target.blocking_splice(stream, _PIECE)
            while self._stream is not None:
                # Between two that are ready the blocking call blocks nobody; jco's other fails.
                await self._until_readable()
                await until_ready(target.subscribe())
                if self._stream is not None:
                    target.blocking_splice(stream, _PIECE)
        except Err as error:
            if not isinstance(error.value, _Closed):
                self._end(error)
        # Which of them is closed, a read tells: it is at the end, or gives what nobody took.
        if await self.read(1):
            raise PeerGoneError

    async def trailers(self) -> list[tuple[str, bytes]]:
        """Return the fields behind a body that was read to its end.

        Raises:
            Exception: They did not arrive.
        """
        body = self._body
        if body is None or self._stream is not None:
            return []
        self._body = None
        future = types.IncomingBody.finish(body)
        try:
            await until_ready(future.subscribe())
            outcome = future.get()
        finally:
            future.__exit__(None, None, None)
        result = outcome.value if isinstance(outcome, Ok) else Ok(None)
        if isinstance(result, Err):
            raise self._broken(code_name(result.value))
        fields = result.value
        if fields is None:
            return []
        entries: list[tuple[str, bytes]] = fields.entries()
        fields.__exit__(None, None, None)
        return entries

    def close(self) -> None:
        """Drop stream and body. Twice is harmless; a read under way ends it first."""
        if self._waits:
            self._closing = True
            return
        self._close_stream()
        body, self._body = self._body, None
        if body is not None:
            body.__exit__(None, None, None)

    def _close_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.__exit__(None, None, None)

    async def _until_readable(self) -> None:
        stream = self._stream
        if stream is None:
            return
        self._waits += 1
        try:
            await until_ready(stream.subscribe())
        finally:
            self._waits -= 1
            if self._closing:
                self.close()

    def _end(self, error: Err[streams.StreamError]) -> None:
        """Close at a stream error, and raise it unless it is the end."""
        reason = None
        if not isinstance(error.value, _Closed):
            failure = error.value.value
            # A host may add its stack, which is nothing for a client to see.
            reason = failure.to_debug_string().partition("\n")[0].rstrip()
            failure.__exit__(None, None, None)
        if reason is None and not self._waits:
            # What follows the body may still be asked for.
            self._close_stream()
            return
        self.close()
        if reason is not None:
            raise self._broken(reason) from None
