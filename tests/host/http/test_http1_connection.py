"""Bytes of clients that are old, slow, odd or hostile, against programs that need no wasm."""

import asyncio
import contextlib
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.exchange.exchange import ResponseHead
from edgezero_spin.host.http import http1_connection
from edgezero_spin.host.http.asgi import head_of
from edgezero_spin.host.http.responses import wire_head
from edgezero_spin.host.http.server import Listening, ServerSettings, serve_async
from tests.certificates import make_certificate
from tests.host.programs import Program, Request, Response, Served, answering, echo

WAIT_S = 15


@contextlib.asynccontextmanager
async def serving(
    program: Program, *, signals: bool = False, **settings: Any
) -> AsyncIterator[Listening]:
    """Serve on a free port for a while."""
    where: asyncio.Future[Listening] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    task = asyncio.create_task(
        serve_async(
            Served(program),
            "127.0.0.1:0",
            on_listening=where.set_result,
            settings=ServerSettings(**settings),
            stop=stop,
            signals=signals,
        )
    )
    try:
        yield await asyncio.wait_for(where, WAIT_S)
    finally:
        stop.set()
        await asyncio.wait_for(task, WAIT_S)


async def ask(where: Listening, *pieces: bytes) -> bytes:
    """Send pieces, each once the one before can have arrived; read until the server closes."""
    reader, writer = await asyncio.open_connection(where.host, where.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.01)
        return await asyncio.wait_for(reader.read(-1), WAIT_S)
    finally:
        writer.close()


def exchange(program: Program, *pieces: bytes, **settings: Any) -> bytes:
    """One connection to a server of its own; the answer without its dates."""

    async def run() -> bytes:
        async with serving(program, **settings) as where:
            return await ask(where, *pieces)

    lines = asyncio.run(run()).split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.startswith(b"date:"))


@pytest.mark.parametrize(
    ("program", "request_line", "expected"),
    [
        pytest.param(
            answering(b"one", b"two"),
            b"GET / HTTP/1.0",
            b"HTTP/1.1 200 OK|connection: close||onetwo",
            id="ended by the connection",
        ),
        pytest.param(
            answering(b"one", headers=(("content-length", b"3"),)),
            b"GET / HTTP/1.0",
            b"HTTP/1.1 200 OK|content-length: 3|connection: close||one",
            id="length",
        ),
        pytest.param(
            answering(),
            b"HEAD / HTTP/1.0",
            b"HTTP/1.1 200 OK|connection: close||",
            id="head",
        ),
        pytest.param(
            answering(b"one"),
            b"GET / HTTP/1.0\r\nConnection: keep-alive",
            b"HTTP/1.1 200 OK|connection: close||one",
            id="asked to be kept",
        ),
        pytest.param(
            answering(b"one"),
            b"GET / HTTP/1.1\r\nConnection: close",
            b"HTTP/1.1 200 OK|connection: close|transfer-encoding: chunked||3|one|0||",
            id="of 1.1 for comparison",
        ),
    ],
)
def test_framing(program: Program, request_line: bytes, expected: bytes) -> None:
    """No chunks for HTTP/1.0, whose clients do not know them (RFC 9112, 6.1 and 6.3)."""
    request = request_line + b"\r\nHost: a\r\n\r\n"
    assert exchange(program, request).split(b"\r\n") == expected.split(b"|")


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (418, b"HTTP/1.1 418 I'm a Teapot"),
        # A status without a name keeps the blank before it (RFC 9112, 4).
        (599, b"HTTP/1.1 599 "),
        (600, b"HTTP/1.1 600 "),
        (999, b"HTTP/1.1 999 "),
    ],
)
def test_any_status_goes_out(status: int, line: bytes) -> None:
    """WASI allows up to 999 (HTTP-11)."""
    answer = exchange(answering(status=status), b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    assert answer.split(b"\r\n")[0] == line


@pytest.mark.parametrize(
    ("status", "sent"), [(100, False), (199, False), (200, True), (600, True), (999, True)]
)
def test_what_a_guest_may_answer_goes_out(status: int, sent: bool) -> None:
    """Information is not an answer, all else that WASI lets a guest set is (HTTP-11)."""
    head = wire_head(ResponseHead(status, [], None), "GET")
    assert (head is not None) is sent


def test_a_length_without_a_body_is_none() -> None:
    """A body that was never taken has no bytes, whatever its length says (RESP-2)."""
    head = ResponseHead(200, [("content-length", b"5"), ("a", b"b")], None)
    assert wire_head(head, "GET") == (200, [("content-length", b"0"), ("a", b"b")])


def test_headers_go_out_in_the_order_of_the_guest() -> None:
    """The length among them (RESP-1)."""
    pairs = [("a", b"b"), ("content-length", b"5"), ("content-length", b"5"), ("c", b"d")]
    assert wire_head(ResponseHead(200, pairs, None), "HEAD") == (200, pairs[:2] + pairs[3:])


@pytest.mark.parametrize(
    ("target", "hosts"),
    [
        ("/x", [b"a"]),
        ("http://a/x", [b"a"]),
        ("http://a:80/x", [b"a", b"a:80"]),
        ("http://b/x", [b"a", b"b"]),
        ("http://[::1]:3000/x", [b"a", b"[::1]:3000"]),
    ],
)
def test_an_authority_in_the_target_has_to_agree(target: str, hosts: list[bytes]) -> None:
    """The gateway refuses a request with two of them (RV-94)."""

    async def program(request: Request, response: Response) -> None:
        found = [value for name, value in request.head.headers if name == b"host"]
        await answering(repr(found).encode())(request, response)

    request = f"GET {target} HTTP/1.0\r\nHost: a\r\n\r\n".encode()
    assert exchange(program, request).endswith(f"\r\n\r\n{hosts!r}".encode())


def test_blanks_around_a_value_are_no_part_of_it() -> None:
    """On both sides (RFC 9110, 5.5)."""

    async def program(request: Request, response: Response) -> None:
        await answering(repr(dict(request.head.headers)[b"x"]).encode())(request, response)

    request = b"GET / HTTP/1.0\r\nHost: a\r\nX: \t a b \t \r\n\r\n"
    assert exchange(program, request).endswith(b"\r\n\r\nb'a b'")


@pytest.mark.parametrize(
    ("target", "query"),
    [("/a", None), ("/a?", ""), ("/a?b=?", "b=?"), ("http://x/a?", ""), ("/a%3F", None)],
)
def test_a_question_mark_alone_reaches_the_gateway(target: str, query: str | None) -> None:
    """An empty query is not the same as none (HTTP-1)."""

    async def program(request: Request, response: Response) -> None:
        await answering(repr(request.head.query).encode())(request, response)

    request = f"GET {target} HTTP/1.0\r\nHost: a\r\n\r\n".encode()
    assert exchange(program, request).endswith(f"\r\n\r\n{query!r}".encode())


@pytest.mark.parametrize(
    ("scope", "path", "query"),
    [
        ({"path": "/a", "raw_path": b"/a", "query_string": b""}, "/a", None),
        ({"path": "/a", "raw_path": b"/a?", "query_string": b""}, "/a", ""),
        ({"path": "/a", "raw_path": b"/a?x=1", "query_string": b"x=1"}, "/a", "x=1"),
        # Without the raw path the question mark is one that was encoded.
        ({"path": "/a?", "query_string": b""}, "/a?", None),
    ],
)
def test_what_other_servers_say_of_a_target(
    scope: dict[str, Any], path: str, query: str | None
) -> None:
    """A bare question mark is seen where a server leaves it in the raw path."""
    head = head_of({"type": "http", "method": "GET", "headers": [], **scope})
    assert (head.path, head.query) == (path, query)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param((), b"", id="nothing at all"),
        pytest.param((b"\r\n",), b"", id="blank lines"),
        pytest.param(
            (b"GET / HT", b"TP/1.1\r\n", b"X: ", b"y"),
            b"HTTP/1.1 408 Request Timeout|content-length: 0|connection: close||",
            id="drop by drop",
        ),
        pytest.param(
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", b" /"),
            b"HTTP/1.1 200 OK|content-length: 6||GET / HTTP/1.1 408 Request Timeout|"
            b"content-length: 0|connection: close||",
            id="the second request",
        ),
        pytest.param(
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n"),
            b"HTTP/1.1 200 OK|content-length: 6||GET / ",
            id="blank lines behind a request",
        ),
    ],
)
def test_a_head_has_its_time(pieces: tuple[bytes, ...], expected: bytes) -> None:
    """A client that never comes to the point does not hold its connection for ever."""
    answer = exchange(echo, *pieces, head_timeout_s=0.2)
    assert answer.split(b"\r\n") == expected.split(b"|")


def test_an_idle_connection_has_its_time() -> None:
    """What waits for the next request is closed after a while."""
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert exchange(echo, request, keep_alive_s=0.05).endswith(b"GET / ")


def test_a_slow_program_is_no_slow_client() -> None:
    """The time for the next head begins when the answer has gone out."""
    late = asyncio.Event()

    async def slow(request: Request, response: Response) -> None:
        asyncio.get_running_loop().call_later(0.2, late.set)
        await late.wait()
        await echo(request, response)

    # Half of the next request is there already.
    answer = exchange(slow, b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", head_timeout_s=0.05)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"GET / HTTP/1.1 408 " in answer


@pytest.mark.parametrize(("size", "status"), [(7900, b"200"), (8300, b"431")])
def test_the_size_of_a_head_is_the_operators_choice(size: int, status: bytes) -> None:
    """The least that can be set is 8192 bytes (FLAG-3)."""
    request = b"GET / HTTP/1.0\r\nHost: a\r\nX: " + b"y" * size + b"\r\n\r\n"
    answer = exchange(echo, request, max_head_bytes=8192)
    assert answer.startswith(b"HTTP/1.1 " + status)
    with pytest.raises(ValueError, match="max_head_bytes"):
        ServerSettings(max_head_bytes=8191)


@pytest.mark.parametrize("apart", [False, True])
def test_a_wish_to_upgrade_does_not_cost_the_body(apart: bool) -> None:
    """The request is served as it stands, and its body is not a second request (RFC 9110, 7.8)."""
    head = (
        b"POST /first HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 33\r\n\r\n"
    )
    body = b"GET /forged HTTP/1.1\r\nHost: b\r\n\r\n"
    last = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert len(body) == 33
    answer = exchange(echo, *((head, body, last) if apart else (head + body + last,)))
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b"POST /first " + body in answer
    assert answer.endswith(b"GET /last ")


def test_garbage_behind_a_request_does_not_disturb_its_answer() -> None:
    """The answer is whole, and the connection ends behind what follows."""
    release = asyncio.Event()

    async def slow(request: Request, response: Response) -> None:
        asyncio.get_running_loop().call_later(0.05, release.set)
        await release.wait()
        await echo(request, response)

    answer = exchange(slow, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\0\1\2 garbage\r\n\r\n")
    expected = (
        b"HTTP/1.1 200 OK|content-length: 6||GET / HTTP/1.1 400 Bad Request|content-length: 0|"
        b"connection: close||"
    )
    assert answer.split(b"\r\n") == expected.split(b"|")


def test_a_body_with_broken_framing_is_refused() -> None:
    """The program learns that the rest will not come, and the client that it was misread."""
    left = asyncio.Event()

    async def program(request: Request, response: Response) -> None:
        with contextlib.suppress(ConnectionError):
            await request.read()
            raise AssertionError("the body was taken for whole")
        left.set()

    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = exchange(program, head, b"3\r\nabc\r\n", b"xyz\r\n")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert left.is_set()


def test_a_client_may_finish_sending_what_was_refused() -> None:
    """A connection is not reset under a client that has not read its answer (RFC 9112, 9.6)."""
    size = 4_000_000

    async def run() -> bytes:
        async with serving(answering(b"no", status=413)) as where:
            reader, writer = await asyncio.open_connection(where.host, where.port)
            head = f"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {size}"
            writer.write(head.encode() + b"\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(-1), WAIT_S)
            # The server has ended its side, and still takes ours.
            writer.write(bytes(size))
            await asyncio.wait_for(writer.drain(), WAIT_S)
            writer.close()
            await writer.wait_closed()
            return answer

    assert asyncio.run(run()).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_never_ends_what_was_refused_is_cut() -> None:
    """The connection is gone after a while."""

    async def run() -> None:
        async with serving(answering(b"no", status=413)) as where:
            reader, writer = await asyncio.open_connection(where.host, where.port)
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n")
            writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
            assert (await asyncio.wait_for(reader.read(-1), WAIT_S)).startswith(b"HTTP/1.1 413 ")
            async with asyncio.timeout(WAIT_S):
                with pytest.raises(ConnectionError):
                    while True:
                        writer.write(b"1\r\nx\r\n")
                        await writer.drain()
                        await asyncio.sleep(0.01)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http1_connection, "LINGER_S", 0.1)
        asyncio.run(run())


class Cut:
    """A response that is cut in its middle, once the client has what came before.

    Attributes:
        seen: The client has the first part.
    """

    def __init__(self, *headers: tuple[str, bytes]) -> None:
        self.seen = asyncio.Event()
        self._headers = headers

    async def __call__(self, request: Request, response: Response) -> None:
        response.start(200, *self._headers)
        response.write(b"half")
        await self.seen.wait()
        response.abort()


async def ending_of(
    program: Cut,
    request: bytes,
    cut: Callable[[asyncio.StreamWriter], None],
    *,
    trusting: ssl.SSLContext | None = None,
    **settings: Any,
) -> str:
    """How a connection ends for a client that has read ``half`` when ``cut`` is called."""
    async with serving(program, **settings) as where:
        reader, writer = await asyncio.open_connection(where.host, where.port, ssl=trusting)
        try:
            writer.write(request)
            await asyncio.wait_for(reader.readuntil(b"half"), WAIT_S)
            cut(writer)
            rest = await asyncio.wait_for(reader.read(-1), WAIT_S)
            assert rest in (b"", b"\r\n")
        except ConnectionResetError:
            return "reset"
        else:
            return "closed"
        finally:
            program.seen.set()
            writer.close()


# RESP-7, RESP-9
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, pytest.param(None, id="uvloop")])
@pytest.mark.parametrize(
    ("version", "headers", "ending"),
    [
        pytest.param("1.0", (), "reset", id="ended by the connection"),
        pytest.param("1.0", (("content-length", b"9"),), "closed", id="length"),
        pytest.param("1.1", (), "closed", id="chunks"),
    ],
)
def test_half_a_body_is_no_whole_one(
    loop: Callable[[], asyncio.AbstractEventLoop] | None,
    version: str,
    headers: tuple[tuple[str, bytes], ...],
    ending: str,
) -> None:
    """Where nothing else says that a part is missing, the connection is reset."""

    program = Cut(*headers)
    request = f"GET / HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
    factory = loop or pytest.importorskip("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(ending_of(program, request, lambda writer: program.seen.set())) == ending


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, pytest.param(None, id="uvloop")])
def test_half_a_body_has_no_good_end_in_tls_either(
    loop: Callable[[], asyncio.AbstractEventLoop] | None, tmp_path: Path
) -> None:
    """The server does not say goodbye, which would end the body."""
    made = make_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=made.roots)
    program = Cut()
    factory = loop or pytest.importorskip("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        ending = ending_of(
            program,
            b"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
            lambda writer: program.seen.set(),
            trusting=trusting,
            tls=(str(made.chain), str(made.key)),
        )
        assert runner.run(ending) == "reset"


def test_a_client_that_ends_its_side_sees_half_a_body_as_such() -> None:
    """The server closes too, and not as if the body were whole."""
    request = b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"
    ending = ending_of(Cut(), request, lambda writer: writer.write_eof())
    assert asyncio.run(ending) == "reset"


def test_a_request_that_cannot_be_read_on_cuts_its_response() -> None:
    """A body with broken framing, while the answer is on its way."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    ending = ending_of(Cut(), head, lambda writer: writer.write(b"xyz\r\n"))
    assert asyncio.run(ending) == "closed"


@pytest.mark.parametrize("taken", [False, True])
def test_signals_are_the_programs_own_unless_it_gives_them(taken: bool) -> None:
    """A server inside a program does not end what else runs there (LIFE-10)."""

    async def run() -> bool:
        before = signal.getsignal(signal.SIGTERM)
        async with serving(echo, signals=taken):
            during = signal.getsignal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == before
        return during != before

    assert asyncio.run(run()) is taken
