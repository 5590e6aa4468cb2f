"""Telemetry that components make by themselves, sent as that of the host is.

In: what a component gives ``wasi:otel``. Out: its spans, log records and metrics, by the exporters
of the host. Its spans are below that of the component, what it calls meanwhile below its spans.

Source: contract services.md, TEL-47, TEL-48.
"""

import threading
from collections.abc import Callable
from typing import Any

import attrs
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import NonRecordingSpan, get_current_span, set_span_in_context

from edgezero_spin.host.observers import GuestTelemetry
from edgezero_spin.host.telemetry.guest_values import (
    context_record,
    log_record_of,
    metrics_of,
    span_context_of,
    span_of_guest,
)
from edgezero_spin.host.telemetry.trace_context import NO_TRACE

__all__ = ["MAX_OPEN_SPANS", "ComponentTelemetry", "GuestExports"]

MAX_OPEN_SPANS = 1024
"""Spans that a component may have begun and not ended during one request."""


@attrs.frozen
class GuestExports:
    """Where what components make is sent to; ``None`` for signals that are off.

    Attributes:
        resource: Of spans; metrics and log records bring their own.
    """

    resource: Resource
    spans: SpanProcessor | None = None
    metrics: MetricExporter | None = None
    logs: LogRecordProcessor | None = None
    # The exporter is also that of the host's own metrics.
    metrics_lock: Any = attrs.field(factory=threading.Lock, eq=False)


class ComponentTelemetry(GuestTelemetry):
    """Takes what a component makes during one request."""

    def __init__(self, exports: GuestExports, outer: Callable[[], Context]) -> None:
        """Have no span open.

        Args:
            outer: Returns the context of the component's own span.
        """
        self._exports = exports
        self._outer = outer
        self._open: dict[int, Context] = {}

    @property
    def current(self) -> Context:
        """The context of the span that was begun last and is still open."""
        return next(reversed(self._open.values())) if self._open else self._outer()

    def outer_span_context(self) -> dict[str, Any]:
        context = NO_TRACE if self._exports.spans is None else self._outer()
        return context_record(get_current_span(context).get_span_context())

    def span_started(self, context: dict[str, Any]) -> str | None:
        if self._exports.spans is None:
            return None
        found = span_context_of(context)
        if not found.is_valid:
            return "the context of a span has no trace id of 32 and no span id of 16 hex digits"
        if len(self._open) >= MAX_OPEN_SPANS:
            return f"more than {MAX_OPEN_SPANS} spans are open"
        self._open[found.span_id] = set_span_in_context(NonRecordingSpan(found), NO_TRACE)
        return None

    def span_ended(self, span: dict[str, Any]) -> str | None:
        if self._exports.spans is None:
            return None
        found = span_of_guest(span, self._exports.resource)
        if self._open.pop(found.context.span_id, None) is None:
            return "trying to end a span that was not started"
        self._exports.spans.on_end(found)
        return None

    def metrics_exported(self, metrics: dict[str, Any]) -> str | None:
        exporter = self._exports.metrics
        if exporter is None:
            return None
        with self._exports.metrics_lock:
            try:
                sent = exporter.export(metrics_of(metrics))
            except Exception:
                # A number that no message can carry; the interface wants an answer.
                sent = MetricExportResult.FAILURE
        return None if sent is MetricExportResult.SUCCESS else "Internal failure."

    def log_emitted(self, record: dict[str, Any]) -> None:
        if self._exports.logs is not None:
            self._exports.logs.on_emit(log_record_of(record))
