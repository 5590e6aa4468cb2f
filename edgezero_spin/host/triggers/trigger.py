"""Interface of the kinds of triggers: HTTP, Redis, MQTT, cron or a program's own.

In: the tables ``[[trigger.KIND]]`` and ``[application.trigger.KIND]`` of an application. Out: an
object that says which components they use and by which export, and what listens for events.

A ``Trigger`` is a kind. It is asked in this order: ``configure`` reads the tables and makes a
``ConfiguredTrigger``; ``resolved`` fills in templates; ``load`` picks what a component is called
by; its ``listeners`` run while the host serves. Only those open anything.

Source: contract services.md, TRG-1 to TRG-12.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

import attrs
from attrs.validators import ge, gt

from edgezero_spin.errors import HostError
from edgezero_spin.host.errors import SetupError
from edgezero_spin.host.exchange.event import EventOutcome
from edgezero_spin.host.execution.event_component import (
    EventComponent,
    EventFunction,
    event_function,
)
from edgezero_spin.host.execution.executor import Served
from edgezero_spin.host.factors.instance import Grants
from edgezero_spin.host.runtime.engine import InstanceLimits
from edgezero_spin.host.runtime.prepared import PreparedComponent

__all__ = [
    "ApplicationFailedError",
    "ConfiguredTrigger",
    "Delivery",
    "EventSink",
    "Listener",
    "LoadableComponent",
    "ReconnectPolicy",
    "Trigger",
    "TriggerConfigError",
    "TriggerDeclarations",
    "TriggerEntry",
    "TriggerFailedError",
    "event_component",
]


class TriggerConfigError(SetupError):
    """The tables of a kind of trigger cannot be used."""


class TriggerFailedError(HostError):
    """A trigger cannot go on: its server refuses it, or is gone for too long.

    Raised by ``Listener.run``. The other triggers of the application go on.

    Attributes:
        problem: What happened. It repeats no password.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class ApplicationFailedError(TriggerFailedError):
    """What an application was started for has failed; nothing of it goes on."""


@attrs.frozen(kw_only=True)
class TriggerEntry:
    """One table ``[[trigger.KIND]]``.

    Attributes:
        id: Its id, given or generated (MAN-60).
        component: Id of its component; ``None`` where it names none.
        settings: The other keys of the table.
    """

    id: str
    component: str | None
    settings: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class TriggerDeclarations:
    """What an application says of one kind of trigger.

    Attributes:
        kind: The kind.
        settings: The table ``[application.trigger.KIND]``; ``None`` where there is none.
        entries: In the order of the manifest; at least one.
    """

    kind: str
    settings: Mapping[str, Any] | None
    entries: tuple[TriggerEntry, ...]


@attrs.frozen(kw_only=True)
class ReconnectPolicy:
    """How a trigger gets back to a server that is gone.

    Attributes:
        timeout_s: Seconds without a connection after which the trigger fails. 0 fails at once, as
            Spin does; ``math.inf`` never.
        first_delay_s: Seconds before the first attempt; each further wait is twice as long.
        most_delay_s: Seconds that it waits at most between two attempts.
    """

    timeout_s: float = attrs.field(default=60.0, validator=ge(0))
    first_delay_s: float = attrs.field(default=0.1, validator=gt(0))
    most_delay_s: float = attrs.field(default=5.0, validator=gt(0))


class LoadableComponent(Protocol):
    """A component that a trigger uses, before it is known how it is called."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def linked(self) -> PreparedComponent:
        """The component with its imports defined; compiled when it is first asked for.

        Raises:
            ComponentError: The file cannot be used.
            LinkError: It does not fit this host.
        """

    @property
    def program(self) -> PreparedComponent:
        """The same of a command, which may be a core module.

        Raises:
            ComponentError: The file cannot be used.
            LinkError: It is not a command.
        """

    @property
    def grants(self) -> Grants:
        """What its instances may use."""

    @property
    def limits(self) -> InstanceLimits:
        """What each of its instances may spend."""

    @property
    def is_fresh(self) -> bool:
        """Whether each event gets an instance of its own (TRG-9)."""


@attrs.frozen
class Delivery:
    """An event as one component gets it.

    Attributes:
        component_id: The component.
        arguments: Of its function, in Python form; see ``runtime/interface.py``.
        what: What it is, for the log: ``redis message``.
        subject: Where it is from, for observers: the channel, the topic, the expression.
    """

    component_id: str
    arguments: tuple[Any, ...]
    what: str
    subject: str = ""


class EventSink(Protocol):
    """Where a trigger that runs brings its events."""

    @property
    def reconnect(self) -> ReconnectPolicy:
        """How to get back to a server that is gone."""

    def say(self, line: str) -> None:
        """Tell whoever started the host where the trigger listens."""

    def began(self) -> None:
        """Tell that the listener listens, or has said in the log why it does not yet.

        Twice is harmless, and so is never: whoever waits for it does not wait long.
        """

    def end(self, problem: str | None = None) -> None:
        """End the application, with all of its triggers: it has done what it was started for.

        Args:
            problem: Why it has not.
        """

    async def deliver(self, event: object) -> Sequence[EventOutcome]:
        """Have every component take an event that is meant for it, at the same time.

        A component that fails is logged and does not concern the others.

        Args:
            event: What ``ConfiguredTrigger.deliveries`` takes.

        Returns:
            How each of them took it, once all have.
        """


class Listener(Protocol):
    """Listens for events at one place: a server, a clock. The end of one ends no other."""

    @property
    def name(self) -> str:
        """What it is, for the log; no password."""

    async def run(self, events: EventSink) -> None:
        """Listen, and deliver what comes, until cancelled.

        Raises:
            TriggerFailedError: It cannot go on.
        """


class ConfiguredTrigger(Protocol):
    """The triggers of one kind in one application."""

    @property
    def kind(self) -> str:
        """The kind."""

    @property
    def components(self) -> Sequence[tuple[str, str]]:
        """Id of each trigger with a component, and the component's."""

    def resolved(self, render: Callable[[str], str]) -> Self:
        """Fill in templates over the application's variables (TRG-3).

        Args:
            render: Returns a text with its templates filled in, or raises ``VariableError``.

        Raises:
            TriggerConfigError: A value is missing or cannot be used.
        """

    def check_exports(self, component_id: str, exports: Callable[[], Sequence[str]]) -> None:
        """Make sure that a component exports what the triggers call, as far as names tell.

        Args:
            exports: Returns the names that it exports, or raises where its file is not a component.

        Raises:
            HandlerError: It does not.
        """

    def load(self, component: LoadableComponent) -> Served:
        """Return a component as these triggers call it.

        Raises:
            HandlerError: It does not export what they call (TRG-11).
            HostError: It cannot be used.
        """

    def deliveries(self, event: object) -> Sequence[Delivery] | None:
        """Return who gets an event, and as what; ``None`` for one of another kind."""

    @property
    def listeners(self) -> Sequence[Listener]:
        """What listens for events; none for a kind that is brought them from elsewhere."""


class Trigger(Protocol):
    """A kind of trigger. Give yours to ``Host.from_manifest(..., triggers=[...])``.

    One object serves any number of applications.
    """

    @property
    def kind(self) -> str:
        """The key below ``[[trigger.KIND]]``."""

    def configure(self, declared: TriggerDeclarations) -> ConfiguredTrigger:
        """Read what an application says. Nothing is opened.

        Raises:
            TriggerConfigError: It cannot be used; every fault is named.
        """


def event_component(
    component: LoadableComponent, kind: str, functions: Sequence[EventFunction]
) -> EventComponent:
    """Return a component whose function takes events; what ``load`` of most kinds returns.

    Args:
        component: The component.
        kind: The kind of the trigger, for messages.
        functions: Those that the trigger may call, of which a component exports one.

    Raises:
        HandlerError: It exports none of them, several, or one of another type.
        HostError: The component cannot be used.
    """
    linked = component.linked
    function, is_async = event_function(component.id, kind, linked.linked.exports, functions)
    return EventComponent(
        linked, component.grants, component.limits, function, is_async, component.is_fresh
    )
