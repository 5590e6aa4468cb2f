"""The observer of telemetry: spans, metrics and log records of what a host does.

In: events of the host, and a tracer, a meter and a logger of OpenTelemetry, each ``None`` where its
signal is off. Out: what Spin would send. A request that the sampler leaves out costs no span; its
trace goes on in what its components send.

Source: contract services.md, TEL-20 to TEL-46; W3C Trace Context.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import count
from random import getrandbits
from typing import Any

from opentelemetry._logs import Logger
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanKind, Tracer, set_span_in_context

from edgezero_spin.host.observers import (
    ConnectionUse,
    InstanceUsage,
    ObservedEvent,
    ObservedRequest,
    Observer,
    RequestObserver,
    tell,
)
from edgezero_spin.host.telemetry.connections import ConnectionInstruments
from edgezero_spin.host.telemetry.following import TracedComponent, TracedRequest, UntracedRequest
from edgezero_spin.host.telemetry.guest_telemetry import GuestExports
from edgezero_spin.host.telemetry.output_text import escaped, text_of
from edgezero_spin.host.telemetry.spans import is_traced
from edgezero_spin.host.telemetry.trace_context import NO_TRACE, ChosenIds, context_of

__all__ = ["TelemetryObserver"]


class TelemetryObserver(Observer):
    """Follows hosts; one may follow several."""

    never_raises = True

    def __init__(
        self,
        tracer: Tracer | None,
        meter: Meter | None,
        logger: Logger | None,
        *,
        output_in_spans: bool = True,
        ids: ChosenIds | None = None,
        bound: int | None = None,
        guests: GuestExports | None = None,
    ) -> None:
        """Send nothing yet.

        Args:
            tracer: Makes spans.
            meter: Makes instruments.
            logger: Takes what components print.
            output_in_spans: Whether spans have that, too.
            ids: What the tracer takes the ids of traces from; needed for ``bound``.
            bound: A trace that begins here is left out where the lower half of its id is not below
                this; ``None`` asks the sampler each time.
            guests: What takes the spans, metrics and log records of components' own.
        """
        self.guests = guests or GuestExports(Resource({}))
        self.tracer = tracer
        self._ids = ids
        self._bound = bound
        self.logger = logger
        self.output_in_spans = output_in_spans
        # By kind of trigger, application and component. ``next`` counts, and takes no lock for it.
        self._counted: defaultdict[tuple[str, str, str], count[int]] = defaultdict(count)
        self._read: Counter[tuple[str, str, str]] = Counter()
        self._inferred: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._histograms: tuple[Histogram, Histogram, Histogram] | None = None
        self._connections: ConnectionInstruments | None = None
        if meter is not None:
            # Counted here, where it costs a tenth of what an instrument of its own does.
            meter.create_observable_counter("spin.request_count", [self._request_counts])
            meter.create_observable_counter("spin.llm_infer", [self._infer_counts])
            self._histograms = (
                meter.create_histogram("spin.component_cpu_time"),
                meter.create_histogram("spin.component_memory_used_on_init"),
                meter.create_histogram("spin.component_memory_used"),
            )
            self._connections = ConnectionInstruments(meter)

    def follows(self, interface: str, function: str) -> bool:
        """Whether calls of a function are in traces."""
        return self.tracer is not None and is_traced(interface, function)

    def request_began(self, request: ObservedRequest) -> RequestObserver | None:
        """Count the request, and begin its span."""
        component_id = request.component_id
        if component_id is not None:
            next(self._counted["http", request.application, component_id])
        tracer, bound = self.tracer, self._bound
        if tracer is None:
            return self._untraced()
        low = getrandbits(64)
        if bound is not None and low >= bound:
            # Most traces are left out, and to learn that from a span costs ten times as much.
            for name, _ in request.headers:
                if len(name) == 11 and name.lower() == b"traceparent":
                    break
            else:
                return UntracedRequest(self, low)
        following: RequestObserver | None = tell(self._begin_trace, tracer, request, low)
        return following

    def _begin_trace(self, tracer: Tracer, request: ObservedRequest, low: int) -> RequestObserver:
        context, bound = context_of(request.headers), self._bound
        if context is NO_TRACE and bound is not None and self._ids is not None:
            if low >= bound:
                return UntracedRequest(self, low)
            self._ids.choose(low)
        method, route = request.method, request.route
        name = method if route is None else f"{method} {route}"
        span = tracer.start_span(name, context=context, kind=SpanKind.SERVER)
        if not span.is_recording():
            return UntracedRequest(self, 0, set_span_in_context(span, NO_TRACE))
        span.set_attributes(_attributes_of(request))
        return TracedRequest(self, tracer, span)

    def event_began(self, event: ObservedEvent) -> RequestObserver | None:
        """Count the message of a Redis trigger, and begin its span; others have none."""
        following: RequestObserver | None = tell(self._begin_event, event)
        return following

    def _begin_event(self, event: ObservedEvent) -> RequestObserver | None:
        redis = event.trigger_type == "redis"
        if redis:
            next(self._counted["redis", event.application, event.component_id])
        tracer = self.tracer
        if tracer is None:
            return self._untraced()
        if not redis:
            return TracedComponent(self, tracer, NO_TRACE)
        span = tracer.start_span(
            f"{event.subject} receive",
            context=NO_TRACE,
            kind=SpanKind.CONSUMER,
            attributes={"messaging.operation": "receive", "messaging.system": "redis"},
        )
        if not span.is_recording():
            return UntracedRequest(self, 0, set_span_in_context(span, NO_TRACE))
        return TracedRequest(self, tracer, span)

    def _untraced(self) -> RequestObserver | None:
        """What follows a request where there are no traces; nothing for metrics of the host."""
        if self.logger is None and self.guests.metrics is None:
            return None
        return UntracedRequest(self, 0, NO_TRACE)

    def instance_ended(self, usage: InstanceUsage) -> None:
        """Record what an instance spent (TEL-41)."""
        if self._histograms is not None:
            cpu, initial, memory = self._histograms
            component_id = usage.component_id
            tell(cpu.record, usage.cpu_s, {"component_id": component_id, "unit": "s"})
            sizes = {"component_id": component_id, "unit": "By"}
            tell(initial.record, usage.initial_memory_bytes, sizes)
            tell(memory.record, usage.memory_bytes, sizes)

    def connection_used(self, use: ConnectionUse) -> None:
        """Record what became of a connection, and how much of its limits is used."""
        if self._connections is not None:
            tell(self._connections.record, use)

    def output(self, component_id: str, stream: str, data: bytes) -> None:
        """Log what a component printed outside of a request."""
        tell(self.log, component_id, data, NO_TRACE)

    def log(self, component_id: str, data: bytes, context: Context) -> None:
        """Send a log record (TEL-44)."""
        if self.logger is None:
            return
        attributes: dict[str, Any] = {"component_id": component_id}
        text = text_of(data)
        if text is None:
            text = escaped(data)
            attributes["app_log_non_utf8"] = True
        self.logger.emit(body=text, attributes=attributes, context=context)

    def inferred(self, model: str) -> None:
        """Count a question to a model (TEL-42)."""
        with self._lock:
            self._inferred[model] += 1

    def _request_counts(self, options: CallbackOptions) -> Iterable[Observation]:
        with self._lock:
            counted = []
            for key, counter in list(self._counted.items()):
                # Reading one counts, too.
                counted.append((*key, next(counter) - self._read[key]))
                self._read[key] += 1
        for trigger_type, application, component_id, requests in counted:
            yield Observation(
                requests,
                {
                    "trigger_type": trigger_type,
                    "app_id": application,
                    "component_id": component_id,
                },
            )

    def _infer_counts(self, options: CallbackOptions) -> Iterable[Observation]:
        with self._lock:
            inferred = list(self._inferred.items())
        for model, questions in inferred:
            yield Observation(questions, {"model_name": model})


def _attributes_of(request: ObservedRequest) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "http.request.method": request.method,
        "network.protocol.name": "http",
        "url.path": _shown(request.path),
        "url.query": _shown(request.query or ""),
        "url.scheme": request.scheme,
    }
    if request.route is not None:
        attributes["http.route"] = request.route
    if request.client is not None:
        attributes["network.peer.address"], attributes["network.peer.port"] = request.client
    for name, value in request.headers:
        if name.lower() == b"x-forwarded-for":
            attributes["client.address"] = value.decode("latin-1")
            break
    return attributes


def _shown(text: str) -> str:
    """A part of a URL as text that can be sent."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
