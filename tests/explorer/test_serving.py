"""The explorer over a real socket: who may ask, and what is answered."""

import contextlib
import http.client
import json
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest

from edgezero_spin.explorer import serving, stores
from edgezero_spin.explorer.application import explored_host
from edgezero_spin.explorer.recorder import Recorder
from edgezero_spin.explorer.serving import Explorer
from edgezero_spin.host import Host
from edgezero_spin.host.http.access_log import AccessLog
from edgezero_spin.host.http.listening import bind
from edgezero_spin.host.http.side_server import side_server
from edgezero_spin.host.observers import Observer
from tests.host.support import SCRIPT
from tests.host.triggers.applications import write_app
from tests.host.triggers.guest import REDIS

MANIFEST = """\
spin_manifest_version = 2

[application]
name = "shop"
version = "1.2.3"

[variables]
greeting = { default = "hello" }
token = { default = "hush", secret = true }

[[trigger.http]]
route = "/..."
component = "guest"

[component.guest]
source = "guest.wat"
description = "Does as told"
key_value_stores = ["default"]
sqlite_databases = ["default"]
allowed_outbound_hosts = ["https://example.com"]

[component.guest.variables]
said = "{{ greeting }} world"
address = "redis://:{{ token }}@r"
"""


DOCUMENTED = ["/openapi.json", "/docs"]


@attrs.frozen
class Browser:
    """Asks as a page of the explorer does, unless told otherwise."""

    port: int
    token: str
    app_port: int

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: str | bytes | None = None,
        **fields: str,
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        """Return status, content and header fields."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"x-edgezero-explorer": "1"}
        headers |= {name.replace("_", "-"): value for name, value in fields.items()}
        target = path if path.startswith("/") else f"/{self.token}/{path}"
        connection.request(method, target, body, {k: v for k, v in headers.items() if v})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(content) if is_json else content.decode(), answer.headers

    def json(self, path: str, method: str = "GET", body: str | bytes | None = None) -> Any:
        """Return the content of an answer that has to be a good one."""
        status, found, _ = self.ask(path, method, body)
        assert status == 200, found
        return found

    def answered(self, count: int) -> list[dict[str, Any]]:
        """The requests that are kept, once there are so many and all have ended."""
        while True:
            found: list[dict[str, Any]] = self.json("api/requests")["requests"]
            if len(found) >= count and all(each["status"] is not None for each in found):
                return found

    def visit(self, path: str) -> bytes:
        """Ask the application itself."""
        connection = http.client.HTTPConnection("127.0.0.1", self.app_port, timeout=30)
        connection.request("GET", path)
        content = connection.getresponse().read()
        connection.close()
        return content


@contextlib.contextmanager
def exploring(folder: Path, *observers: Observer, more: str = "") -> Iterator[Browser]:
    """Serve an application with an explorer, with these observers and more of a manifest."""
    (folder / "guest.wat").write_text(SCRIPT.read_text())
    (folder / "spin.toml").write_text(MANIFEST + more)
    recorder = Recorder()
    with Host.from_manifest(
        folder / "spin.toml",
        observers=[recorder, *observers],
        state_dir=folder / "state",
        follow=(),
    ) as host:
        explorer = Explorer(recorder, lambda: explored_host(host))
        with (
            side_server(host, bind("127.0.0.1:0")) as app,
            side_server(explorer, bind("127.0.0.1:0"), on_end=explorer.end) as where,
        ):
            yield Browser(where.port, explorer.token, app.port)


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """A browser of an application of this test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with exploring(tmp_path) as made:
        yield made


def test_the_page_and_its_files(browser: Browser) -> None:
    """One page, one style, one script; nothing of another origin, and a strict policy."""
    for path, media_type in [
        ("", "text/html"),
        ("explorer.css", "text/css"),
        ("explorer.js", "text/javascript"),
    ]:
        status, content, fields = browser.ask(path)
        assert status == 200 and content
        assert fields.get_content_type() == media_type
        policy = fields["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert fields["x-content-type-options"] == "nosniff"
        assert fields["referrer-policy"] == "no-referrer"
        assert "http://" not in content and "https://" not in content
        assert "innerHTML" not in content and "style=" not in content


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        pytest.param("/", {}, id="no token"),
        pytest.param("/wrong/", {}, id="wrong token"),
        pytest.param("/wrong/api/requests", {}, id="wrong token, data"),
        pytest.param("/api/requests", {}, id="data without token"),
        pytest.param("api/requests", {"host": "evil.example"}, id="rebound name"),
        pytest.param("api/requests", {"host": "127.0.0.1:1"}, id="other port"),
        pytest.param("", {"host": "evil.example"}, id="rebound name, page"),
        pytest.param("api/requests", {"origin": "http://evil.example"}, id="other origin"),
        pytest.param("api/requests", {"origin": "null"}, id="opaque origin"),
        pytest.param("api/requests", {"sec_fetch_site": "cross-site"}, id="another site"),
        pytest.param("api/events", {"sec_fetch_site": "same-site"}, id="another port's page"),
    ],
)
def test_who_may_not_ask(browser: Browser, path: str, fields: dict[str, str]) -> None:
    """Whoever lacks the token, comes by another name, or is another site."""
    status, found, headers = browser.ask(path, **fields)
    assert status == 403 and "problem" in found
    assert "access-control-allow-origin" not in headers


def test_names_of_loopback_are_good(browser: Browser) -> None:
    """By address and as localhost, with the page's own origin."""
    for name in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
        host = f"{name}:{browser.port}"
        assert browser.ask("api/requests", host=host, origin=f"http://{host}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_changes_come_from_the_page_alone(browser: Browser, method: str) -> None:
    """A form of another page cannot send the field that it takes."""
    path = "api/key-value/default/value?key=a"
    assert browser.ask(path, method, "x", x_edgezero_explorer="")[0] == 403


def test_requests(browser: Browser) -> None:
    """What the application answered, and one of them in full."""
    assert browser.visit("/w?a=1") == b"hello"
    assert browser.visit("/t") == b""
    first, second = browser.answered(2)
    assert browser.json("api/requests")["total"] == 2
    assert (first["path"], first["query"], first["status"]) == ("/w", "a=1", 200)
    assert (first["component"], first["route"], first["bytes"]) == ("guest", "/...", 5)
    assert second["status"] == 500 and "unreachable" in second["problem"]
    full = browser.json(f"api/requests/{first['number']}")
    assert {piece["stream"] for piece in full["output"]} == {"stdout", "stderr"}
    assert browser.ask("api/requests/999")[0] == browser.ask("api/requests/x")[0] == 404
    browser.json("api/requests", "DELETE")
    assert browser.json("api/requests")["requests"] == []


def test_live_requests(browser: Browser) -> None:
    """Each is an event when it ends, without being asked for."""
    connection = http.client.HTTPConnection("127.0.0.1", browser.port, timeout=30)
    connection.request("GET", f"/{browser.token}/api/events")
    answer = connection.getresponse()
    assert answer.headers.get_content_type() == "text/event-stream"
    browser.visit("/h")
    for line in answer:
        if line.startswith(b"data: "):
            events = json.loads(line.removeprefix(b"data: "))
            if events[-1]["status"] is not None:
                break
    assert (events[-1]["path"], events[-1]["status"]) == ("/h", 200)
    connection.close()


def test_the_application(browser: Browser) -> None:
    """Routes, components with imports and size, variables; no secret."""
    status, found, _ = browser.ask("api/application")
    assert status == 200
    assert (found["name"], found["version"]) == ("shop", "1.2.3")
    assert found["url"] == f"http://127.0.0.1:{browser.app_port}"
    assert found["routes"][0]["component"] == "guest" and found["routes"][0]["wildcard"]
    [component] = found["components"]
    assert component["id"] == "guest" and component["bytes"] > 0
    assert component["allowed_outbound_hosts"] == ["https://example.com"]
    variables = {variable["name"]: variable for variable in found["variables"]}
    assert variables["said"]["value"] == "hello world" and not variables["said"]["secret"]
    assert variables["address"]["secret"]
    assert "hush" not in json.dumps(found)
    assert (found["key_value"], found["databases"]) == (["default"], ["default"])
    assert browser.json("api/requests")["requests"] == []


@pytest.mark.parametrize(
    ("media_type", "body", "paths"),
    [
        ("application/vnd.oai.openapi+json; version=3.1", '{"openapi": "3.1.0"}', DOCUMENTED),
        ("application/json", '{"other": 1}', []),
        ("application/json", "{", []),
        ("application/json", "1", []),
        ("text/html", '{"openapi": "3.1.0"}', []),
    ],
)
def test_an_app_that_describes_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, media_type: str, body: str, paths: list[str]
) -> None:
    """Has its document linked; it is asked for that without a line in the access log."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lines: list[str] = []
    more = f"""
[[trigger.http]]
route = "/openapi.json"
static_response = {{ headers = {{ content-type = "{media_type}" }}, body = '{body}' }}
"""
    with exploring(tmp_path, AccessLog("text", lines.append), more=more) as browser:
        assert browser.json("api/application")["openapi"] == paths
        assert browser.json("api/requests")["total"] == 0
        assert lines == []
        browser.visit("/openapi.json")
        browser.answered(1)
    assert [line.split()[2] for line in lines] == ["/openapi.json"]


def test_a_key_value_store(browser: Browser) -> None:
    """Entries are listed in order, shown, written and deleted."""
    store = "api/key-value/default"
    for number in range(150):
        browser.json(f"{store}/value?key=n{number:03}", "PUT", f'{{"n": {number}}}')
    browser.json(f"{store}/value?key=%C3%A9%2F%3F", "PUT", b"\xff\x00")
    first = browser.json(store)
    assert first["keys"][:2] == ["n000", "n001"] and len(first["keys"]) == 100 and first["more"]
    rest = browser.json(f"{store}?after={first['keys'][-1]}")
    assert len(rest["keys"]) == 51 and not rest["more"]
    assert browser.json(f"{store}?prefix=n14")["keys"] == [f"n14{n}" for n in range(10)]
    assert browser.json(f"{store}/value?key=n007")["text"] == '{"n": 7}'
    binary = browser.json(f"{store}/value?key=%C3%A9%2F%3F")
    assert (binary["text"], binary["base64"], binary["bytes"]) == (None, "/wA=", 2)
    browser.json(f"{store}/value?key=n007", "DELETE")
    assert browser.ask(f"{store}/value?key=n007")[0] == 404


def test_a_long_text_is_cut_between_characters(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its beginning stays a text; other bytes are shown as such."""
    monkeypatch.setattr(stores, "MOST_VALUE_BYTES", 4)
    value = "api/key-value/default/value?key=a"
    for content, text, encoded in (
        ("aaa\u00e9".encode(), "aaa", None),
        ("aa\u00e9".encode(), "aa\u00e9", None),
        (b"aaa\xc3", None, "YWFhww=="),
        (b"a\xff\xff\xff\xff", None, "Yf///w=="),
    ):
        browser.json(value, "PUT", content)
        found = browser.json(value)
        assert (found["text"], found["base64"]) == (text, encoded)
        assert found["cut"] is (found["bytes"] > 4)


def test_components_that_take_events_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their stores and variables are shown, too."""
    trigger = """
[variables]
greeting = { default = "hello" }
[application.trigger.redis]
address = "redis://127.0.0.1:1"
[[trigger.redis]]
channel = "a"
component = "worker"
"""
    path = write_app(tmp_path, trigger, REDIS)
    grants = 'key_value_stores = ["default"]\nvariables = { said = "{{ greeting }}" }\n'
    path.write_text(path.read_text() + grants)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with Host.from_manifest(path, state_dir="", log_dir="") as host:
        found = explored_host(host)
    assert list(found.key_value) == ["default"]
    assert [variable["value"] for variable in found.variables] == ["hello"]


def test_a_store_that_refuses(browser: Browser, tmp_path: Path) -> None:
    """Its words are the answer."""
    value = "api/key-value/default/value?key=a"
    browser.json(value, "PUT", "x")
    with contextlib.closing(sqlite3.connect(next(tmp_path.rglob("*key_value.db")))) as file, file:
        file.execute("update spin_key_value set value = 7")
    status, found, _ = browser.ask(value)
    assert status == 502 and "the value is a number (7)" in found["problem"]


def test_a_database(browser: Browser) -> None:
    """Its tables, and statements of one's own."""
    path = "api/sqlite/default"
    browser.json(path, "POST", "create table notes (id integer primary key, text)")
    inserted = browser.json(path, "POST", "insert into notes (text) values ('a'), (x'00')")
    assert inserted["changes"] == 2
    found = browser.json(path, "POST", "select * from notes")
    assert (found["columns"], found["rows"]) == (["id", "text"], [[1, "a"], [2, "(1 bytes)"]])
    assert browser.json(path)["tables"][0][0] == "notes"
    status, refused, _ = browser.ask(path, "POST", "select nonsense")
    assert status == 422 and "nonsense" in refused["problem"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "api/key-value/other", None, 404),
        ("GET", "api/sqlite/other", None, 404),
        ("PUT", "api/key-value/default/value?key=", b"x", 422),
        ("PUT", "api/key-value/default/value?key=a", b"x" * (1024 * 1024 + 1), 413),
        ("PATCH", "api/key-value/default/value?key=a", b"x", 405),
        ("POST", "api/sqlite/default", b"\xff", 422),
        ("POST", "api/sqlite/default", b" ", 422),
        ("GET", "api/requests/" + "9" * 5000, None, 404),
        ("GET", "api/requests/x", None, 404),
        ("GET", "api/nothing", None, 404),
        ("GET", "../../pyproject.toml", None, 404),
        ("GET", "page/index.html", None, 404),
    ],
)
def test_what_cannot_be_done(
    browser: Browser, method: str, path: str, body: bytes | None, status: int
) -> None:
    """Is said in one sentence."""
    found, content, _ = browser.ask(path, method, body)
    assert found == status and content["problem"]


ENDLESS = "with recursive c (n) as (select 1 union all select n + 1 from c) select count(*) from c"


def test_numbers_that_json_lacks(browser: Browser) -> None:
    """They are text, so that a browser can read the answer."""
    found = browser.json(
        "api/sqlite/default", "POST", "select 9e999, -9e999, 1.5, 9007199254740993"
    )
    assert found["rows"] == [["inf", "-inf", 1.5, "9007199254740993"]]


def test_a_statement_that_does_not_end(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped, and says so; the page answers meanwhile."""
    monkeypatch.setattr(stores, "STATEMENT_S", 0.5)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(browser.ask, "api/sqlite/default", "POST", ENDLESS)
        assert browser.json("api/requests")["requests"] == []
        status, found, _ = asked.result()
    assert status == 422 and "stopped after 0.5 seconds" in found["problem"]


def test_the_end_waits_for_no_statement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that runs when the explorer ends is stopped with it, not at its time limit."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(stores, "STATEMENT_S", 3600.0)
    began, ended = threading.Event(), threading.Event()
    run = stores.run_statement

    def noted(*given: Any) -> dict[str, Any]:
        began.set()
        try:
            return run(*given)
        finally:
            ended.set()

    monkeypatch.setattr(serving, "run_statement", noted)
    with ThreadPoolExecutor() as pool:
        with exploring(tmp_path) as browser:
            pool.submit(browser.ask, "api/sqlite/default", "POST", ENDLESS)
            assert began.wait(30)
        assert ended.wait(30)


def test_a_failure_of_the_explorer(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an answer and a line of the log."""

    def fail(*given: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(serving, "list_tables", fail)
    status, found, _ = browser.ask("api/sqlite/default")
    assert status == 500 and "log" in found["problem"]


def test_the_address_without_its_last_slash(browser: Browser) -> None:
    """It leads to the page, for whoever has the token alone."""
    status, _, fields = browser.ask(f"/{browser.token}")
    assert (status, fields["location"]) == (308, f"/{browser.token}/")
    assert browser.ask(f"/{browser.token}x")[0] == 403
    assert browser.ask(f"/{browser.token}", host="evil.example")[0] == 403
