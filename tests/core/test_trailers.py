"""Fields behind bodies, before a host has them."""

import asyncio
import gzip

import pytest

from edgezero_spin import App, Outbound, Request, Response
from edgezero_spin.core.compress import compress
from edgezero_spin.core.outbound import OutboundReply, OutboundRequest
from edgezero_spin.core.streaming import BodyStream, SourceStream
from edgezero_spin.testing import TestClient


@pytest.mark.parametrize("name", ["content-length", "Transfer-Encoding", "te", "trailer", "host"])
def test_what_has_no_place_behind_a_body(name: str) -> None:
    """What frames or routes a message stands in front of it (RFC 9110, 6.5.1)."""
    with pytest.raises(ValueError, match=f"{name.lower()}' cannot be a trailer"):
        Response("body", trailers={name: "1"})


@pytest.mark.parametrize("fields", [{"a b": "1"}, {"x": "a\r\nb: c"}])
def test_malformed_trailers_are_refused(fields: dict[str, str]) -> None:
    """They are checked like headers, at once where they are known."""
    with pytest.raises(ValueError, match="header"):
        Response("body", trailers=fields)


def test_what_the_head_says_of_trailers() -> None:
    """Their names, once each and unless the handler says them itself, and no length."""
    response = Response("body", trailers=[("x-a", "1"), ("X-B", "2"), ("x-a", "3")])
    assert response.headers["trailer"] == "x-a, x-b"
    named = Response.json({"a": 1})
    named.headers["trailer"] = "x-c"
    assert "content-length" in named.headers
    named.set_trailers({"x-c": "1"})
    assert (named.headers["trailer"], "content-length" in named.headers) == ("x-c", False)
    assert "trailer" not in Response("body", trailers=dict).headers


def test_trailers_stay_behind_a_compressed_body() -> None:
    """A middleware that changes the body leaves them."""
    app = App()
    app.middleware(compress(minimum_size=0))

    @app.get("/")
    async def handler() -> Response:
        return Response("body" * 100, trailers={"x-sum": "1"})

    with TestClient(app) as client:
        answer = client.get("/", headers={"accept-encoding": "gzip"})
        assert gzip.decompress(answer.content) == b"body" * 100
        assert answer.trailers["x-sum"] == "1"
        assert client.head("/").trailers.pairs == []


def test_trailers_of_a_request_that_middleware_replaced() -> None:
    """They belong to the body: who replaces that has none."""

    async def run() -> None:
        request = Request.of("PUT", "/", body=b"body", trailers={"x-sum": "1"})
        same = request.replace(target="/other")
        assert (await same.trailers())["x-sum"] == "1"
        assert (await request.trailers())["x-sum"] == "1"
        assert list((await request.replace(body=b"new").trailers()).pairs) == []

    asyncio.run(run())


def test_a_request_with_trailers_has_no_length() -> None:
    """Whatever its body is; without trailers it has one."""
    seen: list[OutboundRequest] = []

    class Transport:
        async def send(self, request: OutboundRequest) -> OutboundReply:
            seen.append(request)
            raise ConnectionError

    async def run() -> None:
        for body in (b"body", None, {"a": 1}):
            with pytest.raises(ConnectionError):
                await Outbound(Transport()).send("PUT", "http://a/", body=body, trailers={"x": "1"})

    asyncio.run(run())
    for request in seen:
        assert ("trailer", b"x") in request.headers
        assert not any(name == "content-length" for name, _ in request.headers)
        assert request.body != ()
        assert request.trailers is not None
        assert request.trailers() == [("x", b"1")]


def test_a_body_that_the_host_can_pass_on() -> None:
    """It is given away whole, unless something was read or trailers of its own follow."""

    class Source:
        async def read(self, limit: int) -> bytes:
            return b"read"

        def give_away(self) -> str:
            return "given"

    async def run() -> None:
        stream = BodyStream(SourceStream(Source, 10))
        await stream.prime()
        assert stream.give_source() == "given"
        begun = BodyStream(SourceStream(Source, 10))
        assert await anext(begun) == b"read"
        assert begun.give_source() == "given"
        own = BodyStream(SourceStream(Source, 10), trailers=list)
        await own.prime()
        assert own.give_source() is None
        assert await anext(own) == b"read"

    asyncio.run(run())
