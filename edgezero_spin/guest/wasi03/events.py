"""The exports by which a component of WASI 0.3 takes messages and moments, several at once.

Whatever fails in the app is on standard error, with its traceback, and the host is told in one
line; the instance never traps because of an event.

Source: ``spin:redis/inbound-redis@3.0.0``, ``spin:cron@3.0.0``, ``spin:mqtt-trigger@3.0.0``;
contract services.md, RDT-7, CRN-6, MQT-7; wasi03.md, PY-20.
"""

from asyncio import Task
from typing import Any

import componentize_py_runtime as runtime
import wit_world
from componentize_py_types import Err, Ok
from wit_world import exports

from edgezero_spin.core.app import App
from edgezero_spin.core.event_handlers import TriggerType, report_failure
from edgezero_spin.guest.event_results import ErrorValues, chosen_trigger, event_of
from edgezero_spin.guest.wasi03.event_loop import loop
from edgezero_spin.guest.wasi03.export_index import export_index
from edgezero_spin.guest.wasi03.tasks import start
from edgezero_spin.stores import Stores

__all__ = ["add_event_exports"]


def add_event_exports(handler: type[Any], app: App, stores: Stores) -> None:
    """Give the class that a component exports the methods of its triggers.

    Args:
        handler: The class.
        stores: Its stores, for all events of an instance.
    """
    errors = ErrorValues(app)
    events = app.events
    kinds = {trigger.kind for trigger in app.triggers}
    numbers: dict[str, int] = {}
    if "redis" in kinds:
        numbers["redis"] = export_index(exports.InboundRedis, "handle_message", 1)
    if "mqtt" in kinds:
        numbers["mqtt"] = export_index(wit_world.WitWorld, "handle_message", 2)
    if "cron" in kinds:
        numbers["cron"] = export_index(wit_world.WitWorld, "handle_cron_event", 1)

    async def take(kind: TriggerType, arguments: tuple[Any, ...]) -> Any:
        try:
            event = event_of(events, kind, arguments)
            await app.take(event, stores, chosen=chosen_trigger())
        except Exception as error:
            return Err(errors.of(kind, report_failure(f"{kind} trigger", error)))
        return Ok(None)

    def begin(kind: TriggerType, arguments: tuple[Any, ...], borrows: int) -> int:
        def respond(main: "Task[Any]") -> None:
            result = Err(errors.of(kind, "cancelled")) if main.cancelled() else main.result()
            runtime.call_task_return(numbers[kind], borrows, result)

        return start(take(kind, arguments), loop, respond)

    class Exports:
        def _async_start_handle_message(self, *arguments: Any) -> int:
            # One name for two interfaces: that of Redis brings no metadata.
            *given, borrows = arguments
            return begin("redis" if len(given) == 1 else "mqtt", tuple(given), borrows)

        def _async_start_handle_cron_event(self, metadata: Any, borrows: int) -> int:
            return begin("cron", (metadata,), borrows)

    handler._async_start_handle_message = Exports._async_start_handle_message
    handler._async_start_handle_cron_event = Exports._async_start_handle_cron_event
