"""Requests that a handler sends, on a transport of the test's own."""

import asyncio
import gzip
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import attrs
import pytest

from edgezero_spin.core import App, Outbound, OutboundError, OutboundRequest, Request, Response
from edgezero_spin.core.outbound import MAX_DECODED_BYTES
from edgezero_spin.core.streaming import BodyStream
from tests.core.asking import ask, body_of, error_of, finish

PLAIN = [("content-type", b"text/plain")]


class Reply:
    """An answer made by hand, in chunks."""

    def __init__(self, status: int, headers: list[tuple[str, bytes]], *chunks: bytes) -> None:
        self.status = status
        self.headers = headers
        self.closed = False
        self._chunks: Iterator[bytes] = iter(chunks)

    async def trailers(self) -> list[tuple[str, bytes]]:
        return []

    async def read(self, limit: int) -> bytes:
        """The next chunk."""
        return next(self._chunks, b"")

    def close(self) -> None:
        """Remember it."""
        self.closed = True


class Upstream:
    """A transport that answers with one reply and keeps what it was sent."""

    def __init__(self, reply: Reply | OutboundError) -> None:
        self.reply = reply
        self.seen: list[OutboundRequest] = []
        self.body = b""

    async def send(self, request: OutboundRequest) -> Reply:
        """Take the request and its body."""
        self.seen.append(request)
        if isinstance(request.body, AsyncIterable):
            async for chunk in request.body:
                self.body += chunk
        else:
            self.body = b"".join(request.body)
        if isinstance(self.reply, OutboundError):
            raise self.reply
        return self.reply


def proxy(upstream: Upstream) -> App:
    """An app that forwards everything."""
    app = App()

    async def forward(rest: str, request: Request, outbound: Outbound) -> Response:
        return await outbound.forward(request, f"https://upstream.example/{rest}?x=1")

    for method in ("GET", "POST"):
        app.route("/proxy/{*rest}", [method])(forward)
    app.transport = upstream
    return app


def test_an_answer_that_is_not_read_to_its_end_is_let_go() -> None:
    """Whoever leaves its body says so to the transport."""
    reply = Reply(200, [], b"one", b"two")

    async def run() -> None:
        answer = await Outbound(Upstream(reply)).send("GET", "http://a.example/")
        async for chunk in (stream := answer.stream()):
            assert chunk == b"one"
            await stream.aclose()
            break

    asyncio.run(run())
    assert reply.closed


def test_a_handler_that_asks_for_outbound_makes_its_app_ask_for_the_network() -> None:
    """The component's world follows from the signature."""
    app = proxy(Upstream(Reply(200, [])))
    assert not app.outbound_http
    app.compile()
    assert app.outbound_http


def test_without_a_transport_it_is_501() -> None:
    """There is nothing that could carry a request."""  # TV-186
    app = proxy(Upstream(Reply(200, [])))
    app.transport = None
    assert error_of(ask(app, "GET", "/proxy/a"))[0] == 501


def test_forwarding_keeps_method_headers_and_body() -> None:
    """Only the URL is another one; fields about the connection stay behind."""  # PRX-1
    upstream = Upstream(Reply(201, PLAIN, b"done"))
    headers = [("x-tag", "1"), ("x-tag", "2"), ("host", "here"), ("connection", "close")]
    answer = ask(proxy(upstream), "POST", "/proxy/a/b", headers=headers, body=[b"one", b"two"])
    sent = upstream.seen[0]
    assert (sent.method, sent.scheme, sent.authority) == ("POST", "https", "upstream.example")
    assert sent.target == "/a/b?x=1"
    assert sent.headers == [("x-tag", b"1"), ("x-tag", b"2")]
    assert upstream.body == b"onetwo"
    assert (answer.status, body_of(answer)) == (201, b"done")


def test_the_answer_keeps_repeated_headers_and_says_who_passed_it_on() -> None:
    """Two cookies stay two."""  # PRX-3, PRX-4 as amended (OPQ-19), TV-50
    reply = Reply(200, [("set-cookie", b"a=1"), ("set-cookie", b"b=2"), ("connection", b"close")])
    answer = ask(proxy(Upstream(reply)), "GET", "/proxy/a")
    assert answer.header_pairs == [
        ("set-cookie", b"a=1"),
        ("set-cookie", b"b=2"),
        ("x-edgezero-proxy", b"spin"),
    ]
    assert body_of(answer) == b""


@pytest.mark.parametrize(
    ("encoding", "sent", "expected", "kept"),
    [
        pytest.param(None, b"plain", b"plain", False, id="none"),
        pytest.param("identity", b"plain", b"plain", True, id="identity"),
        pytest.param("gzip", gzip.compress(b"hello gzip"), b"hello gzip", False, id="gzip"),
        pytest.param("GZIP", gzip.compress(b"hello"), b"hello", False, id="upper case"),
        pytest.param("gzip, br", b"opaque", b"opaque", True, id="a list"),
        pytest.param("br", b"opaque", b"opaque", True, id="brotli passes"),
        pytest.param(
            "gzip", gzip.compress(b"a") + gzip.compress(b"b"), b"ab", False, id="two members"
        ),
    ],
)
def test_gzip_is_decoded(encoding: str | None, sent: bytes, expected: bytes, kept: bool) -> None:
    """Exactly that encoding; its length goes with it."""  # PRX-5, PRX-6, TV-47, TV-49
    headers = [("content-length", str(len(sent)).encode())]
    if encoding is not None:
        headers.append(("content-encoding", encoding.encode()))
    pieces = [sent[i : i + 7] for i in range(0, len(sent), 7)]
    answer = ask(proxy(Upstream(Reply(200, headers, *pieces))), "GET", "/proxy/a")
    assert body_of(answer) == expected
    assert ("content-encoding" in answer.headers) == kept
    assert ("content-length" in answer.headers) == (kept or encoding is None)


def test_a_bomb_is_cut_at_the_cap() -> None:
    """65 MiB of zeros in 64 KiB of gzip never become 65 MiB here."""  # PRX-7, TV-48
    bomb = gzip.compress(bytes(MAX_DECODED_BYTES + 1024 * 1024))
    answer = ask(
        proxy(Upstream(Reply(200, [("content-encoding", b"gzip")], bomb))), "GET", "/proxy/a"
    )
    with pytest.raises(OutboundError, match="exceeds maximum size of 67108864 bytes"):
        body_of(answer)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"not gzip at all", id="garbage"),
        pytest.param(gzip.compress(b"x" * 1000)[:-9], id="cut short"),
    ],
)
def test_corrupt_gzip_is_an_error_and_not_a_short_body(body: bytes) -> None:
    """Early garbage is a JSON 500, a late end an aborted body."""  # PRX-7
    app = proxy(Upstream(Reply(200, [("content-encoding", b"gzip")], body)))
    answer = ask(app, "GET", "/proxy/a")
    if answer.status == 500:
        assert "gzip decompression failed" in error_of(answer)[1]
    else:
        with pytest.raises(OutboundError, match="gzip decompression failed"):
            body_of(answer)


@pytest.mark.parametrize(
    ("body", "read_whole"),
    [
        pytest.param([gzip.compress(b"x" * 1000)], False, id="the client leaves"),
        pytest.param([gzip.compress(b"x")[:9], b"\xff" * 9], True, id="garbage"),
        pytest.param([gzip.compress(bytes(MAX_DECODED_BYTES + 1))], True, id="too much"),
        pytest.param([gzip.compress(b"x")], True, id="read to its end"),
    ],
)
def test_a_decoded_answer_is_let_go_of(body: list[bytes], read_whole: bool) -> None:
    """Whatever ends the reading of a gzip body, the connection that it came by is given up."""
    reply = Reply(200, [("content-encoding", b"gzip")], *body)
    answer = ask(proxy(Upstream(reply)), "GET", "/proxy/a")
    if read_whole:
        with suppress(OutboundError):
            body_of(answer)
    else:
        assert isinstance(answer.body, BodyStream)
        finish(answer.body.aclose())
    assert reply.closed


def test_a_refusal_is_a_500_that_names_the_code() -> None:
    """The transport's word reaches the client and the program."""  # PRX-9, PRX-10
    refused = OutboundError("Spin outbound HTTP error: HTTP-request-denied", "HTTP-request-denied")
    status, message = error_of(ask(proxy(Upstream(refused)), "GET", "/proxy/a"))
    assert (status, message) == (
        500,
        "internal error: Spin outbound HTTP error: HTTP-request-denied",
    )


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        pytest.param("http://a", "a", "/", id="host alone"),
        pytest.param("HTTPS://a:8443/b/c?d=e#f", "a:8443", "/b/c?d=e", id="all parts"),
        pytest.param("http://a?x=1", "a", "/?x=1", id="query without path"),
        pytest.param("http://[::1]:80/x", "[::1]:80", "/x", id="IPv6"),
    ],
)
def test_urls_are_taken_apart(url: str, authority: str, target: str) -> None:
    """Scheme in lower case, at least a slash, no fragment."""
    upstream = Upstream(Reply(200, PLAIN, b"x"))
    answer = finish(Outbound(upstream).send("GET", url))
    assert (upstream.seen[0].authority, upstream.seen[0].target) == (authority, target)
    assert finish(answer.text()) == "x"


@pytest.mark.parametrize(
    "url",
    ["", "a", "ftp://a/b", "http://", "http:///x", "http://:80/", "http://u:p@a/", "http://ä"],
)
def test_other_urls_are_refused_before_anything_is_sent(url: str) -> None:
    """A slip in the program, so a ValueError."""
    upstream = Upstream(Reply(200, PLAIN))
    with pytest.raises(ValueError, match="URL"):
        finish(Outbound(upstream).send("GET", url))
    assert upstream.seen == []


def test_a_body_is_read_within_its_limit() -> None:
    """A limit of the caller's is kept."""
    answer = finish(Outbound(Upstream(Reply(200, PLAIN, b"123", b"456"))).send("GET", "http://a"))
    with pytest.raises(OutboundError, match="maximum size of 5 bytes"):
        finish(answer.bytes(5))


def test_json_is_built_into_a_model() -> None:
    """And what does not fit is the upstream's fault, a 500 here."""
    upstream = Upstream(Reply(200, PLAIN, b'{"a": 1}'))
    assert finish(finish(Outbound(upstream).send("GET", "http://a")).json(dict[str, int])) == {
        "a": 1
    }
    upstream.reply = Reply(200, PLAIN, b"nonsense")
    with pytest.raises(OutboundError, match="response body"):
        finish(finish(Outbound(upstream).send("GET", "http://a")).json())


@attrs.frozen
class Order:
    """A model of the app's."""

    item: str


@pytest.mark.parametrize(
    ("body", "sent", "content_type"),
    [
        pytest.param(None, None, None, id="none"),
        pytest.param(b"", None, None, id="no bytes"),
        pytest.param("", None, None, id="no text"),
        pytest.param(b"a\xff", b"a\xff", None, id="bytes"),
        pytest.param(bytearray(b"ab"), b"ab", None, id="bytearray"),
        pytest.param(memoryview(b"abc")[1:], b"bc", None, id="memoryview"),
        pytest.param("grün", "grün".encode(), None, id="text"),
        pytest.param([b"a", b"b"], b"ab", None, id="list of bytes"),
        pytest.param((b"a", bytearray(b"b")), b"ab", None, id="tuple of bytes"),
        pytest.param({"a": [1, None]}, b'{"a":[1,null]}', b"application/json", id="dictionary"),
        pytest.param([1, 2], b"[1,2]", b"application/json", id="list"),
        pytest.param([], b"[]", b"application/json", id="empty list"),
        pytest.param(0, b"0", b"application/json", id="number"),
        pytest.param(False, b"false", b"application/json", id="truth"),
        pytest.param(Order("tea"), b'{"item":"tea"}', b"application/json", id="model"),
    ],
)
def test_what_a_body_can_be(body: object, sent: bytes | None, content_type: bytes | None) -> None:
    """A known body goes out with its length; a value goes out as JSON and says so."""
    upstream = Upstream(Reply(200, PLAIN))
    finish(Outbound(upstream).send("POST", "http://a", body=body))
    headers = dict(upstream.seen[0].headers)
    assert upstream.body == (sent or b"")
    assert headers.get("content-length") == (None if sent is None else b"%d" % len(sent))
    assert headers.get("content-type") == content_type
    # What says that there is none, so that no framing goes out either.
    assert (upstream.seen[0].body == ()) == (sent is None)


def test_the_callers_content_type_stays() -> None:
    """A JSON value may be of a kind of its own."""
    upstream = Upstream(Reply(200, PLAIN))
    fields = {"Content-Type": "application/merge-patch+json"}
    finish(Outbound(upstream).send("PATCH", "http://a", headers=fields, body={"a": 1}))
    assert upstream.seen[0].headers == [
        ("content-type", b"application/merge-patch+json"),
        ("content-length", b"7"),
    ]


def test_chunks_are_sent_as_they_come() -> None:
    """Their number of bytes is not known before."""
    upstream = Upstream(Reply(200, PLAIN))

    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    for body in (iter([b"a", b"b"]), chunks()):
        upstream.body = b""
        finish(Outbound(upstream).send("POST", "http://a", body=body))
        assert (upstream.body, upstream.seen[-1].headers) == (b"ab", [])


@pytest.mark.parametrize(
    ("parts", "error", "said"),
    [
        pytest.param({"body": object()}, TypeError, "request body", id="object"),
        pytest.param({"body": {"a": object()}}, TypeError, "request body", id="inside"),
        pytest.param({"body": [b"a", 1]}, TypeError, "request body", id="mixed list"),
        pytest.param({"headers": {"x-a": 0}}, TypeError, "'x-a'", id="number as a header"),
        pytest.param({"headers": {"x-a": [72, 105]}}, TypeError, "'x-a'", id="list as a header"),
        pytest.param({"headers": {"x-a": True}}, TypeError, "'x-a'", id="truth as a header"),
        pytest.param({"headers": {"x-a": None}}, TypeError, "'x-a'", id="no header"),
        pytest.param({"headers": {"host": "b"}}, ValueError, "'host'", id="host"),
        pytest.param({"headers": {"Connection": "close"}}, ValueError, "'connection'", id="hop"),
        pytest.param({"headers": {"upgrade": "a"}}, ValueError, "'upgrade'", id="upgrade"),
        pytest.param(
            {"headers": {"transfer-encoding": "chunked"}}, ValueError, "'transfer-enc", id="framing"
        ),
        pytest.param(
            {"headers": {"content-length": "9"}, "body": b"four"}, ValueError, "9.*4", id="length"
        ),
        pytest.param({"timeout_s": 0}, ValueError, "timeout_s", id="no time"),
        pytest.param({"timeout_s": -1}, ValueError, "timeout_s", id="past"),
        pytest.param({"timeout_s": float("nan")}, ValueError, "timeout_s", id="nan"),
        pytest.param({"timeout_s": float("inf")}, ValueError, "timeout_s", id="for ever"),
        pytest.param({"method": "G T"}, ValueError, "method", id="method"),
        pytest.param({"method": ""}, ValueError, "method", id="no method"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is_sent(
    parts: dict[str, Any], error: type[Exception], said: str
) -> None:
    """The message names what is wrong."""
    upstream = Upstream(Reply(200, PLAIN))
    method = parts.pop("method", "POST")
    with pytest.raises(error, match=said):
        finish(Outbound(upstream).send(method, "http://a", **parts))
    assert upstream.seen == []


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        pytest.param("/orders?x=1", "self.alt", "/orders?x=1", id="path"),
        pytest.param("/", "self.alt", "/", id="root"),
        pytest.param("http://self/a", "self.alt", "/a", id="as in the manifest"),
        pytest.param("https://SELF:8080/a", "self.alt:8080", "/a", id="with a port"),
        pytest.param("http://self.alt/a", "self.alt", "/a", id="as Spin names it"),
        pytest.param("http://self.example/a", "self.example", "/a", id="another host"),
    ],
)
def test_the_application_itself_has_three_names(url: str, authority: str, target: str) -> None:
    """A path, the manifest's ``self`` and Spin's ``self.alt``."""  # CHAIN-1, CHAIN-2
    upstream = Upstream(Reply(200, PLAIN))
    finish(Outbound(upstream).send("GET", url))
    assert (upstream.seen[0].authority, upstream.seen[0].target) == (authority, target)


def test_a_body_can_be_read_again() -> None:
    """As bytes, text, JSON and once more as a stream, as a request's can."""
    answer = finish(Outbound(Upstream(Reply(200, PLAIN, b'{"a"', b":1}"))).send("GET", "http://a"))
    assert finish(answer.text()) == '{"a":1}'
    assert finish(answer.json()) == {"a": 1}
    assert finish(answer.bytes()) == b'{"a":1}'
    assert body_of(Response(answer.stream())) == b'{"a":1}'
    with pytest.raises(OutboundError, match="maximum size of 3 bytes"):
        finish(answer.bytes(3))


def test_a_body_that_was_streamed_is_gone() -> None:
    """A second reader hears of it instead of finding nothing."""
    answer = finish(Outbound(Upstream(Reply(200, PLAIN, b"a", b"b"))).send("GET", "http://a"))
    assert body_of(Response(answer.stream())) == b"ab"
    with pytest.raises(RuntimeError, match="read already"):
        finish(answer.bytes())
