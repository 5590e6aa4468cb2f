"""A routed handler with a typed JSON body, one read and one write of a store."""

import attrs

from edgezero_spin import App, Json, Kv, run_app


@attrs.frozen
class Draft:
    title: str
    text: str = ""


@attrs.frozen
class Note:
    title: str
    text: str
    revision: int


app = App(kv=["notes"])


@app.post("/notes/{id}")
async def save(id: str, draft: Json[Draft], kv: Kv) -> Note:
    notes = kv["notes"]
    before = await notes.get(id, Note)
    note = Note(draft.title, draft.text, 1 if before is None else before.revision + 1)
    await notes.put(id, note)
    return note


IncomingHandler = run_app(app)
