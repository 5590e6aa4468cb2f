"""Messages of a real MQTT broker, and what becomes of them when it is not as it should be."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edgezero_spin.events import MqttMessage
from edgezero_spin.host import Host, HostSettings, ReconnectPolicy
from edgezero_spin.host.factors.mqtt.address import parse_mqtt_address
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.triggers.mqtt import subscription
from edgezero_spin.host.triggers.mqtt.subscription import MqttLogin, MqttSubscription
from edgezero_spin.host.triggers.mqtt.topics import topic_matches
from edgezero_spin.host.triggers.reconnecting import ServerGoneError
from edgezero_spin.host.triggers.trigger import TriggerFailedError
from tests.host.debian_servers import running_mosquitto
from tests.host.redis_server import free_port
from tests.host.support import Capture, HostLog
from tests.host.triggers.applications import hosted, write_app
from tests.host.triggers.guest import MQTT, MQTT_OLD

SPIN = ReconnectPolicy(timeout_s=0)
PATIENT = ReconnectPolicy(timeout_s=30, first_delay_s=0.01, most_delay_s=0.05)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A broker that lets everybody in; tests are skipped where it is not installed."""
    with running_mosquitto() as port:
        yield port


def triggers(port: int, *topics: str, login: tuple[str, str] = ("", ""), qos: int = 1) -> str:
    """Tables for these topic filters, of the component ``worker``."""
    entries = "".join(
        f'[[trigger.mqtt]]\ntopic = "{topic}"\nqos = "{qos}"\ncomponent = "worker"\n'
        for topic in topics
    )
    return (
        f'[application.trigger.mqtt]\naddress = "mqtt://127.0.0.1:{port}"\n'
        f'username = "{login[0]}"\npassword = "{login[1]}"\nkeep_alive_interval = "30"\n{entries}'
    )


def settings(reconnect: ReconnectPolicy = SPIN) -> HostSettings:
    """Of a host that compiles its guests at each start."""
    return HostSettings(cache_dir=None, reconnect=reconnect)


@contextlib.contextmanager
def publisher(
    port: int, login: tuple[str, str] | None = None
) -> Iterator[Callable[[str, bytes, int], None]]:
    """Yield what publishes a message and waits until the broker has it."""
    client = Client(CallbackAPIVersion.VERSION2)
    if login is not None:
        client.username_pw_set(*login)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield lambda topic, payload, qos: client.publish(topic, payload, qos).wait_for_publish(10)
    finally:
        client.disconnect()
        client.loop_stop()


async def run_until(
    host: Host, printed: Capture, wanted: bytes, publish: Callable[[], None]
) -> None:
    """Run the triggers and publish until something is printed, as nobody says when they are up."""
    running = asyncio.create_task(host.run_triggers())
    async with asyncio.timeout(20):
        while wanted not in printed.content:
            assert not running.done(), running.result()
            await asyncio.to_thread(publish)
            await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.wait({running})
    await host.drain_events(10)


@pytest.mark.parametrize("interface", [MQTT, MQTT_OLD])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_reach_the_component_in_order(
    interface: str, qos: int, port: int, shared_engine: Engine, tmp_path: Path
) -> None:
    """Of every quality; those that fail are logged and not brought again."""
    # MQT-2 to MQT-4, MQT-7
    path = write_app(tmp_path, triggers(port, "rooms/+/door", qos=qos), interface)
    topic = f"rooms/{qos}/door"
    with (
        HostLog() as log,
        hosted(path, shared_engine, settings=settings()) as (host, printed),
        publisher(port) as publish,
    ):
        begun = False

        def send() -> None:
            nonlocal begun
            if b"first\n" not in printed.content:
                publish(topic, b"first", qos)
            elif not begun:
                begun = True
                for payload in (b"", b"e!", b"t!", b"\xffbinary"):
                    publish(topic, payload, qos)
                publish("rooms/elsewhere", b"not for us", qos)
                publish(topic, b"z: end", qos)

        asyncio.run(run_until(host, printed, b"z: end\n", send))
    content = printed.content
    assert content.index(b"e!\n") < content.index(b"t!\n") < content.index(b"\xffbinary\n")
    assert b"not for us" not in content
    assert content.count(b"e!\n") == log.content.count(b"handler failed")
    assert b"Error processing mqtt message" in log.content


def test_a_broker_that_is_gone(shared_engine: Engine, tmp_path: Path) -> None:
    """One that is not there, and one that stops, end the trigger where no time is given."""
    # MQT-2, MQT-5
    port = free_port()
    path = write_app(tmp_path, triggers(port, "a"), MQTT)
    with (
        HostLog(),
        hosted(path, shared_engine, settings=settings()) as (host, _),
        pytest.raises(TriggerFailedError, match=f"failed to connect to 127.0.0.1:{port}"),
    ):
        asyncio.run(host.run_triggers())


def test_a_broker_that_comes_back_is_subscribed_to_again(
    shared_engine: Engine, tmp_path: Path
) -> None:
    """Messages come as before."""
    port = free_port()
    path = write_app(tmp_path, triggers(port, "a"), MQTT)

    async def run(host: Host, printed: Capture, log: HostLog) -> None:
        running = asyncio.create_task(host.run_triggers())
        assert await asyncio.to_thread(log.wait_for, b"failed to connect")
        for number in range(2):
            wanted = b"%d\n" % number
            with running_mosquitto(port=port), publisher(port) as publish:
                async with asyncio.timeout(20):
                    while wanted not in printed.content:
                        await asyncio.to_thread(publish, "a", wanted.strip(), 1)
                        await asyncio.sleep(0.02)
            assert await asyncio.to_thread(log.wait_for, b"disconnected from")
        assert not running.done()
        running.cancel()
        await asyncio.wait({running})

    with (
        HostLog() as log,
        hosted(path, shared_engine, settings=settings(PATIENT)) as (host, printed),
    ):
        asyncio.run(run(host, printed, log))


def test_a_topic_that_is_not_utf_8_is_skipped() -> None:
    """With a line in the log; the next message comes."""

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connack, suback = b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x01"
        for answer in (connack, suback):
            # A packet of less than 128 bytes: its kind, its length, the rest.
            await reader.readexactly((await reader.readexactly(2))[1])
            writer.write(answer)
        writer.write(b"\x32\x06\x00\x01\xff\x00\x07x" + b"\x32\x06\x00\x01a\x00\x08y")
        await reader.readexactly(8)
        writer.close()

    async def run() -> MqttMessage:
        server = await asyncio.start_server(broker, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        address = parse_mqtt_address(f"mqtt://127.0.0.1:{port}", client_id="")
        async with server, MqttSubscription(address, MqttLogin("", "", 30), "#", 1) as subscription:
            messages = subscription.messages()
            message = await anext(messages)
            # Both are acknowledged, or the broker would wait for ever.
            with pytest.raises(ServerGoneError):
                await anext(messages)
            return message

    with HostLog() as log:
        assert asyncio.run(run()) == MqttMessage("a", b"y", 1)
        assert log.wait_for(b"a message was skipped: its topic is not UTF-8")


def test_a_lost_broker_leaves_its_descriptor_to_other_sockets() -> None:
    """While the last message is still handled, another socket may get the same number."""
    # MQT-5
    port = free_port()
    broker = contextlib.ExitStack()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        address = parse_mqtt_address(f"mqtt://127.0.0.1:{port}", client_id="")
        async with MqttSubscription(address, MqttLogin("", "", 30), "a", 1) as subscription:
            with publisher(port) as publish:
                await asyncio.to_thread(publish, "a", b"1", 1)
            messages = subscription.messages()
            await anext(messages)
            lost = subscription._descriptor
            other, peer = socket.socketpair()
            await asyncio.to_thread(broker.close)
            async with asyncio.timeout(20):
                while _is_open(lost):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0)
                readable = asyncio.Event()
                with other, peer, socket.socket(fileno=os.dup2(other.fileno(), lost)):
                    loop.add_reader(lost, readable.set)
                    peer.send(b"x")
                    await readable.wait()
                    loop.remove_reader(lost)
            with pytest.raises(ServerGoneError, match="disconnected from"):
                await anext(messages)

    with broker:
        broker.enter_context(running_mosquitto(port=port))
        asyncio.run(run())


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_wrong_password_ends_the_trigger_and_is_not_told(
    shared_engine: Engine, tmp_path: Path
) -> None:
    """Whatever the policy is: the next attempt would fail, too; the right one is let in."""
    right = ("anna", "richtig")
    with running_mosquitto(login=right) as port:
        path = write_app(tmp_path, triggers(port, "a", login=("anna", "geheim")), MQTT)
        with (
            HostLog() as log,
            hosted(path, shared_engine, settings=settings(PATIENT)) as (host, printed),
            pytest.raises(TriggerFailedError, match="Not authorized") as caught,
        ):
            asyncio.run(host.run_triggers())
        assert "geheim" not in str(caught.value)
        assert b"geheim" not in log.content
        path = write_app(tmp_path, triggers(port, "a", login=right), MQTT)
        with (
            hosted(path, shared_engine, settings=settings()) as (host, printed),
            publisher(port, right) as publish,
        ):
            asyncio.run(run_until(host, printed, b"in\n", lambda: publish("a", b"in", 1)))


def test_messages_of_quality_0_are_dropped_when_there_is_no_room(
    port: int, shared_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a component sleeps; a line says how many, and those of quality 1 wait."""
    monkeypatch.setattr(subscription, "MOST_WAITING_BYTES", 100)
    path = write_app(tmp_path, triggers(port, "a", qos=1), MQTT)
    with (
        HostLog() as log,
        hosted(path, shared_engine, settings=settings()) as (host, printed),
        publisher(port) as publish,
    ):
        sent = 0

        def flood() -> None:
            nonlocal sent
            publish("a", b"s: sleeps", 1)
            if b"s: sleeps" in printed.content and not sent:
                for _ in range(50):
                    publish("a", b"x" * 30, 0)
                publish("a", b"kept", 1)
                sent = 50

        asyncio.run(run_until(host, printed, b"kept\n", flood))
        assert log.wait_for(b"messages of quality 0 on 'a' were dropped")
    assert printed.content.count(b"x" * 30 + b"\n") < sent


@pytest.mark.parametrize(
    ("filter", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "a", True),
        ("#", "$SYS/load", False),
        ("$SYS/#", "$SYS/load", True),
        ("+", "$SYS", False),
        ("a/+/c", "a//c", True),
        ("a", "A", False),
    ],
)
def test_topic_filters(filter: str, topic: str, expected: bool) -> None:
    """As section 4.7 of the specification has them."""
    assert topic_matches(filter, topic) is expected
