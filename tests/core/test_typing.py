"""What a type checker sees of a handler. mypy reads this file; running it proves less."""

from datetime import datetime
from typing import Annotated, assert_type

import attrs

from edgezero_spin.core import (
    App,
    BackgroundTasks,
    Config,
    Cookie,
    Form,
    Header,
    Headers,
    Json,
    Kv,
    Part,
    PathParams,
    Query,
    Request,
    RequestHost,
    Response,
    Router,
    Secrets,
    State,
    UploadFile,
)
from edgezero_spin.events import CronEvent, MqttMessage, RedisMessage
from edgezero_spin.stores import ConfigStore, Ge, KeyValueStore, Registry, SecretStore
from tests.core.asking import ask


@attrs.frozen
class Note:
    title: str = "t"


app = App(kv=["notes"], secrets=["default"], state=[Note()])


@app.put("/notes/{id}")
async def save(
    id: int,
    page: Annotated[int, Ge(1)],
    agent: Header[str],
    session: Cookie[str | None],
    note: Json[Note],
    query: Query[Note],
    form: Form[Note] | None,
    path: PathParams[Note],
    state: State[Note],
    host: RequestHost,
    headers: Headers,
    kv: Kv,
    config: Config | None,
    secrets: Secrets,
    request: Request,
) -> Note:
    """Every marker is the type inside it."""
    assert_type(note, Note)
    assert_type(page, int)
    assert_type(agent, str)
    assert_type(session, str | None)
    assert_type(query, Note)
    assert_type(form, Note | None)
    assert_type(path, Note)
    assert_type(state, Note)
    assert_type(host, str)
    assert_type(headers.get("x"), str | None)
    assert_type(headers.get("x", ""), str)
    assert_type(kv, Registry[KeyValueStore])
    assert_type(await kv["notes"].get("x", Note), Note | None)
    assert_type(config, Registry[ConfigStore] | None)
    assert_type(secrets.default, SecretStore)
    assert_type(await request.json(Note), Note)
    assert_type(request.query(Note), Note)
    assert_type(await request.form(Note), Note)
    assert_type(await request.form(), dict[str, str])
    assert_type(request.state(Note), Note)
    return note


router = Router(prefix="/uploads")


@router.post("", name="upload", tags=["files"])
async def upload(
    title: Form[str],
    photo: UploadFile,
    pages: list[UploadFile],
    tasks: BackgroundTasks,
    request: Request,
) -> Response:
    """Files, single fields and work after the response have their own types."""
    assert_type(title, str)
    assert_type(photo, UploadFile)
    assert_type(pages, list[UploadFile])
    assert_type(await photo.read(), bytes)
    tasks.add_task(plain)
    assert_type(request.url_for("save", id=1), str)
    assert_type(await request.form_pairs(), list[tuple[str, str | UploadFile]])
    async for part in request.multipart():
        assert_type(part, Part)
        assert_type(await part.text(), str)
    return Response.events(["a"])


app.include(router)


@app.redis("orders")
async def on_order(order: Json[Note], message: RedisMessage, kv: Kv) -> None:
    """Events have types of their own, and what a route may take is the same."""
    assert_type(order, Note)
    assert_type(message, RedisMessage)
    assert_type(message.payload, bytes)
    assert_type(kv, Registry[KeyValueStore])


@app.mqtt("doors/{door}/open", qos=1)
def on_door(door: int, message: MqttMessage) -> None:
    """A name in a topic is a parameter."""
    assert_type(door, int)
    assert_type(message.topic, str)


@app.cron("0 */5 * * * *")
def on_moment(event: CronEvent) -> None:
    """A moment is a number, and a time."""
    assert_type(event.timestamp, int)
    assert_type(event.time, datetime)


@app.get("/")
def plain() -> str:
    """A decorator gives the function back with its type."""
    return "x"


def test_decorated_functions_stay_callable() -> None:
    """A handler is still the function that was written."""
    assert_type(plain(), str)
    assert plain() == "x"
    response = ask(app, "GET", "/")
    assert_type(response, Response)
    assert response.body == b"x"
