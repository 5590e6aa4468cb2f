"""Exporting telemetry: the SDK of OpenTelemetry, set up as Spin sets up its own.

In: ``TelemetrySettings``. Out: ``Telemetry``: an observer for hosts, which sends what it sees in
the background. A collector that is gone costs what it would have kept, and no request.

Source: contract services.md, TEL-3, TEL-4, TEL-7, TEL-9.
"""

import importlib
import os
import threading
from importlib.metadata import version
from time import monotonic
from typing import Any

import attrs

from edgezero_spin.host.observers import Observer
from edgezero_spin.host.telemetry.settings import Protocol, TelemetryError, TelemetrySettings

__all__ = ["SCOPE", "Telemetry", "start_telemetry"]

SCOPE = "spin"
"""Name of the instrumentation scope, and of a service that has none."""

CLOSE_S = 3.0
"""Seconds that a collector gets for what waits at the end."""

_EXPORTERS = {
    "traces": ("trace_exporter", "OTLPSpanExporter"),
    "metrics": ("metric_exporter", "OTLPMetricExporter"),
    "logs": ("_log_exporter", "OTLPLogExporter"),
}


@attrs.frozen
class Telemetry:
    """Telemetry that is on. ``close`` it when the hosts that it observes are closed.

    Attributes:
        observer: For ``Host(observers=...)``.
    """

    observer: Observer
    _providers: tuple[Any, ...]
    _exporters: tuple[Any, ...]

    def close(self) -> None:
        """Send what waits, and stop. Twice is harmless.

        A collector that takes nothing is waited for ``CLOSE_S`` seconds.
        """
        ends = [threading.Thread(target=each.shutdown, daemon=True) for each in self._providers]
        for end in ends:
            end.start()
        until_s = monotonic() + CLOSE_S
        for end, exporter in zip(ends, self._exporters, strict=True):
            end.join(max(0.0, until_s - monotonic()))
            if end.is_alive():
                # It tries again and again, until it is told not to.
                exporter.shutdown()


def start_telemetry(settings: TelemetrySettings) -> Telemetry:
    """Begin to send telemetry.

    What is not said by ``settings`` is read from the standard variables of OpenTelemetry.

    Raises:
        TelemetryError: The extra ``otel`` is not installed, or a variable cannot be used.
    """
    try:
        return _start(settings)
    except ModuleNotFoundError as error:
        extra = "otel-grpc" if "grpc" in settings.protocols.values() else "otel"
        raise TelemetryError(
            "telemetry is switched on by OTEL_EXPORTER_OTLP_..., and needs `pip install "
            f"'edgezero-spin[{extra}]'` ({error.name} is missing); OTEL_SDK_DISABLED=true runs "
            "without"
        ) from error
    except ValueError as error:
        raise TelemetryError(f"telemetry cannot be set up: {error}") from error


def _start(settings: TelemetrySettings) -> Telemetry:
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource

    from edgezero_spin.host.telemetry.guest_telemetry import GuestExports
    from edgezero_spin.host.telemetry.observing import TelemetryObserver
    from edgezero_spin.host.telemetry.trace_context import ChosenIds

    resource = Resource.create({"service.version": version("edgezero-spin")})
    if not _has_service_name():
        resource = resource.merge(Resource({SERVICE_NAME: SCOPE}))
    exporters = {signal: _exporter(signal, settings) for signal in settings.protocols}
    providers: list[Any] = []
    tracer = meter = logger = spans = records = None
    ids = ChosenIds()
    if "traces" in exporters:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        traces = TracerProvider(resource=resource, shutdown_on_exit=False, id_generator=ids)
        spans = BatchSpanProcessor(exporters["traces"])
        traces.add_span_processor(spans)
        tracer = traces.get_tracer(SCOPE)
        providers.append(traces)
    if "metrics" in exporters:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

        reader = PeriodicExportingMetricReader(exporters["metrics"])
        metrics = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        meter = metrics.get_meter(SCOPE)
        providers.append(metrics)
    if "logs" in exporters:
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

        logs = LoggerProvider(resource=resource, shutdown_on_exit=False)
        records = BatchLogRecordProcessor(exporters["logs"])
        logs.add_log_record_processor(records)
        logger = logs.get_logger(SCOPE)
        providers.append(logs)
    observer = TelemetryObserver(
        tracer,
        meter,
        logger,
        output_in_spans=settings.output_in_spans,
        ids=ids,
        bound=_bound(),
        guests=GuestExports(resource, spans, exporters.get("metrics"), records),
    )
    return Telemetry(observer, tuple(providers), tuple(exporters.values()))


def _bound() -> int | None:
    """Return below what the lower half of a trace's id is where a new one is sampled.

    ``None`` where the environment names a sampler that does not go by the id alone.
    """
    from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

    name = os.environ.get("OTEL_TRACES_SAMPLER", "").strip().lower().removeprefix("parentbased_")
    if name == "always_off":
        return 0
    if name != "traceidratio":
        return None
    try:
        rate = float(os.environ.get("OTEL_TRACES_SAMPLER_ARG") or 1.0)
        return TraceIdRatioBased(rate).bound
    except ValueError:
        # The SDK says so, and has its own idea of what to do.
        return None


def _has_service_name() -> bool:
    """Whether the environment names the service (TEL-4)."""
    pairs = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
    named = any(pair.partition("=")[0].strip() == "service.name" for pair in pairs)
    return named or bool(os.environ.get("OTEL_SERVICE_NAME"))


def _exporter(signal: str, settings: TelemetrySettings) -> Any:
    protocol: Protocol = settings.protocols[signal]
    compression = settings.compressions[signal]
    more: dict[str, Any]
    if protocol == "grpc":
        import grpc

        package = "grpc"
        # It knows no variable that says `none`.
        names = {"gzip": "Gzip", "deflate": "Deflate", "none": "NoCompression"}
        more = {"compression": grpc.Compression[names[compression]]}
    else:
        from opentelemetry.exporter.otlp.proto.http import Compression

        package = "http"
        more = {"compression": Compression(compression), "session": _session()}
    module, name = _EXPORTERS[signal]
    found = importlib.import_module(f"opentelemetry.exporter.otlp.proto.{package}.{module}")
    # The SDK takes seconds, and reads the variable as seconds, too, which no other SDK does.
    return getattr(found, name)(timeout=settings.timeouts_s[signal], **more)


def _session() -> Any:
    from requests import Session

    class CollectorSession(Session):
        """Trusts whom its exporter says; elsewhere REQUESTS_CA_BUNDLE has the last word."""

        def merge_environment_settings(
            self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
        ) -> Any:
            verify = self.verify if verify is None else verify
            return super().merge_environment_settings(url, proxies, stream, verify, cert)

    return CollectorSession()
