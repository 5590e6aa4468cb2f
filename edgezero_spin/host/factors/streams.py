"""Streams that host functions take and give, each with a future that says how it ended.

``drained`` takes what a guest sends as it comes. ``ReportedSource`` is what a guest reads. All
of it happens on the instance's thread; nothing here waits.

Source: contract wasi03.md, WE-4, WE-22 to WE-24, SK-4 and SK-5.
"""

from collections.abc import Callable, Sequence
from typing import Any

from edgezero_spin.host.exchange.channel import PIECE
from edgezero_spin.host.factors.blocking import in_thread
from edgezero_spin.host.runtime.host_ends import StreamReader
from edgezero_spin.host.runtime.host_sources import FutureValue, Promise
from edgezero_spin.host.runtime.interface import Err, Ok, WitError

__all__ = ["PartwiseSource", "ReportedSource", "drained", "refused"]

_TOLD_EARLY = 4
"""Unread elements at which a source counts as whole: what Spin's channel holds (SK-5)."""


def drained(
    reader: StreamReader, take: Callable[[bytes], None], end: Callable[[], None] | None = None
) -> FutureValue:
    """Take every byte of a stream until its writer drops it.

    Args:
        reader: The guest's stream.
        take: Called with the bytes. A ``WitError`` that it raises drops the stream, and is what
            the future answers.
        end: Called once, when nothing more is taken.

    Returns:
        The future: ``ok`` at the end of the stream.
    """
    drain = _Drain(reader, take, end)
    drain.pull()
    return FutureValue(drain.outcome)


def refused(reader: StreamReader, error: Any) -> FutureValue:
    """Drop a stream unread; the future has the error."""
    reader.close_now()
    return FutureValue(Err(error))


class ReportedSource:
    """A ``Source`` whose end is told by a future.

    A subclass has ``read``, which raises a ``WitError`` where it fails.

    Attributes:
        outcome: What the future answers, once it is known: the first result counts.
    """

    def __init__(self) -> None:
        self.outcome = Promise()

    @property
    def ends(self) -> tuple[Any, FutureValue]:
        """The stream and the future, as a function returns them."""
        return self, FutureValue(self.outcome)

    def ended(self, error: WitError | None) -> None:
        """There is no more."""
        self.outcome.settle(Ok(None) if error is None else Err(error.payload))

    def close(self) -> None:
        """Nobody reads any more."""
        self.outcome.settle(Ok(None))


class PartwiseSource(ReportedSource):
    """A source that is looked up a part at a time, by a call that may take its time.

    A subclass has ``look_up``, which puts the next elements into ``ready`` and says in ``whole``
    or ``failure`` that there are no more. It runs on a thread of its own where ``apart`` is set,
    and never while another one of the same source does.

    Attributes:
        ready: Elements that were looked up and not read yet.
        whole: What is ready is all that is left.
        failure: Why there is no more, told behind what is ready.
    """

    def __init__(self, *, apart: bool) -> None:
        super().__init__()
        self._apart = apart
        self.ready: Sequence[Any] = ()
        self.whole = False
        self.failure: WitError | None = None

    def look_up(self) -> None:
        """Look up the next part."""
        raise NotImplementedError

    @property
    def ends(self) -> tuple[Any, FutureValue]:
        """The stream and the future, as a function returns them after the first ``look_up``."""
        self._settle()
        return super().ends

    def read(self, most: int) -> Any:
        """Return the next elements, or a coroutine that looks them up."""
        if not self.ready and not self.whole and self.failure is None:
            if self._apart:
                return self._looked_up(most)
            self.look_up()
        return self._take(most)

    async def _looked_up(self, most: int) -> int:
        await in_thread(self.look_up)
        return most

    def arrived(self, most: int) -> Sequence[Any]:
        """Return what a coroutine looked up."""
        return self._take(most)

    def _take(self, most: int) -> Sequence[Any]:
        if not self.ready and self.failure is not None:
            raise self.failure
        taken, self.ready = self.ready[: most or 1], self.ready[most or 1 :]
        self._settle()
        return taken

    def _settle(self) -> None:
        # Whoever reads as many as there are need not read again to learn how it ended.
        if (self.whole or self.failure is not None) and len(self.ready) <= _TOLD_EARLY:
            self.ended(self.failure)


class _Drain:
    """One stream on its way.

    Attributes:
        outcome: ``Ok`` or ``Err``.
    """

    def __init__(
        self, reader: StreamReader, take: Callable[[bytes], None], end: Callable[[], None] | None
    ) -> None:
        self.outcome = Promise()
        self._reader = reader
        self._take = take
        self._end = end
        self._pulling = False
        self._again = False

    def pull(self) -> None:
        """Read, and again as long as the writer has something: a loop keeps the stack flat."""
        self._again = True
        if self._pulling:
            return
        self._pulling = True
        try:
            while self._again:
                self._again = False
                self._reader.read_now(PIECE, self._arrived)
        finally:
            self._pulling = False

    def _arrived(self, items: Any) -> None:
        if items is None:
            self._finish(Ok(None))
            return
        try:
            self._take(items)
        except WitError as error:
            self._finish(Err(error.payload))
        else:
            self.pull()

    def _finish(self, outcome: Ok | Err) -> None:
        self._reader.close_now()
        if self._end is not None:
            self._end()
        self.outcome.settle(outcome)
