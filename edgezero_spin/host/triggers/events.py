"""Events of the kinds of triggers that are built in, as their components get them."""

from time import time

import attrs

__all__ = ["CronEvent", "MqttMessage", "RedisMessage"]


@attrs.frozen
class RedisMessage:
    """A message that was published.

    Attributes:
        channel: The channel.
        payload: The content.
        server: ``host:port`` of the server that it came from; ``None`` for any.
    """

    channel: str
    payload: bytes = attrs.field(repr=lambda payload: f"{len(payload)} bytes")
    server: str | None = None


@attrs.frozen
class MqttMessage:
    """A message that was published.

    Attributes:
        topic: Where to.
        payload: The content.
        qos: Its quality of service.
        trigger_id: The trigger that it came for; ``None`` for all whose filter matches.
    """

    topic: str
    payload: bytes = attrs.field(repr=lambda payload: f"{len(payload)} bytes")
    qos: int = 0
    trigger_id: str | None = None


@attrs.frozen
class CronEvent:
    """A moment at which a cron expression comes true.

    Attributes:
        expression: The expression.
        timestamp: Seconds since 1970 that the component is told.
        trigger_id: The trigger that is due; ``None`` for all with this expression.
    """

    expression: str
    timestamp: int = attrs.field(factory=lambda: int(time()))
    trigger_id: str | None = None
