"""Credentials of a test client's requests, in the forms that httpx takes."""

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from edgezero_spin import App, HttpError, Request
from edgezero_spin.testing import ComponentClient, TestClient

app = App()


@app.get("/sent")
@app.post("/sent")
async def sent(request: Request) -> dict[str, Any]:
    """What came."""
    return {
        "authorization": request.headers.get_all("authorization"),
        "key": request.headers.get("x-api-key"),
        "query": request.query(dict[str, str]),
        "host": request.authority,
        "body": await request.text(),
    }


@app.get("/digest")
def digest(request: Request) -> str:
    """Let in who answers the challenge (RFC 7616, 3.4.1)."""
    said = request.headers.get("authorization", "")
    ha1 = hashlib.md5(b"ann:tealeaf:s").hexdigest()
    fields = dict(
        pair.strip().replace('"', "").split("=", 1)
        for pair in said.removeprefix("Digest ").split(",")
        if "=" in pair
    )
    ha2 = hashlib.md5(f"GET:{fields.get('uri')}".encode()).hexdigest()
    wanted = hashlib.md5(f"{ha1}:n1:{ha2}".encode()).hexdigest()
    if fields.get("response") != wanted:
        challenge = {"www-authenticate": 'Digest realm="tealeaf", nonce="n1"'}
        raise HttpError(401, "who are you?", headers=challenge)
    return "in"


def basic(pair: bytes) -> str:
    """The field that says a user and a password."""
    return f"Basic {b64encode(pair).decode()}"


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A client without credentials."""
    with TestClient(app) as made:
        yield made


@pytest.mark.parametrize(
    ("auth", "pair"),
    [
        pytest.param(("ann", "s3cret"), b"ann:s3cret", id="text"),
        pytest.param((b"ann", b"\xff"), b"ann:\xff", id="bytes"),
        pytest.param(("ünn", "a:b"), "ünn:a:b".encode(), id="beyond ASCII"),
        pytest.param(("", ""), b":", id="empty"),
        pytest.param(httpx.BasicAuth("ann", "s3cret"), b"ann:s3cret", id="httpx.BasicAuth"),
    ],
)
def test_basic(client: TestClient, auth: Any, pair: bytes) -> None:
    """A user and a password are one field, in place of one that was there (RFC 7617)."""
    headers = {"Authorization": "Bearer old"}
    answer = client.get("/sent", auth=auth, headers=headers)
    assert answer.json()["authorization"] == [basic(pair)]


def test_credentials_of_a_client() -> None:
    """They go with every request that has none of its own, and a request can do without."""
    with TestClient(app, auth=("ann", "1")) as client:

        def said(**parts: Any) -> Any:
            return client.get("/sent", **parts).json()["authorization"]

        assert said() == [basic(b"ann:1")]
        assert said(auth=("bob", "2")) == [basic(b"bob:2")]
        assert said(auth=None) == []
        client.auth = ("eve", "3")
        assert said() == [basic(b"eve:3")]
        with client.stream("GET", "/sent") as answer:
            assert basic(b"eve:3") in answer.read().decode()
        answered = asyncio.run(client.aio.get("/sent", auth=("bob", "2")))
        assert answered.json()["authorization"] == [basic(b"bob:2")]


def test_credentials_of_a_url(client: TestClient) -> None:
    """They are no part of the host, and give way to others."""
    answer = client.get("http://ann:a%40b@notes.example:81/sent").json()
    assert (answer["authorization"], answer["host"]) == ([basic(b"ann:a@b")], "notes.example:81")
    answer = client.get("http://ann:1@notes.example/sent", auth=("bob", "2")).json()
    assert answer["authorization"] == [basic(b"bob:2")]


def test_a_function(client: TestClient) -> None:
    """It may set fields and change the query; nothing else is added to the request."""

    def key(request: httpx.Request) -> httpx.Request:
        request.headers["X-Api-Key"] = "k1"
        request.url = request.url.copy_merge_params({"signed": "yes"})
        return request

    answer = client.post("/sent?page=2", json=[1], auth=key).json()
    assert (answer["key"], answer["query"]) == ("k1", {"page": "2", "signed": "yes"})
    assert (answer["body"], answer["host"]) == ("[1]", "localhost")
    pieces = client.post("/sent", content=iter([b"a", b"b"]), auth=key).json()
    assert (pieces["body"], pieces["key"]) == ("ab", "k1")


def test_digest(client: TestClient) -> None:
    """An object of httpx may send several requests for one, which give the last answer."""
    assert client.get("/digest", auth=httpx.DigestAuth("ann", "s")).text == "in"
    assert client.get("/digest", auth=httpx.DigestAuth("ann", "wrong")).status == 401


class Again(httpx.Auth):
    """Sends its request twice."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        yield request
        yield request


class Other(httpx.Auth):
    """Sends another request after the first."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        yield request
        yield httpx.Request("GET", request.url)


@pytest.mark.parametrize("kept", [{}, {"before": "0"}])
@pytest.mark.parametrize("auth", [httpx.DigestAuth("ann", "s"), Again(), Other()])
def test_cookies_between_the_requests_of_a_flow(auth: httpx.Auth, kept: dict[str, str]) -> None:
    """A request has the cookies that it has with a client of httpx; the client keeps them all."""
    seen: list[str | None] = []
    said = {
        "www-authenticate": 'Digest realm="tealeaf", nonce="n1"',
        "set-cookie": "session=1",
    }
    answering = App()

    @answering.get("/")
    def answer(request: Request) -> str:
        seen.append(request.headers.get("cookie"))
        if len(seen) == 1:
            raise HttpError(401, headers=said)
        return "in"

    with TestClient(answering, cookies=kept) as client:
        assert client.get("http://notes.example/", auth=auth).text == "in"
        assert dict(client.cookies) == {**kept, "session": "1"}
    ours, seen = seen, []

    def answered(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie"))
        return httpx.Response(401, headers=said) if len(seen) == 1 else httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(answered), cookies=kept) as judge:
        judge.get("http://notes.example/", auth=auth)
    assert ours == seen


def test_a_flow_that_reads(client: TestClient) -> None:
    """Bodies are there where a flow asks for them."""

    class Signed(httpx.Auth):
        requires_request_body = True
        requires_response_body = True
        seen: bytes = b""

        def auth_flow(
            self, request: httpx.Request
        ) -> Generator[httpx.Request, httpx.Response, None]:
            request.headers["x-api-key"] = request.content.decode()
            answer = yield request
            self.seen = answer.content

    auth = Signed()
    answer = client.post("/sent", content=iter([b"a", b"b"]), auth=auth)
    assert (answer.json()["key"], answer.json()["body"]) == ("ab", "ab")
    assert auth.seen == answer.content


@pytest.mark.parametrize("auth", ["ann:s3cret", ("ann",), ("ann", 3), {"ann": "s3cret"}, 7])
def test_what_cannot_be(client: TestClient, auth: Any) -> None:
    """It is refused before anything is sent, and no password is shown."""
    with pytest.raises(TypeError, match=r"auth: give \(user, password\)") as caught:
        TestClient(app, auth=auth)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(TypeError, match=r"auth: give \(user, password\)"):
        client.get("/sent", auth=auth)


@pytest.mark.component
def test_a_component(wasm: Path) -> None:
    """The client of a component sends the same as that of an app."""
    with ComponentClient(wasm, auth=("ann", "1")) as client:
        assert ["authorization", basic(b"ann:1")] in client.get("/headers").json()
        answer = client.get("/headers", auth=httpx.BasicAuth("bob", "2")).json()
        assert [pair[1] for pair in answer if pair[0] == "authorization"] == [basic(b"bob:2")]
        assert "authorization" not in client.get("/headers", auth=None).text
