"""Requests that an app sends natively: what goes out, what comes back, what fails how."""

import asyncio
import gzip
import socket
from collections.abc import Iterator

import pytest

from edgezero_spin import App, Outbound, OutboundError, Response
from edgezero_spin.testing import BrokenBodyError, TestClient
from tests.component.upstream import upstream


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    """The base URL of the server that is called."""
    with upstream() as port:
        yield f"http://127.0.0.1:{port}"


def sending(url: str, timeout_s: float | None = None) -> App:
    """An app that sends one request and tells what came of it."""
    app = App()

    @app.get("/")
    async def send(outbound: Outbound) -> dict[str, object]:
        try:
            answer = await outbound.send("GET", url, timeout_s=timeout_s)
        except OutboundError as error:
            return {"code": error.code}
        headers = dict(answer.headers.items())
        return {"headers": headers, "body": (await answer.bytes()).hex()}

    @app.get("/slow")
    async def slow() -> str:
        # Not a wait for time to pass: the caller gives up first.
        await asyncio.Event().wait()
        return "never"

    return app


def test_a_compressed_answer_arrives_as_it_was_sent(target: str) -> None:
    """A host decodes nothing, so the kit does not either."""  # OUTH-17
    with TestClient(sending(f"{target}/gzip")) as client:
        client.http.pass_through(f"{target}/*")
        said = client.get("/").json()
    assert said["headers"]["content-encoding"] == "gzip"
    assert gzip.decompress(bytes.fromhex(said["body"])) == b"hello gzip"


def test_nothing_is_added_to_a_request(target: str) -> None:
    """No agent, no encodings, no framing without a body: what the app did not set is not sent."""
    with TestClient(sending(f"{target}/framing")) as client:
        client.http.pass_through(f"{target}/*")
        said = client.get("/").json()
    assert bytes.fromhex(said["body"]) == b'{"content-length": null, "transfer-encoding": null}'


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("url", "timeout_s", "code"),
    [
        pytest.param("http://127.0.0.1:{free}/", None, "connection-refused", id="nobody listens"),
        pytest.param("http://nobody.invalid/", None, "DNS-error", id="no such name"),
        pytest.param("http://a..b/", None, "DNS-error", id="no name"),
        pytest.param("http://xn--/", None, "DNS-error", id="no label"),
        pytest.param("http://1.2.3.999/", None, "DNS-error", id="no address"),
        pytest.param("{target}/never", 0.05, "connection-read-timeout", id="no answer in time"),
        pytest.param("https://{authority}/", None, "TLS-protocol-error", id="no TLS"),
    ],
)
def test_failures_have_the_codes_of_a_host(
    target: str, url: str, timeout_s: float | None, code: str
) -> None:
    """So that what an app does about them can be tested natively."""  # OUTH-6 to OUTH-10
    authority = target.removeprefix("http://")
    url = url.format(target=target, authority=authority, free=free_port())
    with TestClient(sending(url, timeout_s)) as client:
        client.http.pass_through(url)
        assert client.get("/").json() == {"code": code}


def test_a_script_sees_how_long_the_app_waits() -> None:
    """The time that it gives an answer is part of what was sent."""
    with TestClient(sending("http://a.example/", 2.5)) as client:
        client.http.on("http://a.example/")
        client.get("/")
        assert client.http.requests[0].timeout_s == 2.5


@pytest.mark.parametrize("url", ["/slow", "http://self/slow", "http://self.alt/slow"])
def test_an_answer_of_the_application_itself_may_come_too_late(url: str) -> None:
    """Its time counts inside, too."""  # OUTH-7, CHAIN-1
    with TestClient(sending(url, 0.05)) as client:
        assert client.get("/").json() == {"code": "connection-read-timeout"}


def answering(response: Response) -> App:
    """An app with one answer."""
    app = App()

    @app.get("/")
    async def answer() -> Response:
        return response

    return app


@pytest.mark.parametrize("length", ["3", "5"])
def test_a_wrong_content_length_is_a_500(length: str) -> None:
    """As in a component, where nothing has been sent when it shows."""  # HTTP-13, HTTP-14
    with TestClient(answering(Response(b"four", headers={"content-length": length}))) as client:
        answer = client.get("/")
    assert answer.status == 500
    assert f"says {length}, the body has 4 bytes" in answer.stderr


@pytest.mark.parametrize("length", ["3", "5"])
def test_a_streamed_body_of_a_wrong_length_breaks_off(length: str) -> None:
    """Its head is out already."""  # HTTP-13, HTTP-14
    streamed = Response(iter([b"fo", b"ur"]), headers={"content-length": length})
    with TestClient(answering(streamed)) as client, pytest.raises(BrokenBodyError):
        client.get("/")


@pytest.mark.parametrize(
    ("response", "length"),
    [
        pytest.param(Response(b"four", headers={"content-length": "4"}), "4", id="known"),
        pytest.param(Response(b"four"), None, id="not said"),
        pytest.param(Response(iter([b"four"])), None, id="streamed"),
    ],
)
def test_an_answer_to_head_has_the_length_of_get_or_none(
    response: Response, length: str | None
) -> None:
    """Never 0 where GET has a body."""  # RFC 9110, 8.6
    with TestClient(answering(response)) as client:
        answer = client.head("/")
    assert answer.headers.get("content-length") == length
    assert answer.content == b""
