"""Triggers: the interface of all kinds, also of your own, and the kinds that are not HTTP."""

from edgezero_spin.host.execution.event_component import (
    EventComponent,
    EventFunction,
    check_export_names,
)
from edgezero_spin.host.triggers.trigger import (
    ConfiguredTrigger,
    Delivery,
    EventSink,
    Listener,
    LoadableComponent,
    Trigger,
    TriggerConfigError,
    TriggerDeclarations,
    TriggerEntry,
    TriggerFailedError,
    event_component,
)

__all__ = [
    "ConfiguredTrigger",
    "Delivery",
    "EventComponent",
    "EventFunction",
    "EventSink",
    "Listener",
    "LoadableComponent",
    "Trigger",
    "TriggerConfigError",
    "TriggerDeclarations",
    "TriggerEntry",
    "TriggerFailedError",
    "check_export_names",
    "event_component",
]
