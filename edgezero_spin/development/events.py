"""Events of triggers, taken by an app in this process.

In: what the listeners of the embedded host bring, as a component would get it. Out: the outcome of
the app's handler. What it raises is on standard error, as for a component.
"""

import asyncio
from collections.abc import Callable
from typing import cast

import attrs

from edgezero_spin.core.event_handlers import TRIGGER, TriggerType, report_failure
from edgezero_spin.core.outbound import OutboundTransport
from edgezero_spin.development.application import NativeApplication
from edgezero_spin.development.observed import FOLLOWING
from edgezero_spin.host.exchange.event import TriggerEvent
from edgezero_spin.host.execution.executor import InstanceWatch
from edgezero_spin.host.triggers.trigger import Delivery

__all__ = ["AppReceivers"]


@attrs.frozen(eq=False)
class AppReceivers:
    """The components that an app becomes; an ``EventReceivers``.

    Args:
        native: The app.
        transport: Returns what carries the requests that a component sends.
    """

    _native: NativeApplication
    _transport: Callable[[str], OutboundTransport]
    _under_way: set[asyncio.Task[None]] = attrs.field(factory=set, init=False)

    async def start(
        self, kind: str, delivery: Delivery, event: TriggerEvent, watch: InstanceWatch | None
    ) -> None:
        """Have the app take an event, in a task of its own."""
        # The task begins with what is set now.
        token = FOLLOWING.set(event.observer)
        try:
            task = asyncio.create_task(self._take(kind, delivery, event))
        finally:
            FOLLOWING.reset(token)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def relieve(self) -> None:
        """Nothing waits for a place here."""

    async def _take(self, kind: str, delivery: Delivery, event: TriggerEvent) -> None:
        app, id = self._native.app, delivery.component_id
        component = self._native.components[id]
        chosen = component.part.environment.get(TRIGGER)
        first, *rest = delivery.arguments
        value = first["timestamp"] if kind == "cron" else first
        topic = rest[0]["topic"] if rest else None
        try:
            await app.take(
                app.events.event_of(cast("TriggerType", kind), value, topic, chosen),
                lambda: component.open_stores(app),
                chosen=chosen,
                transport=self._transport(id),
            )
        except Exception as error:
            event.returned_error(report_failure(f"{kind} trigger", error))
        else:
            event.returned_ok()
        event.released()
