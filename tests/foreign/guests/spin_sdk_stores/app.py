"""A handler on spin-sdk 3.4.1 that uses this package's typed stores and nothing else of it."""

# spin-sdk is installed only where its component is built.
# mypy: disable-error-code="import-not-found, misc"

import attrs
from spin_sdk.http import IncomingHandler as Base
from spin_sdk.http import Request, Response

from edgezero_spin import StoreError, open_stores, wait


@attrs.frozen
class Note:
    title: str
    revision: int


class IncomingHandler(Base):
    """``/note`` revises a note, ``/secret`` reads a secret, ``/visits`` counts."""

    def handle_request(self, request: Request) -> Response:
        if request.uri == "/visits":
            db = open_stores(sqlite=["default"]).sqlite
            assert db is not None
            wait(db.execute("CREATE TABLE IF NOT EXISTS visits (at TEXT)"))
            wait(db.execute("INSERT INTO visits VALUES (datetime())"))
            count = wait(db.one(int, "SELECT count(*) FROM visits"))
            return Response(200, {}, str(count).encode())
        stores = open_stores(kv=["notes"], secrets=["passwords"])
        assert stores.kv is not None
        assert stores.secrets is not None
        if request.uri == "/secret":
            secret = wait(stores.secrets["passwords"].require_str("password"))
            return Response(200, {}, secret.encode())
        notes = stores.kv["notes"]
        try:
            before = wait(notes.get("1", Note))
        except StoreError as error:
            return Response(500, {}, str(error).encode())
        note = Note("typed", 1 if before is None else before.revision + 1)
        wait(notes.put("1", note))
        return Response(200, {}, f"{note.title} {note.revision}".encode())
