"""The host's ends of streams and futures.

A guest's readable end that reaches the host is a ``StreamReader`` or ``FutureReader``. What the
host gives to a guest as a stream is any ``Source`` (or bytes, or a list), pulled when the guest
reads, never before; as a future, an ``FutureValue``. A reader that the host passes on to a guest
gives that guest the end itself, and one whose other end is the host's tells its ``source``.

Source: contract wasi03.md, CA-50, CA-53, CA-54, WH-15.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from edgezero_spin.host.errors import WitError
from edgezero_spin.host.runtime.handles import ComponentInstance
from edgezero_spin.host.runtime.running import running
from edgezero_spin.host.runtime.scheduler import is_coroutine, loop_of_this_thread
from edgezero_spin.host.runtime.streams import CANCELLED, COMPLETED, DROPPED, Party, Shared
from edgezero_spin.wasm.component.types import FutureType, StreamType

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.instance import Instance

__all__ = [
    "FutureReader",
    "FutureValue",
    "Promise",
    "Source",
    "StreamReader",
    "is_readable",
    "posting",
    "reader_of",
    "shared_of",
]


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


@attrs.frozen
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


class _Sourced(Shared):
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
                self._pull(reader.buffer.remaining)

    def _pull(self, most: int) -> None:
        self._pulling = True
        read_now = getattr(self.source, "read_now", None)
        if read_now is not None:
            _expect(self._owner, 1)
            read_now(most, self._told)
            return
        try:
            found = self.source.read(most)
        except WitError as error:
            self._arrived(None, error)
            return
        if is_coroutine(found):
            tasks = self._owner.tasks
            if tasks is not None:
                tasks.start_coroutine(found, self._fetched)
        else:
            self._arrived(found, None)

    def _told(self, items: Any) -> None:
        if not self.dropped:
            _expect(self._owner, -1)
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
        count = min(reader.buffer.remaining, len(items))
        if count:
            reader.buffer.put(items[:count], from_host=True)
            self._left = items[count:] if count < len(items) else None
        reader.done(COMPLETED)

    def drop(self) -> None:
        if not self.dropped:
            self.dropped, self._left = True, None
            if self._pulling and hasattr(self.source, "read_now"):
                _expect(self._owner, -1)
            close = getattr(self.source, "close", None)
            if close is not None:
                close()


class _AnswerSource:
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


class _HostBuffer:
    """Room on the host's side."""

    of_host = True
    is_empty = False

    def __init__(self, most: int) -> None:
        self._most = most
        self.items: Any = None

    @property
    def remaining(self) -> int:
        return 0 if self.items is not None else self._most

    def take(self, count: int, *, to_host: bool) -> Any:
        raise RuntimeError("the host reads here")

    def put(self, items: Any, *, from_host: bool) -> None:
        # Bytes of a source are views; whoever reads them may keep them.
        self.items = items


class _HostParty:
    """The host's side of a read."""

    def __init__(
        self, most: int, done: Callable[[Any], None], takes: Callable[[int], bool] | None
    ) -> None:
        self.component: ComponentInstance | None = None
        self.buffer = _HostBuffer(most)
        self.takes = takes
        self._done = done

    def copied(self, reclaim: Callable[[], None]) -> None:
        reclaim()
        self.done(COMPLETED)

    def done(self, result: int) -> None:
        items = self.buffer.items
        if items is None and result == COMPLETED:
            items = b""
        self._done(None if result in (DROPPED, CANCELLED) and items is None else items)


class StreamReader:
    """A readable end of a stream that the host has."""

    def __init__(self, owner: "Instance", shared: Shared) -> None:
        self._owner = owner
        self._shared: Shared | None = shared
        self.type = shared.type
        _count(owner, 1)

    @property
    def is_open(self) -> bool:
        """Whether the host still has the end."""
        return self._shared is not None

    @property
    def source(self) -> Any:
        """What the host gave as this stream or future; ``None`` where a guest writes it."""
        shared = self._shared
        return shared.source if isinstance(shared, _Sourced) else None

    def read_now(
        self,
        most: int,
        done: Callable[[Any], None],
        takes: Callable[[int], bool] | None = None,
    ) -> None:
        """Read on the instance's thread.

        Args:
            most: Elements to take at most. At least 1.
            done: Gets the elements, ``bytes`` or a list; ``None`` at the end.
            takes: Whether a guest's write of so many elements is taken. One that is not ends
                the stream: the write is told that nobody reads, with nothing of it copied.
        """
        if self._shared is None:
            done(None)
        else:
            self._shared.read(_HostParty(most, done, takes))

    async def read(self, most: int) -> Any:
        """Read from the host's loop: elements, ``None`` at the end.

        The guest's write completes when this reads, so that a slow reader slows the guest.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def done(items: Any) -> None:
            if loop_of_this_thread() is loop:
                _set_result(future, items)
            else:
                loop.call_soon_threadsafe(_set_result, future, items)

        _post(self._owner, lambda: self.read_now(most, done))
        return await future

    def close_now(self) -> None:
        """Drop the end on the instance's thread: the guest's writes then end with DROPPED."""
        shared, self._shared = self._shared, None
        if shared is not None:
            _count(self._owner, -1)
            shared.drop()

    def close(self) -> None:
        """Drop the end, from any thread. Closing twice is harmless."""
        _post(self._owner, self.close_now)

    def hand_over(self) -> Shared:
        """Give the end away, to a guest.

        Raises:
            ValueError: It is closed or given away.
        """
        shared, self._shared = self._shared, None
        if shared is None:
            raise ValueError("the stream or future is closed or was given away")
        _count(self._owner, -1)
        return shared


class FutureReader(StreamReader):
    """A readable end of a future that the host has."""

    async def get(self) -> Any:
        """Return the value.

        Raises:
            EOFError: It is never written: the guest that had to is gone.
        """
        items = await self.read(1)
        if not items:
            raise EOFError("the future is never written")
        return items[0]


def _set_result(future: "asyncio.Future[Any]", value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _count(owner: "Instance", change: int) -> None:
    tasks = owner.tasks
    if tasks is not None:
        tasks.readers += change


def _expect(owner: "Instance", change: int) -> None:
    """Note that the host has something for the guest later, or had it."""
    tasks = owner.tasks
    if tasks is not None:
        tasks.operations += change


def _post(owner: "Instance", work: Callable[[], None]) -> None:
    tasks = owner.tasks
    if tasks is not None:
        tasks.post(work)


def posting() -> Callable[[Callable[[], None]], None]:
    """Return what has work done on the thread of the instance that runs now, from any thread."""
    owner = running.get()
    return lambda work: _post(owner, work)


def reader_of(owner: "Instance", shared: Shared) -> StreamReader:
    """Return the host's form of a readable end that a guest passed."""
    return FutureReader(owner, shared) if shared.is_future else StreamReader(owner, shared)


def is_readable(type_: StreamType | FutureType, value: Any) -> bool:
    """Tell whether the host can pass a value as this stream or future."""
    if isinstance(value, StreamReader):
        return value.type == type_ and value.is_open
    if isinstance(type_, FutureType):
        return isinstance(value, FutureValue)
    return isinstance(value, bytes | bytearray | list | tuple) or any(
        callable(getattr(value, name, None)) for name in ("read", "read_now")
    )


def shared_of(owner: "Instance", type_: StreamType | FutureType, value: Any) -> Shared:
    """Return what the two ends share, for a stream or future that the host passes.

    Raises:
        TypeError: The value is no source, reader or answer.
    """
    if not is_readable(type_, value):
        raise TypeError("no stream or future of that type")
    if isinstance(value, StreamReader):
        return value.hand_over()
    if isinstance(value, FutureValue):
        promised = isinstance(value.value, Promise)
        source = _PromiseSource(value.value) if promised else _AnswerSource(value.value)
        return _Sourced(owner, type_, source)
    if isinstance(value, bytes | bytearray | list | tuple):
        return _Sourced(owner, type_, _Items(value))
    return _Sourced(owner, type_, value)
