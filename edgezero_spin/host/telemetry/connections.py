"""Metrics of the connections that components open to servers, and of their limits.

In: a ``ConnectionUse``. Out: counters and histograms of a meter.

Source: contract services.md, TEL-43.
"""

from opentelemetry.metrics import Meter

from edgezero_spin.host.observers import ConnectionUse

__all__ = ["UTILIZATION_BOUNDS", "ConnectionInstruments"]

UTILIZATION_BOUNDS = (0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Near what people set alarms at."""


class ConnectionInstruments:
    """The instruments of one meter."""

    def __init__(self, meter: Meter) -> None:
        """Make them."""
        prefix = "outbound_connection"
        self._acquired = meter.create_counter(f"{prefix}_permits_acquired")
        self._rejected = meter.create_counter(f"{prefix}_permits_rejected")
        self._waits = meter.create_histogram(f"{prefix}_permit_wait_duration_ms")
        self._of_kind, self._of_all = (
            meter.create_histogram(
                f"{prefix}_{limit}_utilization",
                explicit_bucket_boundaries_advisory=UTILIZATION_BOUNDS,
            )
            for limit in ("factor", "global")
        )

    def record(self, use: ConnectionUse) -> None:
        """Record one connection."""
        kind = {"kind": use.kind}
        if use.event == "rejected":
            self._rejected.add(1, {**kind, "limit": use.limit or "factor"})
            return
        if use.event == "acquired":
            if use.waited_s is not None:
                self._waits.record(use.waited_s * 1000, kind)
            self._acquired.add(1, {**kind, "waited": use.waited_s is not None})
        if use.utilization is not None:
            self._of_kind.record(use.utilization, kind)
        if use.total_utilization is not None:
            self._of_all.record(use.total_utilization)
