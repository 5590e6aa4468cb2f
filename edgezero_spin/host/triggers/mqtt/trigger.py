"""The MQTT trigger: topics, and the components that take their messages.

In: the tables ``[[trigger.mqtt]]`` and ``[application.trigger.mqtt]``. Out: an ``MqttTriggers``
with one listener for each entry, which takes one message at a time.

Source: contract services.md, MQT-1 to MQT-7.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

import attrs

from edgezero_spin.events import MqttMessage
from edgezero_spin.host.execution.event_component import EventFunction
from edgezero_spin.host.factors.extras import missing_extra
from edgezero_spin.host.factors.mqtt.address import MqttAddress, parse_mqtt_address
from edgezero_spin.host.triggers.event_triggers import (
    EventEntry,
    EventTriggers,
    ListenerEvent,
    read_entry,
)
from edgezero_spin.host.triggers.mqtt.topics import filter_fault, topic_matches
from edgezero_spin.host.triggers.reconnecting import stay_connected
from edgezero_spin.host.triggers.tables import read_texts, rendered
from edgezero_spin.host.triggers.trigger import (
    Delivery,
    EventSink,
    Listener,
    TriggerConfigError,
    TriggerDeclarations,
    TriggerEntry,
)
from edgezero_spin.wasm.component.types import ListType, Primitive, RecordType

if TYPE_CHECKING:
    from edgezero_spin.host.triggers.mqtt.subscription import MqttLogin

__all__ = ["MqttEntry", "MqttTriggerKind", "MqttTriggers"]

MQTT = "mqtt"
EXAMPLE = "mqtt://localhost:1883"
SETTINGS = {
    "address": EXAMPLE,
    "username": "",
    "password": "",
    "keep_alive_interval": "30",
}
QUALITIES = ("0", "1", "2")
MOST_KEEP_ALIVE_S = 65_535

# By itself in the world, of the package `spin:mqtt-trigger@3.0.0` as of the one without version.
FUNCTIONS = (
    EventFunction(
        None,
        "handle-message",
        (ListType(Primitive.U8), RecordType((("topic", Primitive.STRING),))),
        "handle-message: async func(message: payload, metadata: metadata) -> result<_, error>",
    ),
)


@attrs.frozen(kw_only=True)
class MqttEntry(EventEntry):
    """One table ``[[trigger.mqtt]]``.

    Attributes:
        topic: The topic filter, a template until it is resolved.
        qos: The quality of service that is asked for.
    """

    topic: str
    qos: int


class MqttTriggerKind:
    """The kind ``mqtt``; a ``Trigger``. Needs the extra ``mqtt``."""

    kind = MQTT

    def __init__(self, *, test: bool = False) -> None:
        """Listen to the broker.

        Args:
            test: Give each component one message instead, and end (MQT-6).
        """
        self._test = test

    def configure(self, declared: TriggerDeclarations) -> "MqttTriggers":
        """Read topics, address and login."""
        missing = missing_extra("mqtt triggers", "mqtt", "paho.mqtt.client")
        if missing is not None:
            raise TriggerConfigError(missing)
        problems: list[str] = []
        place = "application.trigger.mqtt"
        settings = read_texts(place, declared.settings or {}, SETTINGS, problems=problems)
        keep_alive = settings.get("keep_alive_interval", "1")
        if not (
            keep_alive.isascii()
            and keep_alive.isdigit()
            and len(keep_alive) < 6
            and 1 <= int(keep_alive) <= MOST_KEEP_ALIVE_S
        ):
            problems.append(
                f"{place}: keep_alive_interval {keep_alive!r} is not 1 to {MOST_KEEP_ALIVE_S} "
                'seconds; write keep_alive_interval = "30"'
            )
        entries = tuple(_entry(entry, problems) for entry in declared.entries)
        if problems:
            raise TriggerConfigError(*problems)
        return MqttTriggers(
            entries,
            address=settings["address"],
            username=settings["username"],
            password=settings["password"],
            keep_alive_s=int(keep_alive),
            test=self._test,
        )


def _entry(entry: TriggerEntry, problems: list[str]) -> MqttEntry:
    examples = {"topic": "sensors/+/temperature", "qos": "1"}
    component, texts = read_entry(entry, examples, problems=problems)
    qos = texts.get("qos", "0")
    if qos not in QUALITIES:
        problems.append(f'trigger {entry.id!r}: qos {qos!r} is not "0", "1" or "2"')
        qos = "0"
    return MqttEntry(id=entry.id, component=component, topic=texts.get("topic", ""), qos=int(qos))


@attrs.frozen
class MqttTriggers(EventTriggers[MqttEntry]):
    """The MQTT triggers of an application; a ``ConfiguredTrigger``.

    Attributes:
        address: The broker, a template until it is resolved.
        username, password: Who we are for it, likewise.
        keep_alive_s: Seconds of silence after which the broker asks.
        broker: The broker, once it is resolved.
        test: Each component gets one message, and no broker is asked.
    """

    address: str = attrs.field(repr=False, kw_only=True)
    username: str = attrs.field(repr=False, kw_only=True)
    password: str = attrs.field(repr=False, kw_only=True)
    keep_alive_s: int = attrs.field(kw_only=True)
    broker: MqttAddress | None = attrs.field(default=None, kw_only=True)
    test: bool = attrs.field(default=False, kw_only=True)
    kind = MQTT
    event_type = MqttMessage
    functions = FUNCTIONS

    def resolved(self, render: Callable[[str], str]) -> Self:
        """Fill in address, login and topics."""
        problems: list[str] = []
        texts = {
            name: rendered(render, getattr(self, name), f"mqtt trigger {name}", problems=problems)
            for name in ("address", "username", "password")
        }
        broker = None
        if texts["address"] is not None:
            try:
                broker = parse_mqtt_address(texts["address"], client_id="")
                if "@" in texts["address"].partition("://")[2].partition("/")[0]:
                    raise ValueError("user and password are in the keys username and password")
            except ValueError as error:
                problems.append(f'application.trigger.mqtt: address: {error}; write "{EXAMPLE}"')
        entries = []
        for entry in self.entries:
            topic = rendered(
                render,
                entry.topic,
                f"mqtt trigger topic for component {entry.component}",
                problems=problems,
            )
            fault = None if topic is None else filter_fault(topic)
            if fault is not None:
                problems.append(f"trigger {entry.id!r}: topic {topic!r}: {fault}")
            entries.append(attrs.evolve(entry, topic=topic or ""))
        if problems:
            raise TriggerConfigError(*problems)
        return attrs.evolve(
            self,
            entries=tuple(entries),
            broker=broker,
            address=texts["address"] or "",
            username=texts["username"] or "",
            password=texts["password"] or "",
        )

    def takes(self, entry: MqttEntry, event: MqttMessage) -> bool:
        """Whether the filter of an entry matches (MQT-3)."""
        return topic_matches(entry.topic, event.topic)

    def delivery(self, entry: MqttEntry, event: MqttMessage) -> Delivery:
        """Return the message."""
        arguments = (event.payload, {"topic": event.topic})
        return Delivery(entry.component, arguments, "mqtt message", event.topic)

    @property
    def listeners(self) -> Sequence[Listener]:
        """One for each entry; in a test one for all."""
        if self.broker is None:
            return ()
        if self.test:
            return [_MqttTest(self.entries)]
        # The client library need not be there for an application without MQTT.
        from edgezero_spin.host.triggers.mqtt.subscription import MqttLogin

        login = MqttLogin(self.username, self.password, self.keep_alive_s)
        return [_MqttListener(self.broker, login, entry) for entry in self.entries]


@attrs.frozen
class _MqttListener:
    """Listens to one topic."""

    broker: MqttAddress
    login: "MqttLogin"
    entry: MqttEntry

    @property
    def name(self) -> str:
        return f"mqtt trigger {self.entry.id!r} at {self.broker.host}:{self.broker.port}"

    async def run(self, events: EventSink) -> None:
        from edgezero_spin.host.triggers.mqtt.subscription import MqttSubscription

        entry = self.entry

        async def listen(connected: Callable[[], None]) -> None:
            async with MqttSubscription(
                self.broker, self.login, entry.topic, entry.qos
            ) as subscription:
                connected()
                async for message in subscription.messages():
                    await events.deliver(ListenerEvent([entry], message))

        await stay_connected(self.name, listen, events)


@attrs.frozen
class _MqttTest:
    """Gives each component one message, one after another, and ends the application (MQT-6)."""

    entries: tuple[MqttEntry, ...]

    @property
    def name(self) -> str:
        return "test of the mqtt triggers"

    async def run(self, events: EventSink) -> None:
        for entry in self.entries:
            message = MqttMessage("test", b"test message")
            for outcome in await events.deliver(ListenerEvent([entry], message)):
                if not outcome.ok:
                    events.end(f"component {outcome.component_id!r} failed: {outcome.detail}")
                    return
        events.end()
