"""``edgezero dev``, as it is typed: an app over a real socket, loaded anew at every save."""

import contextlib
import json
import os
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.load.local_stores import open_store
from tests.cli.running import edgezero, refusal
from tests.development.running import TIMEOUT_S, Dev, save

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "shop"
[variables]
token = { default = "s3cret" }
[[trigger.http]]
route = "/shop/..."
component = "shop"
[[trigger.http]]
route = "/other"
component = "other"
[component.shop]
source = "app.wasm"
key_value_stores = ["default"]
environment = { LEVEL = "high" }
allowed_outbound_hosts = ["http://127.0.0.1:{port}", "http://self"]
[component.shop.variables]
token = "{{ token }}"
[component.shop.build]
command = "edgezero componentize app:app -o app.wasm"
[component.other]
source = "other.wasm"
"""
APP = """\
import asyncio
import os
from pathlib import Path

from edgezero_spin import App, Kv, NotFound, Outbound, OutboundError, Request, Response, Secrets

app = App(kv=["default", "denied"], secrets=["default"])


@app.get("/shop/version")
def version() -> str:
    return "one"


@app.post("/shop/count")
async def count(kv: Kv) -> int:
    return await kv.default.read_modify_write("count", 0, lambda before: before + 1)


@app.get("/shop/denied")
async def denied(kv: Kv) -> str:
    return str(await kv["denied"].get_bytes("x"))


@app.get("/shop/around")
async def around(request: Request, secrets: Secrets) -> dict[str, str]:
    return {
        "token": await secrets.default.require_str("token"),
        "level": os.environ["LEVEL"],
        "route": request.headers["spin-matched-route"],
        "text": Path("data.txt").read_text(),
    }


@app.get("/shop/raise")
def raises() -> None:
    raise LookupError("<nobody>")


@app.put("/shop/echo")
async def echo(request: Request) -> Response:
    return Response(request.stream())


@app.get("/shop/fetch")
async def fetch(url: str, outbound: Outbound) -> str:
    try:
        return await (await outbound.send("GET", url)).text()
    except OutboundError as error:
        return error.code


@app.get("/shop/slow")
async def slow() -> str:
    Path("started").touch()
    while not Path("released").exists():
        await asyncio.sleep(0.01)
    return "slow one"
"""
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
]


PLAIN_MANIFEST = """spin_manifest_version = 2
application = { name = "plain" }
[[trigger.http]]
route = "/..."
component = "plain"
[component.plain]
source = "app.wasm"
build.command = "edgezero componentize app:app -o app.wasm"
"""
PLAIN_APP = """from edgezero_spin import App

app = App()


@app.get("/")
def root() -> str:
    return "root"
"""


@pytest.fixture
def origin() -> Iterator[int]:
    """A server that the app may ask, and its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(sorted(name.lower() for name in self.headers)).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, origin: int) -> Path:
    """The folder of an application that was never built."""
    (tmp_path / "spin.toml").write_text(MANIFEST.replace("{port}", str(origin)))
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "data.txt").write_text("data one")
    return tmp_path


@pytest.fixture
def dev(folder: Path) -> Iterator[Dev]:
    """``edgezero dev`` in that folder, loaded."""
    running = Dev(folder)
    try:
        running.line_with("Loaded the app, 8 routes")
        yield running
    finally:
        assert running.stop() == 0


def test_every_save_is_seen(folder: Path, dev: Dev) -> None:
    """Code, data and the manifest; the stores stay, in the file of Spin."""
    assert dev.ask("GET", "/shop/version") == (200, "one")
    assert dev.ask("POST", "/shop/count") == (200, "1")
    save(folder, "app.py", '"one"', '"two"')
    dev.line_with("Reloaded the app")
    assert dev.ask("GET", "/shop/version") == (200, "two")
    assert dev.ask("POST", "/shop/count") == (200, "2")
    save(folder, "data.txt", "one", "two")
    dev.line_with("Reloaded the app")
    assert json.loads(dev.ask("GET", "/shop/around")[1])["text"] == "data two"
    save(folder, "spin.toml", "high", "low")
    dev.line_with("Reloaded the app")
    assert json.loads(dev.ask("GET", "/shop/around")[1])["level"] == "low"
    with open_store(folder, "default") as store:
        assert store.get("count") == b"2"


def test_the_manifest_grants(folder: Path, dev: Dev, origin: int) -> None:
    """Stores, variables, routes and hosts are those of the component, and no others."""
    assert json.loads(dev.ask("GET", "/shop/around")[1]) == {
        "token": "s3cret",
        "level": "high",
        "route": "/shop/...",
        "text": "data one",
    }
    assert "could not be opened" in dev.ask("GET", "/shop/denied")[1]
    assert dev.ask("GET", "/nowhere")[0] == 404
    status, text = dev.ask("GET", "/other")
    assert status == 501 and "`edgezero watch` serves 'other'" in text
    fetched = dev.ask("GET", f"/shop/fetch?url=http://127.0.0.1:{origin}/")[1]
    assert "host" in json.loads(fetched) and "user-agent" not in json.loads(fetched)
    assert dev.ask("GET", "/shop/fetch?url=http://127.0.0.2/")[1] == "HTTP-request-denied"
    assert dev.ask("GET", "/shop/fetch?url=/shop/version")[1] == "one"


def test_bodies_stream_both_ways(dev: Dev) -> None:
    """More than any buffer holds."""
    body = os.urandom(3 * 1024 * 1024).hex().encode()
    assert dev.ask("PUT", "/shop/echo", body) == (200, body.decode())
    assert dev.ask("HEAD", "/shop/version") == (200, "")


def test_a_browser_sees_the_traceback_and_then_the_fix(folder: Path, dev: Dev) -> None:
    """Of an app that cannot be loaded, and of a handler; other clients get text."""
    browser = {"accept": "text/html,*/*"}
    status, page = dev.ask("GET", "/shop/raise", headers=browser)
    assert status == 500 and "LookupError: &lt;nobody&gt;" in page and "app.py" in page
    assert json.loads(dev.ask("GET", "/shop/raise")[1])["error"]["message"] == "internal error"
    save(folder, "app.py", "def version() -> str:", "def version() -> str")
    dev.line_with("waiting for a change")
    status, page = dev.ask("GET", "/shop/version", headers=browser)
    assert status == 500 and "SyntaxError" in page and 'http-equiv="refresh"' in page
    status, text = dev.ask("GET", "/shop/version")
    assert status == 500 and text.startswith("SyntaxError") and "importlib" not in text
    save(folder, "app.py", "def version() -> str", "def version() -> str:")
    dev.line_with("Reloaded the app")
    assert dev.ask("GET", "/shop/version", headers=browser) == (200, "one")
    save(folder, "spin.toml", "key_value_stores", "key_value_shops")
    dev.line_with("waiting for a change")
    assert "key_value_shops" in dev.ask("GET", "/shop/version")[1]


def test_what_is_being_answered_is_answered_by_the_code_before(folder: Path, dev: Dev) -> None:
    """A save does not break a request off."""
    answers: list[tuple[int, str]] = []
    asking = threading.Thread(target=lambda: answers.append(dev.ask("GET", "/shop/slow")))
    asking.start()
    while not (folder / "started").exists():
        assert asking.is_alive()
    save(folder, "app.py", '"slow one"', '"slow two"')
    dev.line_with("Reloaded the app")
    (folder / "released").touch()
    asking.join(TIMEOUT_S)
    assert answers == [(200, "slow one")]


def test_each_request_has_a_line(folder: Path) -> None:
    """As text or as JSON, without the query; or none."""
    with contextlib.ExitStack() as stack:
        dev = Dev(folder, "--access-log-format", "json")
        stack.callback(dev.stop)
        dev.line_with("Loaded")
        assert dev.ask("GET", "/shop/version?token=hush") == (200, "one")
        line = json.loads(dev.line_with("/shop/version"))
        assert "hush" not in str(line) and line.pop("time") and line.pop("duration_ms") >= 0
        assert line == {
            "method": "GET",
            "path": "/shop/version",
            "component": "shop",
            "status": 200,
            "bytes": 3,
        }


def test_the_explorer(folder: Path) -> None:
    """Shows requests with calls and output, stores and variables, and stays over a save."""
    running = Dev(folder, "--explorer")
    try:
        page = running.line_with("explorer at http://").rpartition(" ")[2]
        running.line_with("Loaded the app")

        def shown(path: str) -> Any:
            with urllib.request.urlopen(f"{page}{path}", timeout=TIMEOUT_S) as answer:
                return json.loads(answer.read())

        def answered(count: int) -> list[dict[str, Any]]:
            """The requests that are kept, once there are so many and all have ended."""
            while True:
                found: list[dict[str, Any]] = shown("api/requests")["requests"]
                if len(found) >= count and all(each["status"] is not None for each in found):
                    return found

        assert running.ask("GET", "/shop/around")[0] == 200
        assert running.ask("POST", "/shop/count") == (200, "1")
        assert running.ask("GET", "/shop/raise")[0] == 500
        around, count, raised = answered(3)
        assert (around["path"], around["status"]) == ("/shop/around", 200)
        calls = [call["text"] for call in shown(f"api/requests/{count['number']}")["call_list"]]
        assert calls == ['get "default" "count"', 'set "default" "count" (1 bytes)']
        assert "LookupError: <nobody>" in raised["problem"]
        output = shown(f"api/requests/{raised['number']}")["output"]
        assert "Traceback" in output[0]["text"] and "/shop/raise 500" not in str(output)
        application = shown("api/application")
        assert {"component": "shop", "path": "/shop/count", "wildcard": False,
                "description": "POST"} in application["routes"]  # fmt: skip
        assert application["key_value"] == ["default"]
        assert shown("api/key-value/default")["keys"] == ["count"]
        [variable] = application["variables"]
        assert (variable["name"], variable["value"]) == ("token", "s3cret")
        save(folder, "app.py", '"one"', '"two"')
        running.line_with("Reloaded the app")
        assert running.ask("GET", "/shop/version") == (200, "two")
        assert answered(1)[-1]["path"] == "/shop/version"
        save(folder, "app.py", "import asyncio", "import nothing_of_that_name")
        running.line_with("waiting for a change")
        assert running.ask("GET", "/shop/version")[0] == 500
        assert answered(1)[-1]["status"] == 500
    finally:
        assert running.stop() == 0


@pytest.mark.parametrize(
    ("route", "app", "paths"),
    [
        ("/...", "app.openapi()", ["/openapi.json", "/docs"]),
        ("/shop/...", "app.openapi()", []),
        ("/...", "", []),
    ],
    ids=["documented", "out of reach", "undocumented"],
)
def test_the_explorer_links_an_openapi_document(
    tmp_path: Path, route: str, app: str, paths: list[str]
) -> None:
    """Where the app has one and a request gets there; the app is not asked."""
    (tmp_path / "spin.toml").write_text(PLAIN_MANIFEST.replace("/...", route))
    (tmp_path / "app.py").write_text(PLAIN_APP + app)
    running = Dev(tmp_path, "--explorer")
    try:
        page = running.line_with("explorer at http://").rpartition(" ")[2]
        running.line_with("Loaded the app")
        with urllib.request.urlopen(f"{page}api/application", timeout=TIMEOUT_S) as answer:
            assert json.loads(answer.read())["openapi"] == paths
        with urllib.request.urlopen(f"{page}api/requests", timeout=TIMEOUT_S) as answer:
            assert json.loads(answer.read())["total"] == 0
    finally:
        assert running.stop() == 0


def test_nothing_to_serve_is_an_error(tmp_path: Path) -> None:
    """Before anything is started, with what to do."""
    assert "spin.toml" in refusal(edgezero("dev", cwd=tmp_path))
    manifest = MANIFEST.replace("{port}", "80")
    text = manifest.replace("edgezero componentize app:app", "make")
    (tmp_path / "spin.toml").write_text(text)
    assert "--component-id (components of apps: none)" in refusal(edgezero("dev", cwd=tmp_path))
    (tmp_path / "spin.toml").write_text(manifest)
    said = refusal(edgezero("dev", "--component-id", "other", cwd=tmp_path))
    assert "'other' is not a component that `edgezero componentize` makes" in said


def test_nothing_is_left_behind(folder: Path) -> None:
    """Where the command is killed, what it started ends by itself."""
    dev = Dev(folder)
    dev.line_with("Loaded")
    (child,) = _children(dev.process.pid)
    (worker,) = _children(child)
    dev.process.kill()
    dev.process.wait(TIMEOUT_S)
    # Its output ends when the last process that has it does.
    dev._thread.join(TIMEOUT_S)
    assert not dev._thread.is_alive()
    assert not Path(f"/proc/{worker}/exe").exists()


def test_nothing_is_left_behind_while_a_save_is_loaded(folder: Path, tmp_path: Path) -> None:
    """Not only the process that loads ends, but that of the save before it, too."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    dev = Dev(folder)
    dev.line_with("Loaded")
    save(folder, "app.py", "import asyncio\n", f"import asyncio\nopen({str(gate)!r}).read()\n")
    # Open as soon as the new process reads from it, and until this one ends.
    with gate.open("w"):
        dev.process.terminate()
        dev.process.wait(TIMEOUT_S)
        dev._thread.join(TIMEOUT_S)
        assert not dev._thread.is_alive()


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    if not path.exists():
        pytest.skip("this system does not tell of children")
    return [int(child) for child in path.read_text().split()]
