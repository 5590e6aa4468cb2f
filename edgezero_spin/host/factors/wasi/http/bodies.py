"""Bodies that come in and bodies that go out, and the trailers behind them.

Both ends of a message use them: the body of a request that came in is read like that of a
response to one sent out.

Source: wasi:http@0.2.0 to 0.2.9; clauses HTTP-2, HTTP-12 to HTTP-20, RESP-9.
"""

import threading
from typing import ClassVar

from edgezero_spin.host.exchange.channel import PIECE, ByteChannel, BytesLike
from edgezero_spin.host.factors.bounds import hold
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.values import ErrorCode
from edgezero_spin.host.factors.wasi.io import (
    InputStream,
    IoError,
    OutputStream,
    Parent,
    Pollable,
    closed,
    failed,
)
from edgezero_spin.host.runtime.interface import Err, HostFunction, Ok, WitError

__all__ = [
    "FUNCTIONS",
    "BodyInput",
    "BodyOutput",
    "FutureTrailers",
    "IncomingBody",
    "OutgoingBody",
    "ReceivedMessage",
    "SentMessage",
    "channel_error",
    "consume",
    "make_body",
    "unsent",
]


class BodyInput(InputStream):
    """Reads a channel; also keeps its body from being finished while it lives."""

    __slots__ = ("_body",)

    def __init__(self, body: "IncomingBody") -> None:
        self._body = body
        body.adopt()

    def read(self, most: int) -> BytesLike:
        """Return what waits, up to ``most`` bytes (HTTP-20)."""
        channel = self._body.channel
        if channel is None:
            raise closed()
        data = channel.take(most)
        if data or not channel.ended:
            return data
        # The last bytes may have come in between the two looks.
        data = channel.take(most)
        # A read of length 0 takes nothing: what waits still comes before the end.
        if data or channel.size:
            return data
        if channel.failure is not None:
            raise failed(IoError(str(channel.failure), http=channel_error(channel)))
        raise closed()

    def ready(self) -> bool:
        """Whether bytes or the end are there."""
        channel = self._body.channel
        return channel is None or channel.readable()

    def drop(self, state: InstanceState) -> None:
        """Let the body be finished."""
        self._body.release()


class IncomingBody(Parent):
    """``incoming-body``: of a request that came in or of a response to one sent out.

    Attributes:
        channel: The bytes; ``None`` for none.
    """

    __slots__ = ("channel", "taken")

    def __init__(self, state: InstanceState, channel: ByteChannel | None) -> None:
        self.channel = channel
        self.taken = False
        if channel is not None:
            channel.on_data = state.wake

    def stream(self) -> BodyInput:
        """The stream, once (HTTP-2)."""
        if self.taken:
            raise WitError(None)
        self.taken = True
        return BodyInput(self)

    def drop(self, state: InstanceState) -> None:
        """Stop reading."""
        if self.channel is not None:
            self.channel.close()


class ReceivedMessage(Parent):
    """A request or a response that came in.

    Attributes:
        channel: Its body; ``None`` for none.
        consumed: The guest took it.
    """

    __slots__ = ("channel", "consumed")

    def __init__(self, channel: ByteChannel | None) -> None:
        self.channel = channel
        self.consumed = False

    def drop(self, state: InstanceState) -> None:
        """A body that was not consumed is never read."""
        if not self.consumed and self.channel is not None:
            self.channel.close()


def consume(state: InstanceState, message: ReceivedMessage) -> IncomingBody:
    """Return the body of a message that came in, once (HTTP-2)."""
    if message.consumed:
        raise WitError(None)
    message.consumed = True
    return IncomingBody(state, message.channel)


def channel_error(channel: ByteChannel) -> ErrorCode:
    """The error code of a body that failed."""
    failure = channel.failure
    if isinstance(failure, tuple):
        return failure
    return ("connection-terminated", None)


class FutureTrailers(Parent):
    """``future-trailers``: ready when the body ended (HTTP-19).

    Bytes that nobody read are thrown away as they come in, so that the end can.
    """

    __slots__ = ("_channel", "_discarding", "_state", "_taken")

    def __init__(self, state: InstanceState, channel: ByteChannel | None) -> None:
        self._state = state
        self._channel = channel
        self._taken = False
        # Bytes that wait are taken on this thread, those that come on the writer's.
        self._discarding = threading.Lock()
        if channel is not None:
            channel.on_data = self._discard
            self._discard()

    def _discard(self) -> None:
        channel = self._channel
        if channel is not None:
            with self._discarding:
                while channel.take(channel.limit):
                    pass
        self._state.wake()

    def ready(self) -> bool:
        """Whether ``get`` has an answer."""
        return self._channel is None or self._channel.ended

    def get(self) -> Ok | Err | None:
        """The trailers, once."""
        if not self.ready():
            return None
        if self._taken:
            return Err(None)
        self._taken = True
        channel = self._channel
        if channel is None:
            return Ok(Ok(None))
        if channel.failure is not None:
            return Ok(Err(channel_error(channel)))
        if channel.trailers is None:
            return Ok(Ok(None))
        return Ok(Ok(Fields(channel.trailers, immutable=True)))

    def drop(self, state: InstanceState) -> None:
        """Stop waiting for an end that has not come."""
        if self._channel is not None:
            self._channel.close()


def _finish_incoming(state: InstanceState, body: IncomingBody) -> FutureTrailers:
    body.check_childless("incoming-body.finish while its stream is alive")
    return FutureTrailers(state, body.channel)


class BodyOutput(OutputStream):
    """Writes a channel within the length that the headers promised."""

    __slots__ = ("_body",)

    def __init__(self, body: "OutgoingBody") -> None:
        self._body = body
        body.adopt()

    def room(self) -> int:
        """Bytes that the budget has left; closed when the peer left (LIFE-8)."""
        body = self._body
        if body.overrun is not None:
            raise failed(body.size_error(body.overrun))
        channel = body.channel
        if body.unwanted or (body.discards and channel.closed):
            return PIECE
        if channel.closed or channel.ended:
            raise closed()
        return min(channel.room(), PIECE)

    def write(self, contents: bytes) -> None:
        """Pass bytes on (HTTP-13, HTTP-17)."""
        body = self._body
        total = body.written + len(contents)
        if body.length is not None and total > body.length:
            # What was promised goes out whole; only the guest hears of the rest.
            body.overrun = total
            body.channel.put(contents[: body.length - body.written])
            body.channel.end()
            raise failed(body.size_error(total))
        body.written = total
        if not body.unwanted:
            body.channel.put(contents)
            hold(body.state, len(contents))

    def ready(self) -> bool:
        """Whether there is room, or nobody to make some."""
        channel = self._body.channel
        return channel.has_room() or channel.ended

    def drop(self, state: InstanceState) -> None:
        """Let the body be finished."""
        self._body.release()


class OutgoingBody(Parent):
    """``outgoing-body``: of a response, or of a request that the guest sends.

    Attributes:
        channel: Where the bytes go.
        state: Of the instance that writes it.
        length: What the ``content-length`` header promised; ``None`` for no promise.
        written: Bytes that were passed on.
        overrun: Bytes attempted, once they were more than promised.
        unwanted: It goes nowhere, which the guest does not notice while it writes.
        discards: What nobody reads any more goes nowhere, likewise.
    """

    __slots__ = (
        "_error",
        "channel",
        "discards",
        "length",
        "overrun",
        "state",
        "taken",
        "unwanted",
        "written",
    )

    def __init__(self, state: InstanceState, length: int | None, error: str) -> None:
        self.channel = ByteChannel()
        self.channel.on_space = state.wake
        self.state = state
        self.length = length
        self.written = 0
        self.overrun: int | None = None
        self.taken = False
        self.unwanted = False
        self.discards = False
        self._error = error

    @property
    def held_bytes(self) -> int:
        """Bytes that nobody took yet; see ``unsent`` for one that was finished."""
        return 0 if self.channel.ended else self.channel.size

    def size_error(self, total: int) -> IoError:
        """The error of a body of the wrong size (HTTP-13)."""
        return IoError(
            f"the body has {total} bytes, its content-length says {self.length}",
            http=(self._error, total),
        )

    def write(self) -> BodyOutput:
        """The stream, once (HTTP-2)."""
        if self.taken:
            raise WitError(None)
        self.taken = True
        return BodyOutput(self)

    def finish(self, trailers: Fields | None) -> None:
        """End the body (HTTP-14, HTTP-16, HTTP-18)."""
        self.check_childless("outgoing-body.finish while its stream is alive")
        total = self.written if self.overrun is None else self.overrun
        if self.length is not None and total != self.length:
            self.channel.fail("the body is shorter than its content-length")
            raise WitError((self._error, total))
        self.channel.end(None if trailers is None else trailers.entries)

    def drop(self, state: InstanceState) -> None:
        """Abort a body that was not finished; without effect on one that was."""
        self.channel.fail("the body was dropped before it was finished")


def unsent(body: OutgoingBody | None) -> int:
    """Bytes of a body that its guest has no handle to any more, and nobody took yet."""
    return body.channel.size if body is not None and body.channel.ended else 0


def _promised_length(headers: Fields) -> int | None:
    """The content length that headers promise (HTTP-12)."""
    values = {value for name, value in headers.entries if name == "content-length"}
    if not values:
        return None
    value = values.pop()
    if values or not value.isdigit() or len(value) > 18:
        raise WitError(None)
    return int(value)


class SentMessage(Parent):
    """A request or a response that a guest makes.

    Attributes:
        headers: Its fields, which nobody changes any more.
        body: What follows them, once the guest asked for it.
    """

    __slots__ = ("body", "headers")

    size_error: ClassVar[str]
    """The case of ``error-code`` for a body of another length than promised."""

    def __init__(self, headers: Fields) -> None:
        self.headers = headers.pass_on()
        self.body: OutgoingBody | None = None

    @property
    def held_bytes(self) -> int:
        """Those of its headers, and of a body that was finished."""
        return self.headers.size + unsent(self.body)


def make_body(state: InstanceState, message: SentMessage) -> OutgoingBody:
    """Return the body of a message that a guest makes, once (HTTP-2, HTTP-12)."""
    if message.body is not None:
        raise WitError(None)
    message.body = OutgoingBody(state, _promised_length(message.headers), message.size_error)
    return message.body


FUNCTIONS: dict[str, HostFunction] = {
    "[method]incoming-body.stream": lambda state, body: body.stream(),
    "[static]incoming-body.finish": _finish_incoming,
    "[method]future-trailers.subscribe": lambda state, future: Pollable(
        future.ready, parent=future
    ),
    "[method]future-trailers.get": lambda state, future: future.get(),
    "[method]outgoing-body.write": lambda state, body: body.write(),
    "[static]outgoing-body.finish": lambda state, body, trailers: body.finish(trailers),
}
"""Those of bodies and trailers."""
