"""Databases of every kind, through the facades."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import attrs

from edgezero_spin import (
    App,
    DatabaseError,
    Interval,
    Json,
    MySql,
    Postgres,
    QueryError,
    Range,
    Redis,
    Sqlite,
)
from edgezero_spin.guest import run_app
from edgezero_spin.stores.databases import SqlDatabase


@attrs.frozen
class Tag:
    """A word about a note."""

    name: str


@attrs.frozen
class Note:
    """What is stored."""

    id: int
    text: str
    done: bool = False
    price: Decimal | None = None
    tags: list[Tag] = attrs.field(factory=list)
    day: date | None = None


app = App(
    sqlite=["default", "reports"],
    redis=["cache_url"],
    postgres=["postgres_url"],
    mysql=["mysql_url"],
)

NOTE = Note(1, "bread", True, Decimal("2.50"), [Tag("food")], date(2026, 11, 30))

SQLITE = """\
CREATE TABLE notes (
    id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, done INTEGER, price TEXT, tags TEXT, day TEXT
)"""
MYSQL = """\
CREATE TABLE notes (
    id BIGINT PRIMARY KEY AUTO_INCREMENT, text VARCHAR(100) NOT NULL UNIQUE, done BOOL,
    price DECIMAL(10, 2), tags TEXT, day DATE
)"""
POSTGRES = """\
CREATE TABLE notes (
    id serial PRIMARY KEY, text text NOT NULL UNIQUE, done bool, price numeric(10, 2), tags jsonb,
    day date
)"""


@app.post("/sqlite")
async def sqlite(db: Sqlite) -> list[Note]:
    """Store a note and read it back."""
    await db.execute("DROP TABLE IF EXISTS notes")
    await db.execute(SQLITE)
    insert = "INSERT INTO notes (text, done, price, tags, day) VALUES (?, ?, ?, ?, ?)"
    await db.execute(insert, NOTE.text, NOTE.done, NOTE.price, NOTE.tags, NOTE.day)
    await _undone(db, "INSERT INTO notes (text) VALUES (?)")
    assert await db["reports"].one(int, "SELECT 1") == 1
    return await db.rows(Note, "SELECT * FROM notes")


@app.post("/mysql")
async def mysql(db: MySql) -> list[Note]:
    """The same."""
    await db.execute("DROP TABLE IF EXISTS notes")
    await db.execute(MYSQL)
    insert = "INSERT INTO notes (text, done, price, tags, day) VALUES (?, ?, ?, ?, ?)"
    await db.execute(insert, NOTE.text, NOTE.done, NOTE.price, NOTE.tags, NOTE.day)
    await _undone(db, "INSERT INTO notes (text) VALUES (?)")
    columns = "id, text, done, CAST(price AS CHAR) AS price, tags, CAST(day AS CHAR) AS day"
    return await db.rows(Note, f"SELECT {columns} FROM notes")


@app.post("/postgres")
async def postgres(db: Postgres) -> list[Note]:
    """The same."""
    await db.execute("DROP TABLE IF EXISTS notes")
    await db.execute(POSTGRES)
    insert = "INSERT INTO notes (text, done, price, tags, day) VALUES ($1, $2, $3, $4, $5)"
    count = await db.execute(insert, NOTE.text, NOTE.done, NOTE.price, NOTE.tags, NOTE.day)
    assert count == 1
    await _undone(db, "INSERT INTO notes (text) VALUES ($1)")
    return await db.rows(Note, "SELECT * FROM notes")


async def _undone(db: Sqlite | MySql | Postgres, insert: str) -> None:
    """Begin a transaction, and leave it by an exception."""
    try:
        async with db.transaction():
            await db.execute(insert, "gone")
            assert await db.one(int, "SELECT count(*) FROM notes") == 2
            raise LookupError
    except LookupError:
        pass


@app.post("/postgres/types")
async def types(db: Postgres) -> dict[str, bool]:
    """Send a value of every type, and compare what comes back."""
    sent: dict[str, object] = {
        "int2": 7,
        "int4": -8,
        "int8": 2**40,
        "float4": 0.5,
        "float8": 1.25,
        "numeric": Decimal("12.340"),
        "text": "ä",
        "bytea": b"\0\xff",
        "bool": True,
        "date": date(2026, 11, 30),
        "timestamp": datetime(2026, 11, 30, 1, 2, 3, 456789),
        "interval": timedelta(days=2, seconds=3),
        "uuid": UUID("12345678-1234-5678-1234-567812345678"),
        "jsonb": {"a": [1, None]},
        "int4range": Range(1, 5),
        "numrange": Range(Decimal("1.5"), None, lower_inclusive=False),
        "int4[]": [1, None, 3],
        "int8[]": [1],
        "text[]": ["a", None],
        "numeric[]": [Decimal("1.1"), None],
    }
    found = {}
    for name, value in sent.items():
        expected = Interval.of(value) if isinstance(value, timedelta) else value
        to = object if isinstance(value, dict | list | Range | timedelta) else type(value)
        found[name] = await db.one(to, f"SELECT $1::{name}", value) == expected
    return found


@app.get("/postgres/stream")
async def stream(db: Postgres) -> int:
    """Add up rows as they come, and leave others unread."""
    total = 0
    async for number in db.stream(int, "SELECT * FROM generate_series(1, $1)", 1000):
        total += number
    async for number in db.stream(int, "SELECT * FROM generate_series(1, $1)", 1000):
        if number == 3:
            break
    return total


@app.post("/redis")
async def redis(cache: Redis) -> dict[str, object]:
    """Use every function."""
    await cache.delete("note", "number", "set", "list")
    await cache.set("note", NOTE)
    await cache.set("raw", "bread")
    await cache.publish("news", "x")
    await cache.execute("RPUSH", "list", "a", 2)
    return {
        "note": await cache.get("note", Note) == NOTE,
        "raw": await cache.get("raw") == b"bread",
        "text": await cache.get("raw", str),
        "missing": await cache.get("missing"),
        "incr": [await cache.incr("number"), await cache.incr("number")],
        "sadd": await cache.sadd("set", "a", "b", "a"),
        "srem": await cache.srem("set", "a", "c"),
        "smembers": sorted(await cache.smembers("set")),
        "list": [str(part) for part in await cache.execute("LRANGE", "list", 0, -1)],
        "status": await cache.execute("PING"),
        "deleted": await cache.delete("note", "missing"),
    }


@attrs.frozen
class Failing:
    """A statement that fails, whose rows are read or not."""

    kind: str
    statement: str
    reads: bool = False


@app.post("/error")
async def error(
    failing: Json[Failing], sqlite: Sqlite, redis: Redis, postgres: Postgres, mysql: MySql
) -> dict[str, str]:
    """Say how a statement fails."""
    databases: dict[str, SqlDatabase] = {"sqlite": sqlite, "postgres": postgres, "mysql": mysql}
    try:
        if failing.kind == "redis":
            await redis.execute(*failing.statement.split())
        elif failing.reads:
            await databases[failing.kind].rows(dict, failing.statement)
        else:
            await databases[failing.kind].execute(failing.statement)
    except DatabaseError as failure:
        code = failure.code if isinstance(failure, QueryError) else ""
        return {"type": type(failure).__name__, "text": str(failure), "code": code}
    return {}


IncomingHandler = run_app(app)
