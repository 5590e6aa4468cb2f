"""The ``note`` guest as a service has it: cors, an access log, a dependency, five parameters."""

from typing import Annotated

import attrs

from edgezero_spin import App, Depends, Header, Json, Kv, access_log, cors, run_app


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
app.middleware(cors(["https://example.com"]))
app.middleware(access_log())


def client(user_agent: Header[str]) -> str:
    return user_agent.partition("/")[0]


@app.post("/notes/{id}")
async def save(
    id: str,
    draft: Json[Draft],
    kv: Kv,
    name: Annotated[str, Depends(client)],
    page: int = 1,
    tags: list[str] = [],  # noqa: B006  # nobody changes it
    accept: Header[str | None] = None,
) -> Note:
    notes = kv["notes"]
    before = await notes.get(id, Note)
    note = Note(draft.title, draft.text, 1 if before is None else before.revision + 1)
    await notes.put(id, note)
    return note


IncomingHandler = run_app(app)
