"""Stores, variables, outbound requests and the clock of a compiled app, and its parity.

One component is compiled for all of this. The parity tests ask a list of requests natively
and in wasm and compare status, headers, body and store calls one by one.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.core.headers import Headers
from edgezero_spin.testing import (
    Client,
    ComponentClient,
    ScriptedAnswer,
    SentRequest,
    StoreCall,
    TestClient,
)
from tests.component.upstream import upstream
from tests.testing.notes_app import make_app

pytestmark = pytest.mark.component

STORES: dict[str, Any] = {
    "kv": {
        "notes": {"bread": {"title": "Bread"}, "raw": b"\x00\xff", "text": "plain"},
        "views": {},
    },
    "config": {"settings": {"greeting": "Hi", "page": {"size": 20}}},
    "secrets": {"token": "s3cret"},
    "env": {"KIT_MODE": "test"},
}


@pytest.fixture
def client(wasm: Path) -> Iterator[ComponentClient]:
    """A client with something in each store."""
    with ComponentClient(wasm, **STORES) as made:
        yield made


def outcome(client: Client, method: str, target: str, **parts: Any) -> dict[str, Any]:
    """Everything that a test can see of one request, except where it came from."""
    response = client.request(method, target, **parts)
    return {
        "status": response.status,
        "headers": response.headers.pairs,
        "body": response.content,
        "calls": list(response.calls),
        "stdout": response.stdout,
        "stderr": response.stderr.splitlines()[-1:],
        "stores": {label: dict(store) for label, store in client.kv.items()},
    }


REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/notes/bread", {}),
    ("HEAD", "/notes/bread", {}),
    ("GET", "/notes/none", {}),
    ("GET", "/notes/raw", {}),
    ("PUT", "/notes/tea", {"json": {"title": "Tea", "tags": ["hot"]}}),
    ("PUT", "/notes/tea", {"json": {"titel": "Tea"}}),
    ("PUT", "/notes/tea", {"content": b"{"}),
    ("PUT", "/notes/" + "k" * 600, {"json": {"title": "Long"}}),
    ("DELETE", "/notes/tea", {}),
    ("DELETE", "/notes/tea", {}),
    ("GET", "/raw/notes/raw", {}),
    ("GET", "/raw/notes/text", {}),
    ("GET", "/raw/views/none", {}),
    ("GET", "/raw/other/x", {}),
    ("GET", "/keys", {}),
    ("GET", "/config/greeting", {}),
    ("GET", "/config/page.size", {}),
    ("GET", "/config/none", {}),
    ("GET", "/secret/token", {}),
    ("GET", "/secret/none", {}),
    ("GET", "/secret/no-name", {}),
    ("GET", "/environment/KIT_MODE", {}),
    ("GET", "/environment/KIT_NONE", {}),
    ("GET", "/headers?x=%C3%A4", {"headers": [("x-a", "1"), ("x-b", "2"), ("X-A", "3")]}),
    ("GET", "http://example.com:8080/headers", {"headers": {"spin-base-path": "/forged"}}),
    ("POST", "/echo?a=1", {"content": "body", "headers": {"content-type": "text/plain"}}),
    ("POST", "/echo", {"data": {"a": "b c"}}),
    ("POST", "/echo", {"content": b"x" * 100_000}),
    ("GET", "/pieces/5", {}),
    ("HEAD", "/pieces/5", {}),
    ("GET", "/say", {}),
    ("GET", "/log/INFO", {}),
    ("GET", "/log/WARNING", {}),
    ("GET", "/log/ERROR", {}),
    ("GET", "/fail", {}),
    ("GET", "/nothing", {}),
    ("GET", "/nowhere", {}),
    ("PATCH", "/notes/bread", {}),
    ("GET", "/notes/br%65ad", {}),
    ("GET", "/notes/%ff", {}),
]


@pytest.mark.parametrize(
    ("method", "target", "parts"), REQUESTS, ids=[f"{m} {t[:40]}" for m, t, _ in REQUESTS]
)
def test_both_modes_answer_alike(
    client: ComponentClient, method: str, target: str, parts: dict[str, Any]
) -> None:
    """Status, headers, body, store calls and what is stored are the same in wasm."""
    with TestClient(make_app(), **STORES) as native:
        assert outcome(client, method, target, **parts) == outcome(native, method, target, **parts)


FAULTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("get", {"key": "bread"}, "GET", "/notes/bread"),
    ("open", {"label": "notes", "message": "no disk"}, "GET", "/notes/bread"),
    ("set", {"message": "disk full"}, "PUT", "/notes/tea"),
    ("delete", {}, "DELETE", "/notes/bread"),
    ("keys", {}, "GET", "/keys"),
    ("get", {"label": "settings"}, "GET", "/config/greeting"),
    ("secret", {"key": "token", "message": "vault sealed"}, "GET", "/secret/token"),
]


@pytest.mark.parametrize(
    ("operation", "where", "method", "target"),
    FAULTS,
    ids=[f"{operation} {target}" for operation, _, _, target in FAULTS],
)
def test_both_modes_fail_alike(
    client: ComponentClient, operation: str, where: dict[str, Any], method: str, target: str
) -> None:
    """A failure of the host is the same failure to the app, natively and in wasm."""
    parts = {"json": {"title": "Tea"}} if method == "PUT" else {}
    with TestClient(make_app(), **STORES) as native:
        for each in (client, native):
            each.stores.fail(operation, **where)
        seen = outcome(client, method, target, **parts)
        assert seen == outcome(native, method, target, **parts)
        assert seen["status"] >= 500
        assert seen["calls"][-1].error is not None


def test_access_denied(client: ComponentClient) -> None:
    """A denied label is denied to the guest, and so is one that nobody preloaded."""
    client.stores.deny("notes")
    response = client.get("/notes/bread")
    assert response.status == 500
    assert response.calls == [StoreCall("open", "notes", error="access-denied")]
    assert "key_value_stores" in response.stderr


def test_latency_without_waiting(wasm: Path) -> None:
    """A delayed call sleeps with whatever the test gives it."""
    slept: list[float] = []
    with ComponentClient(wasm, **STORES, sleep=slept.append) as client:
        client.stores.delay(0.3, "get")
        assert client.get("/notes/bread").status == 200
    assert slept == [0.3]


def test_what_a_test_changes_between_requests(client: ComponentClient) -> None:
    """Stores, secrets and the environment are alive."""
    client.kv["notes"]["new"] = {"title": "New"}
    client.secrets["token"] = "changed"
    client.env["KIT_MODE"] = "changed"
    assert client.get("/notes/new").json()["title"] == "New"
    assert client.get("/secret/token").text == "changed"
    assert client.get("/environment/KIT_MODE").text == "changed"


MANIFEST = """\
spin_manifest_version = 2
application = {name = "kit"}
[variables]
token = {required = true}
colour = {default = "red"}
[[trigger.http]]
route = "/..."
component = "kit"
[component.kit]
source = "kit.wasm"
key_value_stores = ["notes"]
allowed_outbound_hosts = ["https://allowed.example"]
environment = {KIT_MODE = "manifest", KIT_OTHER = "manifest"}
[component.kit.variables]
token = "{{ token }}"
both = "{{token}}-{{colour}}"
"""


@pytest.mark.parametrize("mode", ["native", "component"])
def test_a_manifest_limits_the_component(wasm: Path, mode: str) -> None:
    """Labels, variables, environment and hosts are those that the manifest grants."""
    path = wasm.with_name("spin.toml")
    path.write_text(MANIFEST)
    parts: dict[str, Any] = {
        "variables": {"token": "t"},
        "secrets": {"token": "over"},
        "env": {"KIT_MODE": "test"},
    }
    with (
        TestClient(make_app(), manifest=path, **parts)
        if mode == "native"
        else ComponentClient(path, **parts)
    ) as client:
        assert client.get("/raw/views/x").status == 500
        assert client.calls.texts == ["open views (access-denied)"]
        assert client.get("/secret/both").text == "t-red"
        assert client.get("/secret/token").text == "over"
        assert client.get("/environment/KIT_MODE").text == "test"
        assert client.get("/environment/KIT_OTHER").text == "manifest"
        client.http.on("https://allowed.example/*", text="in")
        client.http.on("https://denied.example/*", text="in")
        assert client.post("/fetch/GET/https/allowed.example/a").text == "in"
        denied = client.post("/fetch/GET/https/denied.example/a")
        assert denied.status == 502
        assert denied.text.startswith("HTTP-request-denied: ")
        assert [str(sent) for sent in client.http.requests] == ["GET https://allowed.example/a"]


CHAIN = """\
spin_manifest_version = 2
application = {name = "kit"}
[[trigger.http]]
route = "/..."
component = "front"
[[trigger.http]]
route = {private = true}
component = "back"
[component.front]
source = "kit.wasm"
allowed_outbound_hosts = ["http://*.spin.internal"]
[component.back]
source = "kit.wasm"
key_value_stores = ["notes"]
"""


def test_components_call_each_other(wasm: Path) -> None:
    """A call inside the application needs no script; its stores are recorded as well."""
    folder = wasm.parent / "chain"
    folder.mkdir()
    shutil.copy(wasm, folder)
    (folder / "spin.toml").write_text(CHAIN)
    with ComponentClient(folder, kv={"notes": {"bread": {"title": "Bread"}}}) as client:
        own = client.get("/say").usage
        answer = client.post("/fetch/GET/http/back.spin.internal/notes/bread")
        assert (answer.status, answer.json()["title"]) == (200, "Bread")
        assert answer.calls.texts == ["open notes", "get notes bread"]
        assert client.http.requests == []
        # The caller may not open what the called may.
        assert client.get("/notes/bread").status == 500
        assert own is not None
        assert answer.usage is not None
        assert answer.usage.fuel > own.fuel * 1.5


def script(client: Client) -> None:
    """Answers by host, path and method, the same for both modes."""
    http = client.http
    http.on("https://api.example.com/users/*", json={"name": "Ada"})
    http.on("https://api.example.com/users/7", status=201, text="seven", times=1)
    http.on("https://api.example.com/users", method="POST", answer=_echoed)
    http.on("http://down.example/x", error="connection-timeout")
    http.on("https://odd.example/raises", answer=_failing)
    http.on("https://odd.example/text", answer=lambda request: "text")  # type: ignore[arg-type, return-value]
    http.on("https://there.example/there", headers={"x-there": "1"}, text="y" * 200_000)


def _failing(request: SentRequest) -> ScriptedAnswer:
    raise ValueError("a slip in the test")


def _echoed(request: SentRequest) -> ScriptedAnswer:
    return ScriptedAnswer(202, Headers(), b"echo " + request.content)


SENT = [
    pytest.param("POST", "/fetch/GET/https/api.example.com/users/7", b"", 201, "seven", id="path"),
    pytest.param("POST", "/fetch/GET/https/api.example.com/users/8", b"", 200, "Ada", id="any"),
    pytest.param(
        "POST",
        "/fetch/POST/https/api.example.com/users",
        b"Grace",
        202,
        "echo Grace",
        id="answered by a function",
    ),
    pytest.param(
        "POST",
        "/fetch/GET/http/down.example/x",
        b"",
        502,
        "connection-timeout: internal error: Spin outbound HTTP error: connection-timeout",
        id="error code",
    ),
    pytest.param(
        "POST",
        "/fetch/PUT/https/api.example.com/users",
        b"x",
        502,
        "no answer is scripted for PUT https://api.example.com/users; script one with "
        "client.http.on('https://api.example.com/users', method='PUT', json=...)",
        id="unscripted",
    ),
    pytest.param(
        "POST",
        "/fetch/GET/https/odd.example/raises",
        b"",
        502,
        "the function that answers GET https://odd.example/raises raised ValueError: a slip in",
        id="a function that raises",
    ),
    pytest.param(
        "POST",
        "/fetch/GET/https/odd.example/text",
        b"",
        502,
        "returned 'text', which is not a ScriptedAnswer",
        id="a function that answers something else",
    ),
    pytest.param("GET", "/forward/there.example", b"", 200, "y" * 200_000, id="forwarded"),
]


@pytest.mark.parametrize(("method", "target", "body", "status", "text"), SENT)
def test_scripted_requests_are_alike(
    client: ComponentClient, method: str, target: str, body: bytes, status: int, text: str
) -> None:
    """Answers, what was sent, and what was refused are the same in wasm."""
    with TestClient(make_app(), **STORES) as native:
        seen = []
        for each in (client, native):
            script(each)
            answer = each.request(method, target, content=body)
            assert answer.status == status
            assert text in answer.text
            http = each.http
            seen.append((answer.text, answer.headers, list(http.requests), list(http.refused)))
        assert seen[0] == seen[1]
        assert len(native.http.requests) == 1


def test_requests_can_be_let_through(client: ComponentClient) -> None:
    """On request they reach a real server, in both modes alike, and are recorded."""
    with TestClient(make_app(), **STORES) as native, upstream() as port:
        seen = []
        for each in (client, native):
            each.http.pass_through(f"http://127.0.0.1:{port}/*")
            each.http.on(f"http://127.0.0.1:{port}/scripted", text="scripted")
            for target in ("echo", "teapot", "gzip", "scripted"):
                answer = each.post(f"/fetch/POST/http/127.0.0.1:{port}/{target}", content=b"sent")
                # The third one comes compressed, as a host leaves it (OUTH-17).
                seen.append((each.mode, answer.status, answer.text[:1]))
            assert len(each.http.requests) == 4
            assert each.http.refused == []
    expected = [(200, "s"), (418, "s"), (200, "\x1f"), (200, "s")]
    assert seen == [(mode, *one) for mode in ("component", "native") for one in expected]
    # Nobody listens there any more.
    gone = client.post(f"/fetch/POST/http/127.0.0.1:{port}/echo")
    assert gone.status == 502
    assert gone.text.startswith("connection-refused")


def test_instructions_are_the_same_each_time(wasm: Path) -> None:
    """What a request costs does not depend on the run, once nothing in it is random."""
    used = []
    for _ in range(2):
        with ComponentClient(wasm, **STORES, seed=1) as client:
            usage = client.get("/notes/bread").usage
            assert usage is not None
            used.append(usage.fuel)
    assert used[0] == used[1] > 100_000
