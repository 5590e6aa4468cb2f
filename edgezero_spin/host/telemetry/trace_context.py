"""The context of traces: their ids, and the header fields that carry them.

In: header fields of a request, or random numbers. Out: contexts and ids of OpenTelemetry, and the
header fields of what is sent on.

Source: W3C Trace Context; contract services.md, TEL-45 and TEL-46.
"""

import threading
from collections.abc import Sequence
from random import getrandbits

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["NO_TRACE", "ChosenIds", "Pairs", "context_of", "headers_of", "trace_id_of"]

NO_TRACE = Context()
"""The context of what belongs to no trace."""

_propagator = TraceContextTextMapPropagator()

Pairs = Sequence[tuple[str, bytes]]


class ChosenIds(RandomIdGenerator):
    """Random ids of traces, which can be known before their first span is made."""

    def __init__(self) -> None:
        """Choose none yet."""
        self._chosen = threading.local()

    def choose(self, low: int) -> None:
        """Say what the lower half of the id is of the next trace that begins on this thread."""
        self._chosen.trace_id = trace_id_of(low)

    def generate_trace_id(self) -> int:
        """Return the id that was chosen, once, or another one."""
        trace_id: int | None = getattr(self._chosen, "trace_id", None)
        self._chosen.trace_id = None
        return super().generate_trace_id() if trace_id is None else trace_id


def context_of(headers: Sequence[tuple[bytes, bytes]]) -> Context:
    """Return the trace that a client's request belongs to (TEL-45)."""
    carrier: dict[str, list[str]] = {}
    for name, value in headers:
        if len(name) in (10, 11):
            lower = name.lower()
            if lower in (b"traceparent", b"tracestate"):
                carrier.setdefault(lower.decode(), []).append(value.decode("latin-1"))
    if "traceparent" not in carrier:
        return NO_TRACE
    return _propagator.extract(carrier, NO_TRACE)


def headers_of(context: Context) -> Pairs:
    """Return the header fields that carry a trace on; none without one."""
    if not get_current_span(context).get_span_context().is_valid:
        return ()
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, context)
    return [(name, value.encode("latin-1")) for name, value in carrier.items()]


def trace_id_of(low: int) -> int:
    """Return a random id whose lower half is known."""
    return (getrandbits(64) or 1) << 64 | low
