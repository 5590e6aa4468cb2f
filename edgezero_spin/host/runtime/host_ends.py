"""Readable ends of streams and futures that the host has.

A guest's readable end that reaches the host is a ``StreamReader`` or ``FutureReader``. One that
the host passes on to a guest gives that guest the end itself, and one whose other end is the
host's tells its ``source``.

Source: contract wasi03.md, CA-50, CA-53, CA-54, WH-15.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edgezero_spin.host.runtime.handles import ComponentInstance
from edgezero_spin.host.runtime.host_sources import FutureValue, HostShared, source_of
from edgezero_spin.host.runtime.running import running
from edgezero_spin.host.runtime.scheduler import loop_of_this_thread
from edgezero_spin.host.runtime.streams import CANCELLED, COMPLETED, DROPPED, Shared
from edgezero_spin.host.runtime.tasks import scheduler_of
from edgezero_spin.wasm.component.types import FutureType, StreamType

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.instance import Instance

__all__ = ["FutureReader", "StreamReader", "is_readable", "posting", "reader_of", "shared_of"]


class _HostParty:
    """The host's side of a read."""

    __slots__ = ("_done", "component", "items", "remaining", "takes")

    of_host = True
    is_empty = False

    def __init__(
        self, most: int, done: Callable[[Any], None], takes: Callable[[int], bool] | None
    ) -> None:
        self.component: ComponentInstance | None = None
        self.remaining = most
        self.items: Any = None
        self.takes = takes
        self._done = done

    def take(self, count: int, *, to_host: bool) -> Any:
        raise RuntimeError("the host reads here")

    def put(self, items: Any, *, from_host: bool) -> None:
        # Bytes of a source are views; whoever reads them may keep them.
        self.items = items
        self.remaining = 0

    def copied(self, reclaim: Callable[[], None]) -> None:
        reclaim()
        self.done(COMPLETED)

    def done(self, result: int) -> None:
        items = self.items
        if items is None and result == COMPLETED:
            items = b""
        self._done(None if result in (DROPPED, CANCELLED) and items is None else items)


class StreamReader:
    """A readable end of a stream that the host has."""

    __slots__ = ("_owner", "_shared", "type")

    def __init__(self, owner: "Instance", shared: Shared) -> None:
        self._owner = owner
        self._shared: Shared | None = shared
        self.type = shared.type
        scheduler_of(owner).readers += 1

    @property
    def is_open(self) -> bool:
        """Whether the host still has the end."""
        return self._shared is not None

    @property
    def source(self) -> Any:
        """What the host gave as this stream or future; ``None`` where a guest writes it."""
        shared = self._shared
        return shared.source if isinstance(shared, HostShared) else None

    def read_now(
        self, most: int, done: Callable[[Any], None], takes: Callable[[int], bool] | None = None
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

        scheduler_of(self._owner).post(lambda: self.read_now(most, done))
        return await future

    def close_now(self) -> None:
        """Drop the end on the instance's thread: the guest's writes then end with DROPPED."""
        shared, self._shared = self._shared, None
        if shared is not None:
            scheduler_of(self._owner).readers -= 1
            shared.drop()

    def close(self) -> None:
        """Drop the end, from any thread. Closing twice is harmless."""
        scheduler_of(self._owner).post(self.close_now)

    def hand_over(self) -> Shared:
        """Give the end away, to a guest.

        Raises:
            ValueError: It is closed or given away.
        """
        shared, self._shared = self._shared, None
        if shared is None:
            raise ValueError("the stream or future is closed or was given away")
        scheduler_of(self._owner).readers -= 1
        return shared


class FutureReader(StreamReader):
    """A readable end of a future that the host has."""

    __slots__ = ()

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


def posting() -> Callable[[Callable[[], None]], None]:
    """Return what has work done on the thread of the instance that runs now, from any thread."""
    return scheduler_of(running.get()).post


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
        TypeError: The value is not a source, reader or answer.
    """
    if not is_readable(type_, value):
        raise TypeError("no stream or future of that type")
    if isinstance(value, StreamReader):
        return value.hand_over()
    return HostShared(owner, type_, source_of(value))
