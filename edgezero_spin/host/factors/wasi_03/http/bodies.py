"""Bodies of ``wasi:http@0.3``: between a ``ByteChannel`` of the host and a guest's stream.

``ReceivedBody`` gives a guest what comes through a channel, ``BodyForwarder`` passes on what a
guest writes. Both run on the instance's thread; the other side of a channel has them go on by
work that is posted to it.

Source: contract wasi03.md, WH-15 to WH-18, WH-31 to WH-37, CS-22, CS-25, IL-28, IL-29.
"""

from collections.abc import Callable
from typing import Any

import attrs

from edgezero_spin.host.exchange.call import Failure, FailureKind
from edgezero_spin.host.exchange.channel import PIECE, ByteChannel
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.values import ErrorCode, error_text
from edgezero_spin.host.runtime.host_ends import FutureReader, StreamReader
from edgezero_spin.host.runtime.host_sources import Promise
from edgezero_spin.host.runtime.interface import Err, Ok

__all__ = [
    "PROTOCOL_ERROR",
    "BodyForwarder",
    "OutgoingContents",
    "Post",
    "ReceivedBody",
    "code_of",
    "promised_length",
]

Post = Callable[[Callable[[], None]], None]


def _nothing() -> None:
    return None


_WAITING = 64 * 1024
"""Bytes of a body that wait for who takes them. A write may be longer: it is one piece."""

_ANY = (1 << 28) - 1
"""Most elements of one operation."""

PROTOCOL_ERROR: ErrorCode = ("HTTP-protocol-error", None)


def code_of(failure: Any) -> ErrorCode:
    """Return the error code of a body that broke off (IL-29, CS-25, CS-33)."""
    if isinstance(failure, tuple):
        return PROTOCOL_ERROR if failure[0] == "connection-terminated" else failure
    return ("internal-error", str(failure)) if isinstance(failure, Failure) else PROTOCOL_ERROR


class ReceivedBody:
    """What a guest reads as a stream: the body of a message that came in.

    Attributes:
        left: Bytes that are still to come, where the message said how many there are.
        trailers: What follows the body, as the future answers: known at its end.
    """

    __slots__ = ("_channel", "_done", "_most", "_post", "left", "trailers")

    def __init__(self, channel: ByteChannel | None, post: Post, length: int | None = None) -> None:
        """Read nothing yet.

        Args:
            channel: The bytes; ``None`` for none.
            post: Has work done on the thread of the instance that reads.
            length: How many bytes there are, where that is known.
        """
        self.left = length if channel is not None else 0
        self.trailers = Promise()
        self._channel = channel
        self._post = post
        self._done: Callable[[Any], None] | None = None
        self._most = 0
        if channel is None:
            self.trailers.settle(Ok(None))
        else:
            channel.on_data = self._on_data

    def read_now(self, most: int, done: Callable[[Any], None]) -> None:
        """Read what came as one piece, at most so many bytes of it."""
        self._done, self._most = done, most or PIECE
        self._deliver()

    def _on_data(self) -> None:
        # On the writer's thread. Set before the look that finds nothing.
        if self._done is not None:
            self._post(self._deliver)

    def _deliver(self) -> None:
        done, channel = self._done, self._channel
        if done is None:
            return
        if channel is None:
            self._done = None
            done(None)
            return
        # The last bytes come before the end: so they are looked for after it.
        ended = channel.ended
        data = channel.take(self._most)
        if data:
            self._done = None
            if self.left is not None:
                self.left -= len(data)
            done(data)
        elif ended:
            self._done = None
            self._end(channel)
            done(None)

    def _end(self, channel: ByteChannel) -> None:
        if channel.failure is not None:
            self.trailers.settle(Err(code_of(channel.failure)))
        elif channel.trailers is None:
            self.trailers.settle(Ok(None))
        else:
            self.trailers.settle(Ok(Fields(channel.trailers, immutable=True)))

    def close_now(self) -> None:
        """Stop reading: nobody wants the rest (WH-16)."""
        self._done = None
        if self._channel is not None:
            self._channel.close()
        self.trailers.settle(Ok(None))

    # What the runtime calls when a guest drops its end.
    close = close_now


# Not frozen: one is made at each request, which would take four times as long.
@attrs.define
class OutgoingContents:
    """The body that a guest gives to a message of its own.

    Attributes:
        stream: Its bytes; ``None`` for none.
        trailers: What ends it.
    """

    stream: StreamReader | None
    trailers: FutureReader

    def close_now(self) -> None:
        """Close both, which ends what the guest still writes."""
        if self.stream is not None:
            self.stream.close_now()
        self.trailers.close_now()


class BodyForwarder:
    """Passes a guest's body on to a channel, no faster than that is read.

    The body that another message came with needs no guest to pass it on (WH-32).

    Attributes:
        channel: Where the bytes go.
        mismatch: The error code of a body of another length than promised, once that is known.
        ended: Settled when nothing is left to pass on, or ``mismatch`` is known.
    """

    __slots__ = (
        "_again",
        "_contents",
        "_left",
        "_length",
        "_over",
        "_post",
        "_reading",
        "_running",
        "_size_error",
        "_spliced",
        "_trailers",
        "channel",
        "ended",
        "mismatch",
    )

    def __init__(
        self,
        contents: OutgoingContents | ReceivedBody | None,
        *,
        length: int | None,
        size_error: str,
        post: Post,
    ) -> None:
        """Pass nothing on yet.

        Args:
            contents: What the message came or was made with; ``None`` for nothing.
            length: What the ``content-length`` header promised.
            size_error: The case of ``error-code`` for a body of another length.
            post: Has work done on the thread of the instance.
        """
        self.channel = ByteChannel(_WAITING)
        self.channel.on_space = self._on_space
        self.mismatch: ErrorCode | None = None
        self.ended = Promise()
        self._contents: StreamReader | ReceivedBody | None
        self._trailers: FutureReader | None = None
        if isinstance(contents, OutgoingContents):
            self._contents = contents.stream
            self._trailers = contents.trailers
        else:
            self._contents = contents
        # Neither its trailers nor its length are the guest's.
        self._spliced = self._source()
        self._length = None if self._spliced is not None else length
        self._left = self._length
        self._size_error = size_error
        self._post = post
        self._reading = False
        self._running = False
        self._again = False
        self._over = False

    @property
    def known_length(self) -> int | None:
        """How many bytes a body has that is passed on as it came, where that is known (WH-32)."""
        return None if self._spliced is None else self._spliced.left

    def _source(self) -> ReceivedBody | None:
        contents = self._contents
        source = contents.source if isinstance(contents, StreamReader) else contents
        return source if isinstance(source, ReceivedBody) else None

    def start(self) -> None:
        """Begin, on the instance's thread."""
        if self._spliced is not None:
            self._close_trailers()
        self._run()

    def _close_trailers(self) -> None:
        if self._trailers is not None:
            self._trailers.close_now()

    def stop(self) -> None:
        """Stop, and close what the guest still writes."""
        # Closing ends a read that is pending, which would take the next step.
        self._over = True
        if self._contents is not None:
            self._contents.close_now()
        self._close_trailers()
        self._end()

    def _end(self) -> None:
        self._over = True
        # Each of both has the other.
        self.channel.on_space = _nothing
        self.ended.settle(None)

    def _on_space(self) -> None:
        # On the reader's thread.
        if not self._over and self.channel.has_room():
            self._post(self._run)

    def _run(self) -> None:
        """Take steps until one has to wait; a read may be done within the step that begins it."""
        self._again = True
        if self._running:
            return
        self._running = True
        while self._again:
            self._again = False
            self._step()
        self._running = False

    def _step(self) -> None:
        if self._over:
            return
        if self.channel.closed:
            self.stop()
        elif not self._reading and self._contents is None:
            self._reading = True
            if self._spliced is not None:
                self._spliced.trailers.when(self._finish)
            elif self._left:
                self._reject_length((self._length or 0) - self._left)
            elif self._trailers is not None:
                self._trailers.read_now(1, self._finish_by)
            else:
                self._finish(Ok(None))
        elif not self._reading and self._contents is not None and self.channel.has_room():
            self._reading = True
            if isinstance(self._contents, ReceivedBody) or self._left is None:
                self._contents.read_now(_ANY, self._received)
            else:
                self._contents.read_now(_ANY, self._received, self._accepts)

    def _accepts(self, count: int) -> bool:
        left = self._left or 0
        if count <= left:
            return True
        self._reject_length((self._length or 0) - left + count)
        return False

    def _reject_length(self, total: int) -> None:
        """End a body of the wrong length (WH-34)."""
        self.mismatch = (self._size_error, total)
        self.channel.fail(
            Failure(
                FailureKind.UNFINISHED,
                f"the body has {total} bytes, its content-length says {self._length}",
            )
        )
        self.stop()

    def _received(self, data: Any) -> None:
        self._reading = False
        if data is None:
            contents, self._contents = self._contents, None
            if isinstance(contents, StreamReader):
                contents.close_now()
        else:
            self.channel.put(data)
            if self._left is not None:
                self._left -= len(data)
                if not self._left:
                    # Whoever reads has all that was promised, whatever still follows (WH-37).
                    self.channel.end()
        self._run()

    def _finish_by(self, items: Any) -> None:
        self._close_trailers()
        self._finish(items[0] if items else Err(("internal-error", "no trailers")))

    def _finish(self, trailers: Ok | Err) -> None:
        """End the body as its maker says (WH-37)."""
        if isinstance(trailers, Err):
            detail = f"the guest broke its body off: {error_text(trailers.value)}"
            self.channel.fail(Failure(FailureKind.UNFINISHED, detail))
        else:
            self.channel.end(None if trailers.value is None else trailers.value.entries)
        self._end()


def promised_length(headers: Fields) -> int | None:
    """Return what ``content-length`` says; each of its values was checked when it was set.

    Raises:
        ValueError: Its values contradict each other.
    """
    values = {value for name, value in headers.entries if name == "content-length"}
    if len(values) > 1:
        raise ValueError("values of content-length contradict each other")
    return int(values.pop()) if values else None
