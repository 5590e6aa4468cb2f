"""Sessions: a guest's connection handle, and the connection behind it.

In: a pool of connections. Out: a ``Session``. It belongs to its handle and to the streams of
rows that were begun on it; with the last of them its server connection goes back to the pool.

Statements of one session run one after the other, on the guest's thread or another. One that
comes while a stream has rows left first takes these in, up to the limit of a result.

Source: contract services.md, SVC-5 to SVC-8, PG-21, PG-66.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Generic, Protocol, TypeVar

from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES, claim, release
from edgezero_spin.host.factors.database_servers.errors import (
    DatabaseServerError,
    ResultTooLargeError,
)
from edgezero_spin.host.factors.database_servers.pools import ConnectionPool, PooledConnection
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_networking.connection_slots import (
    MAX_CONNECTIONS,
    ConnectionSlots,
)
from edgezero_spin.host.factors.waits import Check, locked
from edgezero_spin.host.runtime.interface import VariantTable

__all__ = ["NULL", "Opening", "Parameter", "RowStream", "Rows", "Session", "SqlConnection"]

TOO_MANY = "too many connections"

Parameter = tuple[str, Any]
"""Case and payload of a ``parameter-value``."""

NULL = "db-null"
"""The case of a ``db-value`` that stands for NULL."""


class Rows(Protocol):
    """The rows of a statement that runs."""

    @property
    def columns(self) -> Sequence[Any]:
        """The columns of its result."""

    @property
    def at_hand(self) -> bool:
        """Whether reading would not wait for the server."""

    def read(self, most_bytes: int) -> tuple[VariantTable, int]:
        """Return the next rows, none at the end, and what they count.

        Args:
            most_bytes: What they may count.

        Raises:
            DatabaseServerError: The statement failed, or a value cannot be read.
            ResultTooLargeError: They count more; the statement was ended.
        """

    def close(self) -> None:
        """End the statement, where it still runs. Twice is harmless."""


class SqlConnection(PooledConnection, Protocol):
    """A connection that runs statements, one at a time."""

    def query(
        self, statement: str, parameters: Sequence[Parameter], *, one_by_one: bool = False
    ) -> Rows:
        """Begin a statement; return its rows.

        Args:
            one_by_one: Return each row as it comes, so that an error takes none with it.

        Raises:
            ValueError: A parameter is not a value of its kind.
            DatabaseServerError: The server refuses, or is gone.
        """

    def execute(self, statement: str, parameters: Sequence[Parameter]) -> int:
        """Run a statement; return how many rows it touched.

        Raises:
            ValueError: A parameter is not a value of its kind.
            DatabaseServerError: The statement failed.
        """


C = TypeVar("C", bound=SqlConnection)


class Opening(Generic[C]):
    """A connection that may be opened: its place among the instance's handles is taken."""

    def __init__(
        self, state: InstanceState, kind: str, pool: ConnectionPool[C], slots: ConnectionSlots
    ) -> None:
        """Take a place for the handle; on the instance's thread.

        Args:
            kind: What its places are counted by.
            pool: Has the connections.

        Raises:
            DatabaseServerError: The instance has too many handles.
        """
        if not claim(state, kind, MAX_CONNECTIONS):
            raise DatabaseServerError(TOO_MANY)
        self._state = state
        self._kind = kind
        self._pool = pool
        self._slots = slots

    def finish(self, check: Check) -> "Session[C]":
        """Connect; from any thread.

        Raises:
            DatabaseServerError: There are too many connections, or no server can be reached.
        """
        pool, slots = self._pool, self._slots
        held = self._state.held[self._kind] - 1
        with ExitStack() as claimed:
            for some in (slots, pool.slots):
                if not some.wait(held, check):
                    raise DatabaseServerError(TOO_MANY)
                claimed.callback(some.release)
            connection = pool.take(check, self._state.grants.network.blocked.blocks)
            claimed.pop_all()
        return Session(pool, connection, slots)

    def release(self) -> None:
        """Give the place back; on the instance's thread."""
        release(self._state, self._kind)


class Session(Generic[C]):
    """A server connection, as long as a handle, a stream of rows or a call in progress needs it."""

    def __init__(self, pool: ConnectionPool[C], connection: C, slots: ConnectionSlots) -> None:
        self._slots = slots
        self._pool = pool
        self._connection = connection
        # Held while a thread uses the connection.
        self._use_lock = threading.Lock()
        self._holders_lock = threading.Lock()
        self._holders = 1
        self._stream: RowStream | None = None

    def query(
        self, statement: str, parameters: Sequence[Parameter], check: Check
    ) -> tuple[Sequence[Any], VariantTable]:
        """Run a statement; return its columns and rows.

        Raises:
            ValueError: A parameter is not a value of its kind.
            DatabaseServerError: The statement failed.
            ResultTooLargeError: Its rows count more than a result may.
        """
        with self.use(check) as connection:
            rows = connection.query(statement, parameters)
            found: list[VariantTable] = []
            left = MAX_RESULT_BYTES
            while True:
                piece, size = rows.read(left)
                if found and not piece:
                    return rows.columns, VariantTable.joined(found)
                found.append(piece)
                if not piece:
                    return rows.columns, piece
                left -= size

    def execute(self, statement: str, parameters: Sequence[Parameter], check: Check) -> int:
        """Run a statement; return how many rows it touched."""
        with self.use(check) as connection:
            return connection.execute(statement, parameters)

    def stream(
        self,
        statement: str,
        parameters: Sequence[Parameter],
        check: Check,
        *,
        limit_whole: bool = False,
    ) -> "RowStream":
        """Begin a statement; return its rows once the first or the end is known.

        Args:
            limit_whole: The limit of a result holds for all rows together, not for each.

        Raises:
            ValueError: A parameter is not a value of its kind.
            DatabaseServerError: The server refuses the statement.
        """
        with self.use(check) as connection:
            rows = connection.query(statement, parameters, one_by_one=True)
            stream = RowStream(rows, limit_whole=limit_whole)
            stream.take_in(1)
            if not stream.ended:
                self._stream = stream
        return stream

    def fill(self, stream: "RowStream", most: int, check: Check) -> None:
        """Wait for rows of a stream, and take in those that came."""
        with self._exclusive(check):
            if not stream.filled:
                stream.take_in(most)
            if stream.ended and self._stream is stream:
                self._stream = None

    @contextmanager
    def use(self, check: Check) -> Iterator[C]:
        """Use the connection, when nobody else does and no statement runs on it."""
        with self._exclusive(check):
            stream, self._stream = self._stream, None
            if stream is not None:
                stream.finish()
            yield self._connection

    @contextmanager
    def _exclusive(self, check: Check) -> Iterator[None]:
        with locked(self._use_lock, check):
            self._connection.check = check
            yield

    def hold(self) -> None:
        """Keep the connection until one more ``release``."""
        with self._holders_lock:
            self._holders += 1

    def release(self) -> None:
        """Give the connection back, unless it is still held."""
        with self._holders_lock:
            self._holders -= 1
            last = self._holders == 0
        if last:
            self._slots.release()
            self._pool.give_back(self._connection)


class RowStream:
    """The rows of a statement that runs; changed by who uses the session.

    Attributes:
        has_rows: A row came.
        ended: There are no more rows than were taken in.
        failure: What ended the statement before its last row.
        unwanted: Nobody reads the rows any more.
    """

    def __init__(self, rows: Rows, *, limit_whole: bool) -> None:
        self.columns = rows.columns
        self.has_rows = False
        self.ended = False
        self.failure: Exception | None = None
        self.unwanted = False
        self._rows = rows
        self._left = MAX_RESULT_BYTES if limit_whole else None
        self._taken: list[VariantTable] = []
        self._count = 0

    @property
    def filled(self) -> bool:
        """Whether there is something to read, the end included."""
        return bool(self._taken) or self.ended

    def taken(self) -> tuple[Sequence[Any], bool]:
        """Return the rows that were taken in, and whether they are the last."""
        taken, self._taken, self._count = self._taken, [], 0
        return VariantTable.joined(taken) if taken else (), self.ended

    def take_in(self, most: int) -> None:
        """Wait for a row, and take in what came with it, so many at most."""
        while self._count < most and not self.ended:
            if self._taken and not self._rows.at_hand:
                return
            left = self._left
            size = self._take_in_next(MAX_RESULT_BYTES if left is None else left)
            if left is not None:
                self._left = left - size

    def finish(self) -> None:
        """Take in all rows that are left, up to the limit of a result, or end the statement."""
        left = MAX_RESULT_BYTES
        while not self.ended and not self.unwanted:
            left -= self._take_in_next(left)
        self._rows.close()
        self.ended = True

    def _take_in_next(self, most_bytes: int) -> int:
        try:
            rows, size = self._rows.read(most_bytes)
        except (DatabaseServerError, ResultTooLargeError) as error:
            self.ended, self.failure = True, error
            return 0
        if rows:
            self.has_rows = True
            self._taken.append(rows)
            self._count += len(rows)
        else:
            self.ended = True
        return size
