"""The kinds of triggers that this host has built in, with those that a program adds."""

import importlib
from collections.abc import Sequence

import attrs

from edgezero_spin.host.http.trigger import HttpTriggerKind
from edgezero_spin.host.triggers.trigger import ConfiguredTrigger, Trigger, TriggerDeclarations

__all__ = ["BUILT_IN", "kinds_of"]


@attrs.frozen
class _Late:
    """A kind that is imported when an application has triggers of it; a ``Trigger``."""

    kind: str
    class_name: str

    def configure(self, declared: TriggerDeclarations) -> ConfiguredTrigger:
        module = importlib.import_module(f"edgezero_spin.host.triggers.{self.kind}.trigger")
        kind: Trigger = getattr(module, self.class_name)()
        return kind.configure(declared)


BUILT_IN: tuple[Trigger, ...] = (
    HttpTriggerKind(),
    _Late("redis", "RedisTriggerKind"),
    _Late("mqtt", "MqttTriggerKind"),
    _Late("cron", "CronTriggerKind"),
    _Late("command", "CommandTriggerKind"),
)


def kinds_of(added: Sequence[Trigger]) -> tuple[Trigger, ...]:
    """Return the kinds of a host: one that is added replaces a built-in one of its name."""
    kinds = {kind.kind: kind for kind in (*BUILT_IN, *added)}
    return tuple(kinds.values())
