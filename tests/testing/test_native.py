"""The client of an app in this process."""

import asyncio
import logging
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from edgezero_spin import App, Response
from edgezero_spin.testing import BrokenBodyError, KitError, NoAnswerError, TestClient
from tests.testing.notes_app import Note


def test_a_request_and_its_answer(client: TestClient) -> None:
    """Status, headers, text, JSON and the typed value of a body."""
    response = client.get("/notes/bread")
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {"title": "Bread", "tags": []}
    assert response.json(Note) == Note("Bread")
    assert response.text == '{"title":"Bread","tags":[]}'
    assert response.content == response.text.encode()
    assert response.failure is None
    assert response.usage is None


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param(
            {"json": {"a": [1]}},
            {"body": '{"a":[1]}', "type": "application/json", "query": ""},
            id="json",
        ),
        pytest.param({"json": None}, {"body": "null", "type": "application/json"}, id="null"),
        pytest.param(
            {"data": {"a": "1 2"}},
            {"body": "a=1+2", "type": "application/x-www-form-urlencoded"},
            id="form",
        ),
        pytest.param({"content": "text"}, {"body": "text", "type": None}, id="text"),
        pytest.param({"content": iter([b"a", b"b"])}, {"body": "ab", "type": None}, id="pieces"),
        pytest.param(
            {"content": b"x", "headers": {"Content-Type": "a/b"}}, {"type": "a/b"}, id="header"
        ),
        pytest.param(
            {"params": {"a": "ä b", "on": True}}, {"query": "a=%C3%A4+b&on=true"}, id="params"
        ),
    ],
)
def test_what_a_test_can_send(
    client: TestClient, parts: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Bodies, headers and query arrive as they are described."""
    said = client.post("/echo", **parts).json()
    assert {name: said[name] for name in expected} == expected


def test_params_are_added_to_a_query(client: TestClient) -> None:
    """A query in the target stays in front."""
    assert client.post("/echo?x=1", params=[("y", 2)]).json()["query"] == "x=1&y=2"


def test_one_body_only(client: TestClient) -> None:
    """Two bodies are a mistake in the test."""
    with pytest.raises(TypeError, match="one body"):
        client.post("/echo", json=1, content=b"2")


def test_requests_carry_what_a_host_adds(client: TestClient) -> None:
    """A handler sees the headers of Spin, and cannot be fooled by a client's."""  # HDR-1..15
    pairs = client.get(
        "http://example.com/headers?x=1",
        headers=[("x-a", "1"), ("spin-path-info", "/forged"), ("x-b", "2"), ("X-A", "3")],
    ).json()
    assert pairs == [
        ["x-a", "1"],
        ["x-a", "3"],
        ["x-b", "2"],
        ["spin-path-info", "/headers"],
        ["spin-full-url", "http://example.com/headers?x=1"],
        ["spin-matched-route", "/..."],
        ["spin-base-path", "/"],
        ["spin-raw-component-route", "/..."],
        ["spin-component-route", ""],
        ["spin-client-addr", "127.0.0.1:0"],
    ]


def test_a_header_that_hosts_refuse(client: TestClient) -> None:
    """``connection`` in a response is a 500 here as it is on a host."""  # HTTP-3
    response = client.get("/forbidden")
    assert response.status == 500
    assert response.json()["error"]["kind"] == "internal"
    assert "'connection'" in response.stderr


def test_no_body_has_no_length(client: TestClient) -> None:
    """A 204 carries no content-length."""
    assert client.get("/nothing").headers.pairs == []


def test_a_streamed_body(client: TestClient) -> None:
    """Pieces come one by one, and an endless body can be left."""
    with client.stream("GET", "/pieces/1000000000") as response:
        assert response.status == 200
        pieces = response.iter_bytes()
        assert [next(pieces) for _ in range(3)] == [b"0\n", b"1\n", b"2\n"]
        with pytest.raises(KitError, match="was not read"):
            response.content  # noqa: B018 - a property that raises
    with client.stream("GET", "/pieces/3") as response:
        assert response.read() == b"0\n1\n2\n"
        assert response.content == b"0\n1\n2\n"


def test_a_body_that_breaks_off(client: TestClient) -> None:
    """What came before is there, and the error says why there is no more."""
    with client.stream("GET", "/broken") as response:
        pieces = response.iter_bytes()
        assert next(pieces) == b"the beginning\n"
        with pytest.raises(BrokenBodyError, match=r"GET /broken broke off.*KeyError: 'halfway'"):
            next(pieces)
    assert "halfway" in response.stderr
    with pytest.raises(BrokenBodyError):
        client.get("/broken")


def test_the_async_face(client: TestClient) -> None:
    """The same methods as coroutines, several requests at once."""

    async def run() -> None:
        first, second = await asyncio.gather(
            client.aio.get("/notes/bread"), client.aio.put("/notes/tea", json={"title": "Tea"})
        )
        assert (first.status, second.status) == (200, 201)
        async with client.aio.stream("GET", "/pieces/3") as response:
            assert [piece async for piece in response.aiter_bytes()] == [b"0\n", b"1\n", b"2\n"]

    asyncio.run(run())
    assert client.kv["notes"].json("tea") == {"title": "Tea", "tags": []}


def test_what_is_written_is_kept(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    """Output is on the response, and where pytest shows it when a test fails."""
    response = client.get("/say")
    assert (response.stdout, response.stderr) == ("to stdout\n", "to stderr\n")
    assert capsys.readouterr() == ("to stdout\n", "to stderr\n")
    failed = client.get("/fail")
    assert failed.status == 500
    assert "RuntimeError: on purpose" in failed.stderr


def test_what_is_logged_is_kept(app: App, caplog: pytest.LogCaptureFixture) -> None:
    """Warnings are on standard error as in a component, unless the app has a handler."""
    with TestClient(app) as client:
        assert client.get("/log/WARNING").stderr == "logged WARNING\n"
        assert client.get("/log/INFO").stderr == ""
        assert client.get("/log/ERROR").stderr.endswith("KeyError: 'cause'\n")
        assert [record.message for record in caplog.records] == ["logged WARNING", "logged ERROR"]
        own = logging.NullHandler()
        logging.getLogger("kit").addHandler(own)
        assert client.get("/log/WARNING").stderr == ""
        logging.getLogger("kit").removeHandler(own)


def test_the_environment_is_the_tests_own(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables are there during a request and gone afterwards."""
    monkeypatch.setenv("KIT_KEPT", "outer")
    client.env |= {"KIT_NEW": "1", "KIT_KEPT": "inner"}
    assert client.get("/environment/KIT_NEW").text == "1"
    assert client.get("/environment/KIT_KEPT").text == "inner"
    assert "KIT_NEW" not in os.environ
    assert os.environ["KIT_KEPT"] == "outer"


def test_stores_may_have_other_names(app: App) -> None:
    """EDGEZERO__ variables rename a store for the test as they do for a host."""
    env = {"EDGEZERO__STORES__KV__NOTES__NAME": "prod"}
    with TestClient(app, kv={"prod": {"bread": {"title": "B"}}}, env=env) as client:
        assert client.get("/notes/bread").status == 200
        assert client.calls.texts == ["open prod", "get prod bread"]


@pytest.mark.parametrize(
    ("target", "line"),
    [
        pytest.param("/wait", "await asyncio.Event().wait()", id="waits"),
        pytest.param("/block", "time.sleep(1.5)", id="blocks"),
    ],
)
def test_a_handler_that_never_answers(app: App, target: str, line: str) -> None:
    """The deadline ends the test, and says where the handler was."""
    with TestClient(app, deadline_s=0.05, env={"KIT_NEW": "1"}) as client:
        with pytest.raises(NoAnswerError, match=rf"GET {target} was not .* 0\.05 s") as caught:
            client.get(target)
        assert line in str(caught.value)
        with pytest.raises(NoAnswerError):
            asyncio.run(client.aio.get(target))
        # Neither the process nor the client is the worse for it.
        assert "KIT_NEW" not in os.environ
        assert client.get("/say").status == 200


def test_a_handler_that_spins_ends_with_the_process() -> None:
    """A loop without end fails its test and does not keep the process."""
    code = (
        "from tests.testing.notes_app import make_app\n"
        "from edgezero_spin.testing import NoAnswerError, TestClient\n"
        "try:\n"
        "    TestClient(make_app(), deadline_s=0.2).get('/spin')\n"
        "except NoAnswerError as error:\n"
        "    assert 'while True' in str(error) or 'pass' in str(error), error\n"
        "    print('given up')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "given up\n"), done.stderr


@pytest.mark.parametrize("target", ["/spin", "/pieces/1000000000"])
def test_what_is_left_behind_ends(app: App, target: str) -> None:
    """A loop is interrupted, an endless body ends, and neither touches the process any more."""
    streams = sys.stdout, sys.stderr
    before = set(threading.enumerate())
    with TestClient(app, deadline_s=0.1, env={"KIT_NEW": "1"}) as client:
        with pytest.raises(NoAnswerError):
            client.get(target)
        for thread in set(threading.enumerate()) - before:
            thread.join(10)
            assert not thread.is_alive()
        assert (sys.stdout, sys.stderr) == streams
        assert "KIT_NEW" not in os.environ
        assert client.get("/environment/KIT_NEW").text == "1"


def test_requests_beside_one_that_is_left_behind(app: App) -> None:
    """They fail with it, and their thread ends without a word."""

    async def run(client: TestClient) -> list[Any]:
        asked = (client.aio.get(target) for target in ("/wait", "/spin"))
        return await asyncio.gather(*asked, return_exceptions=True)

    before = set(threading.enumerate())
    with TestClient(app, deadline_s=0.1) as client:
        assert {type(answer) for answer in asyncio.run(run(client))} == {NoAnswerError}
        for thread in set(threading.enumerate()) - before:
            thread.join(10)
            assert not thread.is_alive()
        assert client.get("/nothing").status == 204


def test_bad_json_is_explained(client: TestClient) -> None:
    """The message shows what was answered instead."""
    with pytest.raises(KitError, match=r"GET /say answered 200 .* 'said'"):
        client.get("/say").json()

    @attrs.frozen
    class Other:
        count: int

    with pytest.raises(KitError, match="count"):
        client.get("/notes/bread").json(Other)


def test_the_import_loads_no_engine() -> None:
    """Native tests pay for no wasmtime and no pytest."""
    code = (
        "import sys, edgezero_spin.testing\n"
        "print([name for name in ('wasmtime', 'pytest', 'click', 'httpx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_tasks_left_behind_are_cancelled() -> None:
    """What nobody awaited ends with its response, as in a component, and no other request's."""
    app = App()
    ended: list[str] = []

    async def linger(name: str) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(name)

    @app.get("/{name}")
    async def begin(name: str) -> list[str]:
        before = list(ended)
        asyncio.create_task(linger(name))  # noqa: RUF006 - that nobody keeps it is the case
        await asyncio.sleep(0)
        return before

    @app.get("/streamed/{name}")
    async def streamed(name: str) -> Response:
        async def body() -> AsyncIterator[bytes]:
            asyncio.create_task(linger(name))  # noqa: RUF006
            yield b"begun"
            await asyncio.sleep(0)

        return Response(body())

    with TestClient(app) as client:
        assert client.get("/first").json() == []
        assert client.get("/second").json() == ["first"]
        assert client.get("/streamed/third").text == "begun"
        assert ended == ["first", "second", "third"]
