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
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
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
            stream = RowStream(self, rows)
            stream.take_in(1)
            if not stream.ended:
                self._stream = stream
        self.hold()
        return stream

    @contextmanager
    def use(self, check: Callable[[], None]) -> "Iterator[PostgresConnection]":
        """Use the connection, when nobody else does and no statement runs on it."""
        with self._exclusive(check):
            stream, self._stream = self._stream, None
            if stream is not None:
                stream.take_in_rest()
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

    def read(self, stream: "RowStream", most: int, check: Callable[[], None]) -> "list[Row]":
        """Return the next rows of a stream, none at the end."""
        with self._exclusive(check):
            if not stream.ready:
                stream.take_in(most)
            if stream.ended and self._stream is stream:
                self._stream = None
            return stream.next_rows(most)

    def end(self, stream: "RowStream") -> None:
        """End the statement of a stream that nobody reads any more."""
        with self._exclusive(_no_check):
            if self._stream is stream:
                self._stream = None
                stream.stop()

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


def _no_check() -> None:
    return None


class RowStream:
    """The rows of a statement that runs; used within the session alone.

    Attributes:
        columns: The columns; none where there is no row.
        outcome: Gets ``None`` after the last row, or what ended the statement before it.
    """

    def __init__(self, session: Session, rows: "Rows") -> None:
        self.session = session
        self.columns: Sequence[Column] = ()
        self.outcome: Future[Exception | None] = Future()
        self._rows = rows
        self._ready: deque[Row] = deque()
        self._failure: Exception | None = None
        self.ended = False

    @property
    def ready(self) -> bool:
        """Whether rows were taken in and not read."""
        return bool(self._ready)

    def take_in(self, most: int) -> None:
        """Wait for a row, and take in what came with it, so many at most."""
        while len(self._ready) < most and not self.ended:
            if self._ready and not self._rows.at_hand:
                return
            self._take_in_one(MAX_RESULT_BYTES)

    def take_in_rest(self) -> None:
        """Take in all rows that are left, as far as a result may hold them."""
        left = MAX_RESULT_BYTES
        while not self.ended:
            left -= self._take_in_one(left)

    def _take_in_one(self, most_bytes: int) -> int:
        try:
            rows, size = self._rows.read(most_bytes)
        except (PostgresError, ResultTooLargeError) as error:
            self.ended, self._failure = True, error
            return 0
        if rows:
            self.columns = self._rows.columns
            self._ready.extend(rows)
        else:
            self.ended = True
        return size

    def next_rows(self, most: int) -> "list[Row]":
        """Return rows that were taken in; none at the end, when the outcome is set."""
        rows = [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
        if not rows and self.ended and not self.outcome.done():
            self.outcome.set_result(self._failure)
        return rows

    def stop(self) -> None:
        """End the statement."""
        self._rows.close()
        self.ended = True
