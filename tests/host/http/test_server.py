"""Real sockets: bytes on the wire, addresses, signals."""

import asyncio
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host import Host
from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.execution.guest import GuestComponent
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.http.listening import ListenError, bind
from edgezero_spin.host.runtime.engine import Engine
from tests.host.support import SCRIPT, Capture, script_host, until
from tests.host.wire import ANSWERS, WAIT_S, exchange, get, serving, without_date


@pytest.mark.parametrize(("request_bytes", "expected"), ANSWERS)
def test_bytes_on_the_wire(shared_engine: Engine, request_bytes: bytes, expected: bytes) -> None:
    """Every kind of response has exactly these lines."""

    async def run(host: Host) -> bytes:
        async with serving(host) as where:
            return await exchange(where, request_bytes)

    with script_host(shared_engine) as host:
        assert without_date(asyncio.run(run(host))) == expected.split(b"|")


@pytest.mark.parametrize("path", ["/T", "/u"])
def test_a_body_that_breaks_off_is_an_error_for_any_client(
    shared_engine: Engine, path: str
) -> None:
    """Also for one of HTTP/1.0, to which the end of the connection is that of the body (RESP-7)."""

    async def run(host: Host) -> None:
        async with serving(host) as where:
            with pytest.raises(ConnectionResetError):
                await exchange(where, f"GET {path} HTTP/1.0\r\nHost: a\r\n\r\n".encode())

    with script_host(shared_engine) as host:
        asyncio.run(run(host))


def test_one_connection_serves_many_requests(shared_engine: Engine) -> None:
    """Pipelined requests are answered in order over one connection."""

    async def run(host: Host) -> bytes:
        async with serving(host) as where:
            requests = b"".join(
                f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
                for target in ("/c", "/n", "/t")
            )
            return await exchange(where, requests + get("/h"))

    with script_host(shared_engine) as host:
        answer = asyncio.run(run(host))
    assert [line for line in answer.split(b"\r\n") if b"HTTP/1.1" in line] == [
        b"HTTP/1.1 201 Created",
        b"helloHTTP/1.1 200 OK",
        b"HTTP/1.1 500 Internal Server Error",
        b"HTTP/1.1 200 OK",
    ]


def test_a_chunked_body_is_echoed_chunk_by_chunk(shared_engine: Engine) -> None:
    """An answer begins before the request ends, and both end cleanly."""

    async def run(host: Host) -> bytes:
        async with serving(host) as where:
            reader, writer = await asyncio.open_connection(where.host, where.port)
            writer.write(
                b"POST /E HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
            )
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
            assert b"200 OK" in head
            assert await asyncio.wait_for(reader.readuntil(b"abc\r\n"), WAIT_S) == b"3\r\nabc\r\n"
            writer.write(b"2\r\nde\r\n0\r\n\r\n")
            rest = await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), WAIT_S)
            writer.close()
            return rest

    with script_host(shared_engine) as host:
        assert asyncio.run(run(host)) == b"2\r\nde\r\n0\r\n\r\n"


def test_the_head_does_not_wait_for_the_body(shared_engine: Engine) -> None:
    """A guest that sleeps after the head has its head delivered."""

    async def run(host: Host) -> tuple[int, bytes]:
        async with serving(host) as where:
            reader, writer = await asyncio.open_connection(where.host, where.port)
            writer.write(b"GET /q HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
            running = host.running
            rest = await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), WAIT_S)
            writer.close()
            return running, rest

    with script_host(shared_engine) as host:
        assert asyncio.run(run(host)) == (1, b"5\r\nhello\r\n0\r\n\r\n")


def test_trailers_of_a_client_are_no_headers(shared_engine: Engine) -> None:
    """What follows a chunked body never joins the headers that a guest reads (HTTP-19)."""
    seen: list[list[tuple[str, bytes]]] = []
    bodies: list[ByteChannel] = []

    async def run(host: Host) -> None:
        start = host._runner.start

        def spy(component: GuestComponent, exchange: Exchange, *rest: Any) -> None:
            seen.append(list(exchange.headers))
            assert exchange.body is not None
            bodies.append(exchange.body)
            start(component, exchange, *rest)

        host._runner.start = spy  # type: ignore[method-assign,assignment]
        async with serving(host) as where:
            request = (
                b"POST /E HTTP/1.1\r\nHost: a\r\nX: 1\r\nConnection: close\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
                b"X-Admin: yes\r\nSpin-Path-Info: /forged\r\n\r\n"
            )
            assert b"abc" in await exchange(where, request)

    with script_host(shared_engine) as host:
        asyncio.run(run(host))
    assert "x-admin" not in dict(seen[0])
    assert [value for name, value in seen[0] if name == "spin-path-info"] == [b"/E"]
    assert bodies[0].trailers == [("x-admin", b"yes")]


def test_a_client_that_hangs_up_closes_the_guests_stream(shared_engine: Engine) -> None:
    """A guest that writes without end notices that nobody reads any more (LIFE-8)."""
    echo = Capture()

    async def run(host: Host) -> None:
        async with serving(host) as where:
            reader, writer = await asyncio.open_connection(where.host, where.port)
            writer.write(b"GET /z HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.wait_for(reader.readexactly(100_000), WAIT_S)
            writer.transport.abort()
            assert await asyncio.to_thread(echo.wait_for, b"closed\n")

    with script_host(shared_engine, logs=Logs(None, echo_to=echo)) as host:
        asyncio.run(run(host))


def test_a_client_that_does_not_read_costs_a_bounded_amount(shared_engine: Engine) -> None:
    """The guest sleeps while its response is not read, and goes on when it is."""

    async def run(host: Host) -> None:
        async with serving(host) as where:
            reader, writer = await asyncio.open_connection(where.host, where.port, limit=1000)
            writer.write(b"GET /z HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
            await until(lambda: host._pool.computing == 0)
            await asyncio.wait_for(reader.readexactly(8_000_000), WAIT_S)
            writer.transport.abort()

    with script_host(shared_engine) as host:
        asyncio.run(run(host))


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET /h HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 300_000, id="long value"),
        pytest.param(b"GET /" + b"h" * 300_000, id="long target"),
        pytest.param(b"GET /h HTTP/1.1\r\n" + b"X: y\r\n" * 1100, id="many"),
    ],
)
def test_an_endless_head_is_refused(shared_engine: Engine, head: bytes) -> None:
    """A client cannot make the server collect headers for ever."""

    async def run(host: Host) -> bytes:
        async with serving(host) as where:
            return await exchange(where, head + b"\r\n\r\n")

    with script_host(shared_engine) as host:
        assert asyncio.run(run(host)).startswith(b"HTTP/1.1 431 ")


def test_a_port_in_use_says_so() -> None:
    """The message is Spin's, with the way out of it (OUT-8, FLAG-4)."""
    with bind("127.0.0.1:0") as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ListenError) as caught:
            bind(address)
        assert str(caught.value) == (
            f"{address} is already in use. To have Spin search for a free port, use the "
            f"--find-free-port option."
        )
        with bind(address, find_free_port=True) as other:
            assert 0 < other.getsockname()[1] - taken.getsockname()[1] < 10


@pytest.mark.parametrize(
    ("listen", "problem"),
    [
        ("3000", "is not an address and a port"),
        ("localhost:", "is not an address and a port"),
        ("127.0.0.1:99999", "the port is above 65535"),
        ("no.such.host.invalid:80", "cannot listen on"),
        ("192.0.2.1:3000", "cannot listen on"),
    ],
)
def test_an_address_that_cannot_be_used_is_named(listen: str, problem: str) -> None:
    """Each kind of useless address has its message."""
    with pytest.raises(ListenError, match=problem):
        bind(listen)


def test_localhost_means_the_older_family_first() -> None:
    """A name with both families listens on 127.0.0.1 (FLAG-1)."""
    with bind("localhost:0") as listener:
        assert listener.family == socket.AF_INET


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_with_status_0(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM stop a server that has a request in flight (LIFE-10)."""
    program = textwrap.dedent(
        f"""
        from pathlib import Path
        from edgezero_spin.host import Host, HostSettings
        from edgezero_spin.host.http.server import ServerSettings, serve
        quick = ServerSettings(drain_s=0)
        settings = HostSettings(cache_dir=None, max_instances=4)
        with Host.from_manifest({str(SCRIPT)!r}, settings=settings) as host:
            announce = lambda it: print(it.url, flush=True)
            serve(host, "127.0.0.1:0", on_listening=announce, settings=quick)
        print("ended")
        """
    )
    server = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert server.stdout is not None
    try:
        url = server.stdout.readline().strip()
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as client:
            client.sendall(b"GET /B HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(10)
            server.send_signal(number)
            assert server.wait(WAIT_S) == 0
        assert server.stdout.read() == "ended\n"
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
