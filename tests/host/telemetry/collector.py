"""An OTLP collector on loopback: takes what is sent over HTTP, and decodes the protobufs."""

import gzip
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import attrs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.certificates import Certificate

__all__ = ["Collector", "Span", "collecting"]

T = TypeVar("T")

KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


@attrs.frozen
class Span:
    """One span as it was received."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    attributes: dict[str, Any]
    failed: bool
    problem: str
    events: list[dict[str, Any]]


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


class Collector:
    """What was received so far.

    Attributes:
        url: Its address.
        spans: In the order in which they ended.
        logs: Text, attributes and trace of each record.
        points: Metric name to its data points, each with attributes; the last export counts.
        resources: Attributes of each resource that sent something.
        scopes: Names of scopes.
        headers: Header fields of the last request.
        paths: Those of requests: what each is about, however it came.
        status: Of its answers.
    """

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Span] = []
        self.logs: list[tuple[str, dict[str, Any], str]] = []
        self.points: dict[str, list[tuple[dict[str, Any], Any]]] = {}
        self.resources: list[dict[str, Any]] = []
        self.scopes: set[str] = set()
        self.headers: dict[str, str] = {}
        self.paths: set[str] = set()
        self.status = 200
        self._changed = threading.Condition()

    def wait_for(self, find: Callable[["Collector"], T | None]) -> T:
        """Return what ``find`` finds, once it does."""
        with self._changed:
            found: list[T] = []

            def look() -> bool:
                value = find(self)
                if value:
                    found.append(value)
                return bool(value)

            assert self._changed.wait_for(look, 30), (self.spans, self.logs, self.points)
            return found[0]

    def span(self, name: str) -> Span:
        """Return the first span of a name, once it is there."""
        return self.wait_for(lambda _: next((s for s in self.spans if s.name == name), None))

    def receive(self, path: str, body: bytes) -> None:
        """Decode one request."""
        with self._changed:
            self.paths.add(path)
            if path.endswith("/v1/traces"):
                self._traces(ExportTraceServiceRequest.FromString(body))
            elif path.endswith("/v1/metrics"):
                self._metrics(ExportMetricsServiceRequest.FromString(body))
            elif path.endswith("/v1/logs"):
                self._logs(ExportLogsServiceRequest.FromString(body))
            self._changed.notify_all()

    def _traces(self, request: Any) -> None:
        for group in request.resource_spans:
            self.resources.append(_values(group.resource.attributes))
            for scope in group.scope_spans:
                self.scopes.add(scope.scope.name)
                for span in scope.spans:
                    self.spans.append(
                        Span(
                            span.name,
                            KINDS[span.kind],
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            _values(span.attributes),
                            span.status.code == 2,
                            span.status.message,
                            [_values(event.attributes) for event in span.events],
                        )
                    )

    def _metrics(self, request: Any) -> None:
        for group in request.resource_metrics:
            self.resources.append(_values(group.resource.attributes))
            for scope in group.scope_metrics:
                self.scopes.add(scope.scope.name)
                for metric in scope.metrics:
                    data = getattr(metric, metric.WhichOneof("data"))
                    self.points[metric.name] = [
                        (_values(point.attributes), point) for point in data.data_points
                    ]

    def _logs(self, request: Any) -> None:
        for group in request.resource_logs:
            self.resources.append(_values(group.resource.attributes))
            for scope in group.scope_logs:
                self.scopes.add(scope.scope.name)
                for record in scope.log_records:
                    self.logs.append(
                        (
                            record.body.string_value,
                            _values(record.attributes),
                            record.trace_id.hex(),
                        )
                    )


@contextmanager
def collecting(certificate: Certificate | None = None) -> Iterator[Collector]:
    """Run a collector while the block does; with a certificate over TLS."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            elif self.headers.get("content-encoding") == "deflate":
                body = zlib.decompress(body)
            collector.headers = {name.lower(): value for name, value in self.headers.items()}
            collector.receive(self.path, body)
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate.chain, certificate.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        collector.url = collector.url.replace("http:", "https:")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
