"""Events and their errors, between the bindings of triggers and an app.

In: the arguments that the host calls an export with. Out: an event of the app; and for an error the
value that the interface wants.

Source: contract services.md, RDT-7, CRN-6, MQT-7; componentize-py 0.25 for the names.
"""

import os
from importlib import import_module
from typing import Any

from edgezero_spin.core.app import App
from edgezero_spin.core.event_handlers import TRIGGER, AppEvent, EventHandlers, TriggerType

__all__ = ["ErrorValues", "chosen_trigger", "event_of"]


def chosen_trigger() -> str | None:
    """Return which trigger this component is for, where its environment says so."""
    return os.environ.get(TRIGGER)


def event_of(events: EventHandlers, kind: TriggerType, arguments: tuple[Any, ...]) -> AppEvent:
    """Return the event that an export was called with.

    Args:
        events: The handlers of the app; they know what a component is not told.
        kind: The kind of trigger.
        arguments: Of the export.

    Raises:
        NoEventHandlerError: There is no handler, or several and nothing says which is meant.
    """
    value = arguments[0].timestamp if kind == "cron" else arguments[0]
    topic = arguments[1].topic if kind == "mqtt" else None
    return events.event_of(kind, value, topic, chosen_trigger())


class ErrorValues:
    """The errors that the interfaces of a component have. Made while it is built."""

    def __init__(self, app: App) -> None:
        """Look at the bindings of what the app's triggers call."""
        kinds = {trigger.kind for trigger in app.triggers}
        self._modules = {kind: _types_of(kind) for kind in kinds}

    def of(self, kind: TriggerType, text: str) -> Any:
        """Return an error of a kind's interface."""
        module = self._modules[kind]
        other = getattr(module, "Error_Other", None)
        return module.Error.ERROR if other is None else other(text)


def _types_of(kind: TriggerType) -> Any:
    names = {"redis": ("redis_types", "redis"), "mqtt": ("spin_mqtt_types",)}
    for name in names.get(kind, ("cron_types",)):
        try:
            return import_module(f"wit_world.imports.{name}")
        except ImportError:
            continue
    raise ImportError(
        f"the app has a handler of a {kind} trigger, but the world of this component does not "
        "export what one calls: build it with `edgezero componentize`, which writes the world"
    )
