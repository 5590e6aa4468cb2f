"""Observers: hooks for programs that follow what a host does.

```python
class Slow(Observer):
    def request_began(self, request: ObservedRequest) -> RequestObserver:
        return SlowRequest(request)
```

An ``Observer`` is told of requests and instances as they begin. What it returns for a request, a
``RequestObserver``, is told of all that happens to this one: which component runs, what it calls,
sends and prints, how it fails, and what the client got. Telemetry, the access log and the explorer
are observers; so are those of an embedding program (``RunOptions.observers``).

In: events of the host, on whatever thread they happen. Out: nothing but the headers of outgoing
requests. An observer that raises is logged and changes no request. Without observers none of this
is called.

Source: our own.
"""

import functools
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

__all__ = [
    "CallEnded",
    "ComponentUsage",
    "ConnectionUse",
    "GuestTelemetry",
    "HostCall",
    "InstanceUsage",
    "ObservedEvent",
    "ObservedRequest",
    "Observer",
    "OutboundObserver",
    "OutgoingCall",
    "RequestObserver",
    "RequestOutcome",
    "combine",
    "tell",
]

logger = logging.getLogger("edgezero_spin.host")

# Named tuples: importing this is a part of every start, and one of these is made at every call.

CallEnded = Callable[[BaseException | None], None]
"""Told once that a call of a host function ended, with what it raised."""


class ObservedRequest(NamedTuple):
    """A request when the host has its head.

    Attributes:
        method: As sent.
        path: As sent, without the query, not decoded; UTF-8 with ``surrogateescape``.
        query: As sent, without the question mark; ``None`` for none.
        scheme: Of the listener.
        headers: As they came in.
        client: Address and port of the peer; ``None`` when it is not known.
        application: Name of the application.
        component_id: What answers; ``None`` for the host itself.
        route: The route that matched, as the manifest has it; ``None`` for none.
    """

    method: str
    path: str
    query: str | None
    scheme: str
    headers: Sequence[tuple[bytes, bytes]]
    client: tuple[str, int] | None
    application: str
    component_id: str | None
    route: str | None


class ObservedEvent(NamedTuple):
    """An event that a component takes.

    Attributes:
        trigger_type: ``redis``, ``mqtt``, ``cron``, or a kind of the program's own.
        subject: The channel, the topic or the expression; empty for other kinds.
        application: Name of the application.
        component_id: What takes it.
    """

    trigger_type: str
    subject: str
    application: str
    component_id: str


class RequestOutcome(NamedTuple):
    """What became of a request.

    Attributes:
        status: Of the response; 499 where the client left before there was one.
        body_bytes: Bytes of its body that were sent.
        seconds: From the head of the request to the end of the response.
        aborted: Why the response breaks off; ``None`` where it is whole.
        trace_id: Returns the id of its trace, where an observer gave it one.
    """

    status: int
    body_bytes: int
    seconds: float
    aborted: str | None = None
    trace_id: Callable[[], str | None] = lambda: None


class HostCall(NamedTuple):
    """A call of a component to a function of the host.

    Attributes:
        interface: The interface, ``fermyon:spin/key-value@2.0.0``; of WASI 0.2 without version.
        function: Its function, ``[method]store.get``.
        arguments: In Python form; see ``runtime.interface``. They are the guest's: not to change.
        backend: What is behind a store, a database or a model that the call is about, without
            credentials; ``None`` for calls about nothing of the kind.
    """

    interface: str
    function: str
    arguments: tuple[Any, ...]
    backend: str | None = None


class OutgoingCall(NamedTuple):
    """An HTTP request of a component.

    Attributes:
        method: ``GET``.
        url: Where to, in full; of the application itself without an authority.
        host: The host; empty for the application itself.
        port: The port, ``None`` where the component named none.
    """

    method: str
    url: str
    host: str
    port: int | None


class ComponentUsage(NamedTuple):
    """What a component spent on a request.

    Attributes:
        cpu_s: Seconds of processor time, host functions included; ``None`` where other requests
            shared the instance.
        instructions: Instructions of the guest, where the engine counts them, or ``None``.
    """

    cpu_s: float | None = None
    instructions: int | None = None


class InstanceUsage(NamedTuple):
    """What an instance spent from its making to its end.

    Attributes:
        cpu_s: Seconds of processor time, host functions included.
        initial_memory_bytes: Linear memory when it was made.
        memory_bytes: Linear memory at its end; it never shrinks.
        instructions: Instructions of the guest; ``None`` where the engine counts none.
    """

    component_id: str
    cpu_s: float
    initial_memory_bytes: int
    memory_bytes: int
    instructions: int | None


class ConnectionUse(NamedTuple):
    """A connection that a component may open, may not, or has closed.

    Attributes:
        kind: ``http``, ``redis``, ``pg``, ``mysql``, ``mqtt`` or ``wasi-sockets``.
        event: What became of it.
        waited_s: Seconds that it waited for another one to be closed; ``None`` where it did not.
        limit: What refused it: the limit of its kind, or that of all; ``None`` where nothing did.
        utilization: From 0 to 1, how much of the limit of its kind is used now; ``None`` for no
            limit.
        total_utilization: The same of the limit of all.
    """

    kind: str
    event: Literal["acquired", "rejected", "released"]
    waited_s: float | None
    limit: Literal["factor", "global"] | None
    utilization: float | None
    total_utilization: float | None


class OutboundObserver:
    """Follows one HTTP request of a component; every method does nothing."""

    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Return fields that the request is sent with, in place of its own of the same names."""
        return ()

    def chained(self, component_id: str) -> "RequestObserver | None":
        """Return what follows the request in the component of the application that it goes to."""
        return None

    def ended(self, status: int | None, error: str | None) -> None:
        """The head of the response is there, or there will be none: the error says why."""


class GuestTelemetry:
    """Takes what a component gives ``wasi:otel``; every method does nothing.

    Values are records of the interface in Python form; see ``runtime.interface``. A text that is
    returned says what is wrong with the call.
    """

    def outer_span_context(self) -> dict[str, Any]:
        """Return the context of the span that the component runs in."""
        return {
            "trace-id": "0" * 32,
            "span-id": "0" * 16,
            "trace-flags": set(),
            "is-remote": False,
            "trace-state": [],
        }

    def span_started(self, context: dict[str, Any]) -> str | None:
        """A span of the component begins; what it calls from now on is below it."""
        return None

    def span_ended(self, span: dict[str, Any]) -> str | None:
        """A span of the component has ended."""
        return None

    def metrics_exported(self, metrics: dict[str, Any]) -> str | None:
        """The component has metrics to send. May take as long as that takes, on any thread."""
        return None

    def log_emitted(self, record: dict[str, Any]) -> None:
        """The component logs."""


class RequestObserver:
    """Follows one request; every method does nothing. Subclass it for what matters.

    One that can do without some events says so, and its requests cost less.

    Attributes:
        sees_component: ``False`` for one that is told nothing of what its component begins, ends,
            calls and fails at; of what it sends and prints it is.
        sees_end: ``False`` for one whose ``ended`` need not be called.
        never_raises: It takes care of its own failures, as by ``tell``; one that is alone is called
            directly then.
    """

    __slots__ = ()

    sees_component: bool = True
    sees_end: bool = True
    never_raises: bool = False

    def component_began(self, component_id: str, *, executor: str = "wasm") -> None:
        """A component has the request from now on; the executor is ``wasm`` or ``wagi``."""

    def component_ended(self, usage: ComponentUsage) -> None:
        """The component is done with it. The client may still be reading, or be done before."""

    def call_began(self, call: HostCall) -> CallEnded | None:
        """The component calls what ``Observer.follows``; return who is told of its end."""
        return None

    def sending(self, call: OutgoingCall) -> OutboundObserver | None:
        """The component sends a request; return what follows it."""
        return None

    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Return fields for requests that the host sends for the component, to a model's server."""
        return ()

    def telemetry(self) -> GuestTelemetry | None:
        """Return what takes spans, metrics and log records of the component's own."""
        return None

    def trace_id(self) -> str | None:
        """Return the id of the trace that the request is in, in 32 hex digits, for logs."""
        return None

    def output(self, component_id: str, stream: str, data: bytes) -> None:
        """The component wrote to ``stdout`` or ``stderr``."""

    def failed(self, problem: str) -> None:
        """The component gave no response, or not all of it."""

    def ended(self, outcome: RequestOutcome) -> None:
        """The response is out, broken off, or nobody waits for it."""

    def event_ended(self, seconds: float, problem: str | None) -> None:
        """The component took an event, or did not: the problem says why."""


class Observer:
    """Follows a host; every method does nothing. Subclass it for what matters.

    Methods are called on threads of guests and in event loops, possibly at the same time, and have
    to return quickly.

    Attributes:
        sees_components: ``False`` for one that is told of requests alone, from the outside: then
            components run as if nobody observed them.
        never_raises: As of a ``RequestObserver``.
    """

    sees_components = True
    never_raises = False

    def follows(self, interface: str, function: str) -> bool:
        """Whether ``call_began`` is wanted for a function. Asked while components are loaded."""
        return False

    def request_began(self, request: ObservedRequest) -> RequestObserver | None:
        """A request came in; return what follows it, ``None`` where nothing does."""
        return None

    def event_began(self, event: ObservedEvent) -> RequestObserver | None:
        """A component is to take an event; return what follows it as it would a request."""
        return None

    def instance_made(self, component_id: str) -> None:
        """An instance was made."""

    def instance_ended(self, usage: InstanceUsage) -> None:
        """An instance was closed."""

    def connection_used(self, use: ConnectionUse) -> None:
        """A component opened or closed a connection to a server, or was refused one."""

    def output(self, component_id: str, stream: str, data: bytes) -> None:
        """A component wrote to ``stdout`` or ``stderr`` outside of any request that is followed."""

    def host_closed(self) -> None:
        """A host that it follows was closed."""


_FAILED = "an observer failed: %s"


def combine(observers: Iterable[Observer]) -> Observer | None:
    """Return one observer that tells all of these and never raises; ``None`` for none."""
    known = tuple(observers)
    if len(known) == 1 and known[0].never_raises:
        return known[0]
    return _All(known) if known else None


def tell(method: Callable[..., Any], *arguments: Any) -> Any:
    """Call a method of an observer; ``None`` where it fails."""
    try:
        return method(*arguments)
    except Exception:
        logger.exception(_FAILED, getattr(method, "__qualname__", method))
        return None


class _All(Observer):
    def __init__(self, observers: tuple[Observer, ...]) -> None:
        self._observers = observers

    def follows(self, interface: str, function: str) -> bool:
        return any(tell(each.follows, interface, function) for each in self._observers)

    def request_began(self, request: ObservedRequest) -> RequestObserver | None:
        found = []
        # Without ``tell``: this is called for each request.
        for each in self._observers:
            try:
                found.append(each.request_began(request))
            except Exception:
                logger.exception(_FAILED, "request_began")
        return _all_of_request(found)

    def event_began(self, event: ObservedEvent) -> RequestObserver | None:
        return _all_of_request([tell(each.event_began, event) for each in self._observers])

    def instance_made(self, component_id: str) -> None:
        for each in self._observers:
            tell(each.instance_made, component_id)

    def instance_ended(self, usage: InstanceUsage) -> None:
        for each in self._observers:
            tell(each.instance_ended, usage)

    def connection_used(self, use: ConnectionUse) -> None:
        for each in self._observers:
            tell(each.connection_used, use)

    def output(self, component_id: str, stream: str, data: bytes) -> None:
        for each in self._observers:
            tell(each.output, component_id, stream, data)

    def host_closed(self) -> None:
        for each in self._observers:
            tell(each.host_closed)


def _all_of_request(found: "Sequence[RequestObserver | None]") -> "RequestObserver | None":
    known = [each for each in found if each is not None]
    if not known:
        return None
    return known[0] if len(known) == 1 and known[0].never_raises else _AllOfRequest(known)


class _AllOfRequest(RequestObserver):
    __slots__ = ("_observers", "sees_component", "sees_end")

    def __init__(self, known: Sequence[RequestObserver]) -> None:
        self._observers = known
        self.sees_component = self.sees_end = False
        for each in known:
            self.sees_component |= each.sees_component
            self.sees_end |= each.sees_end

    def component_began(self, component_id: str, *, executor: str = "wasm") -> None:
        for each in self._observers:
            if each.sees_component:
                tell(functools.partial(each.component_began, executor=executor), component_id)

    def component_ended(self, usage: ComponentUsage) -> None:
        for each in self._observers:
            if each.sees_component:
                tell(each.component_ended, usage)

    def call_began(self, call: HostCall) -> CallEnded | None:
        found = [tell(each.call_began, call) for each in self._observers if each.sees_component]
        ends = [end for end in found if end is not None]
        if not ends:
            return None

        def ended(error: BaseException | None) -> None:
            for end in reversed(ends):
                tell(end, error)

        return ended

    def sending(self, call: OutgoingCall) -> OutboundObserver | None:
        found = [tell(each.sending, call) for each in self._observers]
        known = tuple([each for each in found if each is not None])
        return _AllOfOutbound(known) if known else None

    def headers(self) -> Sequence[tuple[str, bytes]]:
        return [pair for each in self._observers for pair in tell(each.headers) or ()]

    def telemetry(self) -> GuestTelemetry | None:
        found = (tell(each.telemetry) for each in self._observers)
        return next((each for each in found if each is not None), None)

    def trace_id(self) -> str | None:
        found = (tell(each.trace_id) for each in self._observers)
        return next((each for each in found if each is not None), None)

    def output(self, component_id: str, stream: str, data: bytes) -> None:
        for each in self._observers:
            tell(each.output, component_id, stream, data)

    def failed(self, problem: str) -> None:
        for each in self._observers:
            if each.sees_component:
                tell(each.failed, problem)

    def ended(self, outcome: RequestOutcome) -> None:
        for each in self._observers:
            if each.sees_end:
                tell(each.ended, outcome)

    def event_ended(self, seconds: float, problem: str | None) -> None:
        for each in self._observers:
            if each.sees_end:
                tell(each.event_ended, seconds, problem)


class _AllOfOutbound(OutboundObserver):
    def __init__(self, observers: tuple[OutboundObserver, ...]) -> None:
        self._observers = observers

    def headers(self) -> Sequence[tuple[str, bytes]]:
        return [pair for each in self._observers for pair in tell(each.headers) or ()]

    def chained(self, component_id: str) -> RequestObserver | None:
        return _all_of_request([tell(each.chained, component_id) for each in self._observers])

    def ended(self, status: int | None, error: str | None) -> None:
        for each in self._observers:
            tell(each.ended, status, error)
