"""Dispatch of events, from the listeners of triggers to what takes them.

In: the configured triggers of an application, and ``EventReceivers``: the instances of a host, or
an app in this process. Out: every event delivered, its outcomes logged; and one task for each
listener, whose end does not concern the others.

Source: contract services.md, TRG-5, TRG-9, RDT-8, CRN-6.
"""

import asyncio
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, Protocol

from edgezero_spin.host.exchange.call import Failure, FailureKind
from edgezero_spin.host.exchange.event import EventOutcome, OutcomeKind, TriggerEvent
from edgezero_spin.host.exchange.loops import call_in
from edgezero_spin.host.execution.executor import InstanceWatch, Served
from edgezero_spin.host.execution.loop_owner import current_loop_owner
from edgezero_spin.host.execution.runner import Runner
from edgezero_spin.host.execution.workers import Overloaded
from edgezero_spin.host.observers import ObservedEvent, Observer
from edgezero_spin.host.triggers.trigger import (
    ApplicationFailedError,
    ConfiguredTrigger,
    Delivery,
    EventSink,
    Listener,
    ReconnectPolicy,
    TriggerFailedError,
)

__all__ = ["Dispatcher", "EventReceivers", "InstanceReceivers"]

logger = logging.getLogger("edgezero_spin.host")

LOOK_S = 0.025
"""Seconds between two looks at whether guests that compute keep others waiting."""

PLACE_TIMEOUT_S = 10.0
"""Seconds that an event waits for a place where all are taken."""


class EventReceivers(Protocol):
    """The components of an application, as far as events concern them."""

    async def start(
        self, kind: str, delivery: Delivery, event: TriggerEvent, watch: InstanceWatch | None
    ) -> None:
        """Begin to take an event; what it comes to is told by the event itself."""

    def relieve(self) -> None:
        """Look whether handlers that compute keep others waiting."""


class InstanceReceivers:
    """The components of a host; an ``EventReceivers``."""

    def __init__(self, components: Mapping[tuple[str, str], Served], runner: Runner) -> None:
        """Start nothing yet.

        Args:
            components: What takes events, by kind and component id.
            runner: Runs it.
        """
        self._components = components
        self._runner = runner
        self.relieve = runner.pool.relieve

    async def start(
        self, kind: str, delivery: Delivery, event: TriggerEvent, watch: InstanceWatch | None
    ) -> None:
        """Give an event to an instance, and wait for a place where all are taken."""
        component = self._components[kind, delivery.component_id]
        until_s = monotonic() + PLACE_TIMEOUT_S
        while True:
            try:
                self._runner.start(component, event, watch)
            except Overloaded as error:
                if monotonic() < until_s and not self._runner.pool.closed:
                    await asyncio.sleep(LOOK_S)
                    continue
                detail = f"no place for it: {error}"
                logger.error("Error processing %s: %s: %s", event.what, event.component_id, detail)
                event.finish(Failure(FailureKind.BUSY, detail))
                event.released()
            return


class Dispatcher:
    """Delivers the events of one application; used in one event loop at a time.

    Attributes:
        begun: Set once every listener listens, or has said why it does not yet.
    """

    def __init__(
        self,
        triggers: Sequence[ConfiguredTrigger],
        receivers: EventReceivers,
        reconnect: ReconnectPolicy,
        *,
        application: str,
        observer: Observer | None,
    ) -> None:
        """Deliver nothing yet.

        Args:
            triggers: What listens.
            receivers: What takes events.
            reconnect: How triggers get back to their servers.
            application: Name of the application.
            observer: Told of every event; ``None`` where nobody is.
        """
        self._application = application
        self._observer = observer
        self.triggers = tuple(triggers)
        self.reconnect = reconnect
        self.begun = asyncio.Event()
        self._receivers = receivers
        self._under_way: dict[asyncio.Future[EventOutcome], Delivery] = {}
        self._look: asyncio.TimerHandle | None = None

    async def deliver(
        self, trigger: ConfiguredTrigger, event: object, watch: InstanceWatch | None = None
    ) -> Sequence[EventOutcome]:
        """Have every component take an event that is meant for it, at the same time."""
        deliveries = trigger.deliveries(event) or ()
        kind = trigger.kind
        if len(deliveries) == 1:
            return (await self._take(kind, deliveries[0], watch),)
        return await asyncio.gather(*(self._take(kind, delivery, watch) for delivery in deliveries))

    async def _take(
        self, kind: str, delivery: Delivery, watch: InstanceWatch | None
    ) -> EventOutcome:
        loop = asyncio.get_running_loop()
        owner = current_loop_owner()
        future: asyncio.Future[EventOutcome] = loop.create_future()

        def done(outcome: EventOutcome) -> None:
            def settle() -> None:
                if not future.done():
                    future.set_result(outcome)

            if owner is None:
                call_in(loop, settle)
            else:
                owner.post(settle)

        id = delivery.component_id
        event = TriggerEvent(id, delivery.arguments, what=delivery.what, done=done)
        began_s = monotonic()
        if self._observer is not None:
            event.observer = self._observer.event_began(
                ObservedEvent(kind, delivery.subject, self._application, id)
            )
        following = event.observer
        self._under_way[future] = delivery
        if self._look is None:
            self._look = loop.call_later(LOOK_S, self._relieve, loop)
        try:
            await self._receivers.start(kind, delivery, event, watch)
            outcome = await future
        finally:
            del self._under_way[future]
        if following is not None:
            problem = None if outcome.ok else outcome.detail or outcome.kind.value
            following.event_ended(monotonic() - began_s, problem)
        if outcome.kind is OutcomeKind.ERROR:
            # What traps and times out was logged where it was seen.
            logger.error("Component %s handler failed: %s (%s)", id, outcome.detail, delivery.what)
        return outcome

    def _relieve(self, loop: asyncio.AbstractEventLoop) -> None:
        self._look = None
        if self._under_way:
            self._receivers.relieve()
            self._look = loop.call_later(LOOK_S, self._relieve, loop)

    async def run(self, say: Callable[[str], None]) -> bool:
        """Run every listener until cancelled, or until none is left.

        Args:
            say: Told where they listen.

        Returns:
            Whether the application has done what it was started for, so that all of it ends.

        Raises:
            ApplicationFailedError: It has failed to.
            TriggerFailedError: None is left, and one of them failed; all failures are in the log.
        """
        over: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        listeners = [(each, trigger) for trigger in self.triggers for each in trigger.listeners]
        waiting = set(range(len(listeners)))

        def began(number: int) -> None:
            waiting.discard(number)
            if not waiting:
                self.begun.set()

        tasks = [
            asyncio.create_task(
                self._run(
                    listener, _Sink(self, trigger, say, functools.partial(began, number), over)
                )
            )
            for number, (listener, trigger) in enumerate(listeners)
        ]
        try:
            while not over.done() and not all(task.done() for task in tasks):
                waited_for: list[asyncio.Future[Any]] = [over, *tasks]
                left = [future for future in waited_for if not future.done()]
                await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if over.done():
            return over.result()
        failed = [failure for task in tasks if (failure := task.result()) is not None]
        if failed:
            raise TriggerFailedError(failed[0])
        return False

    async def _run(self, listener: Listener, events: EventSink) -> str | None:
        """Run one listener; return why it failed."""
        try:
            await listener.run(events)
        except TriggerFailedError as error:
            logger.error("%s: %s", listener.name, error)
            return f"{listener.name}: {error}"
        except Exception as error:
            logger.exception("%s ended", listener.name)
            return f"{listener.name} ended: {type(error).__name__}"
        finally:
            events.began()
        return None

    async def drain(self, timeout_s: float, hurried: asyncio.Event | None = None) -> None:
        """Wait for the events under way, and say in the log which of them did not end.

        Args:
            timeout_s: For how long.
            hurried: Set when there is no more time.
        """
        if not self._under_way:
            return
        gone = asyncio.ensure_future(asyncio.wait(set(self._under_way)))
        hurry = asyncio.ensure_future((hurried or asyncio.Event()).wait())
        await asyncio.wait((gone, hurry), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        hurry.cancel()
        for future, delivery in self._under_way.items():
            if not future.done():
                logger.warning(
                    "%s%s was cut off in component %s: the host stops",
                    delivery.what,
                    f" {delivery.subject[:200]!r}" if delivery.subject else "",
                    delivery.component_id,
                )


class _Sink:
    """Where one trigger brings its events; an ``EventSink``."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        trigger: ConfiguredTrigger,
        say: Callable[[str], None],
        began: Callable[[], None],
        over: asyncio.Future[bool],
    ) -> None:
        self._dispatcher = dispatcher
        self._trigger = trigger
        self.say = say
        self.began = began
        self._over = over

    @property
    def reconnect(self) -> ReconnectPolicy:
        return self._dispatcher.reconnect

    def end(self, problem: str | None = None) -> None:
        if self._over.done():
            return
        if problem is None:
            self._over.set_result(True)
        else:
            self._over.set_exception(ApplicationFailedError(problem))

    async def deliver(self, event: object) -> Sequence[EventOutcome]:
        # Whoever stops the trigger lets the event end: what a guest began, it may finish.
        return await asyncio.shield(self._dispatcher.deliver(self._trigger, event))
