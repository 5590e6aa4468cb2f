"""SQLite databases that a test fills, reads back, watches and makes fail.

```python
client = ComponentClient("spin.toml", sqlite={"default": Path("schema.sql")})
client.sqlite["default"].execute("INSERT INTO notes VALUES (?, ?)", ("bread", 2))
client.get("/notes")
assert client.calls.texts == ["connect default", "execute default SELECT id FROM notes"]
assert client.sqlite["default"].rows("SELECT count(*) AS n FROM notes") == [{"n": 1}]
```

They are real ones, in memory, each client's its own. What a test does is not recorded.

Source: contract spin-host.md, DB-1 to DB-3, TEST-19, TEST-30.
"""

import itertools
import os
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw

from edgezero_spin.testing.errors import KitError, PreloadError, UnknownLabelError

__all__ = ["DatabaseView", "DatabaseViews"]

# pytest shows a failure where the test made it happen, not here.
__tracebackhide__ = True

# How long a test waits for a transaction that a component left open.
PATIENCE_S = 1.0

_FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI

_numbers = itertools.count(1)


class DatabaseView:
    """One database as the test sees it.

    Attributes:
        label: The label that components open it by.
        uri: What SQLite opens; all connections to it share the database.
    """

    def __init__(self, label: str) -> None:
        """Make an empty database, which is there until ``close``."""
        self.label = label
        self.uri = f"file:/edgezero-testing-{os.getpid()}-{next(_numbers)}?vfs=memdb"
        # A test may use it from any thread, one at a time.
        self._connection: apsw.Connection | None = apsw.Connection(self.uri, flags=_FLAGS)
        self._connection.set_busy_timeout(int(PATIENCE_S * 1000))
        weakref.finalize(self, self._connection.close)

    def execute(
        self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows.

        Raises:
            KitError: SQLite refuses it; the message has its words and the statement.
        """
        return self._run(statement, parameters)[1]

    def rows(
        self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[dict[str, Any]]:
        """Run one statement and return its rows by name of column. Raises as ``execute``."""
        names, rows = self._run(statement, parameters)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def script(self, text: str) -> None:
        """Run every statement of a text, such as a schema. Raises as ``execute``."""
        try:
            for _ in self._native().execute(text):
                pass
        except apsw.Error as error:
            raise KitError(f"sqlite[{self.label!r}]: {error}") from None

    @property
    def tables(self) -> list[str]:
        """Names of its tables, sorted."""
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        return sorted(name for (name,) in self.execute(query))

    def _run(
        self, statement: str, parameters: Sequence[Any] | Mapping[str, Any]
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        names: list[str] = []

        def trace(cursor: apsw.Cursor, text: str, bindings: object) -> bool:
            # Afterwards a cursor without rows does not tell.
            names[:] = [column[0] for column in cursor.get_description()]
            return True

        cursor = self._native().cursor()
        cursor.exec_trace = trace
        try:
            return names, cursor.execute(statement, parameters).fetchall()
        except (apsw.Error, TypeError, ValueError) as error:
            raise KitError(f"sqlite[{self.label!r}]: {error}: {statement}") from None

    def _native(self) -> apsw.Connection:
        if self._connection is None:
            raise KitError(f"sqlite[{self.label!r}] is closed, as its client is")
        return self._connection

    def close(self) -> None:
        """Let it go. Twice is harmless."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __repr__(self) -> str:
        return f"DatabaseView({self.label!r})"


class DatabaseViews(Mapping[str, DatabaseView]):
    """The databases by label."""

    def __init__(self, labels: Iterable[str], *, open_ended: bool = False, remedy: str) -> None:
        """Make empty databases.

        Args:
            labels: Of the databases that there are.
            open_ended: Filling a label makes its database.
            remedy: What to say about a label that is not there.
        """
        self._views: dict[str, DatabaseView] = {}
        self._open_ended = open_ended
        self._remedy = remedy
        for label in labels:
            self._views[label] = DatabaseView(label)

    def fill(self, seeds: Mapping[str, Any]) -> None:
        """Run what a test gives for each label.

        Args:
            seeds: Label to statements: a text, a file, or several of both.

        Raises:
            UnknownLabelError: There is no such database.
            PreloadError: It is neither text nor file, or SQLite refuses it.
        """
        for label, seed in seeds.items():
            if label not in self._views:
                if not self._open_ended:
                    raise UnknownLabelError(label, self._views, self._remedy, "SQLite database")
                self._views[label] = DatabaseView(label)
            view = self._views[label]
            for text in _texts(seed, f"sqlite[{label!r}]"):
                try:
                    view.script(text)
                except KitError as error:
                    raise PreloadError(
                        f"sqlite[{label!r}]", f"{str(error).partition(': ')[2]}, in: {text.strip()}"
                    ) from None

    def close(self) -> None:
        """Let all of them go. Twice is harmless."""
        for view in self._views.values():
            view.close()

    def __getitem__(self, label: str) -> DatabaseView:
        view = self._views.get(label)
        if view is None:
            raise UnknownLabelError(label, self._views, self._remedy, "SQLite database")
        return view

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)


def _texts(seed: Any, place: str) -> Iterator[str]:
    if isinstance(seed, str):
        yield seed
    elif isinstance(seed, Path):
        try:
            yield seed.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise PreloadError(place, f"{seed}: {reason}") from None
    elif isinstance(seed, Iterable) and not isinstance(seed, bytes | Mapping):
        for part in seed:
            yield from _texts(part, place)
    else:
        raise PreloadError(
            place,
            f"a database is filled by statements, as text or in a pathlib.Path, or a list of "
            f"them, got a {type(seed).__name__}",
        )
