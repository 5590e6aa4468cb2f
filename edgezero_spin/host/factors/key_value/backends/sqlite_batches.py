"""A key-value store in a SQLite file, with the operations of ``wasi:keyvalue``.

Every batch is one transaction: another process sees all of it or nothing.

Source: contract spin-host.md, KV-23 to KV-27.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

import apsw

from edgezero_spin.host.factors.key_value.backends.sqlite import SqliteKeyValue
from edgezero_spin.host.factors.key_value.batches import added
from edgezero_spin.stores.backend import BackendError

__all__ = ["SqliteBatches"]

# BLOB affinity keeps text that the sqlite3 command wrote as text; compare bytes with bytes.
SWAP = """UPDATE spin_key_value SET value=$3
          WHERE store=$1 AND key=$2 AND CAST(value AS BLOB)=$4"""


class SqliteBatches(SqliteKeyValue):
    """The entries of one label in a file; a ``WideKeyValue``."""

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
            stored, total = added(self.get(key), delta)
            self.set(key, stored)
        return total

    def compare_and_set(self, key: str, expected: bytes, value: bytes) -> bool:
        """Write the value if the store still holds the expected one."""
        row = {"1": self.label, "2": key, "3": value, "4": expected}
        with self._transaction("BEGIN IMMEDIATE") as connection:
            connection.execute(SWAP, row)
            return connection.changes() == 1

    @contextmanager
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
