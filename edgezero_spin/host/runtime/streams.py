"""Streams and futures: two ends that meet, guests' or the host's.

Nothing is buffered between guests. The side that comes first leaves its ``Party`` pending; the
side that comes second copies as much as both have room for and is done at once. A future is
a stream of exactly one value that must be written.

Source: ``CanonicalABI.md``, "Stream State" and "Future State"; contract wasi03.md, CA-50 to
CA-58.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol
from weakref import WeakKeyDictionary, ref

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.runtime.handles import ComponentInstance
from edgezero_spin.host.runtime.waitables import EventCode, Waitable
from edgezero_spin.wasm.component.types import FutureType, Primitive, StreamType, ValueType

__all__ = [
    "CANCELLED",
    "COMPLETED",
    "DROPPED",
    "CopyState",
    "End",
    "Party",
    "ReadableEnd",
    "Shared",
    "WritableEnd",
    "end_at",
    "interned",
    "is_number",
]

COMPLETED = 0
DROPPED = 1
CANCELLED = 2
"""Results of a copy."""

MAX_PIECE = 1 << 16
"""Most elements that the host holds while they go from one guest to another."""

_NO_NUMBERS = (Primitive.BOOL, Primitive.CHAR, Primitive.STRING)


def is_number(element: ValueType | None) -> bool:
    """Tell whether elements are numbers, which guests copy as the bytes that they are."""
    return isinstance(element, Primitive) and element not in _NO_NUMBERS


class Party(Protocol):
    """One side of a copy, with the elements that it has, or room for them."""

    @property
    def component(self) -> ComponentInstance | None:
        """Whose side it is; ``None`` for the host."""

    @property
    def takes(self) -> Callable[[int], bool] | None:
        """Whether a reader takes a write of so many elements; ``None`` takes every one."""

    @property
    def remaining(self) -> int:
        """How many elements are left, or fit."""

    @property
    def is_empty(self) -> bool:
        """Whether the operation was begun with a length of 0."""

    @property
    def of_host(self) -> bool:
        """Whether elements are in the host's form."""

    def take(self, count: int, *, to_host: bool) -> Any:
        """Return the next elements; numbers that go to a guest as bytes."""

    def put(self, items: Any, *, from_host: bool) -> None:
        """Store elements; numbers that come from a guest are bytes."""

    def copied(self, reclaim: Callable[[], None]) -> None:
        """Note that elements were copied while this side was pending.

        Args:
            reclaim: Ends the operation; until then more may be copied.
        """

    def done(self, result: int) -> None:
        """Note that the operation ended."""


class Shared:
    """What the two ends of a stream or future have in common.

    Attributes:
        element: Type of the elements, ``None`` where they carry nothing.
        dropped: One end is gone.
        pending: The side that came first.
        held_bytes: What the host holds for whoever reads.
    """

    held_bytes = 0

    def __init__(self, type_: StreamType | FutureType) -> None:
        self.type = type_
        self.is_future = isinstance(type_, FutureType)
        self.element: ValueType | None = (
            type_.payload if isinstance(type_, FutureType) else type_.element
        )
        self.dropped = False
        self.pending: Party | None = None

    def read(self, reader: Party) -> None:
        """Copy what is written, or wait for it."""
        writer = self._other(reader)
        if writer is None:
            return
        if writer.remaining:
            self._meet(reader, writer, reader)
            return
        # A write of length 0 ends when a reader comes.
        self._settle(COMPLETED)
        self.pending = reader

    def write(self, writer: Party) -> None:
        """Copy to who reads, or wait for one."""
        reader = self._other(writer)
        if reader is None:
            return
        if reader.remaining:
            self._meet(reader, writer, writer)
        elif writer.is_empty and reader.is_empty:
            writer.done(COMPLETED)
        else:
            self._settle(COMPLETED)
            self.pending = writer

    def _other(self, party: Party) -> Party | None:
        """Return the side to meet; if there is none, end the operation or let it wait."""
        if self.dropped:
            party.done(DROPPED)
            return None
        pending = self.pending
        if pending is None:
            self.pending = party
            return None
        if party.component is pending.component is not None and not self._is_plain:
            kind = "future" if self.is_future else "stream"
            raise Trap(
                f"cannot read from and write to intra-component {kind} with non-numeric payload"
            )
        return pending

    @property
    def _is_plain(self) -> bool:
        """Whether elements are numbers, or carry nothing."""
        return self.element is None or is_number(self.element)

    def _meet(self, reader: Party, writer: Party, second: Party) -> None:
        if reader.takes is not None and not reader.takes(writer.remaining):
            self.drop()
            second.done(DROPPED)
            return
        first = writer if second is reader else reader
        count = min(reader.remaining, writer.remaining)
        if count:
            to_host = reader.of_host
            most = count if to_host or self._is_plain else MAX_PIECE
            while count > 0:
                items = writer.take(min(count, most), to_host=to_host)
                reader.put(items, from_host=writer.of_host)
                count -= most
            if self.is_future:
                self._settle(COMPLETED)
            else:
                first.copied(self._forget)
        second.done(COMPLETED)

    def cancel(self) -> None:
        """End the operation that is pending."""
        self._settle(CANCELLED)

    def drop(self) -> None:
        """Note that one end is gone."""
        if not self.dropped:
            self.dropped = True
            if self.pending is not None:
                self._settle(DROPPED)

    def _forget(self) -> None:
        self.pending = None

    def _settle(self, result: int) -> None:
        pending, self.pending = self.pending, None
        if pending is not None:
            pending.done(result)


class CopyState(Enum):
    """What an end does."""

    IDLE = 0
    COPYING = 1
    CANCELLING = 2
    DONE = 3


class End(Waitable):
    """A guest's end of a stream or future.

    Attributes:
        shared: What it shares with the other end.
        state: What it does.
    """

    __slots__ = ("shared", "state")

    readable = False

    def __init__(self, shared: Shared) -> None:
        # As ``Waitable`` does, without another call: two are made for each stream and future.
        self.index = 0
        self.event = self.set = None
        self.waited = False
        self.shared = shared
        self.state = CopyState.IDLE

    @property
    def held_bytes(self) -> int:
        """What the host holds for its reader."""
        return self.shared.held_bytes if self.readable else 0

    @property
    def kind(self) -> str:
        """``stream`` or ``future``."""
        return "future" if self.shared.is_future else "stream"

    @property
    def busy(self) -> bool:
        """Whether an operation is not delivered yet."""
        return self.state in (CopyState.COPYING, CopyState.CANCELLING)

    def check_idle(self) -> None:
        """Check that an operation can begin.

        Raises:
            Trap: One is in progress, or the end is done.
        """
        if self.state is not CopyState.IDLE:
            if self.busy:
                raise Trap("cannot have concurrent operations active on a future/stream")
            raise Trap(f"cannot {self._verb()} {self.kind} {self._why_done()}")

    def _verb(self) -> str:
        return "read from" if self.readable else "write to"

    def _why_done(self) -> str:
        if not self.shared.is_future:
            other = "writable" if self.readable else "readable"
            return f"after being notified that the {other} end dropped"
        if self.readable:
            return "after previous read succeeded"
        return "after previous write succeeded or readable end dropped"

    def check_drop(self) -> None:
        """Check that the end can be dropped.

        Raises:
            Trap: An operation is in progress, or a future was not written.
        """
        state = self.state
        if state is CopyState.COPYING or state is CopyState.CANCELLING:
            raise Trap(f"cannot {'remove' if self.readable else 'drop'} busy {self.kind}")
        if self.shared.is_future and not self.readable and state is not CopyState.DONE:
            raise Trap("cannot drop future write end without first writing a value")

    def take_out(self) -> Shared:
        """Check that the end can be passed on, and return what it shares.

        Raises:
            Trap: It is busy, done or in a waitable set.
        """
        if self.state is not CopyState.IDLE:
            if self.busy:
                raise Trap(f"cannot lift {self.kind} while an operation on it is in progress")
            raise Trap(f"cannot lift {self.kind} {self._why_done()}")
        if self.set is not None:
            raise Trap(f"cannot lift {self.kind} while it's in a waitable set")
        return self.shared

    @property
    def event_code(self) -> EventCode:
        """The code of its events."""
        if self.shared.is_future:
            return EventCode.FUTURE_READ if self.readable else EventCode.FUTURE_WRITE
        return EventCode.STREAM_READ if self.readable else EventCode.STREAM_WRITE


class ReadableEnd(End):
    """The end that is read from; it can be passed on."""

    __slots__ = ()
    readable = True


class WritableEnd(End):
    """The end that is written to; it stays with its maker."""

    __slots__ = ()


_known: "WeakKeyDictionary[StreamType | FutureType, ref[StreamType | FutureType]]"
_known = WeakKeyDictionary()


def interned(type_: StreamType | FutureType) -> Any:
    """Return the one object for all types that equal this, which makes comparing them quick."""
    kept = _known.get(type_)
    found = None if kept is None else kept()
    if found is None:
        _known[type_] = ref(type_)
        found = type_
    return found


def end_at(
    component: ComponentInstance, index: int, class_: type[End], type_: ValueType | None
) -> End:
    """Return an end of a stream or future.

    Raises:
        Trap: The handle is none, or to something else.
    """
    entry = component.entries.get(index)
    if entry.__class__ is class_ and entry.shared.type is type_:
        return entry  # type: ignore[no-any-return, unused-ignore]
    if not isinstance(entry, End):
        raise component.mismatch(index)
    found = entry.shared.type
    if found is not type_ and found != type_:
        raise component.mismatch(index)
    if entry.__class__ is not class_:
        what = "read" if entry.readable else "write"
        raise Trap(f"{component.mismatch(index)}: passed {what} end to another operation")
    return entry
