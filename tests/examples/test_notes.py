"""The Notes example without wasm: its tour played against the app in this process."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from edgezero_spin.core import App, Request, Response
from edgezero_spin.stores import MemoryPlatform, StoreDeclaration, StoreIds, open_stores
from tests.examples.loading import load

app: App = load("notes", "app").app
tour = load("notes", "tour")

CONFIG = {"greeting": b"Hello", "page.size": b"2"}


class InProcess(httpx.BaseTransport):
    """Answers requests with an app and memory stores, as a host would over a socket."""

    def __init__(self, token: str) -> None:
        self.platform = MemoryPlatform(
            kv={"notes": {}, "views": {}, "app_config": dict(CONFIG)},
            variables={"admin_token": token},
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Call the app once, with stores opened for this request only."""
        return asyncio.run(self._handle(request))

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        stores = open_stores(app.declaration, self.platform, dict)
        asked = Request.of(
            request.method,
            str(request.url),
            [(name.decode(), value) for name, value in request.headers.raw],
            request.read(),
        )
        answer: Response = await app.handle(asked, stores)
        body = answer.body
        content = body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])
        pairs = [(name.encode(), value) for name, value in answer.headers.pairs]
        return httpx.Response(answer.status, headers=pairs, stream=httpx.ByteStream(content))


@pytest.fixture
def client() -> httpx.Client:
    """A client whose server is the app itself, on empty stores."""
    return httpx.Client(transport=InProcess("let-me-in"), base_url="http://notes.test")


def test_the_tour_is_answered_as_expected(client: httpx.Client) -> None:
    """Every request of the tour, compared as ``make demo`` compares it."""
    played = tour.Tour(client)
    tour.visit(played, "let-me-in")
    assert played.asked >= 10
    assert played.wrong == 0


def test_the_tour_notices_a_wrong_answer(client: httpx.Client) -> None:
    """With another secret behind the app, the tour's deletions are refused and counted."""
    played = tour.Tour(client)
    tour.visit(played, "another token")
    assert played.wrong == 4


def test_the_page_size_is_configured(client: httpx.Client) -> None:
    """A listing without a limit takes it from the dotted configuration key."""
    for name in ("a", "b", "c"):
        client.put(f"/notes/{name}", json={"title": name})
    first = client.get("/notes").json()
    assert first["ids"] == ["a", "b"]
    assert client.get("/notes", params={"cursor": first["cursor"]}).json()["ids"] == ["c"]


@pytest.mark.parametrize(
    "note",
    [
        pytest.param({"title": "x" * 81}, id="long title"),
        pytest.param({"title": "x", "tags": ["y"] * 9}, id="many tags"),
        pytest.param({"title": "x", "tags": ["y" * 21]}, id="long tag"),
    ],
)
def test_rules_of_a_note_are_kept(client: httpx.Client, note: dict[str, object]) -> None:
    """What breaks a rule of the model is answered with 422 and not stored."""
    assert client.put("/notes/a", json=note).status_code == 422
    assert client.get("/notes/a").status_code == 404


def test_the_manifest_is_what_the_app_declares() -> None:
    """``edgezero.toml`` is baked in: the app declares its stores and their defaults."""
    assert app.declaration == StoreDeclaration(
        kv=StoreIds(ids=("notes", "views"), default="notes"),
        config=StoreIds(ids=("app_config",), default="app_config"),
        secrets=StoreIds(ids=("default",), default="default"),
    )


def test_seeding_writes_dotted_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nested tables of notes.toml become dotted keys of the configuration label."""
    import sqlite3

    seed = load("notes", "seed")
    for name in ("notes.toml", "runtime-config.toml"):
        (tmp_path / name).write_bytes((seed.HERE / name).read_bytes())
    monkeypatch.setattr(seed, "HERE", tmp_path)
    seed.main()
    seed.main()
    database = sqlite3.connect(tmp_path / ".spin" / "notes.db")
    rows = database.execute("SELECT store, key, value FROM spin_key_value ORDER BY key").fetchall()
    database.close()
    assert rows == [
        ("app_config", "greeting", b"Hello from a Python component"),
        ("app_config", "page.size", b"20"),
    ]


def test_an_id_with_a_quote_exports_as_json(client: httpx.Client) -> None:
    """Every line of the export is JSON, whatever the id holds."""
    client.put('/notes/say "hi"', json={"title": "Hello"})
    (line,) = client.get("/export").text.splitlines()
    assert json.loads(line)["id"] == 'say "hi"'
