"""Replacing an application while requests are in flight."""

import asyncio
from typing import Any

import pytest

from edgezero_spin.host import Host, HostSettings, HttpRequest, Switch
from edgezero_spin.host.http.gateway import CompleteResponse
from edgezero_spin.host.http.server import Listening, serve_async
from edgezero_spin.host.http.trigger import HttpEntry
from edgezero_spin.host.runtime.engine import Engine
from tests.host.support import HostLog, script_host, until
from tests.host.wire import exchange, get, serving

SETTINGS = HostSettings(cache_dir=None, parallel=1)


def versions(engine: Engine) -> tuple[Host, Host]:
    """Two hosts that are told apart by what ``/version`` answers."""
    first, second = (
        script_host(
            engine,
            HttpEntry(id="all", route="/...", component="script"),
            HttpEntry(id="version", route="/version", static=CompleteResponse(200, (), body)),
            settings=SETTINGS,
        )
        for body in (b"1", b"2")
    )
    return first, second


async def body_of(switch: Switch, target: str) -> bytes:
    """What a request gets."""
    return await (await switch.handle(HttpRequest(target=target))).read()


def test_requests_stay_with_the_host_they_came_to(shared_engine: Engine) -> None:
    """Running and queued ones end there, later ones go to the next; then the old one closes."""
    first, second = versions(shared_engine)

    async def scenario() -> None:
        switch = Switch(first)
        # Each sleeps 50 ms before its body; most of them wait for a thread.
        flying = [asyncio.create_task(body_of(switch, "/q")) for _ in range(6)]
        await until(lambda: first.running > 0)
        replaced = asyncio.create_task(switch.replace(second))
        await until(lambda: switch.current is second)
        assert await body_of(switch, "/version") == b"2"
        assert await asyncio.gather(*flying) == [b"hello"] * 6
        assert await replaced
        refused = await first.handle(HttpRequest(target="/h"))
        assert refused.status == 503
        assert await body_of(switch, "/h") == b"hello"
        assert await switch.close()

    asyncio.run(scenario())


def test_what_does_not_end_is_cut(shared_engine: Engine) -> None:
    """A guest that sleeps for an hour holds nobody up longer than it may."""
    first, second = versions(shared_engine)

    async def scenario() -> int:
        switch = Switch(first)
        sleeper = asyncio.create_task(switch.handle(HttpRequest(target="/s")))
        await until(lambda: first.running > 0)
        assert not await switch.replace(second, drain_s=0.05)
        await switch.close()
        return (await sleeper).status

    with HostLog():
        assert asyncio.run(scenario()) == 500


async def read_response(reader: asyncio.StreamReader) -> bytes:
    """The body of one response with a content-length."""
    head = await reader.readuntil(b"\r\n\r\n")
    [length] = [
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    return await reader.readexactly(length)


@pytest.mark.parametrize("pause", [False, True], ids=["at once", "between requests"])
def test_a_connection_outlives_its_application(shared_engine: Engine, pause: bool) -> None:
    """A client that keeps its connection sees the old answer, then the new one, no error."""
    first, second = versions(shared_engine)

    async def scenario() -> None:
        switch = Switch(first)
        where: asyncio.Future[Listening] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        server = asyncio.create_task(
            serve_async(switch, "127.0.0.1:0", on_listening=where.set_result, stop=stop)
        )
        listening = await where
        reader, writer = await asyncio.open_connection(listening.host, listening.port)
        request = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
        writer.write(request)
        assert await read_response(reader) == b"1"
        replaced: Any = asyncio.create_task(switch.replace(second))
        if pause:
            await replaced
        else:
            await until(lambda: switch.current is second)
        writer.write(request)
        assert await read_response(reader) == b"2"
        assert await replaced
        assert second.origin == listening.url
        writer.close()
        stop.set()
        await server
        await switch.close()

    asyncio.run(scenario())


def test_a_request_on_a_connection_is_waited_for(shared_engine: Engine) -> None:
    """From the moment it was read, and no longer than until its response is out."""
    first, second = versions(shared_engine)

    async def scenario() -> None:
        switch = Switch(first)
        async with serving(switch) as where:
            asking = [asyncio.create_task(exchange(where, get("/q"))) for _ in range(6)]
            await until(lambda: first.running > 0)
            assert await switch.replace(second)
            for answer in await asyncio.gather(*asking):
                assert answer.endswith(b"hello\r\n0\r\n\r\n")
            assert (await exchange(where, get("/version"))).endswith(b"2")
            assert await switch.close(drain_s=0)

    asyncio.run(scenario())
