"""The kinds of triggers that this host has built in, with those that a program adds."""

from collections.abc import Sequence

from edgezero_spin.host.http.trigger import HttpTrigger
from edgezero_spin.host.triggers.cron.trigger import CronTrigger
from edgezero_spin.host.triggers.mqtt.trigger import MqttTrigger
from edgezero_spin.host.triggers.redis.trigger import RedisTrigger
from edgezero_spin.host.triggers.trigger import Trigger

__all__ = ["BUILT_IN", "kinds_of"]

BUILT_IN: tuple[Trigger, ...] = (HttpTrigger(), RedisTrigger(), MqttTrigger(), CronTrigger())


def kinds_of(added: Sequence[Trigger]) -> tuple[Trigger, ...]:
    """Return the kinds of a host: one that is added replaces a built-in one of its name."""
    kinds = {kind.kind: kind for kind in (*BUILT_IN, *added)}
    return tuple(kinds.values())
