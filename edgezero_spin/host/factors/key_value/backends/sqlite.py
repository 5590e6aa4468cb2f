"""A key-value store in a SQLite file, in the schema that Spin uses.

Spin itself, several hosts and ``sqlite3`` may use the file at the same time: it is in WAL
mode, a writer waits for another up to the busy timeout, and every statement is a
transaction of its own, as is every batch, so a killed process loses nothing that a guest was told
is written. Neither does a power cut, unless writes are not to be durable.

Each thread has a connection of its own, made at its first use and closed when the thread ends.

Source: contract spin-host.md, KV-23 to KV-27, KV-40, KV-41; edgezero.md, SQL-3, SQL-6 to SQL-10.
"""

import contextlib
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakSet

import apsw

from edgezero_spin.errors import HostError
from edgezero_spin.host.factors.key_value.batches import incremented
from edgezero_spin.manifest.spin.key_value_table import CREATE, KEYS, SELECT, UPSERT
from edgezero_spin.stores.backend import BackendError

__all__ = ["SqliteFile", "SqliteKeyValue", "StoreFileError"]

BUSY_TIMEOUT_S = 5.0

DELETE = "DELETE FROM spin_key_value WHERE store=$1 AND key=$2"
EXISTS = "SELECT 1 FROM spin_key_value WHERE store=$1 AND key=$2"
FIRST_KEYS = f"{KEYS} ORDER BY key LIMIT 1000"
NEXT_KEYS = f"{KEYS} AND key>$2 ORDER BY key LIMIT 1000"
# BLOB affinity keeps text that the sqlite3 command wrote as text; compare bytes with bytes.
SWAP = """UPDATE spin_key_value SET value=$3
          WHERE store=$1 AND key=$2 AND CAST(value AS BLOB)=$4"""
PROBE = "SELECT store, key, value FROM spin_key_value LIMIT 1"


class StoreFileError(HostError):
    """The file of a key-value store cannot be used.

    Raised at start-up, before the first request.

    Attributes:
        reason: What is wrong with it.
        remedy: What to do.
    """

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        super().__init__(path, reason, remedy)
        self.path = path
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"key-value store {self.path}: {self.reason}. {self.remedy}"


class SqliteFile:
    """One database file and this process's connections to it."""

    def __init__(
        self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S, durable: bool = True
    ) -> None:
        """Make the file, its folders and its table where they are missing.

        Args:
            busy_timeout_s: How long a write waits for other writers.
            durable: A write has reached the disk when it returns. Otherwise a power cut may
                undo the last ones, and never damages the file.

        Raises:
            StoreFileError: The file is locked, no database, or cannot be written.
        """
        self.path = path
        self._busy_timeout_s = busy_timeout_s
        self._synchronous = "FULL" if durable else "NORMAL"
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: WeakSet[apsw.Connection] = WeakSet()
        self._closed = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection().execute(PROBE).fetchall()
        except (OSError, apsw.Error) as error:
            self.close()
            raise _start_error(path, error) from error

    def connection(self) -> apsw.Connection:
        """This thread's connection.

        Raises:
            apsw.Error: The file cannot be opened.
        """
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
        return connection

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self.path))
        try:
            connection.set_busy_timeout(int(self._busy_timeout_s * 1000))
            with self._lock:
                if self._closed:
                    raise apsw.ConnectionClosedError("the host was closed")
                # Two first connections at once would fight for the switch to WAL.
                self._write_ahead(connection)
                connection.execute(CREATE)
                self._open.add(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _write_ahead(self, connection: apsw.Connection) -> None:
        # A file that may only be read serves readers, with the journal that it has.
        with contextlib.suppress(apsw.ReadOnlyError):
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={self._synchronous}")

    def close(self) -> None:
        """Close every connection. Twice is harmless."""
        with self._lock:
            self._closed = True
            connections = list(self._open)
            self._open.clear()
        for connection in connections:
            connection.close()


def _start_error(path: Path, error: Exception) -> StoreFileError:
    reason = str(error)
    if isinstance(error, OSError):
        return StoreFileError(
            path, error.strerror or reason, "Check the folder, or choose another --state-dir."
        )
    if isinstance(error, apsw.NotADBError | apsw.CorruptError):
        return StoreFileError(
            path,
            f"the file is damaged or no SQLite database ({reason})",
            "Restore it from a copy, or move it away to start empty.",
        )
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return StoreFileError(
            path,
            "another process keeps the database locked",
            "Stop it, or choose another --state-dir.",
        )
    # The probe is one statement on the one table: what it cannot be is of another form.
    if isinstance(error, apsw.SQLError):
        return StoreFileError(
            path,
            "its table spin_key_value has other columns than Spin's",
            "Move the file away, or choose another --state-dir.",
        )
    return StoreFileError(
        path, reason, "Check that the file and its folder can be written by this user."
    )


class SqliteKeyValue:
    """The entries of one label in a file; a ``BatchBackend``.

    Attributes:
        file: The database.
        label: The value of the ``store`` column.
        summary: The file, for traces.
    """

    def __init__(self, file: SqliteFile, label: str) -> None:
        self.file = file
        self.label = label
        self.summary = f'"{file.path}"'

    def get(self, key: str) -> bytes | None:
        """Return the value, or ``None`` when the key is absent."""
        rows = self._rows(SELECT, {"1": self.label, "2": key})
        if not rows:
            return None
        value = rows[0][0]
        if isinstance(value, str):
            # What someone put in with the sqlite3 command.
            return value.encode()
        if not isinstance(value, bytes):
            raise BackendError(f"the value is a number ({value}) and no bytes")
        return value

    def set(self, key: str, value: bytes) -> None:
        """Write the value, replacing what was there."""
        self._rows(UPSERT, {"1": self.label, "2": key, "3": value})

    def delete(self, key: str) -> None:
        """Remove the key, if it is there."""
        self._rows(DELETE, {"1": self.label, "2": key})

    def exists(self, key: str) -> bool:
        """Tell whether the key is there."""
        return bool(self._rows(EXISTS, {"1": self.label, "2": key}))

    def keys(self) -> Iterator[str]:
        """Yield every key once, in order; nothing is locked between two parts of them."""
        part = self._rows(FIRST_KEYS, {"1": self.label})
        while part:
            for (key,) in part:
                if not isinstance(key, str):
                    raise BackendError(f"a key is not text: {key!r:.60}")
                yield key
            part = self._rows(NEXT_KEYS, {"1": self.label, "2": part[-1][0]})

    def get_many(self, keys: Sequence[str]) -> Generator[tuple[str, bytes], None, None]:
        """Yield the entries that exist, in the order of the keys, as of one moment."""
        with self._transaction("BEGIN"):
            for key in dict.fromkeys(keys):
                value = self.get(key)
                if value is not None:
                    yield key, value

    def set_many(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Write every entry, or none of them."""
        with self._transaction("BEGIN IMMEDIATE"):
            for key, value in entries:
                self.set(key, value)

    def delete_many(self, keys: Sequence[str]) -> None:
        """Remove every key, or none of them."""
        with self._transaction("BEGIN IMMEDIATE"):
            for key in keys:
                self.delete(key)

    def increment(self, key: str, delta: int) -> int:
        """Add to a counter and return its new value."""
        with self._transaction("BEGIN IMMEDIATE"):
            stored, total = incremented(self.get(key), delta)
            self.set(key, stored)
        return total

    def compare_and_set(self, key: str, expected: bytes, value: bytes) -> bool:
        """Write the value if the store still holds the expected one."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            self._rows(SWAP, {"1": self.label, "2": key, "3": value, "4": expected})
            return connection.changes() == 1

    def _rows(self, statement: str, values: dict[str, str | bytes]) -> list[tuple[Any, ...]]:
        try:
            return self.file.connection().execute(statement, values).fetchall()
        except UnicodeDecodeError as error:
            raise BackendError("Could not decode to UTF-8 text") from error
        except apsw.Error as error:
            raise BackendError(str(error)) from error

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[apsw.Connection]:
        try:
            connection = self.file.connection()
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # A full disk has ended it already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except apsw.Error as error:
            raise BackendError(str(error)) from error
