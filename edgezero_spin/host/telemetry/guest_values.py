"""Values of ``wasi:otel`` as OpenTelemetry's SDK takes them.

In: records of the interface in Python form. Out: spans, log records and metrics of the SDK. Nothing
here raises, whatever a guest gives: what is not an id is no id, an attribute that is not JSON is a
text, a number that does not fit is a float.

Source: ``wasi:otel@0.2.0-rc.2``; contract services.md, TEL-47.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadWriteLogRecord
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics import export as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

__all__ = [
    "context_record",
    "log_record_of",
    "metrics_of",
    "resource_of",
    "scope_of",
    "span_context_of",
    "span_of_guest",
]

Record = Mapping[str, Any]

_BYTES = "data:application/octet-stream;base64,"
_MAX_DEPTH = 16
_MAX_INT = 2**63 - 1
_MAX_TIME_NS = 2**64 - 1
_EMPTY = Resource({})


def context_record(context: SpanContext) -> dict[str, Any]:
    """Return a ``span-context``."""
    return {
        "trace-id": f"{context.trace_id:032x}",
        "span-id": f"{context.span_id:016x}",
        "trace-flags": {"sampled"} if context.trace_flags.sampled else set(),
        "is-remote": context.is_remote,
        "trace-state": list(context.trace_state.items()),
    }


def span_context_of(record: Record) -> SpanContext:
    """Read a ``span-context``."""
    sampled = "sampled" in record["trace-flags"]
    return SpanContext(
        _id(record["trace-id"], 32),
        _id(record["span-id"], 16),
        is_remote=record["is-remote"],
        trace_flags=TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT),
        # It leaves out what a header cannot carry.
        trace_state=TraceState(record["trace-state"]),
    )


def _id(text: str, digits: int) -> int:
    is_one = len(text) == digits and all(digit in "0123456789abcdefABCDEF" for digit in text)
    return int(text, 16) if is_one else 0


def _time_ns(time: Record) -> int:
    return min(int(time["seconds"]) * 1_000_000_000 + int(time["nanoseconds"]), _MAX_TIME_NS)


def _optional_time_ns(time: Record | None) -> int | None:
    return None if time is None else _time_ns(time)


def _attributes(pairs: Sequence[Record]) -> dict[str, Any]:
    values = {pair["key"]: _value(pair["value"]) for pair in pairs}
    return {key: value for key, value in values.items() if value is not None}


def _value(text: str) -> Any:
    """Read a value, which is JSON."""
    try:
        return _checked(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _checked(value: Any, depth: int = 0) -> Any:
    """Return a value as it can be sent.

    Raises:
        ValueError: It is nested too deep.
    """
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, str):
        return _text_or_bytes(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return _number(value)
    if isinstance(value, list):
        return [_checked(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {_sendable(key): _checked(each, depth + 1) for key, each in value.items()}
    return value


def _text_or_bytes(text: str) -> str | bytes:
    if text.startswith(_BYTES):
        try:
            return base64.b64decode(text.removeprefix(_BYTES), validate=True)
        except binascii.Error:
            pass
    return _sendable(text)


def _sendable(text: str) -> str:
    """JSON may name halves of characters, which UTF-8 cannot carry."""
    return text.encode("utf-8", "replace").decode()


def _number(value: int | float) -> int | float:
    """Integers are sent in 64 bits with a sign."""
    if isinstance(value, int) and not -_MAX_INT - 1 <= value <= _MAX_INT:
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    return value


def resource_of(record: Record | None) -> Resource:
    """Read a ``resource``; none is an empty one."""
    if record is None:
        return _EMPTY
    return Resource(_attributes(record["attributes"]), record["schema-url"])


def scope_of(record: Record) -> InstrumentationScope:
    """Read an ``instrumentation-scope``."""
    return InstrumentationScope(
        record["name"], record["version"], record["schema-url"], _attributes(record["attributes"])
    )


_KINDS = {
    "client": SpanKind.CLIENT,
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}


class _GuestSpan(ReadableSpan):
    """A span that a component made; what it left out itself is told as it tells it."""

    def __init__(self, dropped: tuple[int, int, int], **fields: Any) -> None:
        super().__init__(**fields)
        self._dropped = dropped

    @property
    def dropped_attributes(self) -> int:
        return self._dropped[0]

    @property
    def dropped_events(self) -> int:
        return self._dropped[1]

    @property
    def dropped_links(self) -> int:
        return self._dropped[2]


def span_of_guest(record: Record, resource: Resource) -> ReadableSpan:
    """Read a ``span-data``."""
    context = span_context_of(record["span-context"])
    parent_id = _id(record["parent-span-id"], 16)
    parent = SpanContext(context.trace_id, parent_id, is_remote=False) if parent_id else None
    case, problem = record["status"]
    codes = {"unset": StatusCode.UNSET, "ok": StatusCode.OK, "error": StatusCode.ERROR}
    return _GuestSpan(
        (record["dropped-attributes"], record["dropped-events"], record["dropped-links"]),
        name=record["name"],
        context=context,
        parent=parent,
        resource=resource,
        attributes=_attributes(record["attributes"]),
        events=[
            Event(each["name"], _attributes(each["attributes"]), _time_ns(each["time"]))
            for each in record["events"]
        ],
        links=[
            Link(span_context_of(each["span-context"]), _attributes(each["attributes"]))
            for each in record["links"]
        ],
        kind=_KINDS[record["span-kind"]],
        status=Status(codes[case], problem),
        start_time=_time_ns(record["start-time"]),
        end_time=_time_ns(record["end-time"]),
        instrumentation_scope=scope_of(record["instrumentation-scope"]),
    )


def log_record_of(record: Record) -> ReadWriteLogRecord:
    """Read a ``log-record``."""
    context = None
    if record["trace-id"] is not None and record["span-id"] is not None:
        sampled = "sampled" in (record["trace-flags"] or ())
        span = SpanContext(
            _id(record["trace-id"], 32),
            _id(record["span-id"], 16),
            is_remote=False,
            trace_flags=TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT),
        )
        context = set_span_in_context(NonRecordingSpan(span))
    number = record["severity-number"] or 0
    scope = record["instrumentation-scope"]
    return ReadWriteLogRecord(
        LogRecord(
            timestamp=_optional_time_ns(record["timestamp"]),
            observed_timestamp=_optional_time_ns(record["observed-timestamp"]),
            context=context,
            severity_text=record["severity-text"],
            severity_number=SeverityNumber(number) if number <= 24 else None,
            body=None if record["body"] is None else _value(record["body"]),
            attributes=_attributes(record["attributes"] or ()),
            event_name=record["event-name"],
        ),
        resource_of(record["resource"]),
        None if scope is None else scope_of(scope),
    )


def metrics_of(record: Record) -> sdk.MetricsData:
    """Read a ``resource-metrics``."""
    resource = resource_of(record["resource"])
    scopes = [
        sdk.ScopeMetrics(
            scope_of(each["scope"]),
            [
                sdk.Metric(
                    metric["name"], metric["description"], metric["unit"], _data(*metric["data"])
                )
                for metric in each["metrics"]
            ],
            each["scope"]["schema-url"] or "",
        )
        for each in record["scope-metrics"]
    ]
    return sdk.MetricsData([sdk.ResourceMetrics(resource, scopes, resource.schema_url)])


def _data(case: str, data: Record) -> Any:
    """Read a ``metric-data``; the kind of number is that of each point."""
    points, time_ns = data["data-points"], _time_ns(data["time"])
    start_ns = _optional_time_ns(data["start-time"])
    if case.endswith("-gauge"):
        return sdk.Gauge([_point(each, start_ns, time_ns) for each in points])
    # As in the reference, there are two kinds, and the rest is the first.
    temporality = (
        sdk.AggregationTemporality.DELTA
        if data["temporality"] == "delta"
        else sdk.AggregationTemporality.CUMULATIVE
    )
    if case.endswith("-sum"):
        sums = [_point(each, start_ns, time_ns) for each in points]
        return sdk.Sum(sums, temporality, data["is-monotonic"])
    if case.endswith("-exponential-histogram"):
        found = [_exponential(each, start_ns or 0, time_ns) for each in points]
        return sdk.ExponentialHistogram(found, temporality)
    histograms = [
        sdk.HistogramDataPoint(
            **_distribution(each, start_ns or 0, time_ns),
            bucket_counts=each["bucket-counts"],
            explicit_bounds=each["bounds"],
        )
        for each in points
    ]
    return sdk.Histogram(histograms, temporality)


def _point(point: Record, start_ns: int | None, time_ns: int) -> sdk.NumberDataPoint:
    return sdk.NumberDataPoint(
        attributes=_attributes(point["attributes"]),
        start_time_unix_nano=start_ns or 0,
        time_unix_nano=time_ns,
        value=_number(point["value"][1]),
        exemplars=_exemplars(point),
    )


def _distribution(point: Record, start_ns: int, time_ns: int) -> dict[str, Any]:
    """The fields that both kinds of histogram have; the protocol has floats for each number."""
    return {
        "attributes": _attributes(point["attributes"]),
        "start_time_unix_nano": start_ns,
        "time_unix_nano": time_ns,
        "count": point["count"],
        "sum": float(point["sum"][1]),
        "min": None if point["min"] is None else float(point["min"][1]),
        "max": None if point["max"] is None else float(point["max"][1]),
        "exemplars": _exemplars(point),
    }


def _exponential(point: Record, start_ns: int, time_ns: int) -> sdk.ExponentialHistogramDataPoint:
    positive, negative = (
        sdk.Buckets(bucket["offset"], bucket["counts"])
        for bucket in (point["positive-bucket"], point["negative-bucket"])
    )
    return sdk.ExponentialHistogramDataPoint(
        **_distribution(point, start_ns, time_ns),
        scale=point["scale"],
        zero_count=point["zero-count"],
        positive=positive,
        negative=negative,
        flags=0,
    )


def _exemplars(point: Record) -> list[Any]:
    return [
        Exemplar(
            _attributes(each["filtered-attributes"]),
            _number(each["value"][1]),
            _time_ns(each["time"]),
            _id(each["span-id"], 16) or None,
            _id(each["trace-id"], 32) or None,
        )
        for each in point["exemplars"]
    ]
