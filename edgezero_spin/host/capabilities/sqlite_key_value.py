"""A key-value store in a SQLite file, in the schema that Spin uses.

Spin itself, several hosts and ``sqlite3`` may use the file at the same time: it is in WAL
mode, a writer waits for another up to the busy timeout, and every statement is a
transaction of its own, so a killed process loses nothing that a guest was told is written.

Each thread has a connection of its own, made at its first use.

Source: KV-40, KV-41 of the host contract; SQL-3, SQL-6 to SQL-10 of edgezero.md.
"""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from edgezero_spin.errors import HostError

# Renamed to themselves: ``sqlite_batches`` takes these statements from here.
from edgezero_spin.manifest.spin.key_value_table import CREATE as CREATE
from edgezero_spin.manifest.spin.key_value_table import KEYS
from edgezero_spin.manifest.spin.key_value_table import SELECT as SELECT
from edgezero_spin.manifest.spin.key_value_table import UPSERT as UPSERT
from edgezero_spin.stores.backend import BackendError

__all__ = ["SqliteFile", "SqliteKeyValue", "StoreFileError"]

BUSY_TIMEOUT_S = 5.0

DELETE = "DELETE FROM spin_key_value WHERE store=$1 AND key=$2"
EXISTS = "SELECT 1 FROM spin_key_value WHERE store=$1 AND key=$2"
PROBE = "SELECT store, key, value FROM spin_key_value LIMIT 1"


class StoreFileError(HostError):
    """The file of a key-value store cannot be used.

    Raised at start-up, before the first request.

    Attributes:
        path: The file.
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
    """One database file and this process's connections to it.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Make the file, its folders and its table where they are missing.

        Raises:
            StoreFileError: The file is locked, no database, or cannot be written.
        """
        self.path = path
        self._busy_timeout_s = busy_timeout_s
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[sqlite3.Connection] = []
        self._closed = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection().execute(PROBE).fetchall()
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise _start_error(path, error) from error

    def connection(self) -> sqlite3.Connection:
        """This thread's connection.

        Raises:
            sqlite3.Error: The file cannot be opened.
        """
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            # Used by one thread; closed by whichever thread closes the host.
            check_same_thread=False,
        )
        try:
            with self._lock:
                if self._closed:
                    raise sqlite3.ProgrammingError("the host was closed")
                # Two first connections at once would fight for the switch to WAL.
                _write_ahead(connection)
                connection.execute(CREATE)
                self._open.append(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close every connection. Twice is harmless."""
        with self._lock:
            self._closed = True
            connections, self._open = self._open, []
        for connection in connections:
            connection.close()


def _write_ahead(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        # A file that may only be read serves readers, with the journal that it has.
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
            raise
    connection.execute("PRAGMA synchronous=NORMAL")


def _start_error(path: Path, error: Exception) -> StoreFileError:
    reason = str(error)
    if isinstance(error, OSError):
        return StoreFileError(
            path, error.strerror or reason, "Check the folder, or choose another --state-dir."
        )
    if "not a database" in reason or "malformed" in reason:
        return StoreFileError(
            path,
            f"the file is damaged or no SQLite database ({reason})",
            "Restore it from a copy, or move it away to start empty.",
        )
    if "locked" in reason or "busy" in reason:
        return StoreFileError(
            path,
            "another process keeps the database locked",
            "Stop it, or choose another --state-dir.",
        )
    if "no such column" in reason:
        return StoreFileError(
            path,
            "its table spin_key_value has other columns than Spin's",
            "Move the file away, or choose another --state-dir.",
        )
    return StoreFileError(
        path, reason, "Check that the file and its folder can be written by this user."
    )


def _failure(error: sqlite3.Error) -> BackendError:
    return BackendError(str(error))


class SqliteKeyValue:
    """The entries of one label in a file; a ``KeyValueBackend``.

    Attributes:
        file: The database.
        label: The value of the ``store`` column.
    """

    def __init__(self, file: SqliteFile, label: str) -> None:
        self.file = file
        self.label = label

    def get(self, key: str) -> bytes | None:
        """Return the value, or ``None`` when the key is absent."""
        try:
            rows = self.file.connection().execute(SELECT, {"1": self.label, "2": key})
            row = rows.fetchone()
        except sqlite3.Error as error:
            raise _failure(error) from error
        if row is None:
            return None
        value: object = row[0]
        if isinstance(value, str):
            # What someone put in with the sqlite3 command.
            return value.encode()
        if not isinstance(value, bytes):
            raise BackendError(f"the value is a number ({value}) and no bytes")
        return value

    def set(self, key: str, value: bytes) -> None:
        """Write the value, replacing what was there."""
        try:
            self.file.connection().execute(UPSERT, {"1": self.label, "2": key, "3": value})
        except sqlite3.Error as error:
            raise _failure(error) from error
        except OverflowError as error:
            raise BackendError("string or blob too big") from error

    def delete(self, key: str) -> None:
        """Remove the key, if it is there."""
        try:
            self.file.connection().execute(DELETE, {"1": self.label, "2": key})
        except sqlite3.Error as error:
            raise _failure(error) from error

    def exists(self, key: str) -> bool:
        """Tell whether the key is there."""
        try:
            rows = self.file.connection().execute(EXISTS, {"1": self.label, "2": key})
            return rows.fetchone() is not None
        except sqlite3.Error as error:
            raise _failure(error) from error

    def keys(self) -> Iterator[str]:
        """Yield every key once."""
        try:
            for (key,) in self.file.connection().execute(KEYS, {"1": self.label}):
                if not isinstance(key, str):
                    raise BackendError(f"a key is no text: {key!r:.60}")
                yield key
        except sqlite3.Error as error:
            raise _failure(error) from error
