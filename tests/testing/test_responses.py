"""Responses in the words of httpx, natively and of outbound requests."""

from collections.abc import Iterator
from typing import assert_type

import attrs
import pytest

from edgezero_spin import App, Headers, Outbound, OutboundStatusError, Response
from edgezero_spin.testing import ScriptedAnswer, StatusError, TestClient


@attrs.frozen
class Note:
    """What is answered."""

    title: str


app = App()


@app.get("/status/{status}")
def with_status(status: int) -> Response:
    """Any status."""
    return Response("body", status)


@app.get("/note")
def note() -> Note:
    """JSON."""
    return Note("Bread")


@app.get("/cookies")
def cookies() -> Response:
    """Cookies, one of them deleted, and what is none."""
    fields = [("session", "7; Path=/; HttpOnly"), ("gone", "; Max-Age=0"), ("text", '"a b"')]
    pairs = [("set-cookie", f"{name}={value}") for name, value in fields]
    return Response("", 200, [*pairs, ("set-cookie", "nothing")])


@app.get("/lines")
def lines() -> Iterator[bytes]:
    """Three lines, broken where no reader expects it."""
    yield from (b"one\r", b"\ntw\xc3", b"\xb6\n\nth", b"ree")


@app.get("/outbound")
async def outbound(outbound: Outbound) -> dict[str, object]:
    """What an outbound response says."""
    answer = await outbound.send("GET", "https://notes.example/a")
    assert_type(await answer.json(Note), Note)
    pieces = [piece async for piece in answer.iter_bytes()]
    return {
        "status_code": answer.status_code,
        "success": answer.raise_for_status().is_success,
        "error": answer.is_error or answer.is_redirect,
        "cookies": answer.cookies,
        "pieces": b"".join(pieces).decode(),
    }


@app.get("/failing")
async def failing(outbound: Outbound) -> None:
    """An answer that is none of success."""
    (await outbound.send("GET", "https://notes.example/b")).raise_for_status()


@pytest.mark.parametrize(
    ("status", "phrase", "kind"),
    [
        (200, "OK", "is_success"),
        (299, "", "is_success"),
        (304, "Not Modified", "is_redirect"),
        (404, "Not Found", "is_client_error"),
        (599, "", "is_server_error"),
    ],
)
def test_a_status_by_its_kind(status: int, phrase: str, kind: str) -> None:
    """Exactly one kind is true; an error is one of the client's or of the server's."""
    with TestClient(app) as client:
        answer = client.get(f"/status/{status}")
    assert (answer.status_code, answer.reason_phrase) == (status, phrase)
    kinds = ("is_success", "is_redirect", "is_client_error", "is_server_error")
    assert [name for name in kinds if getattr(answer, name)] == [kind]
    assert answer.is_error == (status >= 400)


def test_raising_for_a_status() -> None:
    """The response itself, or an error that shows what was answered."""
    with TestClient(app) as client:
        assert client.get("/note").raise_for_status().json(Note) == Note("Bread")
        with pytest.raises(StatusError, match=r"GET /status/404 answered 404: 'body'"):
            client.get("/status/404").raise_for_status()
        with client.stream("GET", "/status/500") as answer:
            with pytest.raises(StatusError) as raised:
                answer.raise_for_status()
            assert (raised.value.status, raised.value.content) == (500, None)
            assert b"".join(answer.iter_bytes()) == b"body"


def test_json_has_the_type_that_was_asked_for() -> None:
    """To a type checker, too."""
    with TestClient(app) as client:
        answer = client.get("/note")
    assert_type(answer.json(Note), Note)
    assert_type(answer.json(dict[str, str]), dict[str, str])
    assert answer.json() == {"title": "Bread"}


def test_a_streamed_body_as_text() -> None:
    """By pieces and by lines, whole characters and whole lines."""
    client = TestClient(app)
    with client.stream("GET", "/lines") as answer:
        assert list(answer.iter_lines()) == ["one", "twö", "", "three"]
    with client.stream("GET", "/lines") as answer:
        assert "".join(answer.iter_text()) == "one\r\ntwö\n\nthree"


def test_cookies_by_name() -> None:
    """Without their attributes; what is not a cookie is left out."""
    with TestClient(app) as client:
        assert client.get("/cookies").cookies == {"session": "7", "gone": "", "text": "a b"}


def test_an_outbound_response_speaks_the_same_words() -> None:
    """Status, cookies, pieces, and an error that is a 500 where nobody catches it."""
    with TestClient(app) as client:
        client.http.on(
            "https://notes.example/a",
            answer=lambda sent: ScriptedAnswer(
                content=b'{"title":"Bread"}', headers=Headers([("set-cookie", "a=1; Path=/")])
            ),
        )
        client.http.on("https://notes.example/b", answer=lambda sent: ScriptedAnswer(status=404))
        assert client.get("/outbound").json() == {
            "status_code": 200,
            "success": True,
            "error": False,
            "cookies": {"a": "1"},
            "pieces": '{"title":"Bread"}',
        }
        failed = client.get("/failing")
    assert failed.status_code == OutboundStatusError.status == 500
    assert "answered with 404" in failed.json()["error"]["message"]
