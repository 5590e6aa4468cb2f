"""Stores in the explorer: looking into them, and changing an entry.

In: an ``ExploredApplication``, a label, and what is asked. Out: values that become JSON. What is
not there and a statement that fails are an ``ExplorerError``; a store that refuses raises its own
``BackendError``.
"""

import base64
import codecs
import heapq
import math
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.explorer.application import ExploredApplication
from edgezero_spin.host.factors.sqlite.connections import RowsTooLargeError, SqliteError
from edgezero_spin.stores.backend import KeyValueBackend

__all__ = [
    "MOST_VALUE_BYTES",
    "ExplorerError",
    "delete_value",
    "list_keys",
    "list_tables",
    "read_value",
    "run_statement",
    "write_value",
]

PAGE = 100
"""Keys of one answer."""
MOST_ROWS = 200
MOST_RESULT_BYTES = 1024 * 1024
MOST_VALUE_BYTES = 1024 * 1024
"""Bytes of a value that are shown or taken."""
STATEMENT_S = 10.0
"""Seconds after which a statement is stopped."""


class ExplorerError(EdgeZeroError):
    """What was asked of the explorer cannot be done.

    Attributes:
        status: Of the answer.
        problem: Why.
    """

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem


def list_keys(app: ExploredApplication, label: str, *, prefix: str, after: str) -> dict[str, Any]:
    """Return a page of keys in order, and whether more follow.

    Args:
        app: The application.
        label: Of the store.
        prefix: What the keys begin with.
        after: The last key of the page before; empty for the first page.
    """
    keys = _store(app, label).keys()
    wanted = (key for key in keys if key.startswith(prefix) and (not after or key > after))
    page = heapq.nsmallest(PAGE + 1, wanted)
    return {"keys": page[:PAGE], "more": len(page) > PAGE}


def read_value(app: ExploredApplication, label: str, key: str) -> dict[str, Any]:
    """Return a value, as text where it is one."""
    value = _store(app, label).get(key)
    if value is None:
        raise ExplorerError(404, f"no key {key!r} in {label!r}")
    shown = bytes(value[:MOST_VALUE_BYTES])
    cut = len(value) > len(shown)
    try:
        # The end may be in the middle of a character.
        text: str | None = codecs.utf_8_decode(shown, "strict", not cut)[0]
    except UnicodeDecodeError:
        text = None
    return {
        "key": key,
        "bytes": len(value),
        "text": text,
        "base64": None if text is not None else base64.b64encode(shown).decode(),
        "cut": cut,
    }


def write_value(app: ExploredApplication, label: str, key: str, value: bytes) -> dict[str, Any]:
    """Write a value."""
    if not key:
        raise ExplorerError(422, "a key is not empty")
    _store(app, label).set(key, value)
    return {"key": key, "bytes": len(value)}


def delete_value(app: ExploredApplication, label: str, key: str) -> dict[str, Any]:
    """Delete an entry."""
    _store(app, label).delete(key)
    return {"key": key}


def list_tables(app: ExploredApplication, label: str) -> dict[str, Any]:
    """Return the tables and views of a database."""
    found = run_statement(
        app,
        label,
        "select name, type, sql from sqlite_schema "
        "where type in ('table', 'view') and name not like 'sqlite_%' order by name",
    )
    return {"tables": found["rows"]}


def run_statement(
    app: ExploredApplication,
    label: str,
    statement: str,
    is_ended: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Run one statement of SQL, with the limits that components have, for ``STATEMENT_S`` at most.

    Args:
        app: The application.
        label: Of the database.
        statement: SQL; only the first statement of it runs.
        is_ended: Asked while it runs; ``True`` stops it.
    """
    database = app.databases.get(label)
    if database is None:
        raise ExplorerError(404, f"no database {label!r}")
    if not statement.strip():
        raise ExplorerError(422, "there is no statement")
    until_s = monotonic() + STATEMENT_S
    connection = database.connect(lambda: monotonic() < until_s and not is_ended())
    try:
        columns, rows = connection.execute(statement, max_bytes=MOST_RESULT_BYTES)
        changes = connection.changes()
    except RowsTooLargeError as error:
        raise ExplorerError(
            422, f"the result is too large for this page; add a LIMIT ({error})"
        ) from error
    except SqliteError as error:
        if monotonic() >= until_s:
            problem = f"the statement was stopped after {STATEMENT_S:g} seconds"
            raise ExplorerError(422, problem) from error
        raise ExplorerError(422, str(error)) from error
    finally:
        connection.close()
    return {
        "columns": columns,
        "rows": [[_cell(value) for value in row] for row in rows[:MOST_ROWS]],
        "more": len(rows) > MOST_ROWS,
        "changes": changes,
    }


def _cell(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"({len(value)} bytes)"
    if isinstance(value, float):
        # JSON has no infinity.
        return value if math.isfinite(value) else str(value)
    # Numbers of JavaScript end at 2^53.
    return str(value) if isinstance(value, int) and abs(value) > 2**53 else value


def _store(app: ExploredApplication, label: str) -> KeyValueBackend:
    stores: Mapping[str, KeyValueBackend] = app.key_value
    found = stores.get(label)
    if found is None:
        raise ExplorerError(404, f"no key-value store {label!r}")
    return found
