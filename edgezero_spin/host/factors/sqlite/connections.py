"""SQLite connections of guests, one for each handle.

In: a ``Database``, which says where it is, and SQL as a guest gives it. Out: columns and rows,
or a ``SqliteError`` with SQLite's words.

``rules`` says what a statement may name, ``memory`` what it may hold, and ``threads`` ends it when
the time of its instance does.

Source: contract spin-host.md, DB-1 to DB-3.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic, sleep
from typing import Any, TypeVar

import apsw

from edgezero_spin.host.factors.sqlite.factor import Database
from edgezero_spin.host.factors.sqlite.memory import (
    MemoryAccount,
    StatementMemory,
    set_process_limit,
)
from edgezero_spin.host.factors.sqlite.rules import MAX_VALUE_BYTES, Rules
from edgezero_spin.host.factors.sqlite.statements import (
    RowsTooLargeError,
    SqliteError,
    SqliteRow,
    bounded_rows,
    check_parameters,
    prepare,
)
from edgezero_spin.host.factors.sqlite.threads import LeftBehindError, left_behind, run_statement

__all__ = ["DatabaseConnection", "RowsTooLargeError", "SqliteError"]

BUSY_TIMEOUT_S = 5.0

# Statements that a connection keeps compiled; SQLite's package keeps none above 16 KiB.
STATEMENTS_KEPT = 8

# Of a new database, and the fewest that one in memory may have.
PAGE_BYTES = 4096
MIN_PAGES = 16

# Of one label. Each holds a processor until it ends; there are few ways to write one.
MAX_LEFT_BEHIND = max(2, os.cpu_count() or 1)

NOT_UTF_8 = "Could not decode to UTF-8 text"

_HELD = (apsw.SQLITE_DBSTATUS_CACHE_USED, apsw.SQLITE_DBSTATUS_SCHEMA_USED)

T = TypeVar("T")


class DatabaseConnection:
    """One connection of one guest, used by one thread at a time: others wait for their turn.

    Attributes:
        database: What it is to.
    """

    def __init__(
        self,
        database: Database,
        is_live: Callable[[], bool] | None = None,
        account: MemoryAccount | None = None,
    ) -> None:
        self.database = database
        self._is_live = is_live or _always
        self._account = account or MemoryAccount()
        self._native: apsw.Connection | None = None
        self._rules: Rules | None = None
        self._held_bytes = 0
        # Why the statement that runs is stopped.
        self._reason: str | None = None
        self._left = False
        self._closing = False
        self._waiting_since = 0.0
        self._lock = threading.RLock()
        self._wanted: Callable[[], bool] = _always

    def execute(
        self, text: str, values: Sequence[Any] = (), *, max_bytes: int
    ) -> tuple[list[str], list[SqliteRow]]:
        """Run the first statement of a text.

        Args:
            values: ``int``, ``float``, ``str``, ``bytes`` or ``None`` by position.
            max_bytes: Size of the rows that are kept.

        Returns:
            The names of the columns, and the rows.

        Raises:
            RowsTooLargeError: There are more rows than that.
            SqliteError: The statement failed.
        """
        return self.statement(
            text,
            values,
            lambda: self.run(lambda native: self._first(native, text, tuple(values), max_bytes)),
        )

    def statement(self, text: str, values: Sequence[Any], work: Callable[[], T]) -> T:
        """Run a statement, or the first part of its rows; a subclass may follow it.

        Args:
            text: The statement.
            work: What runs it.
        """
        return work()

    def execute_script(self, text: str) -> None:
        """Run every statement of a text.

        Raises:
            SqliteError: One failed; those before it have been run.
        """

        def run(native: apsw.Connection) -> None:
            for _ in native.execute(text):
                pass

        self.run(run)

    def changes(self) -> int:
        """How many rows the last ``INSERT``, ``UPDATE`` or ``DELETE`` changed."""
        with self._lock:
            return 0 if self._native is None else self._native.changes()

    def last_insert_rowid(self) -> int:
        """The row that was inserted last, 0 when none was."""
        with self._lock:
            return 0 if self._native is None else self._native.last_insert_rowid()

    def close(self) -> None:
        """Stop what runs, undo an open transaction and close. Twice is harmless."""
        self._closing = True
        with self._lock:
            native, self._native = self._native, None
            if native is not None:
                native.close()
            self._account.held_bytes -= self._held_bytes
            self._held_bytes = 0

    def run(
        self, work: Callable[[apsw.Connection], T], wanted: Callable[[], bool] | None = None
    ) -> T:
        """Do something with SQLite's connection, within the limits of the instance.

        Args:
            work: Runs on a thread of its own.
            wanted: Asked meanwhile; ``False`` stops it.

        Raises:
            SqliteError: It failed, or was stopped.
        """
        with self._lock:
            self._wanted = wanted or _always
            return self._run_alone(work)

    @contextmanager
    def unused(self) -> Iterator[bool]:
        """Keep others from using the connection, if nobody does now; tell whether it is so."""
        free = self._lock.acquire(blocking=False)
        try:
            yield free
        finally:
            if free:
                self._lock.release()

    def _run_alone(self, work: Callable[[apsw.Connection], T]) -> T:
        if self._closing:
            raise SqliteError("the connection is closed")
        if self._left:
            raise SqliteError("the connection is busy with a statement that was stopped")
        if left_behind(self.database) >= MAX_LEFT_BEHIND:
            raise SqliteError("too many statements that were stopped have not ended yet")
        if self._account.left_bytes <= 0:
            raise SqliteError(self._out_of_memory())
        self._reason = None
        native = self._native
        if native is None:
            native = self._native = self._connect()
        memory = StatementMemory(self._account)
        try:
            return run_statement(
                lambda: work(native),
                look=lambda: self._look(memory),
                stop=lambda: self._stop(native, memory),
                clean=lambda: self._clean_up(native, memory),
                owner=self.database,
            )
        except LeftBehindError as error:
            self._native = None
            self._left = True
            raise SqliteError(self._reason or str(error)) from error
        except apsw.InterruptError as error:
            raise SqliteError(self._reason or str(error)) from error
        except (apsw.NoMemError, MemoryError) as error:
            raise SqliteError(self._out_of_memory()) from error
        except UnicodeDecodeError as error:
            raise SqliteError(NOT_UTF_8) from error
        except (apsw.Error, OverflowError, ValueError) as error:
            raise _failure(error) from error
        finally:
            if self._native is not None:
                memory.end()
                self._count(self._native)

    def _first(
        self, native: apsw.Connection, text: str, values: tuple[Any, ...], max_bytes: int
    ) -> tuple[list[str], list[SqliteRow]]:
        """Run the first statement on the statement's thread."""
        with self.values_bounded(text):
            prepared = prepare(native, text)
            check_parameters(prepared, values)
            self.bound_temporary(native)
            most = min(max_bytes, max(self._account.left_bytes, 0))
            rows = bounded_rows(native.execute(prepared.text, values), most)
            self.bound_attached(native)
        return prepared.columns, rows

    def values_bounded(self, text: str) -> AbstractContextManager[None]:
        """Bound the values of a statement while it runs."""
        return nullcontext() if self._rules is None else self._rules.values_bounded(text)

    def bound_temporary(self, native: apsw.Connection) -> None:
        """Bound the temporary database that a statement may use."""
        rules = self._rules
        if rules is not None and rules.temporary:
            rules.temporary = False
            # A pragma may have given it larger pages than usual.
            page_bytes: Any = native.pragma("page_size", schema="temp")
            native.execute(f"PRAGMA temp.max_page_count = {self._max_pages(page_bytes)}")

    def bound_attached(self, native: apsw.Connection) -> None:
        """Bound the databases that a statement attached."""
        rules = self._rules
        if rules is not None and rules.attached:
            rules.attached = False
            self._bound_databases(native)

    def _stop(self, native: apsw.Connection, memory: StatementMemory) -> None:
        native.interrupt()
        memory.squeeze()

    def _clean_up(self, native: apsw.Connection, memory: StatementMemory) -> None:
        """Called when a statement ends that was left behind."""
        memory.end()
        native.close()

    def _look(self, memory: StatementMemory) -> bool:
        """Whether the statement that runs may go on; called on the guest's thread."""
        if self._closing or not self._wanted() or not self._is_live():
            self._reason = "interrupted"
        elif not memory.is_within_limit():
            self._reason = self._out_of_memory()
        return self._reason is None

    def _out_of_memory(self) -> str:
        return f"out of memory (limit of {self._account.limit_bytes} bytes)"

    def _count(self, native: apsw.Connection) -> None:
        held = sum(native.status(kind)[0] for kind in _HELD)
        self._account.held_bytes += held - self._held_bytes
        self._held_bytes = held

    def _max_pages(self, page_bytes: int = PAGE_BYTES) -> int:
        return max(MIN_PAGES, self._account.limit_bytes // page_bytes)

    def _bound_databases(self, native: apsw.Connection) -> None:
        """Bound the databases that hold no file of their own."""
        for name in native.db_names():
            if name != "main" and not native.db_filename(name):
                quoted = name.replace('"', '""')
                native.authorizer, rules = None, native.authorizer
                try:
                    native.execute(f'PRAGMA "{quoted}".max_page_count = {self._max_pages()}')
                finally:
                    native.authorizer = rules

    def _connect(self) -> apsw.Connection:
        set_process_limit()
        path = self.database.path
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SqliteError(f"{path.parent}: {error.strerror or error}") from error
        uri = self.database.uri
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        if path is None and uri is not None:
            flags |= apsw.SQLITE_OPEN_URI
        try:
            native = apsw.Connection(
                str(path) if path is not None else uri or ":memory:",
                flags=flags,
                statementcachesize=STATEMENTS_KEPT,
            )
        except apsw.Error as error:
            raise _failure(error) from error
        if path is None:
            native.execute(f"PRAGMA max_page_count = {self._max_pages()}")
        elif not self.database.durable:
            native.execute("PRAGMA synchronous = NORMAL")
        rules = self._rules = Rules(
            attach_files=self.database.allow_attach_file,
            in_memory=path is None,
            max_pages=self._max_pages(),
            busy_timeout_s=BUSY_TIMEOUT_S,
        )
        rules.apply(native, min(MAX_VALUE_BYTES, self._account.limit_bytes))
        native.set_busy_handler(self._wait_for_lock)
        return native

    def _wait_for_lock(self, tries: int) -> bool:
        """Wait a little for whoever holds the database; ``False`` gives up."""
        rules = self._rules
        if tries == 0 or rules is None:
            self._waiting_since = monotonic()
        waited_s = monotonic() - self._waiting_since
        if self._reason is not None or rules is None or waited_s >= rules.busy_timeout_s:
            return False
        sleep(min(0.001 * 2 ** min(tries, 5), rules.busy_timeout_s - waited_s))
        return True


def _always() -> bool:
    return True


def _failure(error: Exception) -> SqliteError:
    message = str(error)
    if isinstance(error, apsw.CantOpenError):
        message = "unable to open database file"
    return SqliteError(message, full=isinstance(error, apsw.FullError))
