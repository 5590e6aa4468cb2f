"""Requests that a handler sends, on a transport of the test's own."""

import gzip
from collections.abc import AsyncIterable, Iterator

import pytest

from edgezero_spin.core import App, Outbound, OutboundError, OutboundRequest, Request, Response
from edgezero_spin.core.outbound import MAX_DECODED_BYTES
from tests.core.asking import ask, body_of, error_of, finish

PLAIN = [("content-type", b"text/plain")]


class Reply:
    """An answer made by hand, in chunks."""

    def __init__(self, status: int, headers: list[tuple[str, bytes]], *chunks: bytes) -> None:
        self.status = status
        self.headers = headers
        self.closed = False
        self._chunks: Iterator[bytes] = iter(chunks)

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
    assert reply.closed


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
