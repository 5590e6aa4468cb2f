"""Asynchronous calls of database servers, and rows as a guest's stream.

A call waits on a thread of the host, so that the guest's other tasks go on. One that is cancelled
stops at its next wait.

Source: contract services.md, PG-6, PG-66, MY-1.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.factors.blocking import in_thread
from edgezero_spin.host.factors.database_servers.sessions import RowStream, Session
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.streams import PartwiseSource
from edgezero_spin.host.runtime.interface import WitError

__all__ = ["RowSource", "ThreadCall"]

ROWS_AT_ONCE = 256
"""Rows of a stream that are taken in, where the server sent them, before the guest reads more."""

T = TypeVar("T")


class ThreadCall:
    """A call on a thread of its own, and whether somebody still waits for it."""

    def __init__(self, state: InstanceState) -> None:
        self._state = state
        self._wanted = True

    def check(self) -> None:
        """Raise what ends a wait."""
        if not self._wanted:
            raise Trap("the call was cancelled")
        self._state.check()

    async def run(self, work: Callable[[], T], undo: Callable[[T], None] | None = None) -> T:
        """Do the work; if the call is cancelled, it stops at its next wait."""
        try:
            return await in_thread(work, undo)
        except asyncio.CancelledError:
            self._wanted = False
            raise

    async def use(self, session: Session[Any], work: Callable[[], T]) -> T:
        """Do the same with a session, which is kept until the end."""
        session.hold()

        def held() -> T:
            try:
                return work()
            finally:
                session.release()

        return await self.run(held)


class RowSource(PartwiseSource):
    """The rows of one statement, as a guest reads them."""

    def __init__(
        self,
        state: InstanceState,
        session: Session[Any],
        stream: RowStream,
        error_of: Callable[[Exception], Any],
    ) -> None:
        """Begin with the rows that were taken in.

        Args:
            session: The session, which is kept until the end of the stream.
            error_of: Returns the error of the interface for what ended the statement.
        """
        super().__init__(apart=True)
        self._state = state
        self._session = session
        self._stream = stream
        self._error_of = error_of
        self._open = True
        session.hold()
        self._take_ready()

    def look_up(self) -> None:
        """Wait for the next rows."""
        self._session.fill(self._stream, ROWS_AT_ONCE, self._state.check)
        self._take_ready()

    def _take_ready(self) -> None:
        self.ready, self.whole = self._stream.taken()
        failure = self._stream.failure
        if self.whole and failure is not None:
            self.whole = False
            self.failure = WitError(self._error_of(failure))

    def ended(self, error: WitError | None) -> None:
        """Note that there is no more, and leave the session."""
        super().ended(error)
        self._leave()

    def close(self) -> None:
        """End the statement: nobody reads any more, which is not an error (PG-66)."""
        super().close()
        self._stream.unwanted = True
        self._leave()

    def _leave(self) -> None:
        if self._open:
            self._open = False
            self._session.release()
