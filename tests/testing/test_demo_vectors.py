"""The vectors of EdgeZero's demo app, asked of the same app in Python."""

from collections.abc import Iterator

import attrs
import pytest

from edgezero_spin import (
    App,
    BadRequest,
    Json,
    Kv,
    NotFound,
    Query,
    Request,
    Response,
    Secrets,
    ServiceUnavailable,
)
from edgezero_spin.testing import TestClient

ALLOWED = {"greeting", "feature.new_checkout", "service.timeout_ms"}


@attrs.frozen
class Note:
    """What is kept."""

    text: str


@attrs.frozen
class Count:
    """What the counter answers."""

    count: int


@attrs.frozen
class Asked:
    """Which secret is asked for."""

    name: str


def demo(**stores: list[str]) -> App:
    """The app; which stores it declares is part of a vector."""
    app = App(**stores)  # type: ignore[arg-type]

    @app.get("/config/{key}")
    async def read(key: str, request: Request) -> str:
        if key not in ALLOWED:
            raise NotFound(f"config key {key}")
        config = request.config_store_default
        if config is None:
            raise ServiceUnavailable("no config store")
        value = await config.get(key)
        if value is None:
            raise NotFound(f"config key {key}")
        return value

    @app.post("/kv/counter")
    async def count(kv: Kv) -> Count:
        return Count(await kv.default.read_modify_write("counter", 0, lambda n: n + 1, int))

    @app.put("/notes/{id}")
    async def put(id: str, note: Json[Note], kv: Kv) -> tuple[int, Note]:
        await kv.default.put(id, note)
        return 201, note

    @app.get("/notes/{id}")
    async def show(id: str, kv: Kv) -> Note:
        note = await kv.default.get(id, Note)
        if note is None:
            raise NotFound(f"note {id}")
        return note

    @app.delete("/notes/{id}")
    async def remove(id: str, kv: Kv) -> Response:
        await kv.default.delete(id)
        return Response(status=204)

    @app.get("/secrets/echo")
    async def echo(secrets: Secrets, asked: Query[Asked]) -> str:
        if asked.name != "SMOKE_SECRET":
            raise BadRequest("only SMOKE_SECRET may be asked for")
        return await secrets.default.require_str(asked.name)

    return app


@pytest.fixture
def client() -> Iterator[TestClient]:
    """The app with every store, and one value in two of them."""
    app = demo(kv=["notes"], config=["app_config"], secrets=["default"])
    config = {"app_config": {"greeting": "hello"}}
    with TestClient(app, config=config, secrets={"smoke_secret": "s3cr3t"}) as client:
        yield client


def test_a_value_of_the_configuration(client: TestClient) -> None:
    """One that is there, one that may not be asked for, one that is not there."""  # TV-182
    assert client.get("/config/greeting").text == "hello"
    client.config["app_config"]["hidden"] = b"x"
    assert client.get("/config/hidden").status == 404
    assert client.get("/config/service.timeout_ms").status == 404


def test_a_configuration_that_cannot_be_read(client: TestClient) -> None:
    """No store is declared, or the one that is fails."""  # TV-182, CFG-3
    with TestClient(demo(kv=["notes"], secrets=["default"])) as bare:
        assert bare.get("/config/greeting").status == 503
    client.stores.fail("get", message="disk on fire")
    assert client.get("/config/greeting").status == 503


def test_the_counter_starts_at_one(client: TestClient) -> None:
    """In an empty store."""  # TV-183
    assert client.post("/kv/counter").json() == {"count": 1}
    assert client.post("/kv/counter").json() == {"count": 2}


def test_the_life_of_a_note(client: TestClient) -> None:
    """Made, read, deleted, gone."""  # TV-184
    made = client.put("/notes/a", json={"text": "x"})
    assert (made.status, made.json()) == (201, {"text": "x"})
    read = client.get("/notes/a")
    assert (read.status, read.json()) == (200, {"text": "x"})
    assert client.delete("/notes/a").status == 204
    assert client.get("/notes/a").status == 404


def test_a_secret_is_read_and_not_named(client: TestClient) -> None:
    """Set, not set, and one that may not be asked for."""  # TV-185, SEC-12
    assert client.get("/secrets/echo?name=SMOKE_SECRET").text == "s3cr3t"
    assert client.get("/secrets/echo?name=OTHER").status == 400
    with TestClient(demo(kv=["notes"], secrets=["default"])) as unset:
        answer = unset.get("/secrets/echo?name=SMOKE_SECRET")
    assert answer.status == 500
    assert "smoke_secret" not in answer.text.lower()
