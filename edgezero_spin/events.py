"""Events that start a component beside requests: messages of Redis and MQTT, moments of cron.

A handler of an ``App`` is given one, a test or a program that embeds the host hands one over.

Source: contract services.md, RDT-7, CRN-6, MQT-7.
"""

from datetime import UTC, datetime
from time import time

import attrs

__all__ = ["CronEvent", "MqttMessage", "RedisMessage"]


def _size(payload: bytes) -> str:
    return f"{len(payload)} bytes"


@attrs.frozen
class RedisMessage:
    """A message on a channel of Redis.

    Attributes:
        channel: The channel.
        payload: The content.
    """

    channel: str
    payload: bytes = attrs.field(repr=_size)


@attrs.frozen
class MqttMessage:
    """A message on a topic of MQTT.

    Attributes:
        topic: Where it was published.
        payload: The content.
        qos: The quality of service that it came with, where the host knows it.
    """

    topic: str
    payload: bytes = attrs.field(repr=_size)
    qos: int = 0


@attrs.frozen
class CronEvent:
    """A moment at which a cron expression comes true.

    Attributes:
        expression: The expression.
        timestamp: Seconds since 1970 at which the component was started.
    """

    expression: str
    timestamp: int = attrs.field(factory=lambda: int(time()))

    @property
    def time(self) -> datetime:
        """The same as a time, in UTC."""
        return datetime.fromtimestamp(self.timestamp, UTC)
