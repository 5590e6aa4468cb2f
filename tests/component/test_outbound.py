"""Requests that a component sends, on the embedded host and on jco."""

from collections.abc import Iterator

import httpx
import pytest

from tests.component.conftest import Build
from tests.component.servers import Server, embedded, jco
from tests.component.upstream import upstream


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    """The base URL of the server that is called."""
    with upstream() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module", params=["embedded", "embedded, WASI 0.3", "jco"])
def server(request: pytest.FixtureRequest, build: Build, target: str) -> Iterator[Server]:
    """The guest ``outbound``; the embedded host grants it the upstream and nothing else."""
    component = build("outbound", wasi="0.3" if "0.3" in request.param else "0.2")
    if request.param == "jco":
        serving = jco(component)
    else:
        serving = embedded(component, f'allowed_outbound_hosts = ["{target}"]')
    with serving as served:
        yield served


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """A client that is closed after the test."""
    with httpx.Client(base_url=server.url, timeout=30) as opened:
        yield opened


def test_a_client_sends_a_body_and_reads_the_answer(client: httpx.Client, target: str) -> None:
    """POST out, text back."""  # CONF-8
    answer = client.get("/send", headers={"x-target": f"{target}/echo"})
    assert answer.json() == {"status": 200, "body": "Hello, world!"}


def test_a_proxy_keeps_method_tags_and_body(client: httpx.Client, target: str) -> None:
    """The upstream sees its own host and no header of this host's."""  # PRX-1, OUTH-15
    headers = {"x-target": f"{target}/seen?a=1", "x-tag": "kept"}
    answer = client.put("/forward", headers=headers, content=b"x" * 100_000)
    assert answer.headers["x-edgezero-proxy"] == "spin"
    seen = answer.json()
    assert (seen["method"], seen["path"], seen["length"]) == ("PUT", "/seen?a=1", 100_000)
    assert seen["host"] == target.removeprefix("http://")
    assert seen["tags"] == ["kept"]


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        pytest.param("/teapot", 418, b"short and stout", id="status"),
        pytest.param("/gzip", 200, b"hello gzip", id="decoded"),
        pytest.param("/large", 200, bytes(range(256)) * 20_000, id="five million bytes"),
    ],
)
def test_answers_pass(
    client: httpx.Client, target: str, path: str, status: int, body: bytes
) -> None:
    """Status and body arrive; a gzip body arrives decoded."""  # PRX-3, PRX-5
    answer = client.get("/forward", headers={"x-target": f"{target}{path}"})
    assert (answer.status_code, answer.content) == (status, body)


def test_an_answer_that_is_not_read_does_no_harm(client: httpx.Client, target: str) -> None:
    """Its resources are dropped in the order that WASI asks for."""
    assert client.get("/unread", headers={"x-target": f"{target}/large"}).text == "200"


def test_answers_that_become_garbage_do_no_harm(client: httpx.Client, target: str) -> None:
    """In whatever order the collector finds them, children go before their parents."""
    assert client.get("/garbage", headers={"x-target": f"{target}/large"}).text == "alive"


def test_requests_are_under_way_together(client: httpx.Client, target: str) -> None:
    """None of eight is answered before all are there, and a timer goes on meanwhile."""
    answer = client.get("/together/8", headers={"x-target": f"{target}/meet"})
    assert answer.json() == {"answers": ["met"] * 8, "ticked": True}


def test_waiting_for_an_answer_can_be_given_up(client: httpx.Client, target: str) -> None:
    """Before its head, in its body, and by a task that is left behind; nothing traps."""
    for _ in range(3):
        answer = client.get("/give-up", headers={"x-target": target})
        assert answer.text == "no answer, no end"


def test_a_host_that_is_not_granted_is_refused(server: Server, client: httpx.Client) -> None:
    """By the embedded host, as Spin does; jco knows no manifest."""  # OUTH-4
    if server.name != "embedded":
        pytest.skip("jco grants everything")
    answer = client.get("/send", headers={"x-target": "http://127.0.0.1:9/"})
    assert answer.json() == {"code": "HTTP-request-denied"}


def test_nobody_listens(server: Server, client: httpx.Client, target: str) -> None:
    """A refused connection has its own code."""  # OUTH-7
    if server.name == "embedded":
        pytest.skip("the upstream is all that is granted")
    answer = client.get("/send", headers={"x-target": "http://127.0.0.1:9/"})
    assert answer.json()["code"] == "connection-refused"
