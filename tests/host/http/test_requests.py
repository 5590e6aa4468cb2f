"""Requests that are odd, old or wrong: which of them are served, and how the others are refused.

The table is that of ``docs/hosting.md``.
"""

import asyncio
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgezero_spin.host.http.request_head import Refused, body_framing, parse_target
from edgezero_spin.host.runtime.engine import Engine
from tests.host.http.test_http1_connection import exchange, serving
from tests.host.programs import Request, Response, answering, echo
from tests.host.support import HostLog, script_host
from tests.host.wire import exchange as exchange_with_host
from tests.host.wire import serving as serving_host

LAST = b"Host: a\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(b"CONNECT /abc HTTP/1.1\r\n", 400, id="CONNECT with a path"),
        pytest.param(b"CONNECT http://a/ HTTP/1.1\r\n", 400, id="CONNECT with a URL"),
        pytest.param(b"CONNECT a HTTP/1.1\r\n", 400, id="CONNECT without a port"),
        # RFC 9110, 9.3.6
        pytest.param(b"CONNECT a:443 HTTP/1.1\r\n", 501, id="CONNECT"),
        pytest.param(b"CONNECT [::1]:443 HTTP/1.1\r\n", 501, id="CONNECT IPv6"),
        # RFC 9110, 15.6.6
        pytest.param(b"GET / HTTP/2.0\r\n", 505, id="2.0"),
        pytest.param(b"GET / HTTP/0.9\r\n", 505, id="0.9"),
        pytest.param(b"GET / HTTP/1.2\r\n", 505, id="1.2"),
        pytest.param(b"GET / HTTP/11\r\n", 400, id="no version"),
        pytest.param(b"GET / http/1.1\r\n", 400, id="version in lower case"),
        pytest.param(b"GET /\r\n", 400, id="without a version"),
        # RFC 9112, 3
        pytest.param(b"GET  / HTTP/1.1\r\n", 400, id="two spaces"),
        pytest.param(b"GET /  HTTP/1.1\r\n", 400, id="two spaces behind the target"),
        pytest.param(b"GET / HTTP/1.1 \r\n", 400, id="a space at the end"),
        pytest.param(b" GET / HTTP/1.1\r\n", 400, id="a space in front"),
        pytest.param(b"GET\t/ HTTP/1.1\r\n", 400, id="a tab"),
        pytest.param(b"G(T / HTTP/1.1\r\n", 400, id="a method that is not a token"),
        # RFC 9112, 3.2
        pytest.param(b"GET ftp://a/ HTTP/1.1\r\n", 400, id="another scheme"),
        pytest.param(b"GET http:///x HTTP/1.1\r\n", 400, id="no authority"),
        pytest.param(b"GET http://u:p@a/ HTTP/1.1\r\n", 400, id="user information"),
        pytest.param(b"GET a/b HTTP/1.1\r\n", 400, id="no form of a target"),
        pytest.param(b"GET * HTTP/1.1\r\n", 400, id="GET *"),
        pytest.param(b"GET /\xff HTTP/1.1\r\n", 400, id="no ASCII"),
        # RFC 9112, 6.1 and 6.3
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n", 501, id="gzip, chunked"
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
            501,
            id="gzip and chunked",
        ),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n", 400, id="gzip"),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\n", 400, id="identity"),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n", 400, id="reverse"),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n", 400, id="chunked twice"
        ),
        pytest.param(
            b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", 400, id="chunks of HTTP/1.0"
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n",
            400,
            id="chunks and a length",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            400,
            id="a length and chunks",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n", 400, id="two lengths"
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n",
            400,
            id="two different lengths",
        ),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n", 400, id="a list of lengths"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: +3\r\n", 400, id="a sign"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length:\r\n", 400, id="an empty length"),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n", 400, id="2^64 bytes"
        ),
        # RFC 9112, 5
        pytest.param(b"GET / HTTP/1.1\r\nX: a\r\n b\r\n", 400, id="obs-fold"),
        pytest.param(b"GET / HTTP/1.1\r\nX : a\r\n", 400, id="a space before the colon"),
        pytest.param(b"GET / HTTP/1.1\r\n: a\r\n", 400, id="no name"),
        pytest.param(b"GET / HTTP/1.1\r\nX\r\n", 400, id="no colon"),
        pytest.param(b"GET / HTTP/1.1\r\nX: a\x00b\r\n", 400, id="NUL"),
        pytest.param(b"GET / HTTP/1.1\r\nX: a\rb\r\n", 400, id="CR alone"),
        pytest.param(b"GET / HTTP/1.1\nX: a\n", 400, id="LF alone"),
        pytest.param(b"GET / HTTP/1.1\r\nX: a\nY: b\r\n", 400, id="one LF alone"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="TLS"),
        # RFC 9110, 10.1.1
        pytest.param(b"POST / HTTP/1.1\r\nExpect: 200-maybe\r\n", 417, id="an expectation"),
        # As under Spin.
        pytest.param(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 120, 431, id="120 fields"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"y" * 300_000 + b"\r\n", 431, id="300 kB"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused(head: bytes, status: int) -> None:
    """At once, with the status of RFC 9110 and 9112, and nothing in the log."""

    async def never(request: Request, response: Response) -> None:
        raise AssertionError("the request reached the application")

    with HostLog() as log:
        answer = exchange(never, head + LAST + b"\r\n")
    assert answer == (
        answer.partition(b"\r\n")[0] + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert log.content == b""


@pytest.mark.parametrize(
    ("head", "said"),
    [
        # Spin passes on any token (hyper's extension methods).
        pytest.param(b"get / HTTP/1.1\r\n", b"get / ", id="a method in lower case"),
        pytest.param(b"FOO / HTTP/1.1\r\n", b"FOO / ", id="a method of nobody"),
        pytest.param(b"PROPFIND / HTTP/1.1\r\n", b"PROPFIND / ", id="of WebDAV"),
        pytest.param(b"DESCRIBE / HTTP/1.1\r\n", b"DESCRIBE / ", id="of RTSP"),
        pytest.param(b"SOURCE / HTTP/1.1\r\n", b"SOURCE / ", id="of ICE"),
        pytest.param(b"PRI / HTTP/1.1\r\n", b"PRI / ", id="of the preface of HTTP/2"),
        pytest.param(
            b"FOO / HTTP/1.1\r\nContent-Length: 2\r\n", b"FOO / ab", id="a body of such a method"
        ),
        pytest.param(b"OPTIONS * HTTP/1.1\r\n", b"OPTIONS * ", id="OPTIONS *"),
        pytest.param(b"GET http://a HTTP/1.1\r\n", b"GET / ", id="a URL without a path"),
        pytest.param(b"GET HTTP://A/x HTTP/1.1\r\n", b"GET /x ", id="a URL in upper case"),
        pytest.param(b"\r\n\r\nGET / HTTP/1.1\r\n", b"GET / ", id="blank lines in front"),
        pytest.param(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\n", b"POST / ", id="of 1.0"),
        pytest.param(b"POST / HTTP/1.0\r\nExpect: x\r\n", b"POST / ", id="any of 1.0"),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n",
            b"POST / ab",
            id="chunks in upper case",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n",
            b"POST / ab",
            id="a wish to upgrade",
        ),
    ],
)
def test_an_odd_request_is_served(head: bytes, said: bytes) -> None:
    """What RFC 9112 allows and Spin serves, by any method."""
    body = b"2\r\nab\r\n0\r\n\r\n" if b"hunked" in head else b"ab"
    answer = exchange(echo, head + LAST + b"\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n" + said)


def test_each_refusal_says_why() -> None:
    """Framing and targets are judged without a parser, so that no other one decides."""
    cases: list[tuple[bytes, int]] = [(b"gzip, chunked", 501), (b"x", 400), (b"", 400)]
    for coding, status in cases:
        with pytest.raises(Refused) as caught:
            body_framing([(b"transfer-encoding", coding or b",")], is_1_0=False)
        assert caught.value.status == status
    assert parse_target("GET", b"http://h?x").query == "x"
    assert parse_target("GET", b"/a?#b").query == ""


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            b"Connection: keep-alive\r\n",
            b"HTTP/1.1 200 OK|content-length: 6|connection: keep-alive",
        ),
        (b"", b"HTTP/1.1 200 OK|content-length: 6|connection: close"),
    ],
)
def test_a_connection_of_http_1_0_is_kept_where_that_is_wished(
    headers: bytes, expected: bytes
) -> None:
    """Spin does as much; the client is told, since it does not take it for granted."""
    request = b"GET / HTTP/1.0\r\nHost: a\r\n" + headers + b"\r\n"
    answer = exchange(echo, request * 2, keep_alive_s=0.1)
    assert answer.startswith(b"\r\n".join(expected.split(b"|")) + b"\r\n\r\nGET / ")
    assert answer.count(b"HTTP/1.1") == (2 if headers else 1)


async def _fields(request: Request, response: Response) -> None:
    """Answer with the path and the fields."""
    await request.read()
    fields = [b"=".join(pair) for pair in request.head.headers]
    said = b" ".join([request.head.path.encode(), *fields, b";"])
    response.send(200, [("content-length", str(len(said)).encode())], said)


def test_each_request_of_a_connection_has_its_own_fields() -> None:
    """Whether its field lines are those of the request before, are longer, or frame a body."""
    requests = [
        b"GET /1 HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n",
        b"odd /2 HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n",
        b"GET http://b/3 HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n",
        b"GET /4 HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n",
        b"GET /5 HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\n\r\n",
        b"POST /6 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab",
        b"POST /7 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\ncd",
        b"POST /8 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        b"POST /9 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        b"GET /10 HTTP/1.1\r\nHost: a\r\n\r\n",
        # The same lines, and the connection is not kept.
        b"GET /11 HTTP/1.0\r\nHost: a\r\n\r\n",
    ]
    answer = exchange(_fields, b"".join(requests))
    assert re.findall(rb"/[0-9]+ h[^;]*;", answer) == [
        b"/1 host=a x=1 ;",
        b"/2 host=a x=1 ;",
        b"/3 host=a x=1 host=b ;",
        b"/4 host=a x=1 ;",
        b"/5 host=a x=1 y=2 ;",
        b"/6 host=a content-length=2 ;",
        b"/7 host=a content-length=2 ;",
        b"/8 host=a transfer-encoding=chunked ;",
        b"/9 host=a transfer-encoding=chunked ;",
        b"/10 host=a ;",
        b"/11 host=a ;",
    ]
    assert answer.count(b"connection: close\r\n") == 1


def test_a_client_that_waits_is_told_to_go_on() -> None:
    """Once, before the answer; and not where all of the body came with the head."""
    head = b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n" + LAST + b"\r\n"
    assert exchange(echo, head, b"ab").startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert exchange(echo, head + b"ab").startswith(b"HTTP/1.1 200 OK")
    # A final answer makes it unnecessary.
    assert exchange(answering(b"no", status=413), head).count(b"100 Continue") <= 1


@pytest.mark.parametrize("cut", range(1, 12))
def test_the_end_of_chunks_is_found_wherever_the_bytes_are_parted(cut: int) -> None:
    """The next request is neither lost nor taken for a chunk, whatever the network does."""
    head = b"POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"8\r\n\r\n\r\n\r\n\r\n\r\n0\r\nX: y\r\n\r\n"
    behind = b"foo /2 HTTP/1.1\r\n" + LAST + b"\r\n"
    answer = exchange(echo, head + body[:-cut], body[-cut:] + behind)
    said = re.findall(rb"\r\n\r\n((?:POST|foo) /. (?:\r\n)*)", answer)
    assert said == [b"POST /1 \r\n\r\n\r\n\r\n", b"foo /2 "]
    assert exchange(echo, head + body + behind) == answer


def test_a_head_that_comes_byte_by_byte_costs_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is looked at twice: what is searched grows by one byte and three before it."""
    from edgezero_spin.host.http import received

    searched: list[int] = []

    class Counting:
        def search(self, data: bytes, start: int) -> None:
            searched.append(len(data) - start)

    monkeypatch.setattr(received, "_BARE_LF", Counting())
    head = b"GET / HTTP/1.1\r\nX: " + b"y" * 200 + b"\r\n" + LAST + b"\r\n"

    async def run() -> bytes:
        async with serving(echo) as where:
            reader, writer = await asyncio.open_connection(where.host, where.port)
            for byte in head:
                writer.write(bytes([byte]))
                await asyncio.sleep(0)
            answer = await reader.read(-1)
            writer.close()
            return answer

    assert asyncio.run(run()).endswith(b"GET / ")
    assert sum(searched) <= 2 * len(head)


def test_a_tunnel_is_refused_by_an_application(shared_engine: Engine) -> None:
    """With a Host or without, and the log has no traceback."""
    request = b"CONNECT /abc HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"

    async def run() -> bytes:
        async with serving_host(host) as where:
            return await exchange_with_host(where, request)

    with script_host(shared_engine) as host, HostLog() as log:
        assert asyncio.run(run()).startswith(b"HTTP/1.1 400 ")
    assert log.content == b""


FRAGMENTS = [
    *(b"GET ", b"POST ", b"CONNECT ", b"/", b"*", b"a:1", b"http://a/", b" HTTP/1.1\r\n", b" "),
    *(b" HTTP/1.0\r\n", b" HTTP/2.0\r\n", b"Host: a\r\n", b"Content-Length: 3\r\n", b"\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n"),
    *(b"Connection: close\r\n", b"Connection: upgrade\r\n", b"3\r\nabc\r\n", b"0\r\n", b"abc"),
    *(b"0\r\nX: y\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\n", b"\r", b"\0", b":"),
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=6)), max_size=14))
def test_no_bytes_disturb_the_server(pieces: list[bytes]) -> None:
    """However requests are put together, nothing is raised, and another client is answered."""

    async def run() -> bytes:
        async with serving(echo) as where:
            _, writer = await asyncio.open_connection(where.host, where.port)
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0)
            answer = await exchange_with_host(where, b"GET /o HTTP/1.1\r\n" + LAST + b"\r\n")
            writer.transport.abort()
            return answer

    with HostLog() as log:
        assert asyncio.run(run()).endswith(b"GET /o ")
    assert log.content == b""
