"""PostgreSQL connections.

In: statements with parameters. Out: rows, or a ``PostgresError``. The client library never
waits here: this module waits for its socket, asks now and then whether it may go on, and gives
the connection up when it may not.

Every statement is prepared, so that the server says which types its parameters have, and runs in
the extended protocol with binary parameters and results. One without parameters is prepared,
described and run in one round trip.

Source: contract services.md, PG-21 to PG-24, PG-56 to PG-66;
https://www.postgresql.org/docs/current/libpq-async.html.
"""

import threading
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

from psycopg import Error as LibraryError
from psycopg.postgres import types as builtin_types
from psycopg.pq import (
    ConnStatus,
    ExecStatus,
    Format,
    PipelineStatus,
    PollingStatus,
    TransactionStatus,
)
from psycopg.pq.abc import PGconn, PGresult

from edgezero_spin.host.factors.database_servers.sessions import Parameter
from edgezero_spin.host.factors.outbound_networking.sockets import is_readable
from edgezero_spin.host.factors.postgres.columns import PostgresRowReader
from edgezero_spin.host.factors.postgres.errors import PostgresError
from edgezero_spin.host.factors.postgres.parameters import (
    ParameterTypeError,
    encode_parameters,
    fit_parameters,
)
from edgezero_spin.host.factors.postgres.results import PostgresRows, db_error
from edgezero_spin.host.factors.waits import (
    READ,
    WRITE,
    Check,
    SocketWait,
    no_check,
)

__all__ = ["PostgresConnection"]

CHUNK_ROWS = 256
"""Rows that the client library gathers, where an error takes them with it."""

CANCEL_TIMEOUT_S = 2.0
"""Seconds in which a server has to end a statement whose rows nobody wants."""

_RESET = (
    b"CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; "
    b"SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)

_ROWS = (ExecStatus.TUPLES_OK, ExecStatus.SINGLE_TUPLE, ExecStatus.TUPLES_CHUNK)
_COPIES = (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH)


class PostgresConnection:
    """A connection, used by one thread at a time. ``close`` it.

    Attributes:
        check: Raises what ends a wait; set anew for everybody who uses the connection.
    """

    def __init__(self, native: PGconn, check: Check = no_check) -> None:
        self.check = check
        self._native: PGconn | None = native
        self._wait = SocketWait(native.socket)
        self._names: dict[int, str] = {}
        self._running = False

    @property
    def broken(self) -> bool:
        """Whether the connection cannot be used any more."""
        return self._native is None or self._native.status != ConnStatus.OK

    @property
    def at_hand(self) -> bool:
        """Whether the next result is here already."""
        return self._native is None or not self._native.is_busy()

    def query(
        self, statement: str, parameters: Sequence[Parameter], *, one_by_one: bool = False
    ) -> PostgresRows:
        """See ``SqlConnection``."""
        encoded = encode_parameters(parameters)
        native = self._usable()
        try:
            # Whoever reads rows one by one needs the names of their types before the first, and
            # a parameter that is not given is to fail before the server runs anything.
            at_once = not (parameters or one_by_one or "$" in statement)
            oids, description = self._prepare(statement, run=at_once)
            if at_once:
                return PostgresRows(self, PostgresRowReader(description, self._name_of))
            unknown = {
                oid
                for oid in (*oids, *map(description.ftype, range(description.nfields)))
                if self._name(oid) is None
            }
            if unknown:
                self._look_up(unknown)
                self._prepare(statement)
            values = fit_parameters(parameters, encoded, oids, self._name_of)
            native.send_query_prepared(
                b"", values, [Format.BINARY] * len(values), result_format=Format.BINARY
            )
            native.set_chunked_rows_mode(1 if one_by_one else CHUNK_ROWS)
            self._running = True
            self._flush()
            return PostgresRows(self, PostgresRowReader(description, self._name_of))
        except ParameterTypeError as error:
            raise PostgresError(str(error)) from error
        except LibraryError as error:
            raise self._lost(error) from error
        except PostgresError:
            raise
        except BaseException:
            self.abandon()
            raise

    def execute(self, statement: str, parameters: Sequence[Parameter]) -> int:
        """See ``SqlConnection``."""
        self.query(statement, parameters)
        count = 0
        while (result := self.next_rows(last=True)) is not None:
            count += result.ntuples or result.command_tuples or 0
        return count

    def next_rows(self, *, last: bool = False) -> PGresult | None:
        """Return the next rows, ``None`` at the end.

        Args:
            last: Return the result without rows at the end, too.

        Raises:
            PostgresError: The statement failed, or the server is gone.
        """
        while True:
            result = self._next()
            if result is None:
                self._drain()
                self._forget_notices()
                return None
            status = ExecStatus(result.status)
            if status is ExecStatus.FATAL_ERROR:
                error = self._error(result, running=True)
                # A server that is gone says no more.
                with suppress(PostgresError):
                    self._drain()
                raise error
            if status in _COPIES:
                self.close()
                raise PostgresError("COPY is not supported; the connection was closed")
            if last or (status in _ROWS and result.ntuples):
                return result

    def cancel(self) -> None:
        """End the statement that runs; where the server does not in time, the connection."""
        if not self._running:
            return
        native = self._native
        until = monotonic() + CANCEL_TIMEOUT_S
        self.check, check = no_check, self.check
        try:
            if native is not None:
                _send_cancel(native, until)
            self._drain(until)
        except (LibraryError, PostgresError, OSError):
            self.close()
        finally:
            self.check = check

    def abandon(self) -> None:
        """See ``PooledConnection``."""
        native, self._native = self._native, None
        self._wait.close()
        if native is None:
            return
        if not self._running:
            native.finish()
            return
        threading.Thread(target=_cancel_and_finish, args=(native,), daemon=True).start()

    def begin_reset(self) -> bool:
        """See ``PooledConnection``."""
        native = self._native
        if native is None or self.broken or self._running:
            return False
        # An open transaction holds locks.
        idle = native.transaction_status == TransactionStatus.IDLE
        try:
            native.send_query(_RESET if idle else b"ROLLBACK; " + _RESET)
            native.flush()
        except LibraryError:
            return False
        self._running = True
        return True

    def finish_reset(self) -> bool:
        """See ``PooledConnection``."""
        try:
            self._flush()
            while (result := self._next()) is not None:
                if ExecStatus(result.status) is ExecStatus.FATAL_ERROR:
                    return False
            # A server that ended the connection since has said so.
            native = self._native
            if native is None or is_readable(native.socket):
                return False
        except (LibraryError, PostgresError):
            return False
        self._running = False
        self._forget_notices()
        return True

    def close(self) -> None:
        """Close the connection. Twice is harmless."""
        native, self._native = self._native, None
        self._wait.close()
        if native is not None:
            native.finish()

    def _usable(self) -> PGconn:
        if self._native is None or self.broken:
            raise PostgresError("the connection is closed")
        if self._running:
            raise PostgresError("the rows of another statement on the connection are not all read")
        return self._native

    def _prepare(self, statement: str, *, run: bool = False) -> tuple[list[int], PGresult]:
        """Prepare a statement; return the types of its parameters, and what describes it.

        Args:
            run: Run it as well, without parameters.
        """
        native = self._usable()
        if "\0" in statement:
            raise PostgresError("a statement contains no NUL")
        native.enter_pipeline_mode()
        native.send_prepare(b"", statement.encode())
        native.send_describe_prepared(b"")
        if run:
            native.send_query_prepared(b"", None, result_format=Format.BINARY)
        native.pipeline_sync()
        # What the server says of the statement comes with its first rows.
        self._running = True
        self._flush()
        described: PGresult | None = None
        for _ in range(2):
            result = self._next()
            if result is not None and result.status == ExecStatus.FATAL_ERROR:
                failure = self._error(result)
                self._drain()
                raise failure
            described = result
            self._next()
        if run:
            native.set_chunked_rows_mode(CHUNK_ROWS)
        else:
            self._drain()
        if described is None:
            raise PostgresError("the server did not describe the statement")
        return [described.param_type(index) for index in range(described.nparams)], described

    def _name(self, oid: int) -> str | None:
        """Return the server's name of a type, as far as it is known here."""
        info = builtin_types.get(oid)
        if info is not None:
            name = info.name.strip('"')
            return name if info.oid == oid else f"_{name}"
        return self._names.get(oid)

    def _name_of(self, oid: int) -> str:
        if self._name(oid) is None and not self._running:
            self._look_up({oid})
        return self._name(oid) or str(oid)

    def _look_up(self, oids: set[int]) -> None:
        """Ask the server for the names of types; in a failed transaction they have none."""
        self._names.update((oid, str(oid)) for oid in oids)
        numbers = ",".join(map(str, sorted(oids)))
        query = f"SELECT oid, typname FROM pg_catalog.pg_type WHERE oid IN ({numbers})"
        self._usable().send_query(query.encode())
        self._flush()
        while (result := self._next()) is not None:
            for row in range(result.ntuples):
                number, name = result.get_value(row, 0), result.get_value(row, 1)
                if number and name:
                    self._names[int(number)] = name.decode(errors="replace")

    def _flush(self) -> None:
        native = self._native
        while native is not None and native.flush():
            if self._wait(READ | WRITE, self.check) & READ:
                native.consume_input()

    def _next(self, until: float | None = None) -> PGresult | None:
        """Return the next result of the client library, ``None`` at the end of a statement."""
        native = self._native
        if native is None:
            raise PostgresError("the connection is closed")
        try:
            while native.is_busy():
                self._wait(READ, self.check, until)
                native.consume_input()
            return native.get_result()
        except LibraryError as error:
            raise self._lost(error) from error
        except TimeoutError:
            raise
        except BaseException:
            self.abandon()
            raise

    def _drain(self, until: float | None = None) -> None:
        """Read the statement to its end, and that of its pipeline."""
        native = self._native
        while native is not None and not self.broken:
            result = self._next(until)
            if native.pipeline_status == PipelineStatus.OFF:
                if result is None:
                    break
            elif result is not None and result.status == ExecStatus.PIPELINE_SYNC:
                native.exit_pipeline_mode()
                break
        self._running = False

    def _forget_notices(self) -> None:
        """Drop notifications, which nobody can ask for."""
        native = self._native
        while native is not None and native.notifies() is not None:
            pass

    def _error(self, result: PGresult, *, running: bool = False) -> PostgresError:
        error = db_error(result)
        if error is not None:
            return PostgresError(str(error), error, running=running)
        # The client library made it: the server is gone.
        message = result.error_message.decode(errors="replace").strip()
        self.close()
        return PostgresError(message or "the server closed the connection")

    def _lost(self, error: LibraryError) -> PostgresError:
        self.close()
        return PostgresError(" ".join(str(error).split()) or "the server closed the connection")


def _send_cancel(native: PGconn, until: float) -> None:
    """Ask the server, on a connection of its own, to end what runs."""
    cancel = native.cancel_conn()
    try:
        cancel.start()
        while (state := cancel.poll()) not in (PollingStatus.OK, PollingStatus.FAILED):
            with SocketWait(cancel.socket) as wait:
                wait(READ if state == PollingStatus.READING else WRITE, no_check, until)
    finally:
        cancel.finish()


def _cancel_and_finish(native: PGconn) -> None:
    with suppress(LibraryError, OSError):
        _send_cancel(native, monotonic() + CANCEL_TIMEOUT_S)
    native.finish()
