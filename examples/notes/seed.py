"""Write the values of notes.toml where the app reads its configuration.

The app's configuration is a key-value store with the label ``app_config``; one entry for
each value, nested tables as dotted keys. ``runtime-config.toml`` says which SQLite file
holds it. Run this once, and again when notes.toml has changed.
"""

import sqlite3
import tomllib
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
LABEL = "app_config"
TABLE = """\
CREATE TABLE IF NOT EXISTS spin_key_value (
                           store TEXT NOT NULL,
                           key   TEXT NOT NULL,
                           value BLOB NOT NULL,

                           PRIMARY KEY (store, key)
                        )"""


def entries(table: dict[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield ``("page.size", "20")`` for ``[page] size = 20``."""
    for name, value in sorted(table.items()):
        if isinstance(value, dict):
            yield from entries(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)


def main() -> None:
    """Write every entry in one transaction."""
    values = list(entries(tomllib.loads((HERE / "notes.toml").read_text(encoding="utf-8"))))
    stores = tomllib.loads((HERE / "runtime-config.toml").read_text(encoding="utf-8"))
    path = HERE / stores["key_value_store"][LABEL]["path"]
    path.parent.mkdir(exist_ok=True)
    database = sqlite3.connect(path)
    with database:
        database.execute(TABLE)
        database.executemany(
            "INSERT OR REPLACE INTO spin_key_value (store, key, value) VALUES (?, ?, ?)",
            [(LABEL, key, text.encode()) for key, text in values],
        )
    database.close()
    print(f"{len(values)} values of notes.toml are in {path.relative_to(HERE)}")


if __name__ == "__main__":
    main()
