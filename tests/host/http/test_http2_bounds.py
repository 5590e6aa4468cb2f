"""Clients of HTTP/2 that flood, stall or talk nonsense: what they can hold, and for how long."""

import asyncio
import logging

import pytest
from h2.errors import ErrorCodes
from hypothesis import given, settings
from hypothesis import strategies as st

from edgezero_spin.host.http.http2_limits import PATIENCE, STREAM_WINDOW
from tests.host.http.http2_client import PREFACE, Http2Client, ask, fields, with_client
from tests.host.http.test_http1_connection import serving
from tests.host.programs import Request, Response, echo
from tests.host.support import HostLog
from tests.host.wire import WAIT_S


def test_what_a_guest_does_not_read_is_bounded() -> None:
    """The client gets no more room than the window of a stream, and other requests go on."""
    go_on = asyncio.Event()

    async def program(request: Request, response: Response) -> None:
        if request.head.method == "POST":
            await go_on.wait()
        await echo(request, response)

    async def run(client: Http2Client) -> None:
        id = client.begin(method="POST", ends=False)
        await client.until(lambda: client.frames.local_flow_control_window(id) > 65_535)
        sent = 0
        while room := client.frames.local_flow_control_window(id):
            piece = bytes(min(room, client.frames.max_outbound_frame_size))
            sent += len(piece)
            client.send(id, piece)
        assert (await client.answer(client.begin("/other"))).body == b"GET /other "
        assert client.frames.local_flow_control_window(id) == 0
        assert sent == STREAM_WINDOW
        go_on.set()
        client.send(id, b"", ends=True)
        assert len((await client.answer(id)).body) == sent + len("POST / ")

    with_client(program, run)


def test_a_client_that_does_not_read_stops_its_guest() -> None:
    """The program is told to wait, and goes on when there is room."""
    written = 0

    async def program(request: Request, response: Response) -> None:
        nonlocal written
        response.start(200)
        for _ in range(100):
            await response.drained()
            response.write(bytes(50_000))
            written += 50_000
        response.write(b"", last=True)

    async def run(client: Http2Client) -> None:
        client.reads = False
        id = client.begin()
        answer = client.answers[id]
        await client.until(lambda: len(answer.body) == 65_535)
        assert (await client.answer(client.begin(method="HEAD"))).status == 200
        assert written <= 150_000
        client.reads = True
        client.frames.acknowledge_received_data(65_535, id)
        client.flush()
        assert len((await client.answer(id)).body) == 5_000_000

    async def both(request: Request, response: Response) -> None:
        await (echo if request.head.method == "HEAD" else program)(request, response)

    async def echo(request: Request, response: Response) -> None:
        response.send(200, [], b"")

    with_client(both, run)


@pytest.mark.parametrize("rate", [0, 500])
def test_a_response_that_nobody_reads_is_given_up(
    caplog: pytest.LogCaptureFixture, rate: int
) -> None:
    """Its stream is reset after a while, and the program hears of it (LIFE-8)."""
    left = asyncio.Event()

    async def program(request: Request, response: Response) -> None:
        response.start(200)
        response.write(bytes(500_000))
        await response.left.wait()
        left.set()

    async def run(client: Http2Client) -> None:
        client.reads = False
        answer = await client.answer(client.begin())
        assert (answer.reset, answer.ended) == (ErrorCodes.CANCEL, False)
        await asyncio.wait_for(left.wait(), WAIT_S)

    caplog.set_level(logging.INFO, "edgezero_spin.host")
    with_client(program, run, body_timeout_s=0.1, min_body_rate=rate)
    assert "is too slow to read the body of / and is cut off" in caplog.text


def test_a_body_that_does_not_come_is_given_up() -> None:
    """The answer is a 408, the program hears of it, and the connection goes on."""
    failed: list[object] = []

    async def program(request: Request, response: Response) -> None:
        try:
            await request.read()
        except ConnectionError as error:
            failed.append(error.args[0])
        else:
            await echo(request, response)

    async def run(client: Http2Client) -> None:
        id = client.begin(method="POST", ends=False)
        client.send(id, b"x")
        answer = await client.answer(id)
        assert answer.status == 408
        assert failed == [("connection-read-timeout", None)]
        assert (await client.answer(client.begin("/next"))).body == b"GET /next "

    with HostLog():
        with_client(program, run, body_timeout_s=0.1)


def test_requests_given_up_in_a_rush_end_the_connection() -> None:
    """None of them reaches a program, and the client is told to calm down (CVE-2023-44487)."""
    begun = 0

    async def program(request: Request, response: Response) -> None:
        nonlocal begun
        begun += 1
        await response.left.wait()

    async def run(client: Http2Client) -> None:
        for _ in range(PATIENCE + 50):
            id = client.frames.get_next_available_stream_id()
            client.frames.send_headers(id, fields(), end_stream=True)
            client.frames.reset_stream(id)
        client.flush()
        await client.end()
        assert client.goodbye == ErrorCodes.ENHANCE_YOUR_CALM

    with_client(program, run)
    assert begun < PATIENCE / 2


def test_frames_that_carry_nothing_end_the_connection() -> None:
    """Empty pieces of a body cost a client nothing (CVE-2019-9518)."""

    async def run(client: Http2Client) -> None:
        id = client.begin(method="POST", ends=False)
        for _ in range(PATIENCE + 50):
            client.frames.send_data(id, b"")
        client.flush()
        await client.end()
        assert client.goodbye == ErrorCodes.ENHANCE_YOUR_CALM

    with_client(echo, run)


def test_a_client_that_does_not_read_is_not_read_from() -> None:
    """What it asks to be sent back (pings) does not pile up."""

    async def run() -> None:
        async with serving(echo) as where:
            _, writer = await asyncio.open_connection(where.host, where.port, limit=1000)
            writer.write(PREFACE + b"\0\0\0\4\0\0\0\0\0")
            ping = b"\0\0\x08\6\0\0\0\0\0" + bytes(8)
            stopped = False
            for _ in range(200):
                writer.write(ping * 10_000)
                try:
                    await asyncio.wait_for(writer.drain(), 0.5)
                except TimeoutError:
                    stopped = True
                    break
            assert stopped
            writer.transport.abort()

    asyncio.run(run())


def test_an_idle_connection_has_its_time() -> None:
    """What waits for the next request is closed after a while, and pings do not prolong it."""

    async def run(client: Http2Client) -> None:
        assert (await client.answer(client.begin())).status == 200
        client.frames.ping(b"12345678")
        client.flush()
        await client.end()
        assert client.goodbye == ErrorCodes.NO_ERROR

    with_client(echo, run, keep_alive_s=0.1)


def test_a_client_that_says_nothing_has_its_time() -> None:
    """Nor does one that sends its settings again and again."""

    async def run(client: Http2Client) -> None:
        await client.end()
        assert client.goodbye == ErrorCodes.NO_ERROR

    with_client(echo, run, head_timeout_s=0.1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.tuples(
                st.integers(0, 12), st.integers(0, 255), st.integers(0, 5), st.binary(max_size=30)
            ).map(
                lambda frame: (
                    len(frame[3]).to_bytes(3, "big")
                    + bytes([frame[0], frame[1]])
                    + frame[2].to_bytes(4, "big")
                    + frame[3]
                )
            ),
        ),
        max_size=12,
    )
)
def test_no_bytes_disturb_the_server(pieces: list[bytes]) -> None:
    """Whatever follows the preface, nothing is raised, and another client is answered."""

    async def run() -> None:
        async with serving(echo) as where:
            _, writer = await asyncio.open_connection(where.host, where.port)
            writer.write(PREFACE + b"".join(pieces))
            writer.write_eof()
            assert (await ask(where, "/other")).body == b"GET /other "
            writer.transport.abort()

    with HostLog() as log:
        asyncio.run(run())
    assert b"Traceback" not in log.content
