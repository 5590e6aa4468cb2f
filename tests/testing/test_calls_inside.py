"""An app that calls itself or another component of its application, in both modes."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin import App
from edgezero_spin.testing import Client, ComponentClient, KitError, PreloadError, TestClient
from tests.testing.notes_app import make_app

MANIFEST = """\
spin_manifest_version = 2
application = {name = "kit"}
[variables]
colour = {default = "red"}
[[trigger.http]]
route = "/..."
component = "front"
[[trigger.http]]
route = {private = true}
component = "back"
[component.front]
source = "kit.wasm"
key_value_stores = ["notes"]
allowed_outbound_hosts = ["http://self", "http://*.spin.internal", "https://there.example"]
environment = {KIT_WHO = "front", KIT_FRONT = "1"}
[component.back]
source = "kit.wasm"
key_value_stores = ["views"]
environment = {KIT_WHO = "back"}
[component.back.variables]
colour = "dark {{ colour }}"
"""

STORES: dict[str, Any] = {
    "kv": {"notes": {"bread": {"title": "Bread"}}, "views": {"bread": "41"}},
    "env": {"KIT_MODE": "test"},
}

Make = Callable[..., Client]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Two components of one app; one may call itself and the other."""
    path = tmp_path / "spin.toml"
    path.write_text(MANIFEST)
    return path


def native(path: Path, **parts: Any) -> TestClient:
    """The front app, and the app behind it."""
    back = make_app()
    return TestClient(
        make_app(), manifest=path, component="front", apps={"back": back}, **STORES, **parts
    )


@pytest.fixture
def client(manifest: Path) -> Iterator[Client]:
    """The application natively."""
    with native(manifest) as made:
        yield made


def relay(client: Client, target: str, **parts: Any) -> Any:
    """Have the front send a request; return what it saw of the answer."""
    answer = client.post(f"/relay/{target}", **parts)
    assert answer.status == 200, answer.stderr
    return answer.json()


def test_an_app_that_calls_itself_gets_itself(client: Client) -> None:
    """Without a script, with its own stores; nothing of it is a request to the outside."""
    # CHAIN-1
    said = relay(client, "GET/http/self.alt/notes/bread")
    assert (said["status"], said["body"]) == (200, '{"title":"Bread","tags":[]}')
    assert client.calls.texts == ["open notes", "get notes bread"]
    assert client.http.requests == []


def test_an_app_without_manifest_calls_itself(app: App) -> None:
    """As a component without manifest may."""
    with TestClient(app, kv={"notes": {"a": {"title": "A"}}}) as client:
        assert relay(client, "GET/https/self.alt:8000/notes/a")["status"] == 200
        assert relay(client, "GET/http/back.spin.internal/x") == {"code": "destination-not-found"}


def test_another_component_has_what_its_manifest_gives(client: Client) -> None:
    """Stores, variables and environment are its own, and the caller's stay with the caller."""
    # CHAIN-12
    back = "GET/http/back.spin.internal"
    assert relay(client, f"{back}/raw/views/bread")["body"] == "41"
    assert relay(client, f"{back}/raw/notes/bread")["status"] == 500
    assert relay(client, f"{back}/secret/colour")["body"] == "dark red"
    assert relay(client, f"{back}/environment/KIT_WHO")["body"] == "back"
    assert relay(client, f"{back}/environment/KIT_FRONT")["body"] == "unset"
    assert relay(client, f"{back}/environment/KIT_MODE")["body"] == "test"
    assert client.get("/environment/KIT_WHO").text == "front"
    assert client.get("/raw/views/bread").status == 500


def test_a_script_comes_first(client: Client) -> None:
    """What a test scripts is answered by the script, recorded, and counted as any other."""
    client.http.on("http://self/notes/*", text="scripted", times=1)
    client.http.on("http://back.spin.internal/*", method="POST", text="scripted")
    assert relay(client, "GET/http/self.alt/notes/bread")["body"] == "scripted"
    assert relay(client, "GET/http/self.alt/notes/bread")["status"] == 200
    assert relay(client, "POST/http/back.spin.internal/x")["body"] == "scripted"
    assert relay(client, "GET/http/back.spin.internal/raw/views/bread")["body"] == "41"
    assert [str(sent) for sent in client.http.requests] == [
        "GET http://self.alt/notes/bread",
        "POST http://back.spin.internal/x",
    ]
    assert client.calls.texts == ["open notes", "get notes bread", "open views", "get views bread"]


def test_what_is_not_granted_is_denied(manifest: Path) -> None:
    """Neither itself nor another component without an entry."""  # CHAIN-2, CHAIN-5
    manifest.write_text(MANIFEST.replace('"http://self", "http://*.spin.internal", ', ""))
    with native(manifest) as client:
        for host in ("self.alt", "back.spin.internal"):
            assert relay(client, f"GET/http/{host}/say") == {"code": "HTTP-request-denied"}


RELAY = '[[trigger.http]]\nroute = "/relay/..."\ncomponent = "front"\n[component.front]'


def routed(front: str, back: str) -> str:
    """The manifest with these routes for its components, and one to have requests sent."""
    text = MANIFEST.replace("[component.front]", RELAY, 1)
    text = text.replace("{private = true}", f'"{back}"', 1)
    return text.replace('route = "/..."', f'route = "{front}"', 1)


ROUTED = routed("/front/:kind/...", "/raw/...")

PATHS = [
    "/front/x/say",
    "/raw/views/bread",
    "/raw/notes/bread",
    "/nowhere",
    "/front",
]


def test_routes_lead_to_their_components(manifest: Path) -> None:
    """Natively too, with what the host says of the route; requests to itself are routed."""
    manifest.write_text(ROUTED)
    with native(manifest) as client:
        assert client.get("/raw/views/bread").text == "41"
        assert client.get("/raw/notes/bread").status == 500
        nowhere = client.get("/nowhere")
        assert (nowhere.status, nowhere.headers.pairs) == (404, [("content-length", b"0")])
        assert nowhere.calls == []
    with TestClient(make_app(), manifest=manifest, component="front", **STORES) as client:
        message = r"GET /raw/x goes to 'back', which has no app .* give apps=\{'back': app\}"
        with pytest.raises(KitError, match=message):
            client.get("/raw/x")


@pytest.mark.component
@pytest.mark.parametrize("routes", [ROUTED, routed("/:word", "/headers/...")])
@pytest.mark.parametrize(
    "target", [*PATHS, "/headers", "/headers?x=1", "/headers/", "/environment/KIT_WHO"]
)
def test_both_modes_route_alike(manifest: Path, wasm: Path, routes: str, target: str) -> None:
    """Which component answers, what it sees of its route, and what there is without one."""
    shutil.copy(wasm, manifest.parent)
    manifest.write_text(routes)
    seen: list[Any] = []
    for made in (native(manifest), ComponentClient(manifest, **STORES)):
        with made as client:
            answer = client.get(target)
            calls = list(answer.calls)
            told = relay(client, f"GET/http/self.alt{target}")
            seen.append((answer.status, answer.headers.pairs, answer.content, calls, told))
    assert seen[1] == seen[0]


def test_a_component_whose_app_is_not_there(manifest: Path) -> None:
    """The message says how to bring it."""
    with TestClient(make_app(), manifest=manifest, component="front", **STORES) as client:
        said = client.post("/fetch/GET/http/back.spin.internal/say").text
        assert "give apps={'back': app} to the TestClient, or script an answer" in said
    with pytest.raises(PreloadError, match=r"apps: they belong to a spin\.toml"):
        TestClient(make_app(), apps={"back": make_app()})


INSIDE = [
    ("GET/http/self.alt/headers?x=1", {}),
    ("GET/http/self.alt:81/headers", {}),
    ("GET/https/self.alt/headers", {}),
    ("POST/http/self.alt/echo?a=b", {"content": b"body"}),
    ("HEAD/http/self.alt/notes/bread", {}),
    ("GET/http/self.alt/pieces/5", {}),
    ("GET/http/self.alt/nothing", {}),
    ("GET/http/self.alt/nowhere", {}),
    ("GET/http/self.alt/forbidden", {}),
    ("GET/http/self.alt/fail", {}),
    ("GET/http/self.alt/broken", {}),
    ("GET/http/self.alt/say", {}),
    ("GET/http/self.alt/again", {}),
    ("GET/http/back.spin.internal/headers?x=1", {}),
    ("GET/http/back.spin.internal/raw/views/bread", {}),
    ("GET/http/back.spin.internal/raw/notes/bread", {}),
    ("GET/http/back.spin.internal/secret/colour", {}),
    ("GET/http/back.spin.internal/environment/KIT_WHO", {}),
    ("GET/http/back.spin.internal/environment/KIT_FRONT", {}),
    ("GET/http/back.spin.internal/pieces/3", {}),
    ("GET/http/back.spin.internal:81/say", {}),
    ("GET/http/none.spin.internal/say", {}),
    ("GET/http/elsewhere.example/say", {}),
]


def outcome(client: Client, target: str, parts: dict[str, Any]) -> dict[str, Any]:
    """Everything that is to be seen of a request that is answered inside."""
    answer = client.post(f"/relay/{target}", **parts)
    return {
        "answer": answer.json(),
        "calls": list(answer.calls),
        "stdout": answer.stdout,
        "sent": [str(sent) for sent in client.http.requests],
    }


@pytest.mark.component
@pytest.mark.parametrize(("target", "parts"), INSIDE, ids=[target for target, _ in INSIDE])
def test_both_modes_answer_alike(
    manifest: Path, wasm: Path, target: str, parts: dict[str, Any]
) -> None:
    """Status, headers, body, store calls and output are the same in wasm."""
    shutil.copy(wasm, manifest.parent)
    seen = []
    for made in (native(manifest), ComponentClient(manifest, **STORES)):
        with made as client:
            seen.append(outcome(client, target, parts))
    assert seen[1] == seen[0]


@pytest.mark.component
def test_scripts_come_first_in_a_component_too(manifest: Path, wasm: Path) -> None:
    """By the same rules, in the same order."""
    shutil.copy(wasm, manifest.parent)
    with ComponentClient(manifest, **STORES) as client:
        test_a_script_comes_first(client)


@pytest.mark.component
def test_the_bill_of_all_components(manifest: Path, wasm: Path) -> None:
    """Instructions of what was called are on the bill, the same in every run."""
    shutil.copy(wasm, manifest.parent)
    bills = []
    for _ in range(2):
        with ComponentClient(manifest, **STORES, seed=1) as client:
            alone = client.get("/say").usage
            both = client.post("/relay/GET/http/self.alt/say").usage
            assert alone is not None
            assert both is not None
            assert both.fuel > 1.5 * alone.fuel
            assert both.host_calls > alone.host_calls
            bills.append((alone, both))
    assert bills[0] == bills[1]


@pytest.mark.component
@pytest.mark.parametrize("measure", [False, True])
def test_an_endless_chain_ends(manifest: Path, wasm: Path, measure: bool) -> None:
    """An app that calls itself forever is stopped, at the same depth in both modes."""
    shutil.copy(wasm, manifest.parent)
    with (
        native(manifest) as first,
        ComponentClient(manifest, **STORES, measure_memory=measure) as second,
    ):
        said = [client.get("/again").text for client in (first, second)]
    assert said[0] == said[1]
    assert said[0].startswith("connection-limit-reached, again, again")
