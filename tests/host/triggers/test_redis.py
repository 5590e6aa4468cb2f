"""Messages of a real Redis server, and what becomes of them when it is not as it should be."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from edgezero_spin.host import Host, HostSettings, ReconnectPolicy, Switch
from edgezero_spin.host.factors.redis.address import parse_redis_address
from edgezero_spin.host.factors.redis.client import RedisConnection
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.triggers.reconnecting import ServerGoneError
from edgezero_spin.host.triggers.redis import subscription
from edgezero_spin.host.triggers.redis.subscription import Subscription
from edgezero_spin.host.triggers.trigger import TriggerFailedError
from tests.host.redis_server import free_port, running_redis
from tests.host.support import Capture, HostLog, until
from tests.host.triggers.applications import hosted, write_app
from tests.host.triggers.guest import REDIS, REDIS_3

PATIENT = ReconnectPolicy(timeout_s=30, first_delay_s=0.01, most_delay_s=0.05)
SPIN = ReconnectPolicy(timeout_s=0)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server that lets everybody in; tests are skipped where it is not installed."""
    with running_redis(tmp_path_factory.mktemp("redis")) as port:
        yield port


def triggers(port: int, *channels: str, user: str = "") -> str:
    """Tables for these channels, of the component ``worker``."""
    entries = "".join(
        f'[[trigger.redis]]\nchannel = "{channel}"\ncomponent = "worker"\n' for channel in channels
    )
    return f'[application.trigger.redis]\naddress = "redis://{user}127.0.0.1:{port}"\n{entries}'


def settings(reconnect: ReconnectPolicy = SPIN) -> HostSettings:
    """Of a host that compiles its guests at each start."""
    return HostSettings(cache_dir=None, reconnect=reconnect)


@contextlib.asynccontextmanager
async def listening(host: Host) -> AsyncIterator[list[str]]:
    """Run the triggers of a host; yield the lines that they said, once one was."""
    said: list[str] = []
    there = asyncio.Event()

    def say(line: str) -> None:
        said.append(line)
        there.set()

    running = asyncio.create_task(host.run_triggers(say))
    waiting = asyncio.create_task(there.wait())
    await asyncio.wait({running, waiting}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        yield said
    finally:
        running.cancel()
        await asyncio.wait({running})


def publish(port: int, *messages: tuple[str, bytes]) -> None:
    """Publish messages, each of which somebody has to be subscribed to."""
    connection = RedisConnection(parse_redis_address(f"redis://127.0.0.1:{port}"))
    try:
        for channel, payload in messages:
            assert connection.call("PUBLISH", channel, payload) == 1
    finally:
        connection.close()


async def printed_by(printed: Capture, wanted: bytes) -> bool:
    """Whether a component printed something in time, while the loop goes on."""
    return await asyncio.to_thread(printed.wait_for, wanted)


@pytest.mark.parametrize("interface", [REDIS, REDIS_3])
def test_messages_reach_the_component_in_order(
    interface: str, port: int, shared_engine: Engine, tmp_path: Path
) -> None:
    """Empty, binary and large ones, on the channels that are subscribed to; failures between."""
    # REDIS-1 to REDIS-4, RDT-3, RDT-5, V-60
    path = write_app(tmp_path, triggers(port, "orders", "users"), interface)
    large = b"x" * 4000

    async def run(host: Host, printed: Capture) -> None:
        async with listening(host) as said:
            assert said == [
                f"Active Channels on 127.0.0.1:{port}:",
                f"\t127.0.0.1:{port}/orders: [worker]",
                f"\t127.0.0.1:{port}/users: [worker]",
            ]
            messages = [
                ("orders", b"one"),
                ("users", b"\xff\x00two"),
                ("orders", b"t: traps"),
                ("orders", b"e: fails"),
                ("users", large),
                ("orders", b"z: last"),
            ]
            await asyncio.to_thread(publish, port, *messages)
            assert await printed_by(printed, b"last\n")

    with HostLog() as log, hosted(path, shared_engine, settings=settings()) as (host, printed):
        asyncio.run(run(host, printed))
    order = [printed.content.index(text) for text in (b"one", b"two", b"t: traps", b"e: fails")]
    assert order == sorted(order)
    assert large in printed.content
    assert log.content.count(b"handler failed") == 1
    assert log.content.count(b"Error processing redis message") == 1


def test_messages_of_one_server_are_handled_one_after_another(
    port: int, shared_engine: Engine, tmp_path: Path
) -> None:
    """The second waits for the first, which sleeps; a server of another name does not."""
    # RDT-6, V-62
    own = (
        f'[[trigger.redis]]\nchannel = "b"\ncomponent = "worker"\n'
        f'address = "redis://localhost:{port}"\n'
    )
    path = write_app(tmp_path, triggers(port, "a") + own, REDIS)

    async def run(host: Host, printed: Capture) -> None:
        async with listening(host) as said:
            while len(said) < 4:  # noqa: ASYNC110 - both have to be subscribed
                await asyncio.sleep(0.01)
            await asyncio.to_thread(
                publish, port, ("a", b"s1"), ("a", b"quick"), ("b", b"elsewhere")
            )
            assert await printed_by(printed, b"quick\n")

    with HostLog(), hosted(path, shared_engine, settings=settings()) as (host, printed):
        asyncio.run(run(host, printed))
    assert printed.content.index(b"elsewhere") < printed.content.index(b"quick")
    assert printed.content.index(b"s1") < printed.content.index(b"quick")


def test_a_server_that_stops_ends_the_trigger_as_in_spin(
    shared_engine: Engine, tmp_path: Path
) -> None:
    """Where no time is given to come back; and so does one that is not there at all."""
    # RDT-4, RDT-9, V-64
    with running_redis(tmp_path) as port:
        path = write_app(tmp_path, triggers(port, "orders"), REDIS)
        with HostLog() as log, hosted(path, shared_engine, settings=settings()) as (host, _):

            async def run() -> None:
                there = asyncio.Event()
                running = asyncio.create_task(host.run_triggers(lambda _: there.set()))
                await there.wait()
                await asyncio.to_thread(stop, port)
                await running

            with pytest.raises(TriggerFailedError, match=f"disconnected from 127.0.0.1:{port}"):
                asyncio.run(run())
            with pytest.raises(TriggerFailedError, match="Redis trigger failed to connect to"):
                asyncio.run(host.run_triggers())
            assert b"disconnected from" in log.content


def stop(port: int) -> None:
    """Have a server stop."""
    connection = RedisConnection(parse_redis_address(f"redis://127.0.0.1:{port}"))
    with contextlib.suppress(Exception):
        connection.call("SHUTDOWN", "NOSAVE")


def test_a_server_that_comes_back_is_subscribed_to_again(
    shared_engine: Engine, tmp_path: Path
) -> None:
    """One line says that it is gone, one that it is back; messages come as before."""
    port = free_port()
    path = write_app(tmp_path, triggers(port, "orders"), REDIS)

    async def run(host: Host, printed: Capture, log: HostLog) -> None:
        running = asyncio.create_task(host.run_triggers())
        assert await asyncio.to_thread(log.wait_for, b"failed to connect")
        for number in range(2):
            with server_at(port, tmp_path):
                await subscribed(port)
                await asyncio.to_thread(publish, port, ("orders", b"%d" % number))
                assert await printed_by(printed, b"%d\n" % number)
            assert await asyncio.to_thread(log.wait_for, b"disconnected from")
        assert not running.done()
        running.cancel()
        await asyncio.wait({running})

    with (
        HostLog() as log,
        hosted(path, shared_engine, settings=settings(PATIENT)) as (host, printed),
    ):
        asyncio.run(run(host, printed, log))
    assert log.content.count(b"failed to connect") == 1


async def subscribed(port: int, channel: str = "orders") -> None:
    """Wait until one program is subscribed."""
    address = parse_redis_address(f"redis://127.0.0.1:{port}")
    connection = RedisConnection(address)
    try:
        async with asyncio.timeout(10):
            while connection.call("PUBSUB", "NUMSUB", channel)[1] != 1:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    finally:
        connection.close()


@contextlib.contextmanager
def server_at(port: int, folder: Path) -> Iterator[None]:
    """Run a server at a port that is known before."""
    with running_redis(folder, "--port", str(port)):
        yield


def test_a_wrong_password_ends_the_trigger_and_is_not_told(
    shared_engine: Engine, tmp_path: Path
) -> None:
    """Whatever the policy is: the next attempt would fail, too."""
    with running_redis(tmp_path, "--requirepass", "richtig") as port:
        for user, code in ((":geheim@", "WRONGPASS"), ("", "NOAUTH")):
            path = write_app(tmp_path, triggers(port, "orders", user=user), REDIS)
            with (
                HostLog() as log,
                hosted(path, shared_engine, settings=settings(PATIENT)) as (host, _),
                pytest.raises(TriggerFailedError) as caught,
            ):
                asyncio.run(host.run_triggers())
            assert code in str(caught.value)
            assert b"geheim" not in log.content
            assert "geheim" not in str(caught.value)
        path = write_app(tmp_path, triggers(port, "orders", user=":richtig@"), REDIS)
        with hosted(path, shared_engine, settings=settings()) as (host, _):

            async def run() -> None:
                async with listening(host) as said:
                    assert len(said) == 2
                assert "richtig" not in "".join(said)

            asyncio.run(run())


def test_the_end_of_one_trigger_is_not_the_end_of_the_others(
    port: int, shared_engine: Engine, tmp_path: Path
) -> None:
    """One server refuses; messages of the other one are handled all the same."""
    bad = (
        '[[trigger.redis]]\nchannel = "x"\ncomponent = "worker"\n'
        f'address = "redis://127.0.0.1:{free_port()}"\n'
    )
    path = write_app(tmp_path, triggers(port, "orders") + bad, REDIS)

    async def run(host: Host, printed: Capture, log: HostLog) -> None:
        running = asyncio.create_task(host.run_triggers())
        assert await asyncio.to_thread(log.wait_for, b"failed to connect")
        await subscribed(port)
        await asyncio.to_thread(publish, port, ("orders", b"still here"))
        assert await printed_by(printed, b"still here\n")
        assert not running.done()
        running.cancel()
        await asyncio.wait({running})

    with HostLog() as log, hosted(path, shared_engine, settings=settings()) as (host, printed):
        asyncio.run(run(host, printed, log))


def test_events_under_way_end_when_the_triggers_are_stopped(
    port: int, shared_engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What a component began it finishes; nothing new is begun, and nothing is logged."""
    path = write_app(tmp_path, triggers(port, "orders"), REDIS)

    async def run(host: Host, printed: Capture) -> None:
        async with listening(host):
            await asyncio.to_thread(publish, port, ("orders", b"s"), ("orders", b"second"))
            assert await printed_by(printed, b"s\n")
        assert not host.idle
        await host.drain_events(10)
        # The instance has ended the event and is on its way back.
        await until(lambda: host.idle)

    with hosted(path, shared_engine, settings=settings()) as (host, printed):
        asyncio.run(run(host, printed))
    assert b"second" not in printed.content
    # asyncio logs what nobody asked for when it is freed.
    gc.collect()
    assert caplog.records == []


def test_a_message_that_is_too_large_is_skipped(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a line in the log; the next one comes."""
    monkeypatch.setattr(subscription, "MAX_MESSAGE_BYTES", 1000)

    async def run() -> list[tuple[str, bytes]]:
        address = parse_redis_address(f"redis://127.0.0.1:{port}")
        async with Subscription(address, ["small"]) as subscribed_to:
            publishing = asyncio.to_thread(
                publish, port, ("small", b"x" * 1001), ("small", b"y" * 1000)
            )
            await publishing
            async for message in subscribed_to.messages():
                return [message]
        return []

    with HostLog() as log:
        assert asyncio.run(run()) == [("small", b"y" * 1000)]
    assert b"has more than 1000 bytes and was skipped" in log.content


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _answers(*pieces: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for piece in pieces:
                await reader.read(1000)
                writer.write(piece)
            await reader.read()
        finally:
            writer.transport.abort()

    return serve


SUBSCRIBED = b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"


@pytest.mark.parametrize(
    ("pieces", "error", "problem"),
    [
        (
            (b"HTTP/1.1 400 Bad Request\r\n\r\n",),
            TriggerFailedError,
            "does not speak the Redis protocol",
        ),
        ((b"*x\r\n",), TriggerFailedError, "does not speak the Redis protocol"),
        ((b"*99999999\r\n",), TriggerFailedError, "does not speak the Redis protocol"),
        *(
            (
                (SUBSCRIBED, b"*3\r\n$7\r\nmessage\r\n" + parts),
                TriggerFailedError,
                "does not speak the Redis protocol",
            )
            for parts in (b"*0\r\n$1\r\nx\r\n", b"$-1\r\n$1\r\nx\r\n", b"$1\r\na\r\n*0\r\n")
        ),
        ((b"-LOADING Redis is loading\r\n",), ServerGoneError, "LOADING"),
        ((b"-NOPERM no permission\r\n",), TriggerFailedError, "failed to subscribe to"),
        # It says nothing for twice as long as the client looks.
        ((SUBSCRIBED,), ServerGoneError, "disconnected from"),
    ],
)
def test_what_is_no_server_or_says_nothing(
    pieces: tuple[bytes, ...],
    error: type[Exception],
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nonsense is refused, and silence is not waited for without end."""
    monkeypatch.setattr(subscription, "LOOK_S", 0.05)

    async def run() -> None:
        server = await asyncio.start_server(_answers(*pieces), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            address = parse_redis_address(f"redis://127.0.0.1:{port}")
            async with Subscription(address, ["a"]) as subscribed_to:
                async for _ in subscribed_to.messages():
                    raise AssertionError("no message was sent")

    with pytest.raises(error, match=problem):
        asyncio.run(run())


def test_a_replaced_host_listens_no_more(port: int, shared_engine: Engine, tmp_path: Path) -> None:
    """Each message is taken by the host that is current, and by it alone."""
    path = write_app(tmp_path, triggers(port, "swap"), REDIS)

    async def run(first: Host, second: Host, printed: tuple[Capture, Capture]) -> None:
        switch = Switch(first)
        running = asyncio.create_task(switch.run_triggers())
        for host, output, text in ((first, printed[0], b"1"), (second, printed[1], b"2")):
            if host is second:
                await switch.replace(second)
            await subscribed(port, "swap")
            await asyncio.to_thread(publish, port, ("swap", text))
            assert await printed_by(output, text + b"\n")
        running.cancel()
        await asyncio.wait({running})

    with (
        hosted(path, shared_engine, settings=settings()) as (first, old),
        hosted(path, shared_engine, settings=settings()) as (second, new),
    ):
        asyncio.run(run(first, second, (old, new)))
    assert (old.content, new.content) == (b"1\n", b"2\n")
