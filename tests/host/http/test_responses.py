"""From an application to its client: through a socket, through ASGI, and at the server's end."""

import asyncio
import gc
from typing import Any

import pytest

from edgezero_spin.host import Host
from edgezero_spin.host.http.messages import ResponseAborted
from edgezero_spin.host.http.server import ServerSettings, serve_async
from edgezero_spin.host.runtime.engine import Engine
from tests.host.support import HostLog, script_host, until
from tests.host.wire import WAIT_S, exchange, get, serving


def test_thousands_of_requests_in_one_piece_are_answered(shared_engine: Engine) -> None:
    """Those that waited for the first are answered one behind the other, not one in the other."""
    count = 3000
    health = b"GET /.well-known/spin/health HTTP/1.1\r\nHost: a\r\n\r\n"

    async def run(host: Host) -> bytes:
        async with serving(host) as where:
            first = b"GET /c HTTP/1.1\r\nHost: a\r\n\r\n"
            return await exchange(where, first + health * count + get("/n"))

    with script_host(shared_engine) as host:
        answer = asyncio.run(run(host))
    assert answer.startswith(b"HTTP/1.1 201 Created")
    assert answer.count(b"HTTP/1.1 200 OK") == count + 1


def test_an_answered_request_is_freed_at_once(shared_engine: Engine) -> None:
    """Nothing of it waits for the garbage collector, which would have more to do with each."""
    count = 200

    async def run(host: Host) -> int:
        async with serving(host) as where:
            await exchange(where, get("/n"))
            gc.collect()
            await exchange(where, b"GET /c HTTP/1.1\r\nHost: a\r\n\r\n" * count + get("/n"))
            return gc.collect()

    gc.disable()
    try:
        with script_host(shared_engine) as host:
            assert asyncio.run(run(host)) < count
    finally:
        gc.enable()


@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"])
def test_a_request_that_the_end_cuts_off_is_one_line(shared_engine: Engine, expect: str) -> None:
    """The client gets a 500, the guest is stopped, and the log says it once (LIFE-10)."""

    async def run(host: Host) -> bytes:
        where: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        server = asyncio.create_task(
            serve_async(
                host,
                "127.0.0.1:0",
                on_listening=where.set_result,
                settings=ServerSettings(drain_s=0),
                stop=stop,
            )
        )
        listening = await where
        reader, writer = await asyncio.open_connection(listening.host, listening.port)
        writer.write(f"GET /s?secret HTTP/1.1\r\nHost: a\r\n{expect}\r\n".encode())
        await until(lambda: host.running == 1)
        stop.set()
        await asyncio.wait_for(server, WAIT_S)
        answer = await asyncio.wait_for(reader.read(-1), WAIT_S)
        writer.close()
        return answer

    with HostLog() as log:
        with script_host(shared_engine) as host:
            answer = asyncio.run(run(host))
        assert log.content == b"GET /s was cut off: the server stops\n"
    assert b"HTTP/1.1 500 Internal Server Error\r\n" in answer
    assert b"connection: close" in answer


async def ask(host: Host, target: str, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What an ASGI server is sent for a request."""
    scope = {
        "type": "http",
        "method": "POST" if messages else "GET",
        "path": target,
        "headers": [(b"host", b"a")],
        "query_string": b"",
    }
    waiting = list(messages) or [{"type": "http.request", "body": b""}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    await asyncio.wait_for(host.asgi()(scope, receive, send), WAIT_S)
    return sent


def test_any_asgi_server_gets_the_same_responses(shared_engine: Engine) -> None:
    """A small one in two messages, and one of the host's own as well."""
    with script_host(shared_engine) as host, HostLog():
        start, body = asyncio.run(ask(host, "/c"))
        assert (start["status"], start["headers"]) == (201, [(b"content-length", b"5")])
        assert (body["body"], body["more_body"]) == (b"hello", False)
        assert asyncio.run(ask(host, "/t"))[0]["status"] == 500
        assert asyncio.run(ask(host, "/.well-known/spin/health"))[1]["body"] == b"OK"


def test_a_body_passes_through_asgi(shared_engine: Engine) -> None:
    """Piece by piece, both ways."""
    pieces = [
        {"type": "http.request", "body": b"abc", "more_body": True},
        {"type": "http.request", "body": b"de", "more_body": False},
    ]
    with script_host(shared_engine) as host:
        sent = asyncio.run(ask(host, "/E", *pieces))
    assert b"".join(message.get("body", b"") for message in sent) == b"abcde"
    assert sent[-1]["more_body"] is False


@pytest.mark.parametrize("target", ["/T", "/l"])
def test_a_response_that_breaks_off_fails_the_asgi_program(
    shared_engine: Engine, target: str
) -> None:
    """Upon which its server closes the connection (RESP-7, RESP-9)."""
    with script_host(shared_engine) as host, HostLog(), pytest.raises(ResponseAborted):
        asyncio.run(ask(host, target))
