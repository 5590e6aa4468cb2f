"""HTTP/2: the same requests and responses in frames."""

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import Any

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

from edgezero_spin.host import Host, HostSettings
from edgezero_spin.host.http.http2_limits import MAX_STREAMS
from edgezero_spin.host.runtime.engine import Engine
from tests.certificates import make_certificate
from tests.host.http.http2_client import PREFACE, Answer, Http2Client, ask, fields, with_client
from tests.host.http.test_http1_connection import exchange, serving
from tests.host.programs import Request, Response, echo
from tests.host.support import HostLog, script_host, until
from tests.host.wire import WAIT_S
from tests.host.wire import serving as serving_host


@pytest.mark.parametrize(
    ("path", "method", "status", "headers", "body"),
    [
        ("/h", "GET", 200, [], b"hello"),
        ("/c", "GET", 201, [(b"content-length", b"5")], b"hello"),
        ("/n", "GET", 200, [(b"content-length", b"0")], b""),
        ("/h", "HEAD", 200, [], b""),
        ("/t", "GET", 500, [(b"content-length", b"0")], b""),
        ("/.well-known/spin/health", "GET", 200, [(b"content-length", b"2")], b"OK"),
    ],
)
def test_answers_are_those_of_http_1(
    shared_engine: Engine,
    path: str,
    method: str,
    status: int,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
) -> None:
    """Status, headers and body, with one date and nothing about connections (CONF-0b)."""

    async def run() -> Answer:
        async with serving_host(host) as where:
            return await ask(where, path, method)

    with script_host(shared_engine) as host, HostLog():
        answer = asyncio.run(run())
    assert (answer.status, answer.headers, answer.body) == (status, headers, body)
    assert (answer.ended, answer.reset, answer.dates) == (True, None, 1)


def test_trailers_go_out_behind_the_body(shared_engine: Engine) -> None:
    """They have a place in HTTP/2, too (HTTP-18)."""

    async def run() -> Answer:
        async with serving_host(host) as where:
            return await ask(where, "/k")

    with script_host(shared_engine) as host:
        answer = asyncio.run(run())
    assert (answer.body, answer.trailers) == (b"hello", [(b"content-length", b"5")])


@pytest.mark.parametrize(("path", "sent"), [("/T", b"hello"), ("/l", b"hello")])
def test_a_response_that_breaks_off_is_reset(shared_engine: Engine, path: str, sent: bytes) -> None:
    """A guest that traps late, or writes too little, leaves no whole response (RESP-7, RESP-9)."""

    async def run() -> Answer:
        async with serving_host(host) as where:
            return await ask(where, path)

    with script_host(shared_engine) as host, HostLog():
        answer = asyncio.run(run())
    assert not answer.ended
    assert answer.reset == ErrorCodes.INTERNAL_ERROR
    assert sent.startswith(answer.body)


def test_what_a_program_sees_of_a_request() -> None:
    """The authority is the host, cookies are one header, and names are in lower case."""
    seen: list[Any] = []

    async def program(request: Request, response: Response) -> None:
        head = request.head
        seen.append((head.method, head.path, head.query, list(head.headers), head.scheme))
        await echo(request, response)

    async def run(client: Http2Client) -> None:
        pairs = [(b"x-a", b"1"), (b"cookie", b"a=b"), (b"x-a", b"2"), (b"cookie", b"c=d")]
        assert (await client.answer(client.begin("/a%20b?c=%20", "PURGE", pairs))).status == 200

    with_client(program, run)
    headers = [(b"x-a", b"1"), (b"x-a", b"2"), (b"cookie", b"a=b; c=d"), (b"host", b"example.com")]
    assert seen == [("PURGE", "/a%20b", "c=%20", headers, "http")]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(fields(path=b"http://a/"), 400, id="a URL"),
        pytest.param(fields(path=b"a"), 400, id="no form of a target"),
        pytest.param(fields(path=b"*"), 400, id="GET *"),
        pytest.param(fields(path=b"/ b"), 400, id="a blank"),
        pytest.param(fields(path=b"/\xff"), 400, id="no ASCII"),
        pytest.param(fields(method=b"G T"), 400, id="no method"),
        pytest.param(fields(method=b"get"), 200, id="a method of nobody"),
        pytest.param(fields(method=b"CONNECT", path=None, scheme=None), 501, id="CONNECT"),
        pytest.param([*fields(), (b"expect", b"x")], 417, id="an expectation"),
        pytest.param([*fields(), *[(b"x", b"y")] * 101], 431, id="101 fields"),
        pytest.param([*fields(), (b"x", b"y" * 9000)], 431, id="a large head"),
    ],
)
def test_heads_that_cannot_be_served_are_refused(
    sent: list[tuple[bytes, bytes]], status: int
) -> None:
    """With the status of HTTP/1.1, and the connection goes on."""

    async def run(client: Http2Client) -> None:
        answers = [await client.answer(client.begin_with(each)) for each in (sent, fields())]
        assert [answer.status for answer in answers] == [status, 200]

    with_client(echo, run, max_head_bytes=8192)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param([*fields(), (b"connection", b"close")], id="connection"),
        pytest.param([*fields(), (b"X", b"upper case")], id="upper case"),
        pytest.param([*fields(), (b"x", b"a\nb")], id="line break"),
        # RV-94
        pytest.param([*fields(), (b"host", b"other")], id="two hosts"),
        pytest.param(fields(path=None), id="no path"),
        pytest.param([*fields(), (b"content-length", b"no")], id="no length"),
        pytest.param([*fields(), (b"x", b"y" * 70_000)], id="head that is much too large"),
    ],
)
def test_malformed_heads_end_the_connection(sent: list[tuple[bytes, bytes]]) -> None:
    """With a GOAWAY that says why, and one line in the log (RFC 9113, 8.1.1)."""

    async def run(client: Http2Client) -> None:
        client.begin_with(sent)
        await client.end()
        assert client.goodbye not in (None, ErrorCodes.NO_ERROR)

    with HostLog() as log:
        with_client(echo, run, max_head_bytes=8192)
    assert log.content.count(b"\n") <= 1
    assert b"Traceback" not in log.content


@pytest.mark.parametrize("size", [0, 1, 16_384, 65_536, 3_000_000])
def test_bodies_of_any_size_go_both_ways(size: int) -> None:
    """Within the windows of both sides, and all of it."""

    async def run(client: Http2Client) -> None:
        body = bytes(range(256)) * (size // 256) + bytes(size % 256)
        id = client.begin(method="POST", ends=not size)
        await client.upload(id, body)
        answer = await client.answer(id)
        assert answer.body == b"POST / " + body
        assert answer.ended

    with_client(echo, run)


def test_many_requests_at_once() -> None:
    """As many as the server says it takes, each with its own answer."""

    async def run(client: Http2Client) -> None:
        ids = {f"/{number}": client.begin(f"/{number}") for number in range(MAX_STREAMS)}
        for path, id in ids.items():
            assert (await client.answer(id)).body == f"GET {path} ".encode()
        limit = client.frames.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS]
        assert limit == MAX_STREAMS

    with_client(echo, run)


def test_a_client_that_waits_is_told_to_go_on() -> None:
    """By an informational response (RFC 9110, 10.1.1)."""

    async def run(client: Http2Client) -> None:
        id = client.begin(method="POST", headers=[(b"expect", b"100-continue")], ends=False)
        answer = client.answers[id]
        await client.until(lambda: bool(answer.informed))
        client.send(id, b"body", ends=True)
        assert (await client.answer(id)).body == b"POST / body"
        assert answer.informed == [100]

    with_client(echo, run)


def test_a_body_that_nobody_wants_is_called_off() -> None:
    """The response is whole, and the client told that the rest is not needed."""

    async def program(request: Request, response: Response) -> None:
        assert request.body is not None
        request.body.close()
        response.send(413, [("content-length", b"2")], b"no")

    async def run(client: Http2Client) -> None:
        id = client.begin(method="POST", ends=False)
        client.send(id, b"x" * 1000)
        answer = await client.answer(id)
        await client.until(lambda: answer.reset is not None)
        assert (answer.status, answer.body, answer.reset) == (413, b"no", ErrorCodes.NO_ERROR)

    with_client(program, run)


@pytest.mark.parametrize("before", ["window", "windows", "settings", "body", "end"])
def test_what_comes_just_before_a_reset_leaves_other_requests(before: str) -> None:
    """A stream that is reset in the same segment is not written to (RFC 9113, 5.4.2)."""

    async def program(request: Request, response: Response) -> None:
        response.start(200)
        response.write(bytes(100_000), last=True)
        await request.read()

    async def run(client: Http2Client) -> None:
        client.reads = False
        given_up, other = client.begin(method="POST", ends=False), client.begin()
        answers = client.answers
        await client.until(lambda: len(answers[given_up].body + answers[other].body) == 65_535)
        frames = client.frames
        match before:
            case "window":
                frames.increment_flow_control_window(10, given_up)
            case "windows":
                frames.increment_flow_control_window(10)
                frames.increment_flow_control_window(10, given_up)
            case "settings":
                frames.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 70_000})
                frames.increment_flow_control_window(10)
            case "body":
                frames.send_data(given_up, b"x")
            case "end":
                frames.send_data(given_up, b"x", end_stream=True)
        frames.reset_stream(given_up)
        client.reads = True
        frames.increment_flow_control_window(200_000)
        frames.increment_flow_control_window(200_000, other)
        client.flush()
        assert len((await client.answer(other)).body) == 100_000

    with_client(program, run)


def test_a_request_that_is_given_up_ends_its_guest(shared_engine: Engine) -> None:
    """At once, and what the client had sent of a body is no whole one (LIFE-8)."""

    async def run() -> None:
        async with serving_host(host) as where, Http2Client.connected(where) as client:
            id = client.begin("/E", "POST", ends=False)
            client.send(id, b"x")
            await client.until(lambda: bool(client.answers[id].body))
            client.frames.reset_stream(id, ErrorCodes.CANCEL)
            client.flush()
            await until(lambda: host.idle)
            assert (await client.answer(client.begin("/c"))).body == b"hello"

    with small_host(shared_engine) as host, HostLog():
        asyncio.run(run())


def small_host(engine: Engine) -> Host:
    """A host with room for four requests."""
    return script_host(engine, settings=HostSettings(cache_dir=None, max_instances=4))


@pytest.mark.parametrize("size", [1, 7])
def test_the_preface_may_come_in_pieces(size: int) -> None:
    """Nothing depends on how the network parts it."""
    first = PREFACE + b"\0\0\0\4\0\0\0\0\0"

    async def run() -> bytes:
        async with serving(echo) as where:
            reader, writer = await asyncio.open_connection(where.host, where.port)
            for at in range(0, len(first), size):
                writer.write(first[at : at + size])
                await asyncio.sleep(0.001)
            answer = await asyncio.wait_for(reader.readexactly(9), WAIT_S)
            writer.close()
            return answer

    # Its settings.
    assert asyncio.run(run())[3] == 4


def test_http_2_is_only_spoken_from_the_start() -> None:
    """Its preface behind a request of HTTP/1.1 is none."""
    answer = exchange(echo, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + PREFACE)
    assert b"HTTP/1.1 505 " in answer


@pytest.mark.parametrize("offered", [["h2", "http/1.1"], ["http/1.1"], []])
def test_tls_agrees_on_the_protocol(tmp_path: Path, offered: list[str]) -> None:
    """By ALPN: HTTP/2 for who offers it, HTTP/1.1 for all others."""
    made = make_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=made.roots)
    if offered:
        trusting.set_alpn_protocols(offered)

    async def run() -> tuple[str | None, bytes]:
        async with serving(echo, tls=(str(made.chain), str(made.key))) as where:
            if "h2" in offered:
                async with Http2Client.connected(where, trusting) as client:
                    chosen = client.writer.get_extra_info("ssl_object").selected_alpn_protocol()
                    return chosen, (await client.answer(client.begin())).body
            reader, writer = await asyncio.open_connection(
                where.host, where.port, ssl=trusting, server_hostname="localhost"
            )
            chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol()
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(-1), WAIT_S)
            writer.close()
            return chosen, answer[-6:]

    assert asyncio.run(run()) == (offered[0] if offered else None, b"GET / ")


def test_a_server_that_stops_lets_requests_end() -> None:
    """It says goodbye, answers what it took, and takes no more (LIFE-10)."""
    started, release = asyncio.Event(), asyncio.Event()

    async def program(request: Request, response: Response) -> None:
        started.set()
        await release.wait()
        await echo(request, response)

    async def run() -> None:
        async with contextlib.AsyncExitStack() as server:
            where = await server.enter_async_context(serving(program))
            async with Http2Client.connected(where) as client:
                id = client.begin("/a")
                await started.wait()
                stopping = asyncio.create_task(server.aclose())
                await asyncio.sleep(0)
                release.set()
                assert (await client.answer(id)).body == b"GET /a "
                await client.end()
                assert client.goodbye == ErrorCodes.NO_ERROR
                await stopping

    asyncio.run(run())


def test_a_request_without_more_time_is_cut_off() -> None:
    """With a 500, and a line in the log."""
    started = asyncio.Event()

    async def program(request: Request, response: Response) -> None:
        started.set()
        await response.left.wait()

    async def run() -> None:
        async with contextlib.AsyncExitStack() as server:
            where = await server.enter_async_context(serving(program, drain_s=0.05))
            async with Http2Client.connected(where) as client:
                id = client.begin("/a?secret")
                await started.wait()
                stopping = asyncio.create_task(server.aclose())
                assert (await client.answer(id)).status == 500
                await stopping

    with HostLog() as log:
        asyncio.run(run())
    assert b"GET /a was cut off: the server stops" in log.content


def test_a_client_that_leaves_gets_what_it_asked_for() -> None:
    """Streams that are open go on behind a client's GOAWAY, then the connection closes."""

    async def run(client: Http2Client) -> None:
        id = client.begin("/last", method="POST", ends=False)
        client.writer.write(GoAwayFrame(0, last_stream_id=0, error_code=0).serialize())
        await client.upload(id, b"x" * 200_000)
        answer = await client.answer(id)
        assert answer.body == b"POST /last " + b"x" * 200_000
        await client.end()
        assert client.goodbye == ErrorCodes.NO_ERROR

    with_client(echo, run)
