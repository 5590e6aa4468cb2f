"""A server for a while, and bytes to and from it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from edgezero_spin.host.http.listening import Listening
from edgezero_spin.host.http.server import RequestHandler, ServerSettings, serve_async

__all__ = ["ANSWERS", "WAIT_S", "exchange", "get", "serving", "without_date"]

WAIT_S = 15


@contextlib.asynccontextmanager
async def serving(host: RequestHandler, **settings: Any) -> AsyncIterator[Listening]:
    """Serve on a free port for a while."""
    where: asyncio.Future[Listening] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    task = asyncio.create_task(
        serve_async(
            host,
            "127.0.0.1:0",
            on_listening=where.set_result,
            settings=ServerSettings(**settings),
            stop=stop,
        )
    )
    try:
        yield await asyncio.wait_for(where, WAIT_S)
    finally:
        stop.set()
        await asyncio.wait_for(task, WAIT_S)


async def exchange(where: Listening, request: bytes) -> bytes:
    """Send bytes and read until the server closes."""
    reader, writer = await asyncio.open_connection(where.host, where.port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(-1), WAIT_S)
    finally:
        writer.close()


def get(target: str, *headers: str) -> bytes:
    """A GET request that asks for the connection to be closed."""
    lines = [f"GET {target} HTTP/1.1", "Host: example.com", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def without_date(response: bytes) -> list[bytes]:
    """The lines of a response but its date, which is allowed and changes."""
    return [line for line in response.split(b"\r\n") if not line.startswith(b"date:")]


ANSWERS = [
    # CONF-0b: nothing of the host's own but a date.
    pytest.param(
        get("/h"),
        b"HTTP/1.1 200 OK|connection: close|transfer-encoding: chunked||5|hello|0||",
        id="chunked",
    ),
    pytest.param(
        get("/c"),
        b"HTTP/1.1 201 Created|content-length: 5|connection: close||hello",
        id="length",
    ),
    pytest.param(get("/n"), b"HTTP/1.1 200 OK|content-length: 0|connection: close||", id="no body"),
    pytest.param(
        get("/t"),
        b"HTTP/1.1 500 Internal Server Error|content-length: 0|connection: close||",
        id="trap",
    ),
    # HTTP-18
    pytest.param(
        get("/k"),
        b"HTTP/1.1 200 OK|connection: close|transfer-encoding: chunked||5|hello|0|"
        b"content-length: 5||",
        id="trailers",
    ),
    pytest.param(
        get("/h").replace(b"GET", b"HEAD"),
        b"HTTP/1.1 200 OK|connection: close||",
        id="head request",
    ),
    # RESP-7: the last chunk is missing.
    pytest.param(
        get("/T"),
        b"HTTP/1.1 200 OK|connection: close|transfer-encoding: chunked||5|hello|",
        id="late trap",
    ),
    # RESP-9
    pytest.param(
        get("/l"),
        b"HTTP/1.1 200 OK|content-length: 9|connection: close||hello",
        id="too short",
    ),
    # RV-94, as our host rule has it.
    pytest.param(
        b"GET /h HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 400 Bad Request|content-length: 0|connection: close||",
        id="no host",
    ),
    # RV-90: no Host needed.
    pytest.param(
        b"PURGE /.well-known/spin/health HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK|content-length: 2|connection: close||OK",
        id="health",
    ),
]
"""Requests to the script guest, and the lines of their responses, with ``|`` between them."""
