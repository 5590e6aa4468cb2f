"""Telemetry sent by gRPC, to a server of grpcio."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from edgezero_spin.host.runtime.engine import Engine
from tests.host.telemetry.collector import Collector
from tests.host.telemetry.test_observing import ask, settings, telemetry

grpc = pytest.importorskip("grpc")
pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc")

SERVICES = {
    "/v1/traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "/v1/metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "/v1/logs": "opentelemetry.proto.collector.logs.v1.LogsService",
}


@contextmanager
def collecting_by_grpc() -> Iterator[Collector]:
    """Run a collector that speaks gRPC while the block does."""
    collector = Collector()

    def exported(path: str) -> Any:
        def export(body: bytes, context: Any) -> bytes:
            collector.headers = dict(context.invocation_metadata())
            collector.receive(path, body)
            return b""

        return grpc.unary_unary_rpc_method_handler(export)

    server = grpc.server(ThreadPoolExecutor(3))
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(service, {"Export": exported(path)})
            for path, service in SERVICES.items()
        ]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    collector.url = f"http://127.0.0.1:{port}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()


def test_all_signals_by_grpc(shared_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traces, metrics and logs arrive, with the header fields of the environment."""
    # TEL-3, TEL-7
    with collecting_by_grpc() as collector:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=secret",
        }
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        with telemetry(settings(**environ)) as started:
            assert ask(shared_engine, started, "/w") == [200]
        component = collector.span("execute_wasm_component script")
        assert component.parent == collector.span("GET /...").span_id
        assert {trace_id for _, _, trace_id in collector.logs} == {component.trace_id}
        assert collector.points["spin.request_count"][0][1].as_int == 1
        assert collector.headers["authorization"] == "secret"
