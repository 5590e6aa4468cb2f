"""An OTLP collector on loopback that speaks gRPC, of grpcio and the services' own methods."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from tests.certificates import Certificate
from tests.host.telemetry.collector import Collector

__all__ = ["collecting_by_grpc"]

SERVICES = {
    "/v1/traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "/v1/metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "/v1/logs": "opentelemetry.proto.collector.logs.v1.LogsService",
}


@contextmanager
def collecting_by_grpc(certificate: Certificate | None = None) -> Iterator[Collector]:
    """Run a collector while the block does; with a certificate over TLS."""
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
    if certificate is None:
        port = server.add_insecure_port("127.0.0.1:0")
        collector.url = f"http://127.0.0.1:{port}"
    else:
        pair = (certificate.key.read_bytes(), certificate.chain.read_bytes())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
        collector.url = f"https://127.0.0.1:{port}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()
