"""A component of ours for WASI 0.3 on this host's runtime, driven by an event loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import attrs
import pytest

from edgezero_spin.host.factors.instance import Grants, InstanceState
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.factors.wasi_03.http import Request03, Response03
from edgezero_spin.host.load.interfaces import host_interfaces
from edgezero_spin.host.runtime.engine import EngineSettings, load_component, make_engine
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.interface import Ok
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.host.runtime.prepared import PreparedComponent
from edgezero_spin.host.runtime.scheduler import Completion, Scheduler
from tests.component.conftest import Build


@pytest.fixture(scope="module")
def linked(build: Build) -> Iterator[PreparedComponent]:
    """The guest ``concurrent``, linked to the host's interfaces."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        component = load_component(engine, build("concurrent", wasi="0.3"))
        yield link(engine, component, host_interfaces())


@attrs.define
class Driven:
    """An instance that an event loop pumps."""

    instance: Instance
    tasks: Scheduler
    turned: asyncio.Event = attrs.field(factory=asyncio.Event)

    def pump(self) -> None:
        """Let the instance run."""
        self.tasks.pump()
        self.turned.set()

    async def rest(self) -> None:
        """Wait until no task is left."""
        while not self.tasks.idle:
            self.turned.clear()
            await self.turned.wait()

    async def ask(self, path: str, content: bytes | None = None) -> Response03:
        """Send a request and return the response as soon as there is one."""
        done: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        request = Request03("GET" if content is None else "PUT", path, contents=content)
        call = self.instance.start("wasi:http/handler@0.3.0", "handle", request)
        call.when_done(done.set_result)
        result = (await done).result()
        assert isinstance(result, Ok)
        assert isinstance(result.value, Response03)
        return result.value

    async def text(self, path: str, content: bytes | None = None) -> str:
        """Send a request, read the body and the trailers, and return the text."""
        response = await self.ask(path, content)
        body = bytearray()
        if response.contents is not None:
            while (piece := await response.contents.read(1 << 16)) is not None:
                body += piece
        assert await response.trailers.get() == Ok(None)
        response.finished.set()
        return body.decode()


@asynccontextmanager
async def _driven(linked: PreparedComponent) -> AsyncIterator[Driven]:
    state = InstanceState(Grants(component_id="guest", log=Logs(None).of("guest")))
    with linked.instantiate(state) as instance:
        tasks = instance.tasks
        assert tasks is not None
        loop = tasks.loop = asyncio.get_running_loop()
        driven = Driven(instance, tasks)

        def wake() -> None:
            loop.call_soon_threadsafe(driven.pump)

        tasks.on_wake = wake
        yield driven
        tasks.on_wake = None


def _run(linked: PreparedComponent, work: Callable[[Driven], Awaitable[None]]) -> None:
    async def main() -> None:
        async with _driven(linked) as driven:
            await work(driven)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/", "hello", id="without waiting"),
        pytest.param("/sleep/20", "slept 20", id="a sleep"),
        pytest.param("/timeout", "timed out", id="a timeout"),
        pytest.param("/group", "[0,1,2]", id="a task group"),
        pytest.param("/pieces/4", "0\n1\n2\n3\n", id="a streamed body"),
    ],
)
def test_a_handler_answers(linked: PreparedComponent, path: str, expected: str) -> None:
    """A handler runs on our runtime as it does on others."""

    async def work(driven: Driven) -> None:
        assert await driven.text(path) == expected

    _run(linked, work)


@pytest.mark.parametrize("length", [0, 1, 65536, 1 << 20])
def test_bodies_stream_both_ways(linked: PreparedComponent, length: int) -> None:
    """What a handler is sent reaches it whole, and so does what it sends back.  # CA-50, WH-15"""
    content = bytes(range(32, 127)) * (length // 95 + 1)

    async def work(driven: Driven) -> None:
        assert await driven.text("/size", content[:length]) == str(length)
        assert await driven.text("/back", content[:length]) == content[:length].decode()

    _run(linked, work)


def test_requests_meet_in_one_instance(linked: PreparedComponent) -> None:
    """Neither of two requests is answered before the other is there, too.  # CA-30, CA-32"""

    async def work(driven: Driven) -> None:
        assert await asyncio.gather(*[driven.text("/meet/2") for _ in range(2)]) == ["met 2"] * 2

    _run(linked, work)


def test_an_instance_that_answered_keeps_nothing(linked: PreparedComponent) -> None:
    """No task and no handle is left of a hundred requests.  # IL-23, IL-25, CA-61"""

    async def work(driven: Driven) -> None:
        await driven.text("/")
        await driven.rest()
        before = [len(component.entries) for component in driven.instance.components]
        for _ in range(100):
            assert await driven.text("/") == "hello"
        await driven.rest()
        after = [len(component.entries) for component in driven.instance.components]
        assert after == before

    _run(linked, work)
