"""A handler of spin-sdk 4 or 5 that takes over the typed stores."""

# spin-sdk is installed only where its component is built.
# mypy: disable-error-code="import-not-found, misc"

import attrs
from spin_sdk import http
from spin_sdk.http import Request, Response

from edgezero_spin import StoreError, open_stores


@attrs.frozen
class Note:
    title: str
    revision: int


class HttpHandler(http.Handler):
    """``/note`` revises a note, ``/secret`` reads a secret, ``/visits`` counts."""

    async def handle_request(self, request: Request) -> Response:
        if request.uri == "/visits":
            db = open_stores(sqlite=["default"]).sqlite
            assert db is not None
            await db.execute("CREATE TABLE IF NOT EXISTS visits (at TEXT)")
            await db.execute("INSERT INTO visits VALUES (datetime())")
            count = await db.one(int, "SELECT count(*) FROM visits")
            return Response(200, {}, str(count).encode())
        stores = open_stores(kv=["notes"], secrets=["passwords"])
        assert stores.kv is not None
        assert stores.secrets is not None
        if request.uri == "/secret":
            secret = await stores.secrets["passwords"].require_str("password")
            return Response(200, {}, secret.encode())
        notes = stores.kv["notes"]
        try:
            before = await notes.get("1", Note)
        except StoreError as error:
            return Response(error.status, {}, str(error).encode())
        note = Note("typed", 1 if before is None else before.revision + 1)
        await notes.put("1", note)
        return Response(200, {}, f"{note.title} {note.revision}".encode())
