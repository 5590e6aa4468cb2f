"""Requests of one instance beside each other, on WASI 0.3 and a host that is not ours."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from tests.component.conftest import Build
from tests.component.servers import Server, wasmtime


@pytest.fixture(scope="module")
def server(build: Build) -> Iterator[Server]:
    """The guest ``concurrent`` on ``wasmtime serve``."""
    with wasmtime(build("concurrent", wasi="0.3")) as opened:
        yield opened


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """A client of that guest."""
    with httpx.Client(base_url=server.url, timeout=60) as opened:
        yield opened


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/", "hello", id="without waiting"),
        pytest.param("/sleep/20", "slept 20", id="a sleep"),
        pytest.param("/timeout", "timed out", id="a timeout"),
        pytest.param("/group", "[0,1,2]", id="a task group"),
        pytest.param("/queue", "[0,1,2,3,4]", id="a queue"),
        pytest.param("/pieces/4", "0\n1\n2\n3\n", id="a streamed body"),
    ],
)
def test_asyncio_works(client: httpx.Client, path: str, expected: str) -> None:
    """What componentize-py's loop lacks, ours has (PY-11, PY-12)."""
    assert client.get(path).text == expected


def test_a_thread_is_refused_in_one_sentence(client: httpx.Client) -> None:
    """There are none in a component, and the message says what to do (PY-11)."""
    assert "no threads" in client.get("/thread").text


@pytest.mark.parametrize("path", ["/meet/2", "/poll/2"])
def test_requests_of_one_instance_wake_each_other(server: Server, path: str) -> None:
    """An event that one request sets, another waits for; so does one that only polls (PY-13)."""

    async def run() -> None:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            await client.get("/")
            waiting = []
            # One after the other, so that the instance takes more than one of them (IL-11).
            for _ in range(12):
                waiting.append(asyncio.create_task(client.get(path)))
                await client.get("/")
            done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            assert all(task.result().status_code == 200 for task in done)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    asyncio.run(run())


def test_context_variables_belong_to_one_request(server: Server) -> None:
    """Each request starts with the values of the import and sees no other's (PY-4)."""

    async def run() -> list[str]:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            answers = await asyncio.gather(*(client.get(f"/name/{n}") for n in range(8)))
        return [answer.text for answer in answers]

    assert asyncio.run(run()) == [f"nobody {n}" for n in range(8)]


def test_what_fails_is_a_500_and_the_instance_lives(client: httpx.Client) -> None:
    """SystemExit in a handler is an error of that request alone (PY-20)."""
    assert client.get("/exit").status_code == 500
    assert client.get("/").text == "hello"


def test_a_body_that_fails_is_cut_off(client: httpx.Client) -> None:
    """Nobody takes half a body for a whole one (WH-37)."""
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/broken")
    assert client.get("/").text == "hello"


def test_tasks_left_behind_are_cancelled(client: httpx.Client) -> None:
    """The call ends all the same, and the task sees its cancellation (PY-31)."""
    # Which instance takes a request is the host's choice, so it is asked more than once.
    answers = [client.get("/left-behind").text for _ in range(40)]
    assert answers[0] == "cancelled before: 0"
    assert any(answer != answers[0] for answer in answers)


def test_bodies_come_whole(client: httpx.Client) -> None:
    """Three megabytes in, counted and sent back (WH-14 to WH-16, WH-31)."""
    data = bytes(range(256)) * 12_000
    assert client.put("/size", content=data).text == str(len(data))
    assert client.put("/back", content=data).content == data
