"""The Notes example without wasm: its tour played against the app in this process."""

import json

import httpx
import pytest

from edgezero_spin import App, StoreDeclaration, StoreIds
from edgezero_spin.testing import TestClient
from tests.examples.loading import load

app: App = load("notes", "app").app
tour = load("notes", "tour")

CONFIG = {"greeting": b"Hello", "page.size": b"2"}


class InProcess(httpx.BaseTransport):
    """Answers requests with the kit's native client, as a host would over a socket."""

    def __init__(self, token: str) -> None:
        self.client = TestClient(
            app,
            kv={"notes": {}, "views": {}},
            config={"app_config": CONFIG},
            secrets={"admin_token": token},
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass one request on."""
        answer = self.client.request(
            request.method,
            request.url.raw_path.decode(),
            headers=request.headers.multi_items(),
            content=request.read(),
        )
        headers = [(name.encode(), value) for name, value in answer.headers.pairs]
        return httpx.Response(
            answer.status, headers=headers, stream=httpx.ByteStream(answer.content)
        )


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


def test_an_id_with_a_quote_exports_as_json(client: httpx.Client) -> None:
    """Every line of the export is JSON, whatever the id holds."""
    client.put('/notes/say "hi"', json={"title": "Hello"})
    (line,) = client.get("/export").text.splitlines()
    assert json.loads(line)["id"] == 'say "hi"'
