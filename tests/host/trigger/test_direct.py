"""Requests without a body, answered without ASGI in between."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, cast

import pytest

from edgezero_spin.host import Host
from edgezero_spin.host.channel import ByteChannel
from edgezero_spin.host.engine import Engine
from edgezero_spin.host.exchange import Exchange, ResponseHead
from edgezero_spin.host.trigger.delivery import Delivery, Linger
from edgezero_spin.host.trigger.direct import Direct
from edgezero_spin.host.trigger.gateway import Answer, Call, Gateway, RequestHead
from edgezero_spin.host.trigger.http import InstanceRunner
from edgezero_spin.host.trigger.server import ServerSettings, serve_async
from edgezero_spin.host.trigger.wire import Wire
from edgezero_spin.host.workers import Overloaded
from tests.host.support import HostLog, script_host, until
from tests.host.wire import WAIT_S, exchange, get, serving

HEAD = RequestHead("GET", "/", None, [(b"host", b"a")])


class FakeWire:
    """Notes what is done with it."""

    def __init__(self, *, congested: bool = False, over: bool = False) -> None:
        self.head: RequestHead | None = HEAD
        self.received: list[tuple[bytes, bytes]] = []
        self.bare_query = False
        self.give_up: Callable[[], None] = lambda: None
        self.congested = congested
        self.over = over
        self.said: list[object] = []

    def answer(self, status: int, headers: Iterable[tuple[str, bytes]], body: bytes) -> None:
        self.said.append((status, dict(headers), body))

    def fail(self, error: BaseException) -> None:
        self.said.append(error)

    def proceed(self, answering: Coroutine[Any, Any, None]) -> None:
        self.said.append("proceeds")
        asyncio.get_running_loop().create_task(answering)


class Front:
    """An application around one exchange, and what became of it.

    Attributes:
        exchange: The request, as a guest would have it.
        done: How often the work was said to be over.
        relayed: Deliveries that go on piece by piece.
    """

    def __init__(self, *, method: str = "GET", admitted: Answer | None = None) -> None:
        self.exchange = Exchange(method, "/", [])
        self.done = 0
        self.relayed: list[Delivery] = []
        self.overloaded = False
        self._admitted = admitted
        self._linger: Linger | None = None

    def admit(self, head: RequestHead) -> Answer | Call:
        return self._admitted or Call(cast("Any", "a component"), self.exchange)

    def start(self, component: object, exchange: Exchange) -> None:
        if self.overloaded:
            raise Overloaded("full")

    def linger(self) -> Linger:
        self._linger = self._linger or Linger(lambda: None)
        return self._linger

    async def relay(self, delivery: Delivery, wire: Wire) -> None:
        self.relayed.append(delivery)

    def count(self) -> None:
        self.done += 1

    def begin(self, wire: FakeWire) -> None:
        direct = Direct(
            cast("Gateway", self), cast("InstanceRunner", self), self.linger, self.relay
        )
        direct.begin(cast("Wire", wire), self.count)


def respond(front: Front, status: int, *, body: ByteChannel | None, **headers: bytes) -> None:
    """What a guest does."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    front.exchange.respond(ResponseHead(status, pairs, body))


def channel(*pieces: bytes) -> ByteChannel:
    """A body that has ended."""
    body = ByteChannel()
    for piece in pieces:
        body.put(piece)
    body.end()
    return body


async def play(front: Front, wire: FakeWire, guest: Callable[[], None]) -> None:
    """Begin, have the guest act, and let the loop hear of it."""
    front.begin(wire)
    assert wire.said == []
    assert front.done == 0
    guest()
    await until(lambda: front.done == 1)


def test_a_complete_response_is_sent_in_one_piece() -> None:
    """However many pieces the guest made of it, and without a task."""
    front, wire = Front(), FakeWire()
    body = channel(b"hel", b"lo")
    asyncio.run(play(front, wire, lambda: respond(front, 201, body=body, content_type=b"a/b")))
    assert wire.said == [(201, {"content-type": b"a/b"}, b"hello")]
    assert front.relayed == []


@pytest.mark.parametrize(
    ("method", "status", "body", "headers"),
    [
        pytest.param("HEAD", 200, channel(b"hello"), {}, id="HEAD"),
        pytest.param("GET", 304, channel(b"hello"), {}, id="304"),
        pytest.param("GET", 200, None, {"content-length": b"0"}, id="not taken"),
    ],
)
def test_a_response_without_a_body_is_complete_at_once(
    method: str, status: int, body: ByteChannel | None, headers: dict[str, bytes]
) -> None:
    """The guest's bytes go nowhere, and it may not wait for them to go (RESP-2)."""
    front, wire = Front(method=method), FakeWire()
    asyncio.run(play(front, wire, lambda: respond(front, status, body=body)))
    assert wire.said == [(status, headers, b"")]
    assert body is None or body.closed


def failed() -> ByteChannel:
    """A body that broke off."""
    body = ByteChannel()
    body.put(b"hel")
    body.fail("no more")
    return body


def open_and_large() -> ByteChannel:
    """A body that goes on."""
    body = ByteChannel()
    body.put(bytes(100_000))
    return body


def with_trailers() -> ByteChannel:
    """A body with something behind it."""
    body = ByteChannel()
    body.put(b"hello")
    body.end([("x", b"y")])
    return body


@pytest.mark.parametrize("body", [failed, open_and_large, with_trailers])
def test_what_is_not_complete_is_relayed(body: Callable[[], ByteChannel]) -> None:
    """Nothing of it is taken before, and it is over when that is (RESP-7, HTTP-18)."""
    front, wire = Front(), FakeWire()
    made = body()
    asyncio.run(play(front, wire, lambda: respond(front, 200, body=made)))
    assert wire.said == ["proceeds"]
    assert [delivery.exchange for delivery in front.relayed] == [front.exchange]
    assert made.size


def test_a_client_that_does_not_read_is_waited_for() -> None:
    """A response behind others that are not read yet takes its time."""
    front, wire = Front(), FakeWire(congested=True)
    asyncio.run(play(front, wire, lambda: respond(front, 200, body=channel(b"hello"))))
    assert wire.said == ["proceeds"]


def test_a_client_that_left_closes_the_guests_side() -> None:
    """What the guest goes on to write is refused (LIFE-8)."""
    front, wire = Front(), FakeWire(over=True)
    body = open_and_large()
    asyncio.run(play(front, wire, lambda: respond(front, 200, body=body)))
    assert wire.said == []
    assert front.exchange.abandoned
    assert body.closed


@pytest.mark.parametrize(
    ("busy", "status"), [pytest.param(False, 500, id="guest"), pytest.param(True, 503, id="host")]
)
def test_no_answer_is_an_error(busy: bool, status: int) -> None:
    """The guest's fault or ours (RESP-4 to RESP-6)."""
    front, wire = Front(), FakeWire()
    front.exchange.busy = busy
    asyncio.run(play(front, wire, lambda: front.exchange.refuse("no")))
    assert wire.said == [(status, {"content-length": b"0"}, b"")]


def test_a_status_that_cannot_be_sent_is_an_error() -> None:
    """It is told of once."""
    front, wire = Front(), FakeWire()
    with HostLog() as log:
        asyncio.run(play(front, wire, lambda: respond(front, 102, body=channel(b"hello"))))
    assert wire.said == [(500, {"content-length": b"0"}, b"")]
    assert log.content.count(b"102") == 1


def test_what_needs_no_guest_is_answered_at_once() -> None:
    """Before ``begin`` returns; so is what finds no place (LIFE-8)."""

    async def run(front: Front, wire: FakeWire) -> None:
        front.begin(wire)
        assert front.done == 1

    front, wire = Front(admitted=Answer(404, (("a", b"b"),), b"no")), FakeWire()
    asyncio.run(run(front, wire))
    assert wire.said == [(404, {"a": b"b", "content-length": b"2"}, b"no")]
    front, wire = Front(), FakeWire()
    front.overloaded = True
    asyncio.run(run(front, wire))
    assert wire.said == [(503, {"content-length": b"0"}, b"")]


def test_parts_that_do_not_fit_fail_the_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wire is told so, in place of the loop."""
    front, wire = Front(), FakeWire()
    error = RuntimeError("no")

    def refuse(*parts: object) -> None:
        raise error

    monkeypatch.setattr(wire, "answer", refuse)
    asyncio.run(play(front, wire, lambda: respond(front, 200, body=channel(b"hello"))))
    assert wire.said == [error]


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


@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"])
def test_a_request_that_is_not_answered_in_time_is_at_the_end(
    shared_engine: Engine, expect: str
) -> None:
    """When the server has no more time the client is told, and the guest as well (LIFE-10)."""

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
        writer.write(f"GET /s HTTP/1.1\r\nHost: a\r\n{expect}\r\n".encode())
        await until(lambda: host.running == 1)
        stop.set()
        await asyncio.wait_for(server, WAIT_S)
        answer = await asyncio.wait_for(reader.read(-1), WAIT_S)
        writer.close()
        return answer

    with script_host(shared_engine) as host, HostLog() as log:
        answer = asyncio.run(run(host))
    assert b"HTTP/1.1 500 Internal Server Error\r\n" in answer
    assert b"connection: close" in answer
    assert b"a request was not answered" not in log.content
