"""Handlers of events: what an app does with messages of Redis and MQTT and at moments of cron.

In: decorated functions. Out: ``take``, which finds the handler of an event and calls it with its
parameters. They are filled as those of a route, of a request that has the payload for its body, so
that ``Json[Order]``, stores, state and dependencies are the same; names in a topic are path
parameters.

A component is not told the channel of a message or the expression of a moment. Where it has several
handlers of a kind, each has a component of its own in ``spin.toml``, whose environment says
``EDGEZERO__TRIGGER``.

Source: our own; contract services.md, RDT-7, CRN-6, MQT-7, for what a component is told.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, TypeAlias, TypeVar

import attrs

from edgezero_spin.core.answers import report
from edgezero_spin.core.binding import Endpoint, bind
from edgezero_spin.core.offers import Offers
from edgezero_spin.core.request import Request
from edgezero_spin.core.topics import TopicPattern, parse_topic
from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.events import CronEvent, MqttMessage, RedisMessage

__all__ = [
    "KINDS",
    "TRIGGER",
    "AppEvent",
    "DeclaredTrigger",
    "EventHandlers",
    "NoEventHandlerError",
    "TriggerType",
    "report_failure",
]

TriggerType: TypeAlias = Literal["redis", "mqtt", "cron"]
AppEvent: TypeAlias = RedisMessage | MqttMessage | CronEvent

TRIGGER = "EDGEZERO__TRIGGER"
"""The variable that says which trigger a component is for, where it has several."""

EXAMPLES = {"redis": "orders", "mqtt": "doors/{door}/open", "cron": "0 */5 * * * *"}
QUALITIES = (0, 1, 2)
FIELDS = (6, 7)

KINDS: Mapping[TriggerType, type[AppEvent]] = {
    "redis": RedisMessage,
    "mqtt": MqttMessage,
    "cron": CronEvent,
}
"""The events that an app can have handlers of, by the kind of trigger."""

_Handler = TypeVar("_Handler", bound=Callable[..., object])


class NoEventHandlerError(EdgeZeroError):
    """An app has no handler for an event, or several and nothing says which is meant.

    Attributes:
        problem: What is missing, and what to write.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


@attrs.frozen
class DeclaredTrigger:
    """What starts a handler, as ``spin.toml`` has to have it.

    Attributes:
        kind: ``redis``, ``mqtt`` or ``cron``.
        text: The channel, the topic filter or the expression.
        qos: The quality of service, with ``mqtt``.
    """

    kind: TriggerType
    text: str
    qos: int = 0


@attrs.frozen
class _EventHandler:
    trigger: DeclaredTrigger
    pattern: TopicPattern
    function: Callable[..., object]


class EventHandlers:
    """The handlers of one app, in the order in which they were declared."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """There are none yet.

        Args:
            changed: Called when there is another one.
        """
        self._changed = changed
        self._handlers: list[_EventHandler] = []
        self._endpoints: dict[DeclaredTrigger, Endpoint] = {}

    @property
    def triggers(self) -> tuple[DeclaredTrigger, ...]:
        """What starts them."""
        return tuple(handler.trigger for handler in self._handlers)

    def declare(self, kind: TriggerType, text: str, qos: int = 0) -> Callable[[_Handler], _Handler]:
        """Return what declares a handler.

        Raises:
            TypeError: It is not text, as where ``@app.redis`` has no parentheses.
            ValueError: It does not fit the kind of trigger, or has a handler already.
        """
        if not isinstance(text, str):
            example = EXAMPLES[kind]
            raise TypeError(
                f'@app.{kind} takes a text, as in @app.{kind}("{example}"), got {text!r}'
            )
        pattern = TopicPattern(text)
        if kind == "mqtt":
            pattern = parse_topic(text)
            if qos not in QUALITIES:
                raise ValueError(f"mqtt {text!r}: qos is 0, 1 or 2, got {qos!r}")
        elif kind == "cron" and len(text.split()) not in FIELDS:
            raise ValueError(
                f"cron {text!r}: write six fields (second minute hour day-of-month month "
                f"day-of-week), such as '{EXAMPLES['cron']}'"
            )
        elif not text:
            raise ValueError("a Redis channel needs a name")
        trigger = DeclaredTrigger(kind, pattern.filter, qos)
        if any((t.kind, t.text) == (kind, trigger.text) for t in self.triggers):
            raise ValueError(f"{kind} {trigger.text!r} has a handler already")

        def declare(function: _Handler) -> _Handler:
            if not callable(function):
                raise TypeError(f"{kind} {text!r}: {function!r} is not a function")
            self._handlers.append(_EventHandler(trigger, pattern, function))
            self._changed()
            return function

        return declare

    def functions(self) -> Iterator[Callable[..., object]]:
        """Yield the functions."""
        return (handler.function for handler in self._handlers)

    def compile(self, offers: Offers) -> None:
        """Bind every handler.

        Raises:
            TypeError: A signature cannot be filled from such an event or by the app.
        """
        for handler in self._handlers:
            of_kind = attrs.evolve(offers, event=KINDS[handler.trigger.kind])
            self._endpoints[handler.trigger] = bind(
                handler.function, handler.pattern.names, frozenset(), of_kind
            )

    def expected(self, kind: TriggerType, chosen: str | None) -> DeclaredTrigger:
        """Return the one trigger of a kind that a component is started for.

        Args:
            chosen: What ``EDGEZERO__TRIGGER`` says; ``None`` for nothing.

        Raises:
            NoEventHandlerError: There is none, or several and nothing says which.
        """
        known = [trigger for trigger in self.triggers if trigger.kind == kind]
        found = [trigger for trigger in known if chosen in (None, trigger.text)]
        if len(found) == 1:
            return found[0]
        texts = ", ".join(repr(trigger.text) for trigger in known)
        if not known:
            raise NoEventHandlerError(f"the app has no handler of a {kind} trigger")
        if not found:
            raise NoEventHandlerError(
                f"the app has no handler of the {kind} trigger {chosen!r}, which {TRIGGER} names "
                f"(there are: {texts})"
            )
        raise NoEventHandlerError(
            f"the app has several handlers of {kind} triggers ({texts}), and a component is not "
            f"told which one is meant: give each a component of its own in spin.toml, with "
            f'environment = {{ {TRIGGER} = "{known[0].text}" }}'
        )

    def event_of(
        self, kind: TriggerType, value: bytes | int, topic: str | None, chosen: str | None
    ) -> AppEvent:
        """Return an event from what a component is given.

        Args:
            kind: The kind of trigger.
            value: The payload of a message, or the timestamp of a moment.
            topic: Of a message of MQTT; other kinds do not say where theirs are from.
            chosen: What ``EDGEZERO__TRIGGER`` says; ``None`` for nothing.

        Raises:
            NoEventHandlerError: There is no handler, or several and nothing says which is meant.
        """
        if isinstance(value, int):
            return CronEvent(self.expected(kind, chosen).text, value)
        if topic is not None:
            return MqttMessage(topic, value)
        return RedisMessage(self.expected(kind, chosen).text, value)

    def request_of(self, event: AppEvent, chosen: str | None = None) -> tuple[Request, Endpoint]:
        """Return what the handler of an event is called with, and the call.

        Args:
            chosen: What ``EDGEZERO__TRIGGER`` says; ``None`` for nothing.

        Raises:
            NoEventHandlerError: There is no handler, or several.
        """
        handler, captured = self._find(event, chosen)
        payload = b"" if isinstance(event, CronEvent) else event.payload
        # Nobody sent it: it carries the payload to whatever takes a body.
        request = Request.of("EVENT", "/", body=payload)
        request.event = event
        request._captured = captured
        return request, self._endpoints[handler.trigger]

    def _find(self, event: AppEvent, chosen: str | None) -> tuple[_EventHandler, tuple[bytes, ...]]:
        found = []
        for handler in self._handlers:
            trigger = handler.trigger
            if not isinstance(event, KINDS[trigger.kind]) or chosen not in (None, trigger.text):
                continue
            captured: tuple[bytes, ...] | None = ()
            if isinstance(event, MqttMessage):
                captured = handler.pattern.match(event.topic)
            elif trigger.text != getattr(event, "channel", getattr(event, "expression", "")):
                captured = None
            if captured is not None:
                found.append((handler, captured))
        if len(found) == 1:
            return found[0]
        [kind] = [name for name, type_ in KINDS.items() if isinstance(event, type_)]
        if not found:
            texts = ", ".join(repr(t.text) for t in self.triggers if t.kind == kind) or "none"
            raise NoEventHandlerError(
                f"no {kind} handler of the app takes {event} (it has {texts})"
            )
        self.expected(kind, chosen)
        raise NoEventHandlerError(f"several {kind} handlers of the app take {event}")


def report_failure(what: str, error: Exception) -> str:
    """Tell standard error why an event was not taken; return the same in one line."""
    said = str(error) or type(error).__name__
    status = getattr(error, "status", 500) if isinstance(error, EdgeZeroError) else 500
    if status != 500 or isinstance(error, NoEventHandlerError):
        # What is wrong with the message says it all.
        print(f"{what}: {said}", file=sys.stderr)
        return said
    report(error, what, "handler")
    return f"{type(error).__name__}: {said}"
