"""An app with every sort of operation, for the tests of its description."""

from collections.abc import Iterator
from typing import Annotated, Literal
from uuid import UUID

import attrs

from edgezero_spin import (
    App,
    AppConfig,
    Cookie,
    Depends,
    Form,
    Ge,
    Header,
    HttpError,
    Json,
    Kv,
    Le,
    NotFound,
    Query,
    Response,
)
from edgezero_spin.core.openapi import Answer, ApiKey, Bearer, Description, Example, operation

__all__ = ["app"]


@attrs.frozen
class Note:
    """A note."""

    title: Annotated[str, Description("What is shown in lists."), Example("Bread")]
    text: str = ""


@attrs.frozen
class Search:
    """What to look for."""

    words: str
    limit: Annotated[int, Le(100)] = 10


@attrs.frozen
class Settings:
    """The configuration."""

    greeting: str


class TakenError(HttpError):
    """The title is taken.

    By another note.
    """


@operation(security=["token"], responses={401: "No token, or a wrong one."})
def user(authorization: Header[str | None]) -> str:
    """Who asks."""
    return "ada"


NO_TAGS: list[str] = []

app = App("notes", kv=["notes"], config=["app_config"])


@app.get("/notes", tags=["notes"])
async def list_notes(
    page: Annotated[int, Ge(1), Description("From 1 on.")] = 1, tags: list[str] = NO_TAGS
) -> list[Note]:
    """List the notes.

    Newest *first*.

    Args:
        page: Not for clients.
    """
    return []


@app.put("/notes/{id}", tags=["notes"])
@operation(responses={409: TakenError, 200: Answer(type=Note, example=Note("Bread"))})
async def save(
    id: UUID, note: Json[Note], name: Annotated[str, Depends(user)], kv: Kv
) -> tuple[int, Note]:
    """Save a note."""
    return 200, note


@app.delete("/notes/{id}")
@operation(tags=["notes"], deprecated=True, security=["token", "key"], operation_id="removeNote")
async def remove(id: str) -> None:
    """Remove a note."""


@app.get("/find")
async def find(search: Query[Search], session: Cookie[str | None]) -> Note | NotFound:
    """Find a note."""
    return Note(search.words)


@app.post("/find")
async def find_by_form(search: Form[Search]) -> tuple[Literal[201, 202], Note]:
    """Find a note by a form."""
    return 201, Note(search.words)


@app.get("/files/{*path}")
def file(path: str) -> Iterator[bytes]:
    """Read a file."""
    yield b""


@app.get("/greeting")
@operation(security=[])
def greeting(config: AppConfig[Settings]) -> str | Response:
    """Greet with <b>."""
    return config.greeting


@app.get("/inside")
@operation(hidden=True)
def inside() -> str:
    """Not for clients."""
    return "x"


app.openapi(
    version="1.2.0",
    description="Notes & more.",
    servers=["https://notes.example"],
    tags={"notes": "What people wrote."},
    security_schemes={"token": Bearer("JWT"), "key": ApiKey("x-key", description="Ask Ada.")},
    security=["key"],
)
