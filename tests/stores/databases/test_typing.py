"""What a type checker sees of databases. mypy reads this file; running it proves less."""

from datetime import date
from typing import assert_type

import attrs

from edgezero_spin import App, MySql, Postgres, Redis, Request, Sqlite
from edgezero_spin.testing import TestClient


@attrs.frozen
class Note:
    """A row."""

    id: int
    day: date | None = None


app = App(sqlite=["default", "reports"], redis=["cache"], postgres=["db"], mysql=["other"])


@app.get("/")
async def read(
    db: Sqlite, request: Request, redis: Redis | None, postgres: Postgres, mysql: MySql
) -> str:
    """A row is what was asked for."""
    assert_type(await db.rows(Note, "SELECT 1 AS id"), list[Note])
    assert_type(await db.one(Note, "SELECT 1 AS id"), Note)
    assert_type(await db.optional(int, "SELECT 1"), int | None)
    assert_type(await db.rows(tuple[int, str], "SELECT 1, 'a'"), list[tuple[int, str]])
    async for note in db.stream(Note, "SELECT 1 AS id"):
        assert_type(note, Note)
    assert_type(db["reports"], Sqlite)
    assert_type(request.sqlite, Sqlite)
    async with db.transaction() as inside:
        assert_type(inside, Sqlite)
    await db.execute("SELECT 1")
    return "read"


async def other(redis: Redis, postgres: Postgres) -> None:
    """Only PostgreSQL says how many rows a statement touched."""
    assert_type(await postgres.execute("DELETE FROM notes"), int)
    assert_type(await redis.get("key"), bytes | None)
    assert_type(await redis.get("key", Note), Note | None)
    assert_type(await redis.smembers("set"), frozenset[str])


def test_the_statements_run() -> None:
    """What the checker agrees to works; a database that is not used is not connected to."""
    with TestClient(app) as client:
        assert client.get("/").text == "read"
        assert client.calls.texts[0] == "connect default"
