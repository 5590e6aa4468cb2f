"""Events that a program hands to a host: who takes them, and how it may go."""

import asyncio
import threading
from pathlib import Path

import pytest

from edgezero_spin.errors import HostError
from edgezero_spin.host import (
    CronEvent,
    EventOutcome,
    Host,
    HostSettings,
    MqttMessage,
    OutcomeKind,
    RedisMessage,
    ReusePolicy,
)
from edgezero_spin.host.errors import HandlerError
from edgezero_spin.host.execution.event_component import EventCall
from edgezero_spin.host.runtime.engine import Engine
from tests.host.support import HostLog, until
from tests.host.triggers.applications import hosted, write_app
from tests.host.triggers.guest import CRON, CRON_2, MQTT, MQTT_OLD, REDIS, REDIS_3

REDIS_TRIGGERS = """[application.trigger.redis]
address = "redis://127.0.0.1:1"
[[trigger.redis]]
channel = "orders"
component = "worker"
"""
CRON_TRIGGERS = """[[trigger.cron]]
cron_expression = "0 0 3 * * *"
component = "worker"
"""
MQTT_TRIGGERS = """[application.trigger.mqtt]
address = "mqtt://127.0.0.1:1"
username = ""
password = ""
keep_alive_interval = "30"
[[trigger.mqtt]]
topic = "rooms/+/door"
qos = "1"
component = "worker"
"""
TRIGGERS = {"redis": REDIS_TRIGGERS, "cron": CRON_TRIGGERS, "mqtt": MQTT_TRIGGERS}


def event(kind: str, letter: str) -> object:
    """An event that has the guest do something."""
    payload = f"{letter}!".encode()
    return {
        "redis": RedisMessage("orders", payload),
        "cron": CronEvent("0 0 3 * * *", 1000 + ord(letter)),
        "mqtt": MqttMessage("rooms/7/door", payload),
    }[kind]


KINDS = [
    pytest.param("redis", REDIS, id="redis"),
    pytest.param("redis", REDIS_3, id="redis 3"),
    pytest.param("cron", CRON_2, id="cron 2"),
    pytest.param("cron", CRON, id="cron 3"),
    pytest.param("mqtt", MQTT_OLD, id="mqtt"),
    pytest.param("mqtt", MQTT, id="mqtt 3"),
]


@pytest.mark.parametrize(("kind", "interface"), KINDS)
def test_a_component_takes_events(
    kind: str, interface: str, shared_engine: Engine, tmp_path: Path
) -> None:
    """It prints what it got; errors and traps are told apart, and the next event is taken."""
    # TRG-9, RDT-7, RDT-8, CRN-6, MQT-7
    path = write_app(tmp_path, TRIGGERS[kind], interface)
    with HostLog() as log, hosted(path, shared_engine) as (host, printed):

        async def take(letter: str) -> EventOutcome:
            [outcome] = await host.trigger(event(kind, letter))
            assert outcome.component_id == "worker"
            return outcome

        async def run() -> None:
            assert (await take("o")) == EventOutcome("worker", OutcomeKind.OK)
            failed = await take("e")
            assert failed.kind is OutcomeKind.ERROR
            assert failed.detail == ("error" if interface == REDIS else "other: failed on purpose")
            trapped = await take("t")
            assert trapped.kind is OutcomeKind.FAILED
            assert "unreachable" in trapped.detail
            assert (await take("o")).ok

        asyncio.run(run())
        assert host.triggers == (kind,)
    assert (b"tick\n" if kind == "cron" else b"o!\n") in printed.content
    assert b"Component worker handler failed" in log.content
    assert b"Error processing" in log.content


@pytest.mark.parametrize(("kind", "interface"), KINDS)
@pytest.mark.parametrize("served", [1, 3])
def test_instances_are_fresh_unless_reuse_is_asked_for(
    kind: str, interface: str, served: int, shared_engine: Engine, tmp_path: Path
) -> None:
    """An instance counts its events: always 1, or up to as many as it may serve."""  # TRG-9
    path = write_app(tmp_path, TRIGGERS[kind], interface)
    settings = HostSettings(
        cache_dir=None, reuse=ReusePolicy(least_served=served, most_served=served)
    )
    with hosted(path, shared_engine, settings=settings) as (host, printed):

        async def run() -> None:
            for _ in range(4):
                [outcome] = await host.trigger(event(kind, "n"))
                assert outcome.ok

        asyncio.run(run())
    counts = [int(line) for line in printed.content.split(b"\n") if line.isdigit()]
    expected = [1, 1, 1, 1] if served == 1 else [1, 2, 3, 1]
    if served > 1 and interface in (REDIS_3, CRON, MQTT):
        # What many calls may share lives as long as other instances of WASI 0.3.
        expected = [1, 2, 3, 4]
    assert counts == expected


@pytest.mark.parametrize(("kind", "interface"), KINDS)
def test_a_deadline_ends_a_component_that_takes_too_long(
    kind: str, interface: str, shared_engine: Engine, tmp_path: Path
) -> None:
    """One that computes and one that sleeps; the limit is that of requests.

    The log has one line for each, which speaks of the event.
    """
    path = write_app(tmp_path, TRIGGERS[kind], interface)
    settings = HostSettings(cache_dir=None, request_timeout_s=0.2)
    with HostLog() as log, hosted(path, shared_engine, settings=settings) as (host, _):

        async def run() -> None:
            for letter in "cl":
                [outcome] = await host.trigger(event(kind, letter))
                assert outcome.kind is OutcomeKind.FAILED
            # Each instance has ended, and all that there is to say of it was said.
            await until(lambda: host.running == host.waiting == 0)

        asyncio.run(run())
    assert log.content.count(f"Error processing {kind} ".encode()) == 2
    assert log.content.count(b"Error processing") == 2


def test_a_time_out_is_told_once(
    shared_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the guest is stopped while its event is being ended in its place."""
    path = write_app(tmp_path, TRIGGERS["mqtt"], MQTT)
    settings = HostSettings(cache_dir=None, request_timeout_s=0.2)
    expire = EventCall.expire
    with HostLog() as log, hosted(path, shared_engine, settings=settings) as (host, _):
        told = threading.Event()

        def expire_late(call: EventCall) -> bool:
            found = expire(call)
            while b"Error processing" not in log.content and not told.wait(0.005):
                pass
            return found

        monkeypatch.setattr(EventCall, "expire", expire_late)

        async def run() -> None:
            [outcome] = await host.trigger(event("mqtt", "c"))
            assert outcome.kind is OutcomeKind.FAILED
            await until(lambda: host.running == host.waiting == 0)

        asyncio.run(run())
        told.set()
    assert log.content.count(b"Error processing") == 1


@pytest.mark.parametrize(("kind", "interface"), KINDS)
def test_an_event_that_does_not_end_is_named(
    kind: str, interface: str, shared_engine: Engine, tmp_path: Path
) -> None:
    """The host waits no longer for a handler that sleeps, and says which event was cut off."""
    path = write_app(tmp_path, TRIGGERS[kind], interface)
    subject = {"redis": "orders", "cron": "0 0 3 * * *", "mqtt": "rooms/7/door"}[kind]
    with HostLog() as log, hosted(path, shared_engine) as (host, _):

        async def run() -> None:
            await host.trigger(event(kind, "o"))
            await host.drain_events(10)
            await until(lambda: host.running == 0)
            assert log.content == b""
            sleeping = asyncio.create_task(host.trigger(event(kind, "l")))
            await until(lambda: host.running > 0)
            await host.drain_events(0)
            host.close()
            [outcome] = await sleeping
            assert outcome.detail == "the host was closed"

        asyncio.run(run())
    what = "event" if kind == "cron" else "message"
    assert log.content.decode() == (
        f"{kind} {what} '{subject}' was cut off in component worker: the host stops\n"
    )


def test_several_kinds_call_one_component(shared_engine: Engine, tmp_path: Path) -> None:
    """One component exports the functions of three kinds, and each gets its events."""
    path = write_app(tmp_path, "".join(TRIGGERS.values()), REDIS, CRON_2)
    with pytest.raises(HandlerError, match="does not export a Mqtt interface"):
        Host.from_manifest(path, engine=shared_engine, state_dir="", log_dir="")
    triggers = REDIS_TRIGGERS + CRON_TRIGGERS
    path = write_app(tmp_path, triggers, REDIS, CRON_2)
    with hosted(path, shared_engine) as (host, printed):

        async def run() -> None:
            assert [outcome.ok for outcome in await host.trigger(event("redis", "a"))] == [True]
            assert [outcome.ok for outcome in await host.trigger(event("cron", "a"))] == [True]
            with pytest.raises(ValueError, match=r"takes a MqttMessage; it has redis, cron"):
                await host.trigger(event("mqtt", "a"))

        asyncio.run(run())
    assert printed.content == b"a!\ntick\n"


def test_components_of_one_message_do_not_concern_each_other(
    shared_engine: Engine, tmp_path: Path
) -> None:
    """Two on one channel: both take it, at the same time, and both outcomes are told."""
    # RDT-6, RDT-8, V-61
    triggers = REDIS_TRIGGERS + '[[trigger.redis]]\nchannel = "orders"\ncomponent = "second"\n'
    path = write_app(tmp_path, triggers, REDIS, ids=("worker", "second"))
    with HostLog(), hosted(path, shared_engine) as (host, _):

        async def run() -> None:
            outcomes = await host.trigger(event("redis", "t"))
            assert [outcome.component_id for outcome in outcomes] == ["worker", "second"]
            assert {outcome.kind for outcome in outcomes} == {OutcomeKind.FAILED}
            assert await host.trigger(RedisMessage("other", b"a")) == ()

        asyncio.run(run())


WRONG_TYPE = """(component
  (core module $m (memory (export "mem") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 8)
    (func (export "f") (param i32 i32)))
  (core instance $i (instantiate $m))
  (func $f (param "message" string) (canon lift (core func $i "f")
    (memory (core memory $i "mem")) (realloc (core func $i "realloc"))))
  (instance $x (export "handle-message" (func $f)))
  (export "fermyon:spin/inbound-redis" (instance $x)))"""


@pytest.mark.parametrize(
    ("triggers", "text", "problem"),
    [
        (REDIS_TRIGGERS, "(component)", "does not export a Redis interface: a redis trigger calls"),
        (REDIS_TRIGGERS, WRONG_TYPE, "is not `handle-message: func(message: payload) -> result"),
        (CRON_TRIGGERS, "(component)", "does not export a Cron interface"),
    ],
)
def test_a_component_without_the_export_is_refused(
    triggers: str, text: str, problem: str, shared_engine: Engine, tmp_path: Path
) -> None:
    """When the application is loaded, by what it exports instead."""  # TRG-11
    path = write_app(tmp_path, triggers)
    (tmp_path / "guest.wat").write_text(text)
    with pytest.raises(HandlerError) as caught:
        Host.from_manifest(path, engine=shared_engine, state_dir="", log_dir="")
    assert problem in str(caught.value)
    assert "component 'worker'" in str(caught.value)


def test_a_component_with_both_redis_interfaces_is_refused(
    shared_engine: Engine, tmp_path: Path
) -> None:
    """Nobody could say which one is meant."""  # RDT-7
    path = write_app(tmp_path, REDIS_TRIGGERS, REDIS, REDIS_3)
    with pytest.raises(HandlerError, match="component exports multiple Redis interfaces"):
        Host.from_manifest(path, engine=shared_engine, state_dir="", log_dir="")


@pytest.mark.parametrize(
    ("triggers", "problem"),
    [
        (
            REDIS_TRIGGERS.replace('channel = "orders"', ""),
            "trigger 'worker-redis-trigger': channel is missing; write channel = \"orders\"",
        ),
        (REDIS_TRIGGERS.replace("channel =", "chanel ="), "unknown key 'chanel'"),
        (REDIS_TRIGGERS.replace('"orders"', "7"), "channel: expected a string"),
        (
            REDIS_TRIGGERS.replace("address =", "adress ="),
            "application.trigger.redis: unknown key 'adress' (known: address)",
        ),
        (
            REDIS_TRIGGERS.replace("redis://", "http://"),
            "application.trigger.redis.address: a Redis address starts with redis://",
        ),
        (
            "\n".join(REDIS_TRIGGERS.splitlines()[2:]),
            "no server; write [application.trigger.redis]",
        ),
        (
            REDIS_TRIGGERS.replace('"orders"', '"{{ gone }}"'),
            "failed to resolve redis trigger channel for component worker",
        ),
        (
            REDIS_TRIGGERS.replace("127.0.0.1", "{{ gone }}"),
            "failed to resolve redis trigger default address",
        ),
        (
            CRON_TRIGGERS.replace("0 0 3 * * *", "* * * * *"),
            "trigger 'worker-cron-trigger': cron_expression: '* * * * *' has five fields; put the "
            "second in front: '0 * * * * *'",
        ),
        (CRON_TRIGGERS.replace("0 0 3", "61 0 3"), "'61 0 3 * * *' is not a cron expression"),
        (
            CRON_TRIGGERS.replace("0 0 3 * * *", "hourly"),
            "is not a cron expression: it has 1 fields; write six",
        ),
        (CRON_TRIGGERS.replace("0 0 3 * * *", "0 0 0 31 2 *"), "never comes true"),
        (CRON_TRIGGERS.replace("cron_expression", "schedule"), "cron_expression is missing"),
        (MQTT_TRIGGERS.replace('"1"', "1"), "qos: expected a string, got an integer; write qos ="),
        (MQTT_TRIGGERS.replace('"1"', '"3"'), 'qos \'3\' is not "0", "1" or "2"'),
        (MQTT_TRIGGERS.replace("+/door", "a+/door"), "+ stands alone between slashes"),
        (MQTT_TRIGGERS.replace("+/door", "#/door"), "# stands alone, behind the last slash"),
        (MQTT_TRIGGERS.replace('"30"', '"soon"'), "keep_alive_interval 'soon' is not 1 to 65535"),
        (
            MQTT_TRIGGERS.replace('password = ""', ""),
            "application.trigger.mqtt: password is missing",
        ),
        (MQTT_TRIGGERS.replace("mqtt://", "http://"), "address: an address of MQTT starts with"),
        (
            MQTT_TRIGGERS.replace("mqtt://", "mqtt://shop:hush@"),
            "address: user and password are in the keys username and password",
        ),
    ],
)
def test_tables_that_cannot_be_used(
    triggers: str, problem: str, shared_engine: Engine, tmp_path: Path
) -> None:
    """Each fault is one error that names the file or the trigger, the key, and what to write."""
    # TRG-2, RDT-1, RDT-2, CRN-2, MQT-1, V-63, V-68
    path = write_app(tmp_path, triggers, REDIS, CRON_2)
    with pytest.raises(HostError) as caught:
        Host.from_manifest(path, engine=shared_engine, state_dir="", log_dir="")
    assert problem in str(caught.value)


def test_a_password_is_in_no_error(shared_engine: Engine, tmp_path: Path) -> None:
    """An address that cannot be read, or whose template has no value, is not repeated."""
    for address in ("redis://u:geheim@h:port", "http://u:geheim@h", "redis://u:geheim@{{ gone }}"):
        triggers = REDIS_TRIGGERS.replace("redis://127.0.0.1:1", address)
        path = write_app(tmp_path, triggers, REDIS)
        with pytest.raises(HostError) as caught:
            Host.from_manifest(path, engine=shared_engine, state_dir="", log_dir="")
        assert "geheim" not in str(caught.value)


def test_a_component_that_calls_others_is_refused_as_in_spin(tmp_path: Path) -> None:
    """Only HTTP triggers have service chaining."""  # TRG-10, LOCK-9
    path = write_app(tmp_path, REDIS_TRIGGERS, REDIS)
    path.write_text(path.read_text() + 'allowed_outbound_hosts = ["http://other.spin.internal"]\n')
    with pytest.raises(HostError, match="not available in this version of the 'redis' trigger"):
        Host.from_manifest(path, state_dir="", log_dir="")
