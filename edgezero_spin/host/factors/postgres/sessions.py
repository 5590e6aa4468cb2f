"""Sessions: what a guest's connection handle stands for.

In: an address that a guest gives. Out: a ``Session``, or a ``PostgresError``. A session belongs
to its handle and to the streams of rows that were begun on it; with the last of them its server
connection goes back to the pool.

Statements of one session run one after the other, on the guest's thread or another. One that
comes while a stream has rows left first takes these in, up to the limit of a result.

Source: contract services.md, PG-13 to PG-21, SVC-5 to SVC-10; spin-host.md, NET-24.
"""

import ipaddress
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES, claim, release
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_networking.addresses import may_connect
from edgezero_spin.host.factors.outbound_networking.slot_waits import (
    MAX_CONNECTIONS,
    claim_slot,
)
from edgezero_spin.host.factors.postgres.address import (
    PostgresAddress,
    PostgresServer,
    parse_postgres_address,
)
from edgezero_spin.host.factors.postgres.errors import PostgresError, ResultTooLargeError
from edgezero_spin.host.factors.postgres.factor import ConnectionPool, MissingClientError
from edgezero_spin.host.factors.postgres.parameters import Parameter
from edgezero_spin.host.factors.postgres.sockets import PATIENCE_S

if TYPE_CHECKING:
    from edgezero_spin.host.factors.postgres.client import PostgresConnection, Rows
    from edgezero_spin.host.factors.postgres.columns import Column, Row

__all__ = ["Opening", "RowStream", "Session", "begin_open"]

KIND = "postgres connection"
TOO_MANY = "too many connections"

# A host that is compared and connected to must be read alike by both.
_NAME = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)


class Opening:
    """A connection that may be opened: its place among the instance's handles is taken."""

    def __init__(self, state: InstanceState, pool: ConnectionPool) -> None:
        self._state = state
        self._pool = pool

    def finish(self, check: Callable[[], None]) -> "Session":
        """Connect; from any thread.

        Args:
            check: Raises what ends a wait.

        Raises:
            PostgresError: There are too many connections, or no server can be reached.
        """
        rules, pool = self._state.grants.network, self._pool
        held = self._state.held[KIND] - 1
        if not claim_slot(rules.postgres_slots, held, check):
            raise PostgresError(TOO_MANY)
        try:
            if not claim_slot(pool.slots, held, check):
                raise PostgresError(TOO_MANY)
            try:
                connection = pool.take(check, rules.blocked.blocks)
            except BaseException:
                pool.slots.release()
                raise
        except BaseException:
            rules.postgres_slots.release()
            raise
        return Session(self._state, pool, connection)

    def give_up(self) -> None:
        """Give the place back; on the instance's thread."""
        release(self._state, KIND)


def begin_open(state: InstanceState, text: str, certificate: str | None = None) -> Opening:
    """Judge an address, and take a place for the handle; on the instance's thread.

    Args:
        state: Of the instance.
        text: The address.
        certificate: A root certificate to trust beside the usual ones, in PEM.

    Raises:
        PostgresError: The address cannot be read or is not permitted, or there are too many
            handles.
    """
    try:
        address = parse_postgres_address(text)
    except ValueError as error:
        raise PostgresError(str(error)) from None
    for server in address.servers:
        _check_permitted(state, server)
    if not claim(state, KIND, MAX_CONNECTIONS):
        raise PostgresError(TOO_MANY)
    try:
        pool = _pool(state, text, address, certificate)
    except BaseException:
        release(state, KIND)
        raise
    return Opening(state, pool)


def _check_permitted(state: InstanceState, server: PostgresServer) -> None:
    names = [name for name in (server.host, server.address) if name is not None]
    for name, granted in zip(names, server.granted, strict=True):
        if not _is_host(name) or not may_connect(state, granted, "postgres"):
            raise PostgresError(f"address postgres://{granted} is not permitted")


def _is_host(name: str) -> bool:
    if _NAME.fullmatch(name):
        return True
    try:
        ipaddress.IPv6Address(name)
    except ValueError:
        return False
    return "%" not in name


def _pool(
    state: InstanceState, text: str, address: PostgresAddress, certificate: str | None
) -> ConnectionPool:
    grants = state.grants
    try:
        pool: ConnectionPool = grants.postgres.pool(grants.component_id, text, address, certificate)
    except MissingClientError as error:
        raise PostgresError(str(error)) from None
    return pool


class Session:
    """A server connection, as long as a handle, a stream of rows or a call in progress needs it."""

    def __init__(
        self, state: InstanceState, pool: ConnectionPool, connection: "PostgresConnection"
    ) -> None:
        self._slots = state.grants.network.postgres_slots
        self._pool = pool
        self._connection = connection
        # Held while a thread uses the connection.
        self._use_lock = threading.Lock()
        self._holders_lock = threading.Lock()
        self._holders = 1
        self._stream: RowStream | None = None

    def query(
        self, statement: str, parameters: Sequence[Parameter], check: Callable[[], None]
    ) -> "tuple[Sequence[Column], list[Row]]":
        """Run a statement; return its columns and rows.

        Raises:
            ParameterValueError: A parameter is no value of its kind.
            PostgresError: The statement failed.
            ResultTooLargeError: Its rows count more than a result may.
        """
        with self.use(check) as connection:
            rows = connection.query(statement, parameters)
            found: list[Row] = []
            left = MAX_RESULT_BYTES
            while True:
                piece, size = rows.read(left)
                if not piece:
                    return rows.columns, found
                found += piece
                left -= size

    def execute(
        self, statement: str, parameters: Sequence[Parameter], check: Callable[[], None]
    ) -> int:
        """Run a statement; return how many rows it touched.

        Raises:
            ParameterValueError: A parameter is no value of its kind.
            PostgresError: The statement failed.
        """
        with self.use(check) as connection:
            return connection.execute(statement, parameters)

    def stream(
        self, statement: str, parameters: Sequence[Parameter], check: Callable[[], None]
    ) -> "RowStream":
        """Begin a statement; return its rows once the first or the end is known.

        Raises:
            ParameterValueError: A parameter is no value of its kind.
            PostgresError: The server refuses the statement.
        """
        with self.use(check) as connection:
            rows = connection.query(statement, parameters, chunk_rows=1)
            stream = RowStream(rows)
            stream.take_in(1)
            if not stream.ended:
                self._stream = stream
        return stream

    def fill(self, stream: "RowStream", most: int, check: Callable[[], None]) -> None:
        """Wait for rows of a stream, and take in those that came."""
        with self._exclusive(check):
            if not stream.filled:
                stream.take_in(most)
            if stream.ended and self._stream is stream:
                self._stream = None

    @contextmanager
    def use(self, check: Callable[[], None]) -> "Iterator[PostgresConnection]":
        """Use the connection, when nobody else does and no statement runs on it."""
        with self._exclusive(check):
            stream, self._stream = self._stream, None
            if stream is not None:
                stream.finish()
            yield self._connection

    @contextmanager
    def _exclusive(self, check: Callable[[], None]) -> Iterator[None]:
        while not self._use_lock.acquire(timeout=PATIENCE_S):
            check()
        try:
            self._connection.check = check
            yield
        finally:
            self._use_lock.release()

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
        columns: The columns; none where there is no row.
        ended: There are no more rows than were taken in.
        failure: What ended the statement before its last row.
        unwanted: Nobody reads the rows any more.
    """

    def __init__(self, rows: "Rows") -> None:
        self.columns: Sequence[Column] = ()
        self.ended = False
        self.failure: PostgresError | ResultTooLargeError | None = None
        self.unwanted = False
        self._rows = rows
        self._taken: list[Row] = []

    @property
    def filled(self) -> bool:
        """Whether there is something to read, the end included."""
        return bool(self._taken) or self.ended

    def taken(self) -> "tuple[list[Row], bool]":
        """Return the rows that were taken in, and whether they are the last."""
        rows, self._taken = self._taken, []
        return rows, self.ended

    def take_in(self, most: int) -> None:
        """Wait for a row, and take in what came with it, so many at most."""
        while len(self._taken) < most and not self.ended:
            if self._taken and not self._rows.at_hand:
                return
            self._take_in_next(MAX_RESULT_BYTES)

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
        except (PostgresError, ResultTooLargeError) as error:
            self.ended, self.failure = True, error
            return 0
        if rows:
            self.columns = self._rows.columns
            self._taken += rows
        else:
            self.ended = True
        return size
