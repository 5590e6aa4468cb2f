"""Components of ours for WASI 0.3 on the embedded host: requests beside each other."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from edgezero_spin.host import Host, HttpRequest, ResponseAborted
from tests.component.conftest import Build
from tests.component.hosts_03 import PATIENCE_S

Work = Callable[["Asking"], Awaitable[None]]


class Asking:
    """Sends requests to a host."""

    def __init__(self, host: Host) -> None:
        self.host = host

    async def __call__(self, path: str, content: bytes | None = None) -> tuple[int, str]:
        """Return status and body of the answer."""
        method = "GET" if content is None else "PUT"
        request = HttpRequest(method, path, body=content or b"")
        answer = await self.host.handle(request)
        return answer.status, (await answer.read()).decode()


@pytest.fixture(scope="module")
def component(build: Build) -> str:
    """The guest ``concurrent``."""
    return str(build("concurrent", wasi="0.3"))


@pytest.fixture
def run(component: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Work], None]]:
    """Has something done with a host of that guest."""
    # On a busy machine an instance may look as if it computed.
    monkeypatch.setattr("edgezero_spin.host.execution.concurrent.PATIENCE_S", PATIENCE_S)
    with Host.from_component(component) as host:
        yield lambda work: asyncio.run(_to_end(work(Asking(host))))


async def _to_end(work: Awaitable[None]) -> None:
    await work


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
def test_a_handler_answers(run: Callable[[Work], None], path: str, expected: str) -> None:
    """A handler runs on our host as it does on others."""

    async def work(ask: Asking) -> None:
        assert await ask(path) == (200, expected)

    run(work)


@pytest.mark.parametrize("length", [0, 1, 65536, 1 << 20])
def test_bodies_stream_both_ways(run: Callable[[Work], None], length: int) -> None:
    """What a handler is sent reaches it whole, and so does what it sends back.  # WH-15, WH-31"""
    content = (bytes(range(32, 127)) * (length // 95 + 1))[:length]

    async def work(ask: Asking) -> None:
        assert await ask("/size", content) == (200, str(length))
        assert await ask("/back", content) == (200, content.decode())

    run(work)


def test_requests_meet_in_one_instance(run: Callable[[Work], None]) -> None:
    """Neither of two requests is answered before the other is there, too.  # CA-30, IL-11"""

    async def work(ask: Asking) -> None:
        answers = await asyncio.gather(*[ask("/meet/2") for _ in range(2)])
        assert answers == [(200, "met 2")] * 2

    run(work)


def test_sixteen_requests_share_an_instance(run: Callable[[Work], None]) -> None:
    """A hundred requests that wait take seven instances, and all wait at once.  # IL-2, IL-13"""

    async def work(ask: Asking) -> None:
        asked = [asyncio.create_task(ask("/sleep/1000")) for _ in range(100)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert ask.host.running == 7
        assert {await task for task in asked} == {(200, "slept 1000")}

    run(work)


def test_what_fails_hurts_no_neighbour(run: Callable[[Work], None]) -> None:
    """Errors, exits, broken and abandoned bodies and uploads beside requests that wait.

    PY-20, IL-27 to IL-29: all of it in one instance, which goes on.
    """

    async def cut() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        raise ConnectionResetError

    async def work(ask: Asking) -> None:
        assert (await ask("/left-behind"))[1] == "cancelled before: 0"
        neighbours = [asyncio.create_task(ask("/sleep/1500")) for _ in range(3)]
        assert (await ask("/exit"))[0] == 500
        with pytest.raises(ResponseAborted):
            await ask("/broken")
        endless = await ask.host.handle(HttpRequest("GET", "/pieces/100000000"))
        await anext(endless.iter_bytes())
        await endless.aclose()
        left = asyncio.create_task(ask("/sleep/3600000"))
        await asyncio.sleep(0)
        left.cancel()
        upload = asyncio.create_task(ask.host.handle(HttpRequest("PUT", "/back", body=cut())))
        with contextlib.suppress(ResponseAborted):
            await (await upload).read()
        for _ in range(3):
            assert (await ask("/timeout"))[1] == "timed out"
        assert await asyncio.gather(*neighbours) == [(200, "slept 1500")] * 3
        # Its module is where what was left behind at the beginning is counted.
        assert (await ask("/left-behind"))[1] == "cancelled before: 1"
        assert ask.host.running + ask.host.waiting == 1

    run(work)


def test_an_instance_serves_128_requests(run: Callable[[Work], None]) -> None:
    """What it keeps is gone with the 129th request, which gets another instance.  # IL-1"""

    async def work(ask: Asking) -> None:
        seen = [await ask("/left-behind") for _ in range(130)]
        assert seen[127] == (200, "cancelled before: 127")
        assert seen[128] == (200, "cancelled before: 0")

    run(work)
