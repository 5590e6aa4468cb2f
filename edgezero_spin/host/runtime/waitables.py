"""Waitables, streams and futures: what the asynchronous ABI keeps in a handle table.

A stream or future has two ends and no buffer: the end that comes second copies from or to the
memory of the first and completes at once; the first is told by an event. Everything here is
state and copying. Nothing waits: who runs when is not decided here.

Source: ``CanonicalABI.md``, "Waitable State", "Stream State" and "Future State"; contract
wasi03.md, CA-5, CA-6 and CA-50 to CA-58.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.runtime.handles import ComponentInstance
from edgezero_spin.host.runtime.memory import Context
from edgezero_spin.wasm.component.types import Primitive, ValueType

__all__ = [
    "BLOCKED",
    "MAX_COUNT",
    "Buffer",
    "Channel",
    "CopyState",
    "End",
    "Event",
    "Waitable",
    "WaitableSet",
]

BLOCKED = 0xFFFF_FFFF
MAX_COUNT = (1 << 28) - 1
"""Most elements of one read or write."""

_COMPLETED, _DROPPED, _CANCELLED = 0, 1, 2

Event = tuple[int, int, int]
"""Code, index and payload."""


class Waitable:
    """What can be waited for.

    Attributes:
        event: Computes the pending event, ``None`` where there is none.
        set: The set that it is in.
    """

    __slots__ = ("event", "set")

    def __init__(self) -> None:
        self.event: Callable[[], Event] | None = None
        self.set: WaitableSet | None = None

    def take_event(self) -> Event:
        """Return the pending event, which is computed now, and forget it."""
        event, self.event = self.event, None
        if event is None:
            raise LookupError("no event is pending")
        return event()

    def join(self, waitables: "WaitableSet | None") -> None:
        """Move to another set, or leave the present one."""
        if self.set is not None:
            self.set.members.remove(self)
        self.set = waitables
        if waitables is not None:
            waitables.members.append(self)


class WaitableSet:
    """A set of waitables.

    Attributes:
        members: The waitables.
        waiting: How many wait for one of them.
    """

    __slots__ = ("members", "waiting")

    def __init__(self) -> None:
        self.members: list[Waitable] = []
        self.waiting = 0

    def poll(self) -> Event | None:
        """Return a pending event, ``None`` where there is none."""
        for member in self.members:
            if member.event is not None:
                return member.take_event()
        return None

    def check_drop(self) -> None:
        """Check that nothing depends on the set.

        Raises:
            Trap: Something does.
        """
        if self.waiting:
            raise Trap("cannot drop waitable set with waiters")
        if self.members:
            raise Trap("resource has children")


class Buffer:
    """Elements in a guest's memory, to be read or to be written.

    Attributes:
        count: How many there are room for.
        progress: How many were copied.
    """

    __slots__ = ("_at", "_context", "_run", "_size", "count", "progress")

    def __init__(self, context: Context, run: Any, size: int, at: int, count: int) -> None:
        self._context = context
        self._run = run
        self._size = size
        self._at = at
        self.count = count
        self.progress = 0

    @property
    def left(self) -> int:
        """How many elements are still to be copied."""
        return self.count - self.progress

    def read(self, count: int) -> Any:
        """Return that many elements."""
        values = None
        if self._run is not None:
            values = self._run(self._context, self._at, count)
            self._at += self._size * count
        self.progress += count
        return values

    def write(self, values: Any, count: int) -> None:
        """Store that many elements."""
        if self._run is not None:
            self._run(self._context, self._at, values)
            self._at += self._size * count
        self.progress += count


class Channel:
    """What the two ends of a stream or future share.

    Attributes:
        type: Type of the elements, ``None`` for none.
        is_future: It is a future.
        dropped: One end is gone.
    """

    __slots__ = ("_pending", "dropped", "is_future", "type")

    def __init__(self, type_: ValueType | None, is_future: bool) -> None:
        self.type = type_
        self.is_future = is_future
        self.dropped = False
        self._pending: tuple[ComponentInstance, Buffer, End] | None = None

    def copy(self, instance: ComponentInstance, buffer: Buffer, end: "End") -> None:
        """Begin a read or write, and complete it as far as the other end allows.

        Raises:
            Trap: Both ends belong to one instance, and the elements are no numbers.
        """
        pending = self._pending
        if self.dropped:
            end.complete(buffer, _DROPPED)
        elif pending is None:
            self._pending = (instance, buffer, end)
        else:
            self._meet(pending, instance, buffer, end)

    def _meet(
        self,
        pending: "tuple[ComponentInstance, Buffer, End]",
        instance: ComponentInstance,
        buffer: Buffer,
        end: "End",
    ) -> None:
        owner, other, other_end = pending
        if owner is instance and not _is_number(self.type):
            raise Trap(
                "cannot read from and write to intra-component future/stream with non-numeric "
                "payload"
            )
        if other.left:
            count = min(buffer.left, other.left)
            if count:
                source, target = (other, buffer) if end.readable else (buffer, other)
                target.write(source.read(count), count)
                if self.is_future:
                    self._pending = None
                other_end.progress(other, self._forget)
            end.complete(buffer, _COMPLETED)
        elif not end.readable and not buffer.count and not other.count:
            end.complete(buffer, _COMPLETED)
        else:
            self._pending = (instance, buffer, end)
            other_end.complete(other, _COMPLETED)

    def _forget(self) -> None:
        self._pending = None

    def cancel(self) -> None:
        """End the pending read or write."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending[2].complete(pending[1], _CANCELLED)

    def drop(self) -> None:
        """Note that one end is gone; what the other one does is complete."""
        if not self.dropped:
            self.dropped = True
            pending, self._pending = self._pending, None
            if pending is not None:
                pending[2].complete(pending[1], _DROPPED)


class CopyState(Enum):
    """What an end of a stream or future does."""

    IDLE = "idle"
    COPYING = "copying"
    CANCELLING = "cancelling"
    DONE = "done"


class End(Waitable):
    """The readable or the writable end of a stream or future.

    Attributes:
        channel: What both ends share.
        readable: Which end it is.
        state: What it does.
        index: Its handle.
    """

    __slots__ = ("channel", "index", "readable", "state")

    def __init__(self, channel: Channel, readable: bool) -> None:
        super().__init__()
        self.channel = channel
        self.readable = readable
        self.state = CopyState.IDLE
        self.index = 0

    @property
    def name(self) -> str:
        """What messages call it."""
        return "future" if self.channel.is_future else "stream"

    def progress(self, buffer: Buffer, forget: Callable[[], None]) -> None:
        """Note that elements were copied. Until the event is delivered more may be."""

        def event() -> Event:
            forget()
            return self._event(buffer, _COMPLETED)

        self.event = event

    def complete(self, buffer: Buffer, result: int) -> None:
        """Note that the read or write is over."""
        self.event = lambda: self._event(buffer, result)

    def _event(self, buffer: Buffer, result: int) -> Event:
        is_future = self.channel.is_future
        done = result == _DROPPED or (is_future and result == _COMPLETED)
        self.state = CopyState.DONE if done else CopyState.IDLE
        code = (4 if is_future else 2) + (not self.readable)
        return code, self.index, result if is_future else result | buffer.progress << 4

    def check_idle(self, is_async: bool) -> None:
        """Check that a read or write may begin.

        Raises:
            Trap: It may not.
        """
        verb = "read from" if self.readable else "write to"
        if self.state is CopyState.DONE:
            if not self.channel.is_future:
                gone = "writable" if self.readable else "readable"
                raise Trap(f"cannot {verb} stream after being notified that the {gone} end dropped")
            if self.readable:
                raise Trap("cannot read from future after previous read succeeded")
            raise Trap(
                "cannot write to future after previous write succeeded or readable end dropped"
            )
        if self.state is not CopyState.IDLE:
            raise Trap("cannot have concurrent operations active on a future/stream")
        if self.set is not None and not is_async:
            raise Trap("waitable cannot be used synchronously while added to a waitable set")

    def check_passing(self) -> None:
        """Check that the end may be passed on.

        Raises:
            Trap: It may not.
        """
        if self.state is CopyState.DONE:
            if self.channel.is_future:
                raise Trap("cannot lift future after previous read succeeded")
            raise Trap("cannot lift stream after being notified that the writable end dropped")
        if self.state is not CopyState.IDLE:
            raise Trap("cannot have concurrent operations active on a future/stream")
        if self.set is not None:
            raise Trap(f"cannot lift {self.name} while it's in a waitable set")

    def drop(self) -> None:
        """Give the end up.

        Raises:
            Trap: It is busy, or a future that was not written.
        """
        if self.state in (CopyState.COPYING, CopyState.CANCELLING):
            raise Trap(f"cannot {'remove' if self.readable else 'drop'} busy {self.name}")
        if self.channel.is_future and not self.readable and self.state is not CopyState.DONE:
            raise Trap("cannot drop future write end without first writing a value")
        self.channel.drop()
        self.join(None)


def _is_number(type_: ValueType | None) -> bool:
    return type_ is None or (
        isinstance(type_, Primitive)
        and type_ not in (Primitive.BOOL, Primitive.CHAR, Primitive.STRING, Primitive.ERROR_CONTEXT)
    )
