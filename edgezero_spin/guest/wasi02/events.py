"""The exports by which a component takes messages of Redis and MQTT and moments of cron.

Whatever fails in the app is on standard error, with its traceback, and the host is told in one
line; the instance never traps because of an event.

Source: ``fermyon:spin/inbound-redis``, ``fermyon:spin-cron@2.0.0``, ``spin:mqtt-trigger``; contract
services.md, RDT-7, CRN-6, MQT-7.
"""

from collections.abc import Callable
from typing import Any

from edgezero_spin.core.app import App
from edgezero_spin.core.event_handlers import TriggerType, report_failure
from edgezero_spin.guest.bindings import Err
from edgezero_spin.guest.event_results import ErrorValues, chosen_trigger, event_of
from edgezero_spin.stores import Stores

__all__ = ["add_event_exports"]


def add_event_exports(
    handler: type[Any], app: App, run: Callable[[Any], Any], stores: Callable[[], Stores] | None
) -> None:
    """Give the class that a component exports the methods of its triggers.

    Args:
        handler: The class.
        run: Runs a coroutine to its end.
        stores: Opens the stores of one event; ``None`` for an app without.
    """
    errors = ErrorValues(app)
    events = app.events

    def take(kind: TriggerType, *arguments: Any) -> None:
        try:
            event = event_of(events, kind, arguments)
            run(app.take(event, stores, chosen=chosen_trigger()))
        except Exception as error:
            said = report_failure(f"{kind} trigger", error)
            raise Err(errors.of(kind, said)) from None

    class Exports:
        def handle_message(self, message: bytes, metadata: Any = None) -> None:
            # One name for two interfaces: that of Redis brings no metadata.
            if metadata is None:
                take("redis", message)
            else:
                take("mqtt", message, metadata)

        def handle_cron_event(self, metadata: Any) -> None:
            take("cron", metadata)

    handler.handle_message = Exports.handle_message
    handler.handle_cron_event = Exports.handle_cron_event
