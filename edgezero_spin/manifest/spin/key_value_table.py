"""The table in which Spin keeps the entries of its SQLite key-value stores.

The texts are Spin's own, byte for byte, so that Spin, the embedded host and
``edgezero config push`` find one another's table and index. ``$1`` is a *named* parameter to
``apsw``, as to Python's ``sqlite3``: bind a mapping with the keys ``"1"``, ``"2"`` and ``"3"``.

Source: contract edgezero.md, SQL-5 to SQL-10 and SQL-13. Verified with Spin 2, 3 and 4.
"""

from typing import Final

__all__ = ["CREATE", "KEYS", "SELECT", "UPSERT"]

CREATE: Final = """CREATE TABLE IF NOT EXISTS spin_key_value (
                           store TEXT NOT NULL,
                           key   TEXT NOT NULL,
                           value BLOB NOT NULL,

                           PRIMARY KEY (store, key)
                        )"""

UPSERT: Final = """INSERT INTO spin_key_value (store, key, value) VALUES ($1, $2, $3)
                     ON CONFLICT(store, key) DO UPDATE SET value=$3"""

SELECT: Final = "SELECT value FROM spin_key_value WHERE store=$1 AND key=$2"
KEYS: Final = "SELECT key FROM spin_key_value WHERE store=$1"
