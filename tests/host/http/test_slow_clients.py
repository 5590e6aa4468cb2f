"""Clients that do not move on: what they can hold, and for how long."""

import asyncio
import contextlib

import pytest

from edgezero_spin.host import Host, HostSettings
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.runtime.engine import Engine
from tests.host.http.test_http1_connection import serving as serving_program
from tests.host.programs import Request, Response, echo
from tests.host.support import Capture, HostLog, script_host, until
from tests.host.wire import WAIT_S, exchange, get, serving

COUNTED = b"POST /E HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"
CHUNKED = b"POST /E HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
LONG = b"POST /E HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\nx"
TIMED_OUT = b"HTTP/1.1 408 Request Timeout"


def small_host(engine: Engine, **settings: object) -> Host:
    """A host with room for four requests."""
    return script_host(
        engine,
        settings=HostSettings(cache_dir=None, max_instances=4, **settings),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("begun", [COUNTED, CHUNKED, LONG], ids=["counted", "chunked", "long"])
def test_bodies_that_do_not_come_leave_room_for_others(shared_engine: Engine, begun: bytes) -> None:
    """However many clients send one byte each, they have half of the instances at most."""

    async def run(host: Host) -> None:
        async with serving(host) as where, contextlib.AsyncExitStack() as opened:
            for _ in range(20):
                _, writer = await asyncio.open_connection(where.host, where.port)
                opened.callback(writer.close)
                writer.write(begun)
            for _ in range(5):
                assert (await exchange(where, get("/c"))).endswith(b"hello")
            # The last of the others may not have ended its instance yet.
            await until(lambda: host.running == 2)

    with small_host(shared_engine) as host:
        asyncio.run(run(host))


def test_a_body_that_waited_for_a_place_is_served(shared_engine: Engine) -> None:
    """When one before it has ended, and without a byte lost."""

    async def run(host: Host) -> bytes:
        async with serving(host) as where:
            first = [await asyncio.open_connection(where.host, where.port) for _ in range(2)]
            for _, writer in first:
                writer.write(CHUNKED)
            await until(lambda: host.running == 2)
            reader, writer = await asyncio.open_connection(where.host, where.port)
            writer.write(CHUNKED)
            for _, other in first:
                other.close()
            await asyncio.wait_for(reader.readuntil(b"1\r\nx\r\n"), WAIT_S)
            writer.write(b"2\r\nyz\r\n0\r\n\r\n")
            rest = await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), WAIT_S)
            writer.close()
            return rest

    with small_host(shared_engine) as host, HostLog():
        assert asyncio.run(run(host)) == b"2\r\nyz\r\n0\r\n\r\n"


@pytest.mark.parametrize("begun", [COUNTED, CHUNKED], ids=["counted", "chunked"])
def test_a_body_has_to_move_on(shared_engine: Engine, begun: bytes) -> None:
    """A client that sends no byte in time gets a 408; where the guest has answered by then, only
    the end of the connection can tell."""

    async def run(host: Host) -> bytes:
        async with serving(host, body_timeout_s=0.1) as where:
            said = await exchange(where, begun)
            await until(lambda: host.idle)
        async with serving_program(echo, body_timeout_s=0.1) as where:
            assert (await exchange(where, begun)).startswith(TIMED_OUT)
        return said

    with small_host(shared_engine) as host, HostLog():
        said = asyncio.run(run(host))
    assert said.startswith(b"HTTP/1.1 200 OK")
    assert not said.endswith(b"0\r\n\r\n")


def test_a_body_that_moves_on_has_its_time() -> None:
    """A client that keeps the pace has; bytes now and then, or framing alone, are not enough."""

    async def run(piece: bytes, rate: int) -> bytes:
        async with serving_program(echo, body_timeout_s=1, min_body_rate=rate) as where:
            reader, writer = await asyncio.open_connection(where.host, where.port)
            writer.write(
                b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
            with contextlib.suppress(ConnectionError):
                for _ in range(10):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.13)
                writer.write(b"0\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(-1), WAIT_S)
            writer.close()
            return answer

    assert asyncio.run(run(b"1\r\nx\r\n", 0)).endswith(b"POST / xxxxxxxxxx")
    assert asyncio.run(run(b"1\r\nx\r\n", 500)).startswith(TIMED_OUT)
    assert asyncio.run(run(b"64\r\n" + b"x" * 100 + b"\r\n", 500)).endswith(b"x" * 1000)
    # An extension of a chunk that never ends.
    assert asyncio.run(run(b"1;x", 0)).startswith((TIMED_OUT, b"HTTP/1.1 400 "))


def test_a_response_that_is_taken_in_drops_is_ended() -> None:
    """A few bytes in each period are progress, and much too little of it."""
    left = asyncio.Event()

    async def program(request: Request, response: Response) -> None:
        response.start(200)
        response.write(bytes(20_000_000))
        await response.left.wait()
        left.set()

    async def run() -> None:
        async with serving_program(program, body_timeout_s=0.3, min_body_rate=10_000_000) as where:
            reader, writer = await asyncio.open_connection(where.host, where.port, limit=1000)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                async with asyncio.timeout(WAIT_S):
                    for _ in range(400):
                        await reader.readexactly(50_000)
                        await asyncio.sleep(0.05)
            await asyncio.wait_for(left.wait(), WAIT_S)
            writer.close()

    asyncio.run(run())


def test_a_response_that_nobody_reads_is_ended(shared_engine: Engine) -> None:
    """The connection is reset, and the guest learns that its stream is closed (LIFE-8)."""
    said = Capture()

    async def run(host: Host) -> None:
        async with serving(host, body_timeout_s=0.1) as where:
            _, writer = await asyncio.open_connection(where.host, where.port, limit=1000)
            writer.write(b"GET /z HTTP/1.1\r\nHost: a\r\n\r\n")
            assert await asyncio.to_thread(said.wait_for, b"closed\n")
            await until(lambda: host.idle)
            writer.close()

    with script_host(shared_engine, logs=Logs(None, echo_to=said)) as host:
        asyncio.run(run(host))


def test_a_last_response_that_nobody_reads_is_ended() -> None:
    """Nothing of it is left in the server, though all of it was written."""
    gone = asyncio.Event()

    async def program(request: Request, response: Response) -> None:
        size = 20_000_000
        response.send(200, [("content-length", str(size).encode())], bytes(size))
        gone.set()

    async def run() -> None:
        async with serving_program(program, body_timeout_s=0.1) as where:
            reader, writer = await asyncio.open_connection(where.host, where.port, limit=1000)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            await asyncio.wait_for(gone.wait(), WAIT_S)
            # Longer than a client that does not read has.
            await asyncio.sleep(0.5)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(reader.readexactly(20_000_000), WAIT_S)
            writer.close()

    asyncio.run(run())


def test_a_guest_that_does_not_read_is_no_slow_client(shared_engine: Engine) -> None:
    """A client whose bytes nobody takes is not told that it is late."""
    body = bytes(4_000_000)
    head = f"POST /s HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    async def run(host: Host) -> bytes:
        async with serving(host, body_timeout_s=0.1) as where:
            reader, writer = await asyncio.open_connection(where.host, where.port)
            writer.write(head + body)
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
            writer.transport.abort()
            return answer

    with small_host(shared_engine, request_timeout_s=0.5) as host, HostLog():
        assert asyncio.run(run(host)).startswith(b"HTTP/1.1 500 ")


def test_requests_behind_a_response_that_nobody_reads_wait() -> None:
    """Short answers do not pile up either."""
    answered = 0

    async def program(request: Request, response: Response) -> None:
        nonlocal answered
        answered += 1
        response.send(200, [("content-length", b"100000")], bytes(100_000))

    async def run() -> None:
        async with serving_program(program) as where:
            _, writer = await asyncio.open_connection(where.host, where.port, limit=1000)
            for _ in range(5):
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 400)
                await asyncio.sleep(0.05)
            writer.transport.abort()

    asyncio.run(run())
    assert 0 < answered < 400
