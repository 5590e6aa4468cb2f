"""Notes: a small service with every kind of store in use.

Two key-value stores (the notes, and how often each was read), configuration read by
dotted key, and one secret that a caller has to know before a note is deleted.
"""

import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
from attrs.validators import deep_iterable, max_len, min_len

from edgezero_spin import (
    App,
    Config,
    Headers,
    HttpError,
    Json,
    Kv,
    NotFound,
    Query,
    Response,
    Secrets,
    run_app,
)


@attrs.frozen
class Note:
    title: str = attrs.field(validator=[min_len(1), max_len(80)])
    text: str = ""
    tags: list[str] = attrs.field(factory=list, validator=[max_len(8), deep_iterable(max_len(20))])


@attrs.frozen
class ReadNote:
    id: str
    note: Note
    views: int


@attrs.frozen
class Listing:
    prefix: str = ""
    limit: int | None = None
    cursor: str | None = None


@attrs.frozen
class About:
    service: str
    greeting: str


@attrs.frozen
class Page:
    ids: list[str]
    cursor: str | None


app = App.from_manifest(Path(__file__).with_name("edgezero.toml"))


@app.get("/")
async def about(config: Config) -> About:
    greeting = await config.default.get("greeting")
    return About(app.name, greeting or "(no greeting is configured)")


@app.put("/notes/{id}")
async def save(id: str, note: Json[Note], kv: Kv) -> tuple[int, Note]:
    created = not await kv["notes"].exists(id)
    await kv["notes"].put(id, note)
    return (201 if created else 200), note


@app.get("/notes/{id}")
async def show(id: str, kv: Kv) -> ReadNote:
    note = await kv["notes"].get(id, Note)
    if note is None:
        raise NotFound(f"note {id}")
    views = await kv["views"].read_modify_write(id, 0, lambda count: count + 1, int)
    return ReadNote(id, note, views)


@app.delete("/notes/{id}")
async def remove(id: str, headers: Headers, kv: Kv, secrets: Secrets) -> None:
    expected = await secrets.default.require_bytes("admin_token")
    if not hmac.compare_digest(headers.get_bytes("x-admin-token") or b"", expected):
        raise HttpError(401, "the x-admin-token header is missing or wrong")
    await kv["notes"].delete(id)
    await kv["views"].delete(id)


@app.get("/notes")
async def listing(query: Query[Listing], kv: Kv, config: Config) -> Page:
    limit = query.limit or int(await config.default.get("page.size") or 20)
    page = await kv["notes"].list_keys_page(query.prefix, query.cursor, limit)
    return Page(page.keys, page.cursor)


@app.get("/export")
async def export(kv: Kv) -> Response:
    async def lines() -> AsyncIterator[bytes]:
        async for id in kv["notes"].iter_keys():
            text = await kv["notes"].get_bytes(id)
            if text is not None:
                yield b'{"id":%s,"note":%s}\n' % (json.dumps(id).encode(), text)

    return Response(lines(), content_type="application/x-ndjson")


IncomingHandler = run_app(app)
