"""The command trigger: a component that is run once, from its start to its end.

In: the table ``[[trigger.command]]`` and the arguments of the command line. Out: a
``CommandTriggers`` whose listener runs the program and ends the application with it.

Source: contract services.md, CMD-1 to CMD-3; spin-trigger-plugins, ``trigger-command``.
"""

import logging
import re
from collections.abc import Callable, Sequence

import attrs

from edgezero_spin.host.errors import HandlerError
from edgezero_spin.host.exchange.event import TriggerEvent
from edgezero_spin.host.execution.event_component import EventComponent, EventFunction
from edgezero_spin.host.execution.instance_pool import PooledInstance
from edgezero_spin.host.factors.wasi.cli import GuestExit
from edgezero_spin.host.triggers.event_triggers import EventEntry, EventTriggers, read_entry
from edgezero_spin.host.triggers.trigger import (
    Delivery,
    EventSink,
    Listener,
    LoadableComponent,
    TriggerConfigError,
    TriggerDeclarations,
    event_component,
)

__all__ = ["COMMAND", "CommandRun", "CommandTriggerKind", "CommandTriggers"]

logger = logging.getLogger("edgezero_spin.host")

COMMAND = "command"

_RUN = re.compile(r"wasi:cli/run(?:@0\.2\.\d+|@0\.3\.(?:\d+|0-rc-2026-03-15))?", re.ASCII)


class CommandRun:
    """The event of a command: it is to run."""


class CommandTriggerKind:
    """The kind ``command``; a ``Trigger``."""

    kind = COMMAND

    def __init__(self, arguments: Sequence[str] = ()) -> None:
        """Run programs with these arguments.

        Args:
            arguments: Those behind the first, which is the id of the component.
        """
        self._arguments = tuple(arguments)

    def configure(self, declared: TriggerDeclarations) -> "CommandTriggers":
        """Read which component is run: the first one (CMD-1)."""
        problems: list[str] = []
        entries = []
        for entry in declared.entries:
            component, _ = read_entry(entry, {}, problems=problems)
            entries.append(EventEntry(id=entry.id, component=component))
        if problems:
            raise TriggerConfigError(*problems)
        if len(entries) > 1:
            logger.warning(
                "only the first command trigger is run, of component %r; remove the other%s",
                entries[0].component,
                "s" if len(entries) > 2 else "",
            )
        return CommandTriggers(tuple(entries[:1]), self._arguments)


@attrs.frozen
class CommandTriggers(EventTriggers[EventEntry]):
    """The command of an application; a ``ConfiguredTrigger``.

    Attributes:
        arguments: What it is run with.
    """

    arguments: tuple[str, ...] = ()
    kind = COMMAND
    event_type = CommandRun
    functions = ()

    def check_exports(self, component_id: str, exports: Callable[[], Sequence[str]]) -> None:
        """Nothing: a program may be a core module, which exports no interface."""

    def load(self, component: LoadableComponent) -> EventComponent:
        """Return a component that is run, with its arguments."""
        # The newer one where a component has both (CMD-3).
        name = max(filter(_RUN.fullmatch, component.linked.exports), default=None)
        if name is None:
            offer = ", ".join(component.linked.exports) or "nothing"
            raise HandlerError(
                component.id,
                f"component is not a command component: it exports no wasi:cli/run@0.2 or @0.3.0, "
                f"but {offer}",
            )
        run = EventFunction(name, "run", (), "run: func() -> result")
        found = event_component(component, self.kind, [run])
        return _Program(
            found.linked,
            attrs.evolve(found.grants, arguments=(component.id, *self.arguments)),
            found.limits,
            run,
            # It has its instance for itself.
            is_async=False,
            is_fresh=True,
        )

    def takes(self, entry: EventEntry, event: CommandRun) -> bool:
        """Always: there is one command."""
        return True

    def delivery(self, entry: EventEntry, event: CommandRun) -> Delivery:
        """Return the run."""
        return Delivery(entry.component, (), "command", entry.component)

    @property
    def listeners(self) -> Sequence[Listener]:
        """What runs the program."""
        return [_Runner(entry) for entry in self.entries]


@attrs.frozen(eq=False)
class _Program(EventComponent):
    """A component that is run as a program."""

    def handle(self, started: PooledInstance, event: TriggerEvent) -> None:
        """Run it. Called on the guest's thread.

        Raises:
            GuestTrapped: It stopped, or exited with another status than 0.
        """
        try:
            super().handle(started, event)
        except GuestExit as error:
            if error.code:
                raise
            event.returned_ok()


@attrs.frozen
class _Runner:
    """Runs a program once."""

    entry: EventEntry

    @property
    def name(self) -> str:
        return f"command trigger {self.entry.id!r}"

    async def run(self, events: EventSink) -> None:
        events.began()
        for outcome in await events.deliver(CommandRun()):
            problem = f"component {outcome.component_id!r}: guest call failed: {outcome.detail}"
            events.end(None if outcome.ok else problem)
