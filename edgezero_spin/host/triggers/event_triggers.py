"""Triggers whose components export a function that takes events: Redis, MQTT, cron.

In: the entries of one kind, and the functions that a component may export for it. Out: the part of
a ``ConfiguredTrigger`` that is the same for all of them. Tables and listeners are each kind's own.

Source: contract services.md, TRG-1, TRG-2, TRG-11.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar

import attrs

from edgezero_spin.host.execution.event_component import (
    EventComponent,
    EventFunction,
    check_export_names,
)
from edgezero_spin.host.triggers.tables import read_texts
from edgezero_spin.host.triggers.trigger import (
    Delivery,
    LoadableComponent,
    TriggerEntry,
    event_component,
)

__all__ = ["EventEntry", "EventTriggers", "ListenerEvent", "read_entry"]


@attrs.frozen(kw_only=True)
class EventEntry:
    """One table ``[[trigger.KIND]]``.

    Attributes:
        id: Its id.
        component: The component that takes the events.
    """

    id: str
    component: str


def read_entry(
    entry: TriggerEntry,
    required: Mapping[str, str],
    optional: Sequence[str] = (),
    *,
    problems: list[str],
) -> tuple[str, dict[str, str]]:
    """Return the component of an entry, and the texts of its table.

    Args:
        entry: The entry.
        required: Keys that have to be there, each with an example of its value.
        optional: Keys that may be there.
        problems: Gets a sentence for each fault.
    """
    place = f"trigger {entry.id!r}"
    known = ("component", *optional)
    texts = read_texts(place, entry.settings, required, known, problems=problems)
    if entry.component is None and "component" not in entry.settings:
        problems.append(f'{place}: component is missing; write component = "..."')
    return entry.component or "", texts


@attrs.frozen
class ListenerEvent:
    """An event of a listener, which is for the entries that it listens for alone.

    Attributes:
        entries: The entries.
        event: The event.
    """

    entries: Sequence[Any]
    event: object


_Entry = TypeVar("_Entry", bound=EventEntry)


@attrs.frozen
class EventTriggers(Generic[_Entry]):
    """The triggers of one kind in an application; most of a ``ConfiguredTrigger``.

    Attributes:
        entries: In the order of the manifest.
        kind: The kind.
        event_type: The class of its events.
        functions: Those that it may call, of which a component exports one.
    """

    entries: tuple[_Entry, ...]
    kind: ClassVar[str]
    event_type: ClassVar[type]
    functions: ClassVar[Sequence[EventFunction]]

    @property
    def components(self) -> Sequence[tuple[str, str]]:
        """Id of each trigger, and its component's."""
        return [(entry.id, entry.component) for entry in self.entries]

    def resolved(self, render: Callable[[str], str]) -> Self:
        """Return itself: a kind whose tables have templates fills them in (TRG-3)."""
        return self

    def check_exports(self, component_id: str, exports: Callable[[], Sequence[str]]) -> None:
        """Make sure that a component exports what takes events of this kind."""
        check_export_names(component_id, self.kind, exports(), self.functions)

    def load(self, component: LoadableComponent) -> EventComponent:
        """Return a component with the function that is called."""
        return event_component(component, self.kind, self.functions)

    def deliveries(self, event: object) -> Sequence[Delivery] | None:
        """Return what the components of its entries get, in the manifest's order."""
        entries: Sequence[_Entry] | None = None
        if isinstance(event, ListenerEvent):
            entries, event = event.entries, event.event
        if not isinstance(event, self.event_type):
            return None
        if entries is None:
            entries = [entry for entry in self.entries if self.takes(entry, event)]
        return [self.delivery(entry, event) for entry in entries]

    def takes(self, entry: _Entry, event: Any) -> bool:
        """Whether an event that no listener brought is for an entry."""
        raise NotImplementedError

    def delivery(self, entry: _Entry, event: Any) -> Delivery:
        """Return an event as the component of an entry gets it."""
        raise NotImplementedError
