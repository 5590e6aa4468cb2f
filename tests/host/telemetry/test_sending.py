"""Export of telemetry by HTTP and by gRPC, to collectors of this test."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.observers import ConnectionUse
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.telemetry.exporting import Telemetry
from tests.certificates import Certificate, make_certificate
from tests.host.telemetry.collector import Collector, collecting
from tests.host.telemetry.test_observing import ask, settings, telemetry

PROTOCOLS = ["http/protobuf", "grpc"]


def collector_of(
    protocol: str, certificate: Certificate | None = None
) -> AbstractContextManager[Collector]:
    """A collector that speaks a protocol."""
    if protocol == "grpc":
        pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc")
        from tests.host.telemetry.grpc_collector import collecting_by_grpc

        return collecting_by_grpc(certificate)
    return collecting(certificate)


@contextmanager
def sending(protocol: str, **environ: Any) -> Iterator[Telemetry]:
    """Telemetry by the rest of the variables, whose beginnings are left out."""
    environ = {f"OTEL_EXPORTER_OTLP_{name}": str(value) for name, value in environ.items()}
    environ["OTEL_EXPORTER_OTLP_PROTOCOL"] = protocol
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        if "OTEL_EXPORTER_OTLP_ENDPOINT" not in environ:
            environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = ""
        with telemetry(settings(**environ)) as started:
            yield started


def report(started: Telemetry) -> None:
    """Have a metric and a log record."""
    started.observer.output("script", "stdout", b"hello")
    started.observer.connection_used(ConnectionUse("http", "acquired", None, None, None, None))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_all_signals(shared_engine: Engine, protocol: str) -> None:
    """Traces, metrics and logs arrive, with the header fields of the environment."""
    # TEL-3, TEL-7
    with collector_of(protocol) as collector:
        headers = "authorization=Bearer%20secret,x-tenant=a"
        with sending(protocol, ENDPOINT=collector.url, HEADERS=headers) as started:
            assert ask(shared_engine, started, "/w") == [200]
        component = collector.span("execute_wasm_component script")
        assert component.parent == collector.span("GET /...").span_id
        assert {trace_id for _, _, trace_id in collector.logs} == {component.trace_id}
        assert collector.points["spin.request_count"][0][1].as_int == 1
        assert collector.headers["authorization"] == "Bearer secret"
        assert collector.headers["x-tenant"] == "a"
        assert collector.paths == {"/v1/traces", "/v1/metrics", "/v1/logs"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_signal_to_a_collector_of_its_own(protocol: str) -> None:
    """One that is named for a signal takes it alone; nobody is sent what nothing names (TEL-1)."""
    with collector_of(protocol) as logs, collector_of(protocol) as metrics:
        path = "" if protocol == "grpc" else "/own"
        with sending(protocol, LOGS_ENDPOINT=logs.url + path, METRICS_ENDPOINT=metrics.url) as on:
            report(on)
        if protocol == "grpc":
            assert (logs.paths, metrics.paths) == ({"/v1/logs"}, {"/v1/metrics"})
        else:
            # As they are written, without anything appended.
            assert (logs.paths, metrics.paths) == ({"/own"}, {"/"})


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("compression", ["gzip", "deflate", "none"])
def test_compression(protocol: str, compression: str) -> None:
    """What is compressed is read by the collector, which is told that it is."""
    with collector_of(protocol) as collector:
        with sending(protocol, ENDPOINT=collector.url, COMPRESSION=compression) as started:
            started.observer.output("script", "stdout", b"x" * 4096)
        assert [log[0] for log in collector.logs] == ["x" * 4096]
        if protocol == "http/protobuf":
            said = collector.headers.get("content-encoding", "none")
            assert said == compression


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_over_tls(tmp_path: Path, protocol: str) -> None:
    """With the authorities that the environment names."""
    made = make_certificate(tmp_path)
    with collector_of(protocol, made) as collector:
        with sending(protocol, ENDPOINT=collector.url, CERTIFICATE=made.roots) as started:
            report(started)
        assert collector.paths == {"/v1/logs", "/v1/metrics"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_over_tls_with_a_stranger(tmp_path: Path, protocol: str) -> None:
    """Nothing is sent to a server that nobody vouches for."""
    made = make_certificate(tmp_path)
    with collector_of(protocol, made) as collector:
        with sending(protocol, ENDPOINT=collector.url, TIMEOUT=500) as started:
            report(started)
        assert collector.paths == set()


def test_an_address_without_a_scheme() -> None:
    """Is one of TLS for gRPC, unless the environment says that it need not be."""
    with collector_of("grpc") as collector:
        address = collector.url.removeprefix("http://")
        with sending("grpc", ENDPOINT=address, INSECURE="true") as started:
            report(started)
        assert collector.paths == {"/v1/logs", "/v1/metrics"}
