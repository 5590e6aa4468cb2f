"""Streams and futures that the host writes.

What the host gives to a guest as a stream is any ``Source`` (or bytes, or a list), pulled when the
guest reads, never before; as a future, a ``FutureValue``.

Source: contract wasi03.md, CA-50, CA-53, CA-54, WH-15.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from edgezero_spin.host.errors import WitError
from edgezero_spin.host.runtime.scheduler import is_coroutine
from edgezero_spin.host.runtime.streams import COMPLETED, DROPPED, Party, Shared
from edgezero_spin.host.runtime.tasks import scheduler_of
from edgezero_spin.wasm.component.types import FutureType, StreamType

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.instance import Instance

__all__ = ["FutureValue", "HostShared", "Promise", "Source", "source_of"]


class Source(Protocol):
    """What a guest reads as a stream.

    A source that learns of its elements by calls of its own has ``read_now(most, done)`` instead
    of ``read``; ``done`` gets what ``read`` would return, or ``None``, once, on the instance's
    thread. Optional methods, called on that thread:

    - ``arrived(items)`` gets what a coroutine of ``read`` returned, and returns the elements.
    - ``ended(error)`` is called once when there is no more: with the ``WitError`` that ``read``
      raised, or ``None``. Without it such an error ends the instance.
    - ``close()`` is called when the guest drops its end.
    """

    def read(self, most: int) -> Any:
        """Return the next elements, at most this many; nothing at the end.

        A stream of bytes returns ``bytes``, any other a ``list``. A coroutine returns them
        later. ``most`` is 0 where the guest only wants to know whether there is more: what is
        returned then is kept for it.
        """


# Not frozen: one is made at each request, which would take four times as long.
@attrs.define
class FutureValue:
    """The value of a future that the host gives to a guest.

    Attributes:
        value: The value, an awaitable that returns it, or a ``Promise`` of it.
    """

    value: Any = None


class Promise:
    """A value that comes later. Used on the instance's thread alone.

    An asynchronous host function may return one in the place of its result; an exception as
    the value is raised then.

    Attributes:
        settled: There is a value.
        cancel: Called when the guest wants it no more.
    """

    __slots__ = ("_callbacks", "_value", "cancel", "settled")

    def __init__(self, cancel: Callable[[], None] | None = None) -> None:
        self.settled = False
        self.cancel = cancel
        self._value: Any = None
        self._callbacks: list[Callable[[Any], None]] = []

    def settle(self, value: Any) -> None:
        """Set the value; the first one counts."""
        if self.settled:
            return
        self.settled, self._value = True, value
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(value)

    def when(self, callback: Callable[[Any], None]) -> None:
        """Call this with the value as soon as there is one."""
        if self.settled:
            callback(self._value)
        else:
            self._callbacks.append(callback)


class _Items:
    """A source with all its elements at hand."""

    def __init__(self, items: Any) -> None:
        self._items = memoryview(items) if isinstance(items, bytes | bytearray) else items

    def read(self, most: int) -> Any:
        items, self._items = self._items, self._items[:0]
        return items


class HostShared(Shared):
    """A stream or future that the host writes."""

    def __init__(self, owner: "Instance", type_: StreamType | FutureType, source: Any) -> None:
        super().__init__(type_)
        self.source = source
        self.held_bytes = getattr(source, "held_bytes", 0)
        self._owner = owner
        self._left: Any = None
        self._pulling = False
        self._ended = False

    def read(self, reader: Party) -> None:
        if self._left is not None:
            self._give(reader)
        elif self.dropped or self._ended:
            reader.done(DROPPED)
        else:
            self.pending = reader
            if not self._pulling:
                self._pull(reader.remaining)

    def _pull(self, most: int) -> None:
        self._pulling = True
        read_now = getattr(self.source, "read_now", None)
        if read_now is not None:
            scheduler_of(self._owner).operations += 1
            read_now(most, self._told)
            return
        try:
            found = self.source.read(most)
        except WitError as error:
            self._arrived(None, error)
            return
        if is_coroutine(found):
            scheduler_of(self._owner).start_coroutine(found, self._fetched)
        else:
            self._arrived(found, None)

    def _told(self, items: Any) -> None:
        if not self.dropped:
            scheduler_of(self._owner).operations -= 1
            self._arrived(items, None)

    def _fetched(self, items: Any, error: BaseException | None) -> None:
        arrived = getattr(self.source, "arrived", None)
        self._arrived(items if error is not None or arrived is None else arrived(items), error)

    def _arrived(self, items: Any, error: BaseException | None) -> None:
        ended = getattr(self.source, "ended", None)
        if error is not None and (ended is None or not isinstance(error, WitError)):
            raise error
        self._pulling = False
        if self.dropped:
            return
        if items:
            self._left = items
        else:
            self._ended = True
            if ended is not None:
                ended(error)
        pending, self.pending = self.pending, None
        if pending is not None:
            if self._ended:
                pending.done(DROPPED)
            else:
                self._give(pending)

    def _give(self, reader: Party) -> None:
        items = self._left
        count = min(reader.remaining, len(items))
        if count:
            reader.put(items[:count], from_host=True)
            self._left = items[count:] if count < len(items) else None
        reader.done(COMPLETED)

    def drop(self) -> None:
        if not self.dropped:
            self.dropped, self._left = True, None
            if self._pulling and hasattr(self.source, "read_now"):
                scheduler_of(self._owner).operations -= 1
            close = getattr(self.source, "close", None)
            if close is not None:
                close()


class _ValueSource:
    """A source of one value."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def read(self, most: int) -> Any:
        value = self._value
        return _one(value) if isinstance(value, Awaitable) else [value]


async def _one(value: Awaitable[Any]) -> list[Any]:
    return [await value]


class _PromiseSource:
    """A source of one value that comes later."""

    def __init__(self, promise: Promise) -> None:
        self._promise = promise

    def read_now(self, most: int, done: Callable[[Any], None]) -> None:
        self._promise.when(lambda value: done([value]))


def source_of(value: Any) -> Any:
    """Return the source of a stream or future that the host passes as this value."""
    if isinstance(value, FutureValue):
        promised = isinstance(value.value, Promise)
        return _PromiseSource(value.value) if promised else _ValueSource(value.value)
    return _Items(value) if isinstance(value, bytes | bytearray | list | tuple) else value
