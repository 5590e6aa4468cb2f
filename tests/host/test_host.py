"""Whole requests through real instances: what a client gets for whatever a guest does."""

import asyncio
import gc
import math
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgezero_spin.host import Host, HostSettings, HttpRequest, HttpResponse, ResponseAborted
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.http.gateway import CompleteResponse
from edgezero_spin.host.http.trigger import HttpEntry
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from tests.host.runtime.wat import CALL, instance_of, linked_to
from tests.host.support import Capture, HostLog, script_host, until


@pytest.fixture(scope="module")
def host(shared_engine: Engine) -> "Host":
    """One host for all tests that leave nothing behind."""
    return script_host(shared_engine, logs=Logs(None, echo_to=Capture()))


async def outcome(response: HttpResponse) -> bytes | str:
    """The body, or why it broke off."""
    try:
        return await response.read()
    except ResponseAborted as error:
        return error.reason


async def ask(host: Host, target: str, **parts: object) -> tuple[int, dict[str, bytes], object]:
    """Status, headers, and the body or why it broke off."""
    response = await host.handle(HttpRequest(target=target, **parts))  # type: ignore[arg-type]
    return response.status, dict(response.headers), await outcome(response)


@pytest.mark.parametrize(
    ("target", "status", "headers", "body", "logged"),
    [
        # RESP-1, RESP-3
        pytest.param("/h", 200, {}, b"hello", None, id="finished body"),
        pytest.param("/c", 201, {"content-length": b"5"}, b"hello", None, id="known length"),
        # RESP-2
        pytest.param("/n", 200, {"content-length": b"0"}, b"", None, id="no body taken"),
        # RESP-4
        pytest.param(
            "/t", 500, {"content-length": b"0"}, b"", "Error processing request", id="early trap"
        ),
        # ENV-17
        pytest.param("/x", 500, {"content-length": b"0"}, b"", "exited with status 0", id="exit"),
        # RESP-5
        pytest.param(
            "/r",
            500,
            {"content-length": b"0"},
            b"",
            "failed to produce a response prior",
            id="mute",
        ),
        pytest.param(
            "/e", 500, {"content-length": b"0"}, b"", "response: HTTP-protocol-error", id="refused"
        ),
        # RESP-7
        pytest.param(
            "/T",
            200,
            {},
            "wasm trap: wasm `unreachable` instruction executed",
            "Component error after response started",
            id="late trap",
        ),
        # RESP-9, HTTP-14
        pytest.param(
            "/u",
            200,
            {},
            "guest returned before it finished the response body",
            None,
            id="left open",
        ),
        pytest.param(
            "/l",
            200,
            {"content-length": b"9"},
            "the body is shorter than its content-length",
            None,
            id="too short",
        ),
        # HTTP-13
        pytest.param(
            "/m",
            200,
            {"content-length": b"3"},
            b"hel",
            None,
            id="too long",
        ),
        # HTTP-16
        pytest.param(
            "/f",
            200,
            {},
            "outgoing-body.finish while its stream is alive: "
            "the resource has children; drop those first",
            "Component error after response started",
            id="finished too early",
        ),
        # HTTP-17
        pytest.param(
            "/W",
            200,
            {},
            "output-stream.write of 1900000 bytes where check-write allows 262144",
            "Component error after response started",
            id="over budget",
        ),
        pytest.param(
            "/i",
            500,
            {"content-length": b"0"},
            b"",
            "example:nowhere/thing@1.0.0, which this host does not provide; `spin up` may",
            id="unknown interface",
        ),
    ],
)
def test_what_a_guest_does_decides_what_a_client_gets(
    host: Host,
    target: str,
    status: int,
    headers: dict[str, bytes],
    body: object,
    logged: str | None,
) -> None:
    """Each way to answer, and not to, has its status, headers, body and line in the log."""
    with HostLog() as log:
        assert asyncio.run(ask(host, target)) == (status, headers, body)
        if logged is None:
            assert log.content == b""
        else:
            # The line is written by the guest's thread, after the response went out.
            assert log.wait_for(logged.encode())


def test_a_body_is_echoed_while_it_arrives(host: Host) -> None:
    """The first piece comes back before the last one is sent (CONF-50)."""

    async def run() -> bytes:
        seen = asyncio.Event()

        async def pieces() -> AsyncIterator[bytes]:
            yield b"first "
            await seen.wait()
            for _ in range(300):
                yield b"x" * 10_000

        response = await host.handle(HttpRequest("POST", "/E", body=pieces()))
        content = b""
        async for piece in response.iter_bytes():
            content += piece
            if content == b"first ":
                seen.set()
        return content

    assert asyncio.run(asyncio.wait_for(run(), 30)) == b"first " + b"x" * 3_000_000


def test_loops_that_are_closed_are_let_go(host: Host) -> None:
    """A program that runs one loop for each request keeps the latest at most."""
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def run() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await (await host.handle(HttpRequest("GET", "/h"))).read()

    for _ in range(5):
        asyncio.run(run())
    gc.collect()
    assert sum(loop() is not None for loop in loops) <= 1


def test_a_guest_that_does_not_read_holds_the_sender_back(host: Host) -> None:
    """No more than the budget of an unread body is taken from its source (HTTP-17)."""

    async def run() -> int:
        taken = 0

        async def pieces() -> AsyncIterator[bytes]:
            nonlocal taken
            for _ in range(1000):
                taken += 65536
                yield b"x" * 65536

        async with await host.handle(HttpRequest("POST", "/z", body=pieces())) as response:
            reading = response.iter_bytes()
            for _ in range(20):
                await anext(reading)
        return taken

    assert asyncio.run(run()) <= 1024 * 1024 + 2 * 65536


def test_a_client_that_leaves_closes_the_guests_stream(shared_engine: Engine) -> None:
    """The guest's next write says ``closed`` and the handler runs on to its end (LIFE-8)."""
    echo = Capture()
    logs = Logs(None, echo_to=echo)

    async def run(host: Host) -> None:
        async with await host.handle(HttpRequest(target="/z")) as response:
            async for piece in response.iter_bytes():
                assert piece
                break

    with script_host(shared_engine, logs=logs) as host:
        asyncio.run(run(host))
        assert echo.wait_for(b"closed\n")


def test_bytes_of_a_busy_guest_are_not_held_back(shared_engine: Engine) -> None:
    """What was written before a long computation is delivered while it lasts."""

    async def run(host: Host) -> bytes:
        async with await host.handle(HttpRequest(target="/B")) as response:
            return await anext(response.iter_bytes())

    settings = HostSettings(cache_dir=None, request_timeout_s=1)
    with script_host(shared_engine, settings=settings) as host:
        assert asyncio.run(run(host)) == b"hello"


def test_infinity_is_no_limit_of_time(shared_engine: Engine) -> None:
    """A request is answered as it would be without one."""  # LIFE-7
    settings = HostSettings(
        cache_dir=None, request_timeout_s=math.inf, least_request_timeout_s=math.inf
    )
    with script_host(shared_engine, settings=settings) as host:
        status, _, _ = asyncio.run(ask(host, "/h"))
    assert status == 200


@pytest.mark.parametrize(
    ("target", "body"),
    [
        pytest.param("/b", b"", id="computing"),
        pytest.param("/s", b"", id="sleeping"),
    ],
)
def test_a_deadline_ends_a_guest(shared_engine: Engine, target: str, body: bytes) -> None:
    """A guest past its time, which would never end by itself, gives a 500 (LIFE-7, CONF-46)."""
    settings = HostSettings(cache_dir=None, request_timeout_s=0.1)
    with script_host(shared_engine, settings=settings) as host:
        assert asyncio.run(ask(host, target)) == (500, {"content-length": b"0"}, body)


def test_an_endless_loop_hurts_one_request_only(shared_engine: Engine) -> None:
    """Others are answered while more guests than processors compute for ever."""
    settings = HostSettings(cache_dir=None, request_timeout_s=2, parallel=1)

    async def run(host: Host) -> list[int]:
        stuck = [asyncio.create_task(ask(host, "/b")) for _ in range(3)]
        await asyncio.sleep(0)
        answers = [await asyncio.wait_for(ask(host, "/h"), 1.5) for _ in range(5)]
        for task in stuck:
            await task
        return [status for status, _, _ in answers]

    with script_host(shared_engine, settings=settings) as host:
        assert asyncio.run(run(host)) == [200] * 5


def test_a_full_host_says_503(shared_engine: Engine) -> None:
    """Past the instances and the queue a request is refused at once; others go on."""
    settings = HostSettings(cache_dir=None, max_instances=1, max_queued=1)

    async def run(host: Host) -> list[int]:
        first = asyncio.create_task(ask(host, "/p"))
        second = asyncio.create_task(ask(host, "/h"))
        await asyncio.sleep(0)
        third = await ask(host, "/h")
        return [(await first)[0], (await second)[0], third[0]]

    with script_host(shared_engine, settings=settings) as host:
        assert asyncio.run(run(host)) == [200, 200, 503]


def test_an_engine_that_is_full_says_503_in_one_line(tmp_path: Path) -> None:
    """That others of the process have all its instances is nothing to trace back."""
    with (
        make_engine(EngineSettings(max_instances=1)) as engine,
        instance_of(linked_to(engine, tmp_path, CALL, {})),
        script_host(engine) as host,
        HostLog() as log,
    ):
        assert asyncio.run(ask(host, "/h"))[0] == 503
        assert log.wait_for(b"Error processing request: script: maximum concurrent limit of 1")
        assert b"Traceback" not in log.content


def test_close_ends_guests_that_wait(shared_engine: Engine) -> None:
    """A guest that sleeps for longer than a test may take is stopped and its request answered."""

    async def run(host: Host) -> int:
        waiting = asyncio.create_task(ask(host, "/s"))
        await until(lambda: host.running > 0)
        await asyncio.to_thread(host.close)
        return (await waiting)[0]

    host = script_host(shared_engine)
    assert asyncio.run(run(host)) == 500
    assert asyncio.run(ask(host, "/h"))[0] == 503
    host.close()


def test_many_requests_at_once_get_their_own_answers(host: Host) -> None:
    """Interleaved instances never mix up their exchanges."""

    async def one(number: int) -> bool:
        content = str(number).encode() * 5000
        response = await host.handle(HttpRequest("POST", "/E", body=content))
        return await response.read() == content

    async def run() -> list[bool]:
        return await asyncio.gather(*(one(number) for number in range(100)))

    assert all(asyncio.run(run()))


def test_instances_leave_nothing_behind(host: Host) -> None:
    """After traps, leaks and sleeps no instance is left running."""

    async def run() -> None:
        for target in ("/t", "/u", "/T", "/h", "/p", "/f"):
            await ask(host, target)
        await until(lambda: host.running == 0)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param([("host", "example.com:8080")], 200, id="name and port"),
        pytest.param([("host", "[::1]:80")], 200, id="address"),
        pytest.param([], 200, id="none: handle fills it in"),
        pytest.param([("host", "a b")], 400, id="no authority"),
        pytest.param([("host", "a"), ("host", "b")], 400, id="two"),
        pytest.param([("host", "")], 400, id="empty"),
        pytest.param([("host", "a:99999")], 400, id="no port"),
        # HDR-14
        pytest.param([("x", b"\xff")], 500, id="no text"),
        # HTTP-9
        pytest.param([("x", "y" * 200_000)], 431, id="too large"),
    ],
)
def test_heads_that_cannot_be_passed_on(
    host: Host, headers: list[tuple[str, str]], status: int
) -> None:
    """A request whose authority or headers make no sense never reaches a guest (RV-94)."""
    assert asyncio.run(ask(host, "/h", headers=headers))[0] == status


def test_what_the_host_answers_itself(shared_engine: Engine) -> None:
    """Well-known paths, static responses and misses run no wasm (RV-90 to RV-96)."""
    triggers = (
        HttpEntry(id="users", route="/h/...", component="script"),
        HttpEntry(id="rest", route="/...", static=CompleteResponse(404, (), b"not found")),
        HttpEntry(
            id="gone", route="/bob", static=CompleteResponse(302, (("location", b"/h/bob"),))
        ),
        HttpEntry(id="hidden", route=None, component="script"),
    )
    expected = {
        "/.well-known/spin/health": (200, b"OK"),
        "/.well-known/spin/other": (404, b""),
        "/.well-known/spindle": (404, b"not found"),
        "/h/42": (200, b"hello"),
        "/bob": (302, b""),
        "/zzz": (404, b"not found"),
    }

    async def run(host: Host) -> dict[str, tuple[int, object]]:
        found = {}
        for target in expected:
            status, _, body = await ask(host, target)
            found[target] = (status, body)
        return found

    with script_host(shared_engine, *triggers) as host:
        assert asyncio.run(run(host)) == expected
        status, headers, body = asyncio.run(ask(host, "/.well-known/spin/info"))
        assert (status, headers["content-type"]) == (200, b"application/json")
        assert body == b'{\n  "name": "script",\n  "version": "1.2.3"\n}'
        assert [(route.id, route.path, route.wildcard) for route in host.routes] == [
            ("gone", "/bob", False),
            ("script", "/h", True),
            ("rest", "/", True),
        ]


def test_a_path_without_a_route_is_404_and_said_once(
    shared_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """Misses are 404 with an empty body; the log names the first one (ROUTE-12)."""
    with script_host(shared_engine, HttpEntry(id="a", route="/a", component="script")) as host:
        for target in ("/b", "/c"):
            assert asyncio.run(ask(host, target)) == (404, {"content-length": b"0"}, b"")
    assert len([1 for record in caplog.records if "'/b'" in record.message]) == 1
    assert "'/c'" not in caplog.text


def test_head_requests_carry_no_body(host: Host) -> None:
    """A HEAD response keeps its length and loses its body."""
    assert asyncio.run(ask(host, "/c", method="HEAD")) == (201, {"content-length": b"5"}, b"")


def test_a_manifest_is_all_it_takes(tmp_path: Path) -> None:
    """A folder with spin.toml and a component answers, logs and names its data (OUT-1)."""
    source = (Path(__file__).parent / "guests" / "script.wat").read_text()
    (tmp_path / "guest.wat").write_text(source)
    (tmp_path / "spin.toml").write_text(
        """spin_manifest_version = 2
[application]
name = "demo"
[[trigger.http]]
route = "/..."
component = "guest"
[component.guest]
source = "guest.wat"
description = "Does as told"
key_value_stores = ["default"]
"""
    )
    settings = HostSettings(cache_dir=tmp_path / "cache", max_instances=4)
    echo = Capture()
    with Host.from_manifest(tmp_path, settings=settings, echo_to=echo) as host:
        assert asyncio.run(ask(host, "/w")) == (200, {}, b"hello")
        assert host.notices == (
            f'Logging component stdio to "{tmp_path}/.spin/logs/"',
            f'Storing default key-value data to "{tmp_path}/.spin/sqlite_key_value.db".',
        )
        assert host.routes[0].description == "Does as told"
    assert (tmp_path / ".spin/logs/guest_stdout.txt").read_text() == "on stdout\n"
    assert echo.content == b"on stdout\non stderr\n"
