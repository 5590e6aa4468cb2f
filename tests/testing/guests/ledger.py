"""An app that keeps its entries in a SQLite database; its world is made by the tests."""

from typing import Any

import attrs
import ledger_world  # type: ignore[import-not-found]  # noqa: F401 - brings the interface

from edgezero_spin import App, Json, run_app

app = App("ledger")


@attrs.frozen
class Entry:
    what: str
    amount: int


def run(label: str, statement: str, *values: str | int) -> Any:
    """Run one statement on a connection of its own; return rows, or the error as text."""
    # Bindings exist in a component only, and this module is also imported natively.
    from componentize_py_types import Err
    from wit_world.imports import sqlite

    parameters = [
        sqlite.Value_Text(value) if isinstance(value, str) else sqlite.Value_Integer(value)
        for value in values
    ]
    try:
        with sqlite.Connection.open(label) as connection:
            result = connection.execute(statement, parameters)
    except Err as error:
        return repr(error.value)
    return [[cell.value for cell in row.values] for row in result.rows]


@app.post("/entries")
async def add(entry: Json[Entry]) -> list[Any]:
    return [run("default", "INSERT INTO entries VALUES (?, ?)", entry.what, entry.amount)]


@app.get("/total")
async def total() -> list[Any]:
    return [run("default", "SELECT sum(amount) FROM entries")]


@app.get("/tables/{label}")
async def tables(label: str) -> list[Any]:
    return [run(label, "SELECT name FROM sqlite_master")]


IncomingHandler = run_app(app)
