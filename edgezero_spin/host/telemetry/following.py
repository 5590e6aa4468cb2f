"""Followers of requests: the spans, log records and trace headers of each.

In: what a host tells of one request, of the component that answers it and of what that sends. Out:
spans of a tracer, and what components print as log records of the ``TelemetryObserver``. A request
without a span is followed all the same where its output is logged or its trace goes on.

Source: contract services.md, TEL-20 to TEL-31, TEL-44 to TEL-48.
"""

from random import getrandbits
from typing import TYPE_CHECKING

from opentelemetry.context import Context
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

from edgezero_spin.host.observers import (
    CallEnded,
    ComponentUsage,
    HostCall,
    OutboundObserver,
    OutgoingCall,
    RequestObserver,
    RequestOutcome,
)
from edgezero_spin.host.telemetry.guest_telemetry import ComponentTelemetry
from edgezero_spin.host.telemetry.output_text import escaped, text_of
from edgezero_spin.host.telemetry.spans import masked, problem_of, span_of
from edgezero_spin.host.telemetry.trace_context import NO_TRACE, Pairs, headers_of, trace_id_of

if TYPE_CHECKING:
    from edgezero_spin.host.telemetry.observing import TelemetryObserver

__all__ = ["TracedComponent", "TracedRequest", "UntracedRequest"]


def _trace_id_in(context: Context) -> str | None:
    trace_id = get_current_span(context).get_span_context().trace_id
    return f"{trace_id:032x}" if trace_id else None


class UntracedRequest(RequestObserver):
    """Follows a request without a span: its output is logged, and its trace goes on."""

    __slots__ = ("_context", "_guest", "_low", "_observer")
    sees_component = False
    sees_end = False
    never_raises = True

    def __init__(
        self, observer: "TelemetryObserver", low: int, context: Context | None = None
    ) -> None:
        """Made by the observer; ``low`` is the lower half of the id of its trace."""
        self._observer = observer
        self._low = low
        self._context = context
        self._guest: ComponentTelemetry | None = None

    def context(self) -> Context:
        """Return the context of what the component sends; most send nothing."""
        if self._context is None:
            trace_id, span_id = trace_id_of(self._low), getrandbits(64) or 1
            span = NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=False))
            self._context = set_span_in_context(span, NO_TRACE)
        return self._context

    def sending(self, call: OutgoingCall) -> OutboundObserver | None:
        return None if self._context is NO_TRACE else _Propagating(self)

    def headers(self) -> Pairs:
        return headers_of(self.context() if self._guest is None else self._guest.current)

    def telemetry(self) -> ComponentTelemetry:
        if self._guest is None:
            self._guest = ComponentTelemetry(self._observer.guests, self.context)
        return self._guest

    def trace_id(self) -> str | None:
        return _trace_id_in(self.context())

    def output(self, component_id: str, stream: str, data: bytes) -> None:
        self._observer.log(component_id, data, self.context())


class _Propagating(OutboundObserver):
    """Sends the context of a trace and makes no span."""

    def __init__(self, request: UntracedRequest) -> None:
        self._request = request

    def headers(self) -> Pairs:
        return self._request.headers()

    def chained(self, component_id: str) -> RequestObserver:
        return self._request


class TracedComponent(RequestObserver):
    """Follows a component within a trace: its own span, and those of its calls."""

    def __init__(self, observer: "TelemetryObserver", tracer: Tracer, context: Context) -> None:
        """Made by the observer, within the trace of a context."""
        self._observer = observer
        self._tracer = tracer
        self._context = context
        self._span: Span | None = None
        self._guest: ComponentTelemetry | None = None

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
            shown.name, context=self._current, kind=kind, attributes=shown.attributes
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
        return _TracedSending(self._observer, self._tracer, self._current, call)

    def headers(self) -> Pairs:
        return headers_of(self._current)

    def telemetry(self) -> ComponentTelemetry:
        if self._guest is None:
            self._guest = ComponentTelemetry(self._observer.guests, lambda: self._context)
        return self._guest

    def trace_id(self) -> str | None:
        return _trace_id_in(self._context)

    @property
    def _current(self) -> Context:
        """What spans of the host are below: one of the component's own (TEL-48), or its own."""
        return self._context if self._guest is None else self._guest.current

    def output(self, component_id: str, stream: str, data: bytes) -> None:
        self._observer.log(component_id, data, self._context)
        span = self._span
        if span is not None and span.is_recording() and self._observer.output_in_spans:
            text = text_of(data)
            if text is None:
                span.add_event("app_log", {"app_log_non_utf8": escaped(data)})
            else:
                span.add_event("app_log", {"app_log": text})

    def failed(self, problem: str) -> None:
        span = self._span
        if span is not None and span.is_recording():
            span.set_status(Status(StatusCode.ERROR, problem))


class TracedRequest(TracedComponent):
    """Follows a request from its head to its end."""

    def __init__(self, observer: "TelemetryObserver", tracer: Tracer, span: Span) -> None:
        """Made by the observer, with the span of the request."""
        super().__init__(observer, tracer, set_span_in_context(span, NO_TRACE))
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
        self, observer: "TelemetryObserver", tracer: Tracer, context: Context, call: OutgoingCall
    ) -> None:
        attributes: dict[str, str | int] = {
            "http.request.method": call.method,
            "url.full": masked(call.url),
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
        return headers_of(self._context)

    def chained(self, component_id: str) -> RequestObserver:
        return TracedComponent(self._observer, self._tracer, self._context)

    def ended(self, status: int | None, error: str | None) -> None:
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end()
