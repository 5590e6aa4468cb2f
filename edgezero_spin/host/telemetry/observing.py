"""The observer of telemetry: spans, metrics and log records of what a host does.

In: events of the host, and a tracer, a meter and a logger of OpenTelemetry, each ``None`` where its
signal is off. Out: what Spin would send. A request that the sampler leaves out costs no span; its
trace goes on in what its components send.

Source: contract services.md, TEL-20 to TEL-46; W3C Trace Context.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from random import getrandbits
from typing import Any

from opentelemetry._logs import Logger
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from edgezero_spin.host.observers import (
    CallEnded,
    ComponentUsage,
    HostCall,
    InstanceUsage,
    ObservedEvent,
    ObservedRequest,
    Observer,
    OutboundObserver,
    OutgoingCall,
    RequestObserver,
    RequestOutcome,
)
from edgezero_spin.host.telemetry.spans import is_traced, problem_of, span_of

__all__ = ["ChosenIds", "TelemetryObserver"]

_ESCAPED_BYTES = 50
"""Bytes that are shown of output that is not text."""

_NOTHING = Context()
_propagator = TraceContextTextMapPropagator()

Pairs = Sequence[tuple[str, bytes]]


class ChosenIds(RandomIdGenerator):
    """Random ids of traces, which can be known before their first span is made."""

    def __init__(self) -> None:
        """Choose none yet."""
        self._chosen = threading.local()

    def choose(self, low: int) -> None:
        """Say what the lower half of the id is of the next trace that begins on this thread."""
        self._chosen.trace_id = _trace_id(low)

    def generate_trace_id(self) -> int:
        """Return the id that was chosen, once, or another one."""
        trace_id: int | None = getattr(self._chosen, "trace_id", None)
        self._chosen.trace_id = None
        return super().generate_trace_id() if trace_id is None else trace_id


class TelemetryObserver(Observer):
    """Follows hosts; one may follow several."""

    def __init__(
        self,
        tracer: Tracer | None,
        meter: Meter | None,
        logger: Logger | None,
        *,
        output_in_spans: bool = True,
        ids: ChosenIds | None = None,
        bound: int | None = None,
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
        """
        self.tracer = tracer
        self._ids = ids
        self._bound = bound
        self.logger = logger
        self.output_in_spans = output_in_spans
        self._counted: Counter[tuple[str, str, str]] = Counter()
        self._inferred: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._histograms: tuple[Histogram, Histogram, Histogram] | None = None
        if meter is not None:
            # Counted here, where it costs a tenth of what an instrument of its own does.
            meter.create_observable_counter("spin.request_count", [self._request_counts])
            meter.create_observable_counter("spin.llm_infer", [self._infer_counts])
            self._histograms = (
                meter.create_histogram("spin.component_cpu_time"),
                meter.create_histogram("spin.component_memory_used_on_init"),
                meter.create_histogram("spin.component_memory_used"),
            )

    def follows(self, interface: str, function: str) -> bool:
        """Whether calls of a function are in traces."""
        return self.tracer is not None and is_traced(interface, function)

    def request_began(self, request: ObservedRequest) -> RequestObserver | None:
        """Count the request, and begin its span."""
        component_id = request.component_id
        if self._histograms is not None and component_id is not None:
            self._count("http", request.application, component_id)
        tracer = self.tracer
        if tracer is None:
            return None if self.logger is None else _Quiet(self, 0, _NOTHING)
        context = _context_of(request.headers)
        if context is _NOTHING and self._bound is not None and self._ids is not None:
            # Most traces are left out, and to learn that from a span costs ten times as much.
            low = getrandbits(64)
            if low >= self._bound:
                return _Quiet(self, low)
            self._ids.choose(low)
        method, route = request.method, request.route
        name = method if route is None else f"{method} {route}"
        span = tracer.start_span(name, context=context, kind=SpanKind.SERVER)
        if not span.is_recording():
            return _Quiet(self, 0, set_span_in_context(span, _NOTHING))
        span.set_attributes(_attributes_of(request))
        return _TracedRequest(self, tracer, span)

    def event_began(self, event: ObservedEvent) -> RequestObserver | None:
        """Count the message of a Redis trigger, and begin its span; others have none."""
        redis = event.trigger_type == "redis"
        if redis and self._histograms is not None:
            self._count(event.trigger_type, event.application, event.component_id)
        tracer = self.tracer
        if tracer is None:
            return None if self.logger is None else _Quiet(self, 0, _NOTHING)
        if not redis:
            return _TracedComponent(self, tracer, _NOTHING)
        span = tracer.start_span(
            f"{event.subject} receive",
            context=_NOTHING,
            kind=SpanKind.CONSUMER,
            attributes={"messaging.operation": "receive", "messaging.system": "redis"},
        )
        if not span.is_recording():
            return _Quiet(self, 0, set_span_in_context(span, _NOTHING))
        return _TracedRequest(self, tracer, span)

    def _count(self, trigger_type: str, application: str, component_id: str) -> None:
        with self._lock:
            self._counted[trigger_type, application, component_id] += 1

    def instance_ended(self, usage: InstanceUsage) -> None:
        """Record what an instance spent (TEL-41)."""
        if self._histograms is not None:
            cpu, initial, memory = self._histograms
            component_id = usage.component_id
            cpu.record(usage.cpu_s, {"component_id": component_id, "unit": "s"})
            sizes = {"component_id": component_id, "unit": "By"}
            initial.record(usage.initial_memory_bytes, sizes)
            memory.record(usage.memory_bytes, sizes)

    def output(self, component_id: str, stream: str, data: bytes) -> None:
        """Log what a component printed outside of a request."""
        self.log(component_id, data, _NOTHING)

    def log(self, component_id: str, data: bytes, context: Context) -> None:
        """Send a log record (TEL-44)."""
        if self.logger is None:
            return
        attributes: dict[str, Any] = {"component_id": component_id}
        text = _text_of(data)
        if text is None:
            text = _escaped(data)
            attributes["app_log_non_utf8"] = True
        self.logger.emit(body=text, attributes=attributes, context=context)

    def inferred(self, model: str) -> None:
        """Count a question to a model (TEL-42)."""
        with self._lock:
            self._inferred[model] += 1

    def _request_counts(self, options: CallbackOptions) -> Iterable[Observation]:
        with self._lock:
            counted = list(self._counted.items())
        for (trigger_type, application, component_id), count in counted:
            yield Observation(
                count,
                {
                    "trigger_type": trigger_type,
                    "app_id": application,
                    "component_id": component_id,
                },
            )

    def _infer_counts(self, options: CallbackOptions) -> Iterable[Observation]:
        with self._lock:
            inferred = list(self._inferred.items())
        for model, count in inferred:
            yield Observation(count, {"model_name": model})


class _Quiet(RequestObserver):
    """Follows a request without a span: its output is logged, and its trace goes on."""

    __slots__ = ("_context", "_low", "_observer")
    sees_component = False
    sees_end = False
    never_raises = True

    def __init__(
        self, observer: TelemetryObserver, low: int, context: Context | None = None
    ) -> None:
        self._observer = observer
        self._low = low
        self._context = context

    def context(self) -> Context:
        """Return the context of what the component sends; most send nothing."""
        if self._context is None:
            trace_id, span_id = _trace_id(self._low), getrandbits(64) or 1
            span = NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=False))
            self._context = set_span_in_context(span, _NOTHING)
        return self._context

    def sending(self, call: OutgoingCall) -> OutboundObserver | None:
        return None if self._context is _NOTHING else _Propagating(self)

    def headers(self) -> Pairs:
        return _headers_of(self.context())

    def output(self, component_id: str, stream: str, data: bytes) -> None:
        self._observer.log(component_id, data, self.context())


class _Propagating(OutboundObserver):
    """Sends the context of a trace and makes no span."""

    def __init__(self, request: _Quiet) -> None:
        self._request = request

    def headers(self) -> Pairs:
        return self._request.headers()

    def chained(self, component_id: str) -> RequestObserver:
        return self._request


class _TracedComponent(RequestObserver):
    """Follows a component within a trace: its own span, and those of its calls."""

    def __init__(self, observer: TelemetryObserver, tracer: Tracer, context: Context) -> None:
        self._observer = observer
        self._tracer = tracer
        self._context = context
        self._span: Span | None = None

    def component_began(self, component_id: str, *, executor: str = "wasm") -> None:
        name = f"execute_{executor}_component {component_id}"
        self._span = self._tracer.start_span(name, context=self._context)
        self._context = set_span_in_context(self._span, self._context)

    def component_ended(self, usage: ComponentUsage) -> None:
        if self._span is not None:
            self._span.end()

    def call_began(self, call: HostCall) -> CallEnded | None:
        shown = span_of(call)
        if shown is None:
            return None
        if shown.name == "spin_llm.infer":
            self._observer.inferred(str(call.arguments[0]))
        kind = SpanKind.PRODUCER if shown.produces else SpanKind.CLIENT
        span = self._tracer.start_span(
            shown.name, context=self._context, kind=kind, attributes=shown.attributes
        )

        def ended(error: BaseException | None) -> None:
            if error is not None:
                problem, blame = problem_of(error)
                span.set_status(Status(StatusCode.ERROR, problem))
                if shown.blames:
                    span.set_attribute("error.blame", blame)
            span.end()

        return ended

    def sending(self, call: OutgoingCall) -> OutboundObserver:
        return _TracedSending(self._observer, self._tracer, self._context, call)

    def headers(self) -> Pairs:
        return _headers_of(self._context)

    def output(self, component_id: str, stream: str, data: bytes) -> None:
        self._observer.log(component_id, data, self._context)
        span = self._span
        if span is not None and span.is_recording() and self._observer.output_in_spans:
            text = _text_of(data)
            if text is None:
                span.add_event("app_log", {"app_log_non_utf8": _escaped(data)})
            else:
                span.add_event("app_log", {"app_log": text})

    def failed(self, problem: str) -> None:
        span = self._span
        if span is not None and span.is_recording():
            span.set_status(Status(StatusCode.ERROR, problem))


class _TracedRequest(_TracedComponent):
    """Follows a request from its head to its end."""

    def __init__(self, observer: TelemetryObserver, tracer: Tracer, span: Span) -> None:
        super().__init__(observer, tracer, set_span_in_context(span, _NOTHING))
        self._server = span

    def failed(self, problem: str) -> None:
        super().failed(problem)
        if self._server.is_recording():
            self._server.set_attribute("error.type", problem)

    def ended(self, outcome: RequestOutcome) -> None:
        span = self._server
        span.set_attribute("http.response.status_code", outcome.status)
        if outcome.aborted is not None or outcome.status >= 500:
            span.set_status(Status(StatusCode.ERROR, outcome.aborted))
        span.end()

    def event_ended(self, seconds: float, problem: str | None) -> None:
        if problem is not None:
            self._server.set_status(Status(StatusCode.ERROR, problem))
        self._server.end()


class _TracedSending(OutboundObserver):
    """Follows a request of a component (TEL-22)."""

    def __init__(
        self, observer: TelemetryObserver, tracer: Tracer, context: Context, call: OutgoingCall
    ) -> None:
        attributes: dict[str, str | int] = {
            "http.request.method": call.method,
            "url.full": call.url,
        }
        if call.host:
            attributes["server.address"] = call.host
        if call.port is not None:
            attributes["server.port"] = call.port
        self._observer = observer
        self._tracer = tracer
        self._span = tracer.start_span(
            call.method, context=context, kind=SpanKind.CLIENT, attributes=attributes
        )
        self._context = set_span_in_context(self._span, context)

    def headers(self) -> Pairs:
        return _headers_of(self._context)

    def chained(self, component_id: str) -> RequestObserver:
        return _TracedComponent(self._observer, self._tracer, self._context)

    def ended(self, status: int | None, error: str | None) -> None:
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end()


def _context_of(headers: Sequence[tuple[bytes, bytes]]) -> Context:
    """The trace that a client's request belongs to (TEL-45)."""
    carrier: dict[str, list[str]] = {}
    for name, value in headers:
        if len(name) in (10, 11):
            lower = name.lower()
            if lower in (b"traceparent", b"tracestate"):
                carrier.setdefault(lower.decode(), []).append(value.decode("latin-1"))
    if "traceparent" not in carrier:
        return _NOTHING
    return _propagator.extract(carrier, _NOTHING)


def _headers_of(context: Context) -> Pairs:
    if not get_current_span(context).get_span_context().is_valid:
        return ()
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, context)
    return [(name, value.encode("latin-1")) for name, value in carrier.items()]


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


def _trace_id(low: int) -> int:
    """A random id whose lower half is known."""
    return (getrandbits(64) or 1) << 64 | low


def _shown(text: str) -> str:
    """A part of a URL as text that can be sent."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _text_of(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _escaped(data: bytes) -> str:
    return (
        data[:_ESCAPED_BYTES]
        .decode("ascii", "backslashreplace")
        .translate(
            {
                **{code: f"\\x{code:02x}" for code in (*range(32), 127)},
                9: "\\t",
                10: "\\n",
                13: "\\r",
            }
        )
    )
