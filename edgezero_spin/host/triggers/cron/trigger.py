"""The cron trigger: expressions, and the components that are called by them.

In: the tables ``[[trigger.cron]]``. Out: a ``CronTriggers`` with one listener for each entry. A
moment is not missed because the last one's handler still runs, and not made up for when the host
was not there.

Source: contract services.md, CRN-1 to CRN-7, SVQ-6.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from time import time

import attrs

from edgezero_spin.events import CronEvent
from edgezero_spin.host.execution.event_component import EventFunction
from edgezero_spin.host.factors.extras import missing_extra
from edgezero_spin.host.triggers.cron.schedule import EXAMPLE, CronSchedule
from edgezero_spin.host.triggers.event_triggers import (
    EventEntry,
    EventTriggers,
    ListenerEvent,
    read_entry,
)
from edgezero_spin.host.triggers.trigger import (
    Delivery,
    EventSink,
    Listener,
    TriggerConfigError,
    TriggerDeclarations,
    TriggerEntry,
)
from edgezero_spin.wasm.component.types import Primitive, RecordType

__all__ = ["CronEntry", "CronTriggerKind", "CronTriggers"]

CRON = "cron"

MOST_SLEEP_S = 30.0
"""Seconds after which the clock is read again, which somebody may have set."""

# By itself in the world, of the package `spin:cron` as of the older `fermyon:spin-cron`.
FUNCTIONS = (
    EventFunction(
        None,
        "handle-cron-event",
        (RecordType((("timestamp", Primitive.U64),)),),
        "handle-cron-event: async func(metadata: metadata) -> result<_, error>",
    ),
)


@attrs.frozen(kw_only=True)
class CronEntry(EventEntry):
    """One table ``[[trigger.cron]]``.

    Attributes:
        expression: The cron expression.
    """

    expression: str


class CronTriggerKind:
    """The kind ``cron``; a ``Trigger``. Needs the extra ``cron``."""

    kind = CRON

    def configure(self, declared: TriggerDeclarations) -> "CronTriggers":
        """Read expressions; a table of the application is ignored (CRN-1)."""
        missing = missing_extra("cron triggers", "cron", "croniter")
        if missing is not None:
            raise TriggerConfigError(missing)
        problems: list[str] = []
        entries = tuple(_entry(entry, problems) for entry in declared.entries)
        if problems:
            raise TriggerConfigError(*problems)
        return CronTriggers(entries)


def _entry(entry: TriggerEntry, problems: list[str]) -> CronEntry:
    component, texts = read_entry(entry, {"cron_expression": EXAMPLE}, problems=problems)
    expression = texts.get("cron_expression")
    if expression is not None:
        try:
            CronSchedule(expression)
        except ValueError as error:
            problems.append(f"trigger {entry.id!r}: cron_expression: {error}")
    return CronEntry(id=entry.id, component=component, expression=expression or "")


@attrs.frozen
class CronTriggers(EventTriggers[CronEntry]):
    """The cron triggers of an application; a ``ConfiguredTrigger``."""

    kind = CRON
    event_type = CronEvent
    functions = FUNCTIONS

    def takes(self, entry: CronEntry, event: CronEvent) -> bool:
        """Whether an entry has the expression."""
        return entry.expression == event.expression

    def delivery(self, entry: CronEntry, event: CronEvent) -> Delivery:
        """Return the moment."""
        metadata = {"timestamp": event.timestamp}
        return Delivery(entry.component, (metadata,), "cron event", event.expression)

    @property
    def listeners(self) -> Sequence[Listener]:
        """One for each entry."""
        return [_CronListener(entry) for entry in self.entries]


@attrs.frozen
class _CronListener:
    """Waits for the moments of one entry."""

    entry: CronEntry

    @property
    def name(self) -> str:
        return f"cron trigger {self.entry.id!r}"

    async def run(self, events: EventSink) -> None:
        schedule = CronSchedule(self.entry.expression)
        under_way: set[asyncio.Task[object]] = set()
        now = time()
        due = schedule.after(datetime.fromtimestamp(now, UTC))
        events.began()
        while due is not None:
            before, now = now, time()
            if now < before - MOST_SLEEP_S:
                # The clock was set back: what was due is further away than the next moment.
                due = schedule.after(datetime.fromtimestamp(now, UTC)) or due
            left_s = due.timestamp() - now
            if left_s > 0:
                await asyncio.sleep(min(left_s, MOST_SLEEP_S))
                continue
            event = ListenerEvent([self.entry], CronEvent(self.entry.expression, int(now)))
            # It starts at once, even while its previous run lasts (CRN-5).
            task: asyncio.Task[object] = asyncio.ensure_future(events.deliver(event))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            due = schedule.after(datetime.fromtimestamp(now, UTC))
