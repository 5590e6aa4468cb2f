"""Reports spans, metrics and log records of its own."""

from typing import Any

from wit_world.imports import logs, metrics, tracing, wall_clock
from wit_world.imports import otel_types as types

from edgezero_spin import App, Kv, run_app

app = App(kv=["default"])

NOW = wall_clock.Datetime(1_800_000_000, 5)


def pairs(**values: str) -> list[Any]:
    return [types.KeyValue(key, value) for key, value in values.items()]


def scope() -> Any:
    return types.InstrumentationScope("guest", "1.2", None, [])


def child(parent: Any, span_id: str) -> Any:
    return tracing.SpanContext(
        parent.trace_id, span_id, parent.trace_flags, False, parent.trace_state
    )


def ended(name: str, context: Any, parent: str) -> Any:
    return tracing.SpanData(
        context,
        parent,
        tracing.SpanKind.INTERNAL,
        name,
        NOW,
        wall_clock.Datetime(1_800_000_001, 0),
        pairs(n="1", words='["a", "b"]', text='"yes"', odd="no json"),
        [tracing.Event("happened", NOW, pairs(flag="true"))],
        [tracing.Link(context, [])],
        tracing.Status_Error("broken"),
        scope(),
        1,
        2,
        3,
    )


@app.get("/spans")
async def spans(kv: Kv) -> str:
    """Two spans, one in the other, and a store between."""
    outside = tracing.outer_span_context()
    outer, inner = child(outside, "00000000000000a1"), child(outside, "00000000000000a2")
    tracing.on_start(outer)
    tracing.on_start(inner)
    await kv["default"].put("greeting", "hello")
    tracing.on_end(ended("inner", inner, outer.span_id))
    await kv["default"].get("greeting", str)
    tracing.on_end(ended("outer", outer, outside.span_id))
    return f"{outside.trace_id} {outside.span_id}"


@app.get("/unknown")
def unknown() -> str:
    """End what never began."""
    context = child(tracing.outer_span_context(), "00000000000000a3")
    tracing.on_end(ended("never", context, ""))
    return "went on"


@app.get("/logs")
def log() -> str:
    """One record, with all that there is."""
    outside = tracing.outer_span_context()
    logs.on_emit(
        logs.LogRecord(
            NOW, NOW, "WARN", 13, '{"what": [1, null]}', pairs(n="2"), "noted",
            types.Resource(pairs(region='"eu"'), None), scope(),
            outside.trace_id, outside.span_id, outside.trace_flags,
        )
    )  # fmt: skip
    return str(outside.trace_id)


@app.get("/metrics")
def export() -> str:
    """A sum and a histogram."""
    count = metrics.SumDataPoint(pairs(kind='"a"'), metrics.MetricNumber_U64(7), [])
    sizes = metrics.HistogramDataPoint(
        [], 3, [1.0, 2.0], [1, 1, 1], None, metrics.MetricNumber_F64(9.0),
        metrics.MetricNumber_F64(11.5), [],
    )  # fmt: skip
    cumulative = metrics.Temporality.CUMULATIVE
    found = [
        metrics.Metric(
            "guest.count", "", "", metrics.MetricData_U64Sum(
                metrics.Sum([count], NOW, NOW, cumulative, True))),
        metrics.Metric(
            "guest.sizes", "", "By", metrics.MetricData_F64Histogram(
                metrics.Histogram([sizes], NOW, NOW, metrics.Temporality.DELTA))),
    ]  # fmt: skip
    resource = types.Resource(pairs(region='"eu"'), None)
    metrics.export(metrics.ResourceMetrics(resource, [metrics.ScopeMetrics(scope(), found)]))
    return "sent"


IncomingHandler = run_app(app)
HttpHandler = IncomingHandler
