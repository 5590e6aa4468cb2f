"""The Redis trigger: channels, and the components that take their messages.

In: the tables ``[[trigger.redis]]`` and ``[application.trigger.redis]``. Out: a ``RedisTriggers``
with one listener for each server.

Messages of one server are handled one after another, in their order; all components of a message
take it at the same time.

Source: contract services.md, RDT-1 to RDT-9; spin-host.md, REDIS-1 to REDIS-5.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import attrs

from edgezero_spin.events import RedisMessage
from edgezero_spin.host.execution.event_component import EventFunction
from edgezero_spin.host.factors.redis.address import RedisAddress, parse_redis_address
from edgezero_spin.host.triggers.event_triggers import (
    EventEntry,
    EventTriggers,
    ListenerEvent,
    read_entry,
)
from edgezero_spin.host.triggers.reconnecting import stay_connected
from edgezero_spin.host.triggers.redis.subscription import Subscription
from edgezero_spin.host.triggers.tables import read_texts, rendered
from edgezero_spin.host.triggers.trigger import (
    Delivery,
    EventSink,
    Listener,
    TriggerConfigError,
    TriggerDeclarations,
    TriggerEntry,
)
from edgezero_spin.wasm.component.types import ListType, Primitive

__all__ = ["RedisEntry", "RedisTriggerKind", "RedisTriggers"]

logger = logging.getLogger("edgezero_spin.host")

REDIS = "redis"
EXAMPLE = "redis://localhost:6379"

_PAYLOAD = ListType(Primitive.U8)
FUNCTIONS = (
    EventFunction(
        "fermyon:spin/inbound-redis",
        "handle-message",
        (_PAYLOAD,),
        "handle-message: func(message: payload) -> result<_, error>",
        is_async=False,
    ),
    EventFunction(
        "spin:redis/inbound-redis@3.0.0",
        "handle-message",
        (_PAYLOAD,),
        "handle-message: async func(message: payload) -> result<_, error>",
        is_async=True,
    ),
)


@attrs.frozen(kw_only=True)
class RedisEntry(EventEntry):
    """One table ``[[trigger.redis]]``.

    Attributes:
        channel: The channel, a template until it is resolved.
        address: The server, likewise; ``None`` for the application's.
        server: The server, once it is resolved.
    """

    channel: str
    address: str | None = attrs.field(default=None, repr=False)
    server: RedisAddress | None = None


class RedisTriggerKind:
    """The kind ``redis``; a ``Trigger``."""

    kind = REDIS

    def configure(self, declared: TriggerDeclarations) -> "RedisTriggers":
        """Read channels and addresses."""
        problems: list[str] = []
        default = None
        if declared.settings is not None:
            default = read_texts(
                "application.trigger.redis",
                declared.settings,
                {"address": EXAMPLE},
                problems=problems,
            ).get("address", "")
        entries = [_entry(entry, default, problems) for entry in declared.entries]
        if problems:
            raise TriggerConfigError(*problems)
        return RedisTriggers(tuple(entries), default)


def _entry(entry: TriggerEntry, default: str | None, problems: list[str]) -> RedisEntry:
    component, texts = read_entry(entry, {"channel": "orders"}, ("address",), problems=problems)
    if "address" not in texts and default is None:
        problems.append(
            f"trigger {entry.id!r}: no server; write [application.trigger.redis] with "
            f'address = "{EXAMPLE}", or an address into the trigger'
        )
    return RedisEntry(
        id=entry.id,
        component=component,
        channel=texts.get("channel", ""),
        address=texts.get("address"),
    )


@attrs.frozen
class RedisTriggers(EventTriggers[RedisEntry]):
    """The Redis triggers of an application; a ``ConfiguredTrigger``.

    Attributes:
        address: The server of entries without their own; ``None`` where there is none.
    """

    address: str | None = attrs.field(default=None, repr=False)
    kind = REDIS
    event_type = RedisMessage
    functions = FUNCTIONS

    def resolved(self, render: Callable[[str], str]) -> Self:
        """Fill in addresses and channels (RDT-2)."""
        problems: list[str] = []
        default = None
        if self.address is not None:
            default = rendered(
                render, self.address, "redis trigger default address", problems=problems
            )
        entries = []
        for entry in self.entries:
            of = f"for component {entry.component}"
            address = default
            if entry.address is not None:
                address = rendered(
                    render, entry.address, f"redis trigger address {of}", problems=problems
                )
            channel = rendered(
                render, entry.channel, f"redis trigger channel {of}", problems=problems
            )
            server = None
            if address is not None:
                try:
                    server = parse_redis_address(address)
                except ValueError as error:
                    key = "application.trigger.redis.address"
                    place = key if entry.address is None else f"trigger {entry.id!r}: address"
                    problems.append(f'{place}: {error}; write "{EXAMPLE}"')
            entries.append(attrs.evolve(entry, channel=channel or "", server=server))
        if problems:
            raise TriggerConfigError(*dict.fromkeys(problems))
        _warn_of_doubles(entries)
        return attrs.evolve(self, entries=tuple(entries))

    def takes(self, entry: RedisEntry, event: RedisMessage) -> bool:
        """Whether an entry listens to the channel (RDT-3)."""
        return entry.channel == event.channel

    def delivery(self, entry: RedisEntry, event: RedisMessage) -> Delivery:
        """Return the message."""
        return Delivery(entry.component, (event.payload,), "redis message", event.channel)

    @property
    def listeners(self) -> Sequence[Listener]:
        """One for each server."""
        by_server: dict[RedisAddress, dict[str, list[RedisEntry]]] = {}
        for entry in self.entries:
            if entry.server is not None:
                channels = by_server.setdefault(entry.server, {})
                channels.setdefault(entry.channel, []).append(entry)
        return [_RedisListener(server, channels) for server, channels in by_server.items()]


def _warn_of_doubles(entries: Sequence[RedisEntry]) -> None:
    counts = Counter((entry.server, entry.channel, entry.component) for entry in entries)
    for (_, channel, component), count in counts.items():
        if count > 1:
            logger.warning(
                "%d redis triggers give channel %r to component %r, which gets every message as "
                "often; keep one",
                count,
                channel,
                component,
            )


@attrs.frozen
class _RedisListener:
    """Listens to one server."""

    server: RedisAddress
    channels: Mapping[str, Sequence[RedisEntry]]

    @property
    def name(self) -> str:
        return f"redis trigger at {self.server}"

    async def run(self, events: EventSink) -> None:
        announced = False

        async def listen(connected: Callable[[], None]) -> None:
            nonlocal announced
            async with Subscription(self.server, list(self.channels)) as subscription:
                connected()
                if not announced:
                    announced = True
                    events.say(f"Active Channels on {self.server}:")
                    for channel, entries in self.channels.items():
                        ids = ",".join(entry.component for entry in entries)
                        events.say(f"\t{self.server}/{channel}: [{ids}]")
                async for channel, payload in subscription.messages():
                    message = RedisMessage(channel, payload)
                    entries = self.channels.get(channel, ())
                    await events.deliver(ListenerEvent(entries, message))

        await stay_connected(self.name, listen, events)
