"""What a guest sends as a stream, taken by the host as it comes.

In: the readable end that the guest passed, and what takes the elements. Out: the future that
the guest gets in return, which says how it ended. All of it happens on the instance's thread,
where the guest writes; nothing here waits.

Source: contract wasi03.md, WE-4 and WE-23.
"""

from collections.abc import Callable
from typing import Any

from edgezero_spin.host.channel import PIECE
from edgezero_spin.host.interface import Err, Ok, WitError
from edgezero_spin.host.runtime.host_ends import Answer, StreamReader
from edgezero_spin.host.runtime.scheduler import Completion

__all__ = ["drained", "refused"]


def drained(
    reader: StreamReader, take: Callable[[bytes], None], end: Callable[[], None] | None = None
) -> Answer:
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
    return Answer(drain.outcome)


def refused(reader: StreamReader, error: Any) -> Answer:
    """Drop a stream unread; the future has the error."""
    reader.close_now()
    return Answer(Err(error))


class _Drain:
    """One stream on its way.

    Attributes:
        outcome: ``Ok`` or ``Err``.
    """

    def __init__(
        self, reader: StreamReader, take: Callable[[bytes], None], end: Callable[[], None] | None
    ) -> None:
        self.outcome = Completion()
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
        self.outcome.finish(outcome)
