"""``wasi:io``: errors, pollables and byte streams.

Every other capability that hands out a stream makes a subclass of ``InputStream`` or
``OutputStream``, which say only what never blocks. What blocks (``blocking-read``,
``pollable.block``, ``poll``) is written once, here, on ``InstanceState.wait``.

Source: wasi:io@0.2.0 to 0.2.9; budgets and limits as HTTP-17 and HTTP-20.
"""

from collections.abc import Callable, Sequence
from time import monotonic_ns
from typing import Any

from edgezero_spin.host.exchange.channel import BODY_BUDGET, PIECE, BytesLike
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.runtime.interface import Interface, Trap, WitError

__all__ = [
    "ERROR",
    "POLL",
    "READ_PIECE",
    "STREAMS",
    "EmptyInput",
    "InputStream",
    "IoError",
    "OutputStream",
    "Parent",
    "Pollable",
    "closed",
    "failed",
]

BLOCKING_WRITE_LIMIT = 4096

READ_PIECE = 64 * 1024
"""Most bytes of one read. Where they do not cross in bulk, the engine takes 70 for each."""


class IoError:
    """``wasi:io/error``: why the last operation on a stream failed.

    Attributes:
        text: What ``to-debug-string`` answers.
        http: The ``wasi:http`` error code, where there is one.
        filesystem: The ``wasi:filesystem`` error code, where there is one.
    """

    __slots__ = ("filesystem", "http", "text")

    def __init__(
        self, text: str, *, http: tuple[str, Any] | None = None, filesystem: str | None = None
    ) -> None:
        self.text = text
        self.http = http
        self.filesystem = filesystem


def closed() -> WitError:
    """The stream error of a stream that ended, or whose other end left."""
    return WitError(("closed", None))


def failed(error: IoError) -> WitError:
    """The stream error that carries a reason."""
    return WitError(("last-operation-failed", error))


class Parent:
    """A resource with children: other resources that have to be dropped before it.

    A guest that drops or passes on the parent first traps, as it does under wasmtime.
    """

    __slots__ = ("_children",)

    def adopt(self) -> None:
        """Count a child that was made."""
        self._children = getattr(self, "_children", 0) + 1

    def release(self) -> None:
        """Count a child that was dropped."""
        self._children -= 1

    def check_childless(self, function: str) -> None:
        """Make sure that nothing is left that depends on this resource.

        Args:
            function: What the guest called, for the message.

        Raises:
            Trap: A child is alive.
        """
        if getattr(self, "_children", 0):
            raise Trap(f"{function}: the resource has children; drop those first")


class Pollable:
    """``wasi:io/poll.pollable``: something that is ready now or will be.

    Attributes:
        ready: Says whether it is. Never blocks, never takes a lock.
        until_ns: For a timer, the ``monotonic_ns`` at which it becomes ready.
        parent: What it was made of; ``None`` for a timer.
    """

    __slots__ = ("parent", "ready", "until_ns")

    def __init__(
        self, ready: Callable[[], bool], until_ns: int | None = None, parent: Parent | None = None
    ) -> None:
        self.ready = ready
        self.until_ns = until_ns
        self.parent = parent
        if parent is not None:
            parent.adopt()

    @classmethod
    def at(cls, instant_ns: int) -> "Pollable":
        """A timer."""
        return cls(lambda: monotonic_ns() >= instant_ns, instant_ns)

    def drop(self, state: InstanceState) -> None:
        """Let the parent be dropped."""
        if self.parent is not None:
            self.parent.release()


class InputStream(Parent):
    """``wasi:io/streams.input-stream``: bytes that the guest reads."""

    __slots__ = ()

    def read(self, most: int) -> BytesLike:
        """Return up to ``most`` bytes that are there already, possibly none.

        Raises:
            WitError: ``closed()`` at the end, or ``failed(error)``.
        """
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether ``read`` has something to say: bytes, the end or a failure."""
        return True

    def drop(self, state: InstanceState) -> None:
        """Called when the guest gives up its handle. A subclass frees what it holds."""


class EmptyInput(InputStream):
    """A stream that is at its end from the start, such as stdin (ENV-2)."""

    __slots__ = ()

    def read(self, most: int) -> BytesLike:
        """Report the end."""
        raise closed()


class OutputStream(Parent):
    """``wasi:io/streams.output-stream``: bytes that the guest writes."""

    __slots__ = ()

    def room(self) -> int:
        """Bytes that ``write`` takes now.

        Raises:
            WitError: ``closed()`` when nobody reads any more, or ``failed(error)``.
        """
        return BODY_BUDGET

    def write(self, contents: bytes) -> None:
        """Take bytes, at most ``room()`` of them.

        Raises:
            WitError: As ``room``.
        """
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether ``room`` is more than 0 or raises."""
        return True

    def drop(self, state: InstanceState) -> None:
        """Called when the guest gives up its handle. A subclass frees what it holds."""


def _read(state: InstanceState, stream: InputStream, length: int) -> BytesLike:
    return stream.read(min(length, READ_PIECE))


def _blocking_read(state: InstanceState, stream: InputStream, length: int) -> BytesLike:
    most = min(length, READ_PIECE)
    while True:
        data = stream.read(most)
        if data or not most:
            return data
        state.wait(stream.ready)


def _skip(state: InstanceState, stream: InputStream, length: int) -> int:
    return len(memoryview(_read(state, stream, length)))


def _blocking_skip(state: InstanceState, stream: InputStream, length: int) -> int:
    return len(memoryview(_blocking_read(state, stream, length)))


def _subscribe(state: InstanceState, stream: InputStream | OutputStream) -> Pollable:
    return Pollable(stream.ready, parent=stream)


def _write(state: InstanceState, stream: OutputStream, contents: bytes) -> None:
    room = stream.room()
    if len(contents) > room:
        raise Trap(f"output-stream.write of {len(contents)} bytes where check-write allows {room}")
    stream.write(contents)


def _write_when_possible(state: InstanceState, stream: OutputStream, contents: bytes) -> None:
    rest = memoryview(contents)
    while rest:
        room = stream.room()
        if room >= len(rest):
            stream.write(bytes(rest))
            return
        if room:
            stream.write(bytes(rest[:room]))
            rest = rest[room:]
        else:
            state.wait(stream.ready)


def _blocking_write(state: InstanceState, stream: OutputStream, contents: bytes) -> None:
    if len(contents) > BLOCKING_WRITE_LIMIT:
        raise Trap(
            f"blocking-write-and-flush of {len(contents)} bytes, at most {BLOCKING_WRITE_LIMIT}"
        )
    if stream.room() >= len(contents):
        stream.write(contents)
    else:
        _write_when_possible(state, stream, contents)


def _flush(state: InstanceState, stream: OutputStream) -> None:
    # What was written is on its way already; only a stream that broke has news.
    stream.room()


def _write_zeroes(state: InstanceState, stream: OutputStream, length: int) -> None:
    room = stream.room()
    if length > room:
        raise Trap(f"write-zeroes of {length} bytes where check-write allows {room}")
    stream.write(bytes(length))


def _blocking_write_zeroes(state: InstanceState, stream: OutputStream, length: int) -> None:
    if length > BLOCKING_WRITE_LIMIT:
        raise Trap(
            f"blocking-write-zeroes-and-flush of {length} bytes, at most {BLOCKING_WRITE_LIMIT}"
        )
    _write_when_possible(state, stream, bytes(length))


def _splice(state: InstanceState, stream: OutputStream, source: InputStream, length: int) -> int:
    room = min(stream.room(), length, PIECE)
    if not room:
        return 0
    data = bytes(source.read(room))
    if data:
        stream.write(data)
    return len(data)


def _blocking_splice(
    state: InstanceState, stream: OutputStream, source: InputStream, length: int
) -> int:
    if not length:
        stream.room()
        return 0
    while not stream.room():
        state.wait(stream.ready)
    while True:
        moved = _splice(state, stream, source, length)
        if moved:
            return moved
        state.wait(source.ready)


def _pollable_block(state: InstanceState, pollable: Pollable) -> None:
    state.wait(pollable.ready, pollable.until_ns)


def _poll(state: InstanceState, pollables: Sequence[Pollable]) -> list[int]:
    if not pollables:
        raise Trap("poll: the list of pollables is empty")

    def ready() -> list[int]:
        return [index for index, pollable in enumerate(pollables) if pollable.ready()]

    found = ready()
    if found:
        return found
    timers = [pollable.until_ns for pollable in pollables if pollable.until_ns is not None]
    state.wait(lambda: any(p.ready() for p in pollables), min(timers, default=None))
    return ready()


ERROR = Interface(
    "wasi:io/error",
    {"[method]error.to-debug-string": lambda state, error: error.text},
    {"error": IoError},
)

POLL = Interface(
    "wasi:io/poll",
    {
        "[method]pollable.ready": lambda state, pollable: pollable.ready(),
        "[method]pollable.block": _pollable_block,
        "poll": _poll,
    },
    {"pollable": Pollable},
)

STREAMS = Interface(
    "wasi:io/streams",
    {
        "[method]input-stream.read": _read,
        "[method]input-stream.blocking-read": _blocking_read,
        "[method]input-stream.skip": _skip,
        "[method]input-stream.blocking-skip": _blocking_skip,
        "[method]input-stream.subscribe": _subscribe,
        "[method]output-stream.check-write": lambda state, stream: stream.room(),
        "[method]output-stream.write": _write,
        "[method]output-stream.blocking-write-and-flush": _blocking_write,
        "[method]output-stream.flush": _flush,
        "[method]output-stream.blocking-flush": _flush,
        "[method]output-stream.subscribe": _subscribe,
        "[method]output-stream.write-zeroes": _write_zeroes,
        "[method]output-stream.blocking-write-zeroes-and-flush": _blocking_write_zeroes,
        "[method]output-stream.splice": _splice,
        "[method]output-stream.blocking-splice": _blocking_splice,
    },
    {
        "input-stream": InputStream,
        "output-stream": OutputStream,
        "error": IoError,
        "pollable": Pollable,
    },
)
