"""Metrics for Prometheus: an observer that counts, and the text that a scrape reads.

The names are those of Spin's metrics, with underscores and with the units that Prometheus wants at
the end; others say how long requests take, and what the host is doing.

In: events of the host. Out: the text of the exposition format 0.0.4.

Source: contract services.md, TEL-40, TEL-41, TEL-43; Prometheus' exposition format.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edgezero_spin.host.observers import (
    ConnectionUse,
    InstanceUsage,
    ObservedEvent,
    ObservedRequest,
    Observer,
    RequestObserver,
    RequestOutcome,
)

__all__ = ["HostFigures", "PrometheusObserver"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MIB = 1024 * 1024
_UTILIZATION = (0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_BYTES = tuple(size * _MIB for size in (1, 4, 8, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024))


class HostFigures(Protocol):
    """What a host tells of itself at a moment."""

    @property
    def running(self) -> int:
        """Instances that serve a request."""

    @property
    def waiting(self) -> int:
        """Instances that wait for a request."""

    @property
    def computing(self) -> int:
        """Worker threads that are busy."""


class PrometheusObserver(Observer):
    """Counts what a host does."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "spin_request_count",
            "Requests and events for components.",
            ["trigger_type", "app_id", "component_id"],
            registry=registry,
        )
        self._seconds = Histogram(
            "http_server_request_duration_seconds",
            "Seconds from the head of a request to the end of its response.",
            ["component_id", "http_response_status_code"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._cpu = Histogram(
            "spin_component_cpu_time_seconds",
            "Processor time of an instance.",
            ["component_id"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._initial = Histogram(
            "spin_component_memory_used_on_init_bytes",
            "Linear memory of an instance when it was made.",
            ["component_id"],
            buckets=_BYTES,
            registry=registry,
        )
        self._memory = Histogram(
            "spin_component_memory_used_bytes",
            "Linear memory of an instance at its end.",
            ["component_id"],
            buckets=_BYTES,
            registry=registry,
        )

        self._acquired = Counter(
            "outbound_connection_permits_acquired",
            "Connections of components to servers.",
            ["kind", "waited"],
            registry=registry,
        )
        self._rejected = Counter(
            "outbound_connection_permits_rejected",
            "Connections that a limit refused.",
            ["kind", "limit"],
            registry=registry,
        )
        self._waits = Histogram(
            "outbound_connection_permit_wait_duration_seconds",
            "Seconds that a connection waited for another one to be closed.",
            ["kind"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._of_kind = Histogram(
            "outbound_connection_factor_utilization",
            "How much of the limit on connections of a kind is used.",
            ["kind"],
            buckets=_UTILIZATION,
            registry=registry,
        )
        self._of_all = Histogram(
            "outbound_connection_global_utilization",
            "How much of the limit on connections of all kinds is used.",
            buckets=_UTILIZATION,
            registry=registry,
        )

    def show(self, host: Callable[[], HostFigures | None]) -> None:
        """Show the present figures of a host, too.

        Args:
            host: Returns it; ``None`` while there is none.
        """
        self._registry.register(_Figures(host))

    def text(self) -> bytes:
        """Return what a scrape reads."""
        return generate_latest(self._registry)

    def request_began(self, request: ObservedRequest) -> RequestObserver:
        """Count the request now, and its time at its end."""
        component_id = request.component_id
        if component_id is not None:
            self._requests.labels("http", request.application, component_id).inc()
        return _Timed(self._seconds, component_id or "")

    def event_began(self, event: ObservedEvent) -> None:
        """Count the event."""
        self._requests.labels(event.trigger_type, event.application, event.component_id).inc()

    def instance_ended(self, usage: InstanceUsage) -> None:
        """Note what an instance spent."""
        self._cpu.labels(usage.component_id).observe(usage.cpu_s)
        self._initial.labels(usage.component_id).observe(usage.initial_memory_bytes)
        self._memory.labels(usage.component_id).observe(usage.memory_bytes)

    def connection_used(self, use: ConnectionUse) -> None:
        """Count a connection, and note how much of its limits is used."""
        if use.event == "rejected":
            self._rejected.labels(use.kind, use.limit).inc()
            return
        if use.event == "acquired":
            if use.waited_s is not None:
                self._waits.labels(use.kind).observe(use.waited_s)
            waited = "false" if use.waited_s is None else "true"
            self._acquired.labels(use.kind, waited).inc()
        if use.utilization is not None:
            self._of_kind.labels(use.kind).observe(use.utilization)
        if use.total_utilization is not None:
            self._of_all.observe(use.total_utilization)


class _Timed(RequestObserver):
    __slots__ = ("_component_id", "_seconds")
    sees_component = False

    def __init__(self, seconds: Histogram, component_id: str) -> None:
        self._seconds = seconds
        self._component_id = component_id

    def ended(self, outcome: RequestOutcome) -> None:
        self._seconds.labels(self._component_id, str(outcome.status)).observe(outcome.seconds)


class _Figures(Collector):
    def __init__(self, host: Callable[[], HostFigures | None]) -> None:
        self._host = host

    def collect(self) -> Iterable[Metric]:
        host = self._host()
        if host is None:
            return
        for name, text, value in (
            ("running", "Instances that serve a request.", host.running),
            ("waiting", "Instances that wait for a request.", host.waiting),
            ("computing", "Instances that compute.", host.computing),
        ):
            yield GaugeMetricFamily(f"edgezero_instances_{name}", text, value=value)
