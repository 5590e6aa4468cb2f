"""Components of Spin 1: what they see of a request, and what becomes of what they return."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edgezero_spin.host import Host, HostSettings, HttpRequest
from edgezero_spin.host.compat import inbound_http
from edgezero_spin.host.errors import HandlerError
from edgezero_spin.host.execution.instance_pool import ReusePolicy
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.http.trigger import HttpEntry, HttpTriggers
from edgezero_spin.host.load.plan import ApplicationPlan, ComponentPlan
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from tests.host.compat.inbound import DUMP, ECHO, answer, inbound_component, relay
from tests.host.factors.outbound_http.asking import Peer
from tests.host.support import Capture, HostLog, until
from tests.host.wire import serving

MIB = 1024 * 1024
MODERN = """(component $none) (instance $other (instantiate $none))
  (export "wasi:http/incoming-handler@0.2.0" (instance $other))"""
FRESH = f"""(i32.store8 (i32.const 3000) (i32.add (i32.load8_u (i32.const 3000)) (i32.const 65)))
  {answer(200, body="(i32.const 3000)", size=1)}"""

Run = Callable[..., AbstractContextManager[Host]]


@pytest.fixture
def run(shared_engine: Engine, tmp_path: Path) -> Run:
    """A host of components in these texts; the first is below ``/old``."""

    def make(
        *texts: str,
        engine: Engine = shared_engine,
        settings: HostSettings | None = None,
        allowed: tuple[str, ...] = (),
    ) -> Host:
        ids = ["old", "back"][: len(texts)]
        for id, text in zip(ids, texts, strict=True):
            (tmp_path / f"{id}.wat").write_text(text)
        plan = ApplicationPlan(
            name="spin-1",
            components=tuple(
                ComponentPlan(id=id, source=tmp_path / f"{id}.wat", allowed_outbound_hosts=allowed)
                for id in ids
            ),
            triggers=(
                HttpTriggers(
                    tuple(HttpEntry(id=id, route=f"/{id}/:user_id/...", component=id) for id in ids)
                ),
            ),
        )
        return Host(
            plan,
            engine=engine,
            settings=settings or HostSettings(cache_dir=None),
            logs=Logs(None, echo_to=Capture()),
        )

    return make


def ask(host: Host, target: str = "/old/7", **parts: object) -> tuple[int, dict[str, bytes], bytes]:
    """Status, headers and body of one request."""

    async def scenario() -> tuple[int, dict[str, bytes], bytes]:
        response = await host.handle(HttpRequest(target=target, **parts))  # type: ignore[arg-type]
        headers = dict(response.headers)
        assert len(headers) == len(response.headers)
        return response.status, headers, await response.read()

    return asyncio.run(scenario())


# RESP-11, HDR-1 to HDR-12
def test_what_a_guest_sees_of_a_request(run: Run) -> None:
    """Path and query as they are, no parameters, always a body, and Host among the headers."""
    headers = [
        ("X-A", "1"),
        ("Host", "example.com:81"),
        ("x-a", "2"),
        ("Connection", "upgrade"),
        ("Upgrade", "h2c"),
        ("Spin-Path-Info", "forged"),
        ("spin_full_url", "forged"),
    ]
    with run(inbound_component(DUMP)) as host:
        status, _, body = ask(host, "/old/7/a%20b?c=d&e", headers=headers, client=("::1", 9))
    assert status == 200
    assert body.decode().splitlines() == [
        "AAB",
        "/old/7/a%20b?c=d&e",
        "x-a:1",
        "x-a:2",
        "host:example.com:81",
        "upgrade:h2c",
        "spin-path-info:/a%20b",
        "spin-full-url:http://example.com:81/old/7/a%20b?c=d&e",
        "spin-matched-route:/old/:user_id/...",
        "spin-base-path:/",
        "spin-raw-component-route:/old/:user_id/...",
        "spin-component-route:/old/:user_id",
        "spin-client-addr:[::1]:9",
        "spin-path-match-user-id:7",
    ]


@pytest.mark.parametrize(
    ("host_header", "seen"),
    [
        ("example.com", True),
        ("old.spin.internal", False),
        ("old.Spin.Internal:80", False),
        ("spin.internal.example.com", True),
    ],
)
def test_a_host_inside_the_application_is_not_shown(run: Run, host_header: str, seen: bool) -> None:
    """It names no place that a guest could link to (HDR-12)."""
    with run(inbound_component(DUMP)) as host:
        _, _, body = ask(host, headers=[("host", host_header)])
    assert (f"\nhost:{host_header}\n".encode() in body) is seen


def test_bytes_that_are_no_text(run: Run) -> None:
    """In a path they are replaced, in a header they are refused (HDR-14)."""
    with HostLog() as log, run(inbound_component(DUMP)) as host:
        assert "/old/7/\ufffd\n".encode() in ask(host, "/old/7/\udcff")[2]
        assert ask(host, headers=[("a", b"\xff")])[0] == 500
        assert log.wait_for(b"'a' is not UTF-8")


# RESP-11
@pytest.mark.parametrize(
    ("method", "letter"),
    [
        ("GET", "A"),
        ("POST", "B"),
        ("PUT", "C"),
        ("DELETE", "D"),
        ("PATCH", "E"),
        ("OPTIONS", "G"),
        ("TRACE", None),
        ("CONNECT", None),
        ("QUERY", None),
        ("get", None),
    ],
)
def test_the_methods_that_the_interface_knows(run: Run, method: str, letter: str | None) -> None:
    """Any other is 405 with no body."""
    with run(inbound_component(DUMP)) as host:
        status, headers, body = ask(host, method=method)
    if letter is None:
        assert (status, headers, body) == (405, {"content-length": b"0"}, b"")
    else:
        assert (status, body[:1].decode()) == (200, letter)


@pytest.mark.parametrize(
    ("returned", "status", "logged"),
    [
        (0, 500, b"malformed HTTP status code: 0"),
        (99, 500, b"malformed HTTP status code: 99"),
        # In range, but no answer to a request.
        (100, 500, b"the status 100 cannot be sent"),
        (200, 200, b""),
        (404, 404, b""),
        (600, 600, b""),
        (601, 500, b"malformed HTTP status code: 601"),
        (65535, 500, b"malformed HTTP status code: 65535"),
    ],
)
def test_the_status_has_a_range(run: Run, returned: int, status: int, logged: bytes) -> None:
    """Outside it the answer is an empty 500, and the log says why (RESP-11)."""
    text = inbound_component(answer(returned, body="(i32.const 1024)", size=2), ("ab", "c"))
    with HostLog() as log, run(text) as host:
        got, headers, body = ask(host)
    assert (got, body) == (status, b"" if logged else b"ab")
    assert headers["content-length"] == str(len(body)).encode()
    assert logged in log.content
    assert bool(log.content) is bool(logged)


@pytest.mark.parametrize(
    ("returned", "body", "method", "headers"),
    [
        pytest.param(
            [("X-A", "1"), ("x-b", "2"), ("x-a", "3")],
            "hi",
            "GET",
            {"x-a": b"3", "x-b": b"2", "content-length": b"2"},
            id="the last of a name counts",
        ),
        pytest.param([], "", "GET", {"content-length": b"0"}, id="an empty body"),
        pytest.param([], None, "GET", {"content-length": b"0"}, id="no body"),
        pytest.param([("a", "\u00fc")], None, "HEAD", {"a": b"\xc3\xbc"}, id="UTF-8"),
        pytest.param([("Content-Length", "9")], None, "HEAD", {"content-length": b"9"}, id="HEAD"),
        pytest.param([("content-length", "9")], "", "HEAD", {"content-length": b"9"}, id="emptied"),
        pytest.param([("content-length", "9")], "hi", "GET", {"content-length": b"2"}, id="length"),
        pytest.param([("content-length", "9")], None, "GET", {"content-length": b"0"}, id="none"),
        # RESP-14
        pytest.param(
            [("Connection", "close"), ("transfer-encoding", "chunked"), ("a", "b")],
            "hi",
            "GET",
            {"a": b"b", "content-length": b"2"},
            id="the connection is the host's business",
        ),
    ],
)
def test_headers_of_a_response(
    run: Run,
    returned: list[tuple[str, str]],
    body: str | None,
    method: str,
    headers: dict[str, bytes],
) -> None:
    """The guest's, but for those of the connection, and the length that the body has."""
    # What lies at 1024 begins with the text of the first header; the body is a header's value.
    pairs = [*returned, ("body", body or "")]
    before = sum(len(text.encode()) for pair in returned for text in pair) + len("body")
    code = answer(
        200,
        headers=len(returned),
        body=None if body is None else f"(i32.const {1024 + before})",
        size=len(body or ""),
    )
    with run(inbound_component(code, *pairs)) as host:
        assert ask(host, method=method) == (200, headers, (body or "").encode())


@pytest.mark.parametrize(
    ("header", "logged"),
    [
        pytest.param(("a b", "c"), b"invalid name: 'a b'", id="name"),
        pytest.param(("a", "b\r\nc: d"), b"the header 'a'", id="line break"),
        pytest.param(("a", "x" * 200), b"more than 100 bytes of headers", id="too large"),
    ],
)
def test_a_header_that_cannot_be_sent(
    run: Run, monkeypatch: pytest.MonkeyPatch, header: tuple[str, str], logged: bytes
) -> None:
    """The answer is a 500 and not half of what the guest meant."""
    if header[0] == "a":
        monkeypatch.setattr(inbound_http, "FIELDS_LIMIT", 100)
    with HostLog() as log, run(inbound_component(answer(200, headers=1), header)) as host:
        assert ask(host) == (500, {"content-length": b"0"}, b"")
        assert log.wait_for(logged)


@pytest.mark.parametrize("size", [0, 5, 100_000])
def test_bodies_travel_whole(run: Run, size: int) -> None:
    """Both ways, in one piece whatever pieces came in (RESP-11)."""
    body = bytes(index % 251 for index in range(size))

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, size, 7000):
            yield body[at : at + 7000]

    with run(inbound_component(ECHO)) as host:
        for sent in (body, pieces()):
            status, headers, got = ask(host, method="POST", headers=[("a", "b")], body=sent)
            assert (status, got == body) == (200, True)
            assert (headers["a"], headers["content-length"]) == (b"b", str(size).encode())


def test_a_request_body_is_bounded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past its limit it is 413, and the guest does not run."""
    monkeypatch.setattr(inbound_http, "BODY_LIMIT_BYTES", 1000)
    with HostLog() as log, run(inbound_component(ECHO)) as host:
        assert ask(host, method="POST", body=b"x" * 1000)[0] == 200
        assert ask(host, method="POST", body=b"x" * 1001)[0] == 413
        assert log.wait_for(b"old: a request body of more than 1000 bytes")


def test_the_largest_request_body_arrives(run: Run) -> None:
    """What the limit allows the engine carries."""
    size = inbound_http.BODY_LIMIT_BYTES
    code = f"""(if (i32.ne (local.get $body_len) (i32.const {size})) (then (unreachable)))
      {answer(204)}"""
    with run(inbound_component(code)) as host:
        assert ask(host, method="POST", body=bytes(size))[0] == 204


def test_a_response_body_is_bounded(run: Run) -> None:
    """By what one call carries; the log names the limit."""
    grow = "(drop (memory.grow (i32.const 2100)))"
    code = f"{grow} {answer(200, body='(i32.const 0)', size=129 * MIB)}"
    with HostLog() as log, run(inbound_component(code)) as host:
        assert ask(host)[0] == 500
        assert log.wait_for(b"128 MiB cross")


@pytest.mark.parametrize(
    ("body", "logged"),
    [
        pytest.param("(unreachable)", b"`unreachable` instruction executed", id="trap"),
        pytest.param("(loop $on (br $on)) (unreachable)", b"ran past its deadline", id="endless"),
        pytest.param(
            """(loop $on (br_if $on (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0))))
            (unreachable)""",
            b"unreachable",
            id="memory bomb",
        ),
        pytest.param(answer(200, body="(i32.const -1)", size=9), b"out-of-bounds", id="nonsense"),
    ],
)
def test_a_guest_that_fails_is_a_500(run: Run, body: str, logged: bytes) -> None:
    """With an empty body, and the reason in the log (RESP-4, LIFE-6, LIFE-9)."""
    settings = HostSettings(
        cache_dir=None, request_timeout_s=0.2, max_instance_memory=8 * MIB, max_instances=1
    )
    with HostLog() as log, run(inbound_component(body), settings=settings) as host:
        # The second one shows that the first gave its place back.
        for _ in range(2):
            assert ask(host) == (500, {"content-length": b"0"}, b"")
        assert log.wait_for(b"Error processing request: old: ")
        assert log.wait_for(logged)


@pytest.mark.parametrize(
    ("reuse", "bodies"),
    [
        pytest.param(ReusePolicy(), [b"A", b"A", b"A"], id="fresh"),
        pytest.param(ReusePolicy(ready=2), [b"A", b"A", b"A"], id="made ahead of time"),
        pytest.param(
            ReusePolicy(least_served=2, most_served=2), [b"A", b"\x82", b"A"], id="used twice"
        ),
    ],
)
def test_every_request_has_a_fresh_instance(
    run: Run, reuse: ReusePolicy, bodies: list[bytes]
) -> None:
    """Unless the settings say otherwise (LIFE-2, FLAG-6)."""

    async def scenario(host: Host) -> list[bytes]:
        found = []
        for _ in bodies:
            response = await host.handle(HttpRequest(target="/old/7"))
            found.append(await response.read())
            # An instance goes back to its shelf behind its answer.
            await until(lambda: host.idle)
        return found

    settings = HostSettings(cache_dir=None, reuse=reuse)
    with run(inbound_component(FRESH), settings=settings) as host:
        assert asyncio.run(scenario(host)) == bodies


def test_a_request_that_is_still_coming_holds_a_place(run: Run) -> None:
    """Others wait or get a 503, and a client that leaves gives its place back."""
    settings = HostSettings(cache_dir=None, max_instances=1, max_queued=0, parallel=1)
    held = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"first"
        await held.wait()

    async def scenario(host: Host) -> list[int]:
        asking = asyncio.create_task(host.handle(HttpRequest("POST", "/old/1", body=slow())))
        await until(lambda: host.running == 1 and host.computing == 0)
        second = await host.handle(HttpRequest(target="/old/2"))
        asking.cancel()
        await until(lambda: host.idle)
        third = await host.handle(HttpRequest(target="/old/3"))
        return [second.status, third.status]

    with HostLog(), run(inbound_component(ECHO), settings=settings) as host:
        assert asyncio.run(scenario(host)) == [503, 200]


def test_a_request_that_takes_too_long_to_come_is_a_500(run: Run) -> None:
    """The deadline runs while the guest waits for its body (RESP-8)."""
    settings = HostSettings(cache_dir=None, request_timeout_s=0.1)

    async def slow() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    with HostLog() as log, run(inbound_component(ECHO), settings=settings) as host:
        assert ask(host, method="POST", body=slow())[0] == 500
        assert log.wait_for(b"longer than it may")


# OUTH-20
def test_a_guest_sends_a_request_of_its_own(run: Run) -> None:
    """By the interface of the same age, and passes the answer on."""
    peer = Peer()
    peer.answer("hello", b"HTTP/1.1 418 No\r\nX-A: b\r\nContent-Length: 3\r\n\r\nabc")
    try:
        text = inbound_component(relay(f"http://127.0.0.1:{peer.port}/a?b"))
        with run(text, allowed=("http://127.0.0.1:*",)) as host:
            status, headers, body = ask(host, method="PUT", body=b"hello")
    finally:
        peer.close()
    assert (status, headers["x-a"], body) == (418, b"b", b"abc")
    assert peer.received.startswith(b"PUT /a?b HTTP/1.1\r\n")
    assert peer.received.endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize(("url", "status"), [("http://example.com/", 501), ("no address", 502)])
def test_a_request_that_cannot_be_sent_is_an_error_for_the_guest(
    run: Run, url: str, status: int
) -> None:
    """Which has the case of its kind: denied, invalid."""
    with HostLog(), run(inbound_component(relay(url))) as host:
        assert ask(host)[0] == status


def test_a_guest_calls_another_one(run: Run) -> None:
    """Both of this kind; the callee sees no Host, which names the application itself (HDR-12)."""
    caller = inbound_component(relay("http://back.spin.internal/x?y"))
    with run(caller, inbound_component(DUMP), allowed=("http://*.spin.internal",)) as host:
        status, _, body = ask(host, method="POST", body=b"hello")
    lines = body.decode().splitlines()
    assert (status, lines[:2]) == (200, ["BAB", "/x?y"])
    assert not any(line.startswith("host:") for line in lines)


def test_a_guest_that_calls_itself_for_ever_comes_to_an_end(run: Run) -> None:
    """Where no pool of instances ends it, the last caller is refused (CHAIN-4, OUTH-20)."""
    settings = HostSettings(cache_dir=None, max_instances=1)
    caller = inbound_component(relay("http://old.spin.internal/"))
    with (
        make_engine(EngineSettings(pooling=False)) as engine,
        run(caller, engine=engine, settings=settings, allowed=("http://*.spin.internal",)) as host,
    ):
        assert ask(host)[0] == 505


def test_a_guest_that_calls_itself_through_the_listener_comes_to_an_end(run: Run) -> None:
    """In time, not when its requests are given up after minutes (CHAIN-1, OUTH-20)."""
    settings = HostSettings(cache_dir=None, max_instances=3)

    async def scenario(host: Host) -> int:
        async with serving(host), asyncio.timeout(10):
            return (await host.handle(HttpRequest(target="/old/7"))).status

    caller = inbound_component(relay("/old/7"))
    with HostLog(), run(caller, settings=settings, allowed=("http://self",)) as host:
        assert asyncio.run(scenario(host)) == 505


def test_one_handler_and_no_more(run: Run) -> None:
    """A component that exports two kinds is refused, and so is one without (RESP-15)."""
    with pytest.raises(HandlerError, match="multiple different handlers") as caught:
        run(inbound_component(ECHO, extra=MODERN))
    assert "fermyon:spin/inbound-http, wasi:http/incoming-handler@0.2.0" in str(caught.value)
    with pytest.raises(
        HandlerError, match=r"one of .*, fermyon:spin/inbound-http; it exports a:b/c"
    ):
        run(inbound_component(ECHO, export="a:b/c"))
