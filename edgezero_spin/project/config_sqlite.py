"""Write configuration to the SQLite file that Spin reads.

All entries go in one transaction: whoever opens the file, at whatever moment and after
whatever end of this process, sees the old entries or the new ones and never some of each.
A host may use the file meanwhile; it and this writer wait for each other.

Source: contract edgezero.md, SQL-1 to SQL-10, PSH-20, PSH-22.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import apsw
import attrs

from edgezero_spin.manifest.app_config import ConfigEntry
from edgezero_spin.manifest.spin.key_value_table import CREATE, UPSERT
from edgezero_spin.project.config_changes import ConfigPushError, all_of, shown_key, would_set

__all__ = ["SqlitePushError", "SqliteTarget"]

_BUSY_TIMEOUT_S = 5.0
_SELECT_ENTRIES = "SELECT key, value FROM spin_key_value WHERE store=$1"


@attrs.frozen
class SqlitePushError(ConfigPushError):
    """The entries of a file stay as they were.

    Attributes:
        path: The file.
        label: The store in it.
        key: The entry that could not be written; ``None`` when it was not one alone.
        reason: What SQLite or the system says.
    """

    path: Path
    label: str
    key: str | None
    reason: str

    def __str__(self) -> str:
        at = "" if self.key is None else f" at key `{shown_key(self.key)}`"
        return (
            f"cannot use label `{self.label}` of the SQLite key-value file {self.path}{at}: "
            f"{self.reason}; no entry was changed"
        )


@attrs.frozen
class SqliteTarget:
    """One label of a SQLite file; a ``ConfigTarget``.

    Attributes:
        path: The file. Made with its folders and table where it is missing.
        label: The store in it.
    """

    path: Path
    label: str

    def check(self, entries: tuple[ConfigEntry, ...]) -> None:
        """Accept every entry: any text can be a key or a value."""

    def preview(
        self, store_id: str, entries: tuple[ConfigEntry, ...], whole: ConfigEntry | None = None
    ) -> list[str]:
        """Return what a push would write, without touching the file."""
        head = (
            f"would write {len(entries)} entries to SQLite-backed Spin KV at {self.path} "
            f"(label `{self.label}`, logical id `{store_id}`)"
        )
        return [head, *would_set(entries, self.stored(()), whole)]

    def write(self, entries: tuple[ConfigEntry, ...], whole: ConfigEntry | None = None) -> str:
        """Write all entries or none.

        Raises:
            SqlitePushError: None was written.
        """
        key = None
        connection = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = apsw.Connection(str(self.path))
            connection.set_busy_timeout(int(_BUSY_TIMEOUT_S * 1000))
            connection.execute(CREATE)
            connection.execute("BEGIN IMMEDIATE")
            for entry in (*entries, *all_of(whole)):
                key = entry.key
                value = entry.value.encode()
                connection.execute(UPSERT, {"1": self.label, "2": key, "3": value})
            key = None
            connection.execute("COMMIT")
        except OSError as error:
            raise self._failed(key, f"{error.strerror} ({error.filename})") from error
        except apsw.Error as error:
            raise self._failed(key, str(error)) from error
        finally:
            # Ends an open transaction by undoing it, for an interrupt as for an error.
            if connection is not None:
                connection.close()
        return f"pushed {len(entries)} entries to Spin SQLite KV at {self.path}"

    def stored(self, keys: tuple[str, ...]) -> Mapping[str, bytes]:
        """Return every entry of the label; a file or table that is missing has none.

        Raises:
            SqlitePushError: The file is there and cannot be read.
        """
        if not self.path.exists():
            return {}
        # Not mode=ro: what a killed writer left unfinished is undone by the next who opens the
        # file, and it has to be allowed to. A file without write permission can still be read.
        uri = f"{self.path.absolute().as_uri()}?mode=rw"
        connection = None
        try:
            connection = apsw.Connection(
                uri, flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
            )
            connection.set_busy_timeout(int(_BUSY_TIMEOUT_S * 1000))
            rows: list[Any] = connection.execute(_SELECT_ENTRIES, {"1": self.label}).fetchall()
        except apsw.Error as error:
            if "no such table" in str(error):
                return {}
            raise self._failed(None, str(error)) from error
        finally:
            if connection is not None:
                connection.close()
        # Text is what someone put in with the sqlite3 command.
        return {key: value.encode() if isinstance(value, str) else value for key, value in rows}

    def _failed(self, key: str | None, reason: str) -> SqlitePushError:
        return SqlitePushError(self.path, self.label, key, reason)
