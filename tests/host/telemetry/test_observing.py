"""Traces, metrics and logs of a host, as a collector receives them."""

import asyncio
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from edgezero_spin.host import Host, HostSettings, HttpRequest
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.observers import ConnectionUse, ObservedRequest
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.telemetry.exporting import Telemetry, start_telemetry
from edgezero_spin.host.telemetry.observing import TelemetryObserver
from edgezero_spin.host.telemetry.settings import TelemetrySettings, telemetry_settings
from tests.host.support import Capture, script_plan
from tests.host.telemetry.collector import Collector, collecting

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that the environment names."""
    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        yield running


def settings(**environ: str) -> TelemetrySettings:
    """What the environment asks for."""
    found = telemetry_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", **environ})
    assert found is not None
    return found


@contextmanager
def telemetry(found: TelemetrySettings | None = None) -> Iterator[Telemetry]:
    """Telemetry by the environment; what waits is sent at the end."""
    started = start_telemetry(found or settings())
    try:
        yield started
    finally:
        started.close()


def ask(engine: Engine, started: Telemetry, *targets: str, headers: object = ()) -> list[int]:
    """Ask a host of the script guest, in order; the statuses."""

    async def run(host: Host) -> list[int]:
        statuses = []
        for target in targets:
            request = HttpRequest("GET", target, list(headers))  # type: ignore[call-overload]
            response = await host.handle(request)
            statuses.append(response.status)
            async for _ in response.iter_bytes():
                pass
        return statuses

    with Host(
        script_plan(),
        engine=engine,
        settings=HostSettings(cache_dir=None),
        logs=Logs(None, echo_to=Capture()),
        observers=[started.observer],
    ) as host:
        return asyncio.run(run(host))


def test_a_request_is_two_spans_of_one_trace(shared_engine: Engine, collector: Collector) -> None:
    """That of the server, and below it that of the component."""
    # V-75, TEL-20, TEL-21, TEL-4
    with telemetry() as started:
        assert ask(shared_engine, started, "/h?a=1", headers=[("x-forwarded-for", "1.2.3.4")]) == [
            200
        ]
    server, component = collector.span("GET /..."), collector.span("execute_wasm_component script")
    assert (server.kind, component.kind) == ("server", "internal")
    assert component.parent == server.span_id and component.trace_id == server.trace_id
    assert server.parent == ""
    assert server.attributes == {
        "http.request.method": "GET",
        "http.route": "/...",
        "http.response.status_code": 200,
        "url.path": "/h",
        "url.query": "a=1",
        "url.scheme": "http",
        "network.protocol.name": "http",
        "network.peer.address": "127.0.0.1",
        "network.peer.port": 0,
        "client.address": "1.2.3.4",
    }
    assert not server.failed and not component.failed
    assert collector.scopes == {"spin"}
    for resource in collector.resources:
        assert resource["service.name"] == "spin" and resource["service.version"]
        assert resource["telemetry.sdk.language"] == "python"


def test_a_trace_of_the_client_goes_on(shared_engine: Engine, collector: Collector) -> None:
    """Its span is the parent of ours (TEL-45)."""
    with telemetry() as started:
        ask(shared_engine, started, "/h", headers=[("TraceParent", PARENT), ("tracestate", "a=b")])
    server = collector.span("GET /...")
    assert (server.trace_id, server.parent) == (PARENT[3:35], PARENT[36:52])


def test_a_broken_parent_begins_a_new_trace(shared_engine: Engine, collector: Collector) -> None:
    """A header that is none changes nothing."""
    with telemetry() as started:
        ask(shared_engine, started, "/h", headers=[("traceparent", "00-zz-\xff-01")])
    assert collector.span("GET /...").parent == ""


def test_failures_are_in_the_spans(shared_engine: Engine, collector: Collector) -> None:
    """A trap, and a response that breaks off."""
    with telemetry() as started:
        assert ask(shared_engine, started, "/t") == [500]
    server, component = collector.span("GET /..."), collector.span("execute_wasm_component script")
    assert server.failed and component.failed
    assert server.attributes["http.response.status_code"] == 500
    assert "unreachable" in server.attributes["error.type"]
    assert "unreachable" in component.problem


def test_a_path_that_nothing_answers(shared_engine: Engine, collector: Collector) -> None:
    """Is a span by its method, and is not counted."""
    # V-78, TEL-40
    with telemetry() as started:
        ask(shared_engine, started, "/.well-known/spin/nothing", "/h", "/h")
    assert "http.route" not in collector.span("GET").attributes
    [(attributes, point)] = collector.wait_for(lambda c: c.points.get("spin.request_count"))
    assert attributes == {"trigger_type": "http", "app_id": "script", "component_id": "script"}
    assert point.as_int == 2


def test_what_instances_spend(shared_engine: Engine, collector: Collector) -> None:
    """One value for each instance (TEL-41)."""
    with telemetry() as started:
        ask(shared_engine, started, "/h", "/h", "/h")
    for name, unit in [
        ("spin.component_cpu_time", "s"),
        ("spin.component_memory_used_on_init", "By"),
        ("spin.component_memory_used", "By"),
    ]:
        [(attributes, point)] = collector.points[name]
        assert attributes == {"component_id": "script", "unit": unit}
        assert point.count == 3 and point.sum > 0


def test_connections_of_components(collector: Collector) -> None:
    """Are counted by kind, with waits and with how much of their limits is used (TEL-43)."""
    with telemetry() as started:
        for use in (
            ConnectionUse("http", "acquired", None, None, None, None),
            ConnectionUse("http", "acquired", 0.25, None, 0.5, 0.97),
            ConnectionUse("http", "rejected", None, "global", 0.5, 1.0),
            ConnectionUse("http", "released", None, None, 0.0, 0.2),
        ):
            started.observer.connection_used(use)
    points = collector.wait_for(
        lambda c: c.points if "outbound_connection_permits_acquired" in c.points else None
    )
    acquired = points["outbound_connection_permits_acquired"]
    assert {attributes["waited"]: point.as_int for attributes, point in acquired} == {
        False: 1,
        True: 1,
    }
    [(attributes, point)] = points["outbound_connection_permits_rejected"]
    assert (attributes, point.as_int) == ({"kind": "http", "limit": "global"}, 1)
    [(attributes, point)] = points["outbound_connection_permit_wait_duration_ms"]
    assert (attributes, point.sum) == ({"kind": "http"}, 250.0)
    [(attributes, point)] = points["outbound_connection_factor_utilization"]
    assert attributes == {"kind": "http"} and list(point.explicit_bounds) == [
        *(0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
    ]
    [(attributes, point)] = points["outbound_connection_global_utilization"]
    assert attributes == {} and list(point.bucket_counts) == [1, 0, 0, 0, 0, 1, 0]


@pytest.mark.parametrize("in_spans", [True, False])
def test_output(shared_engine: Engine, collector: Collector, in_spans: bool) -> None:
    """Is a log record within the trace, and an event of the component's span."""
    # TEL-44, TEL-6, V-78
    found = settings() if in_spans else settings(SPIN_DISABLE_LOG_TO_TRACING="1")
    with telemetry(found) as started:
        ask(shared_engine, started, "/w")
    span = collector.span("execute_wasm_component script")
    assert collector.logs
    for text, attributes, trace_id in collector.logs:
        assert text and attributes == {"component_id": "script"}
        assert trace_id == span.trace_id
    assert bool(span.events) == in_spans
    if in_spans:
        assert [event["app_log"] for event in span.events] == [log[0] for log in collector.logs]


def test_output_that_is_no_text(collector: Collector) -> None:
    """Its first bytes are shown escaped."""
    with telemetry() as started:
        started.observer.output("script", "stdout", b"\xff\n" + b"x" * 100)
    [(text, attributes, _)] = collector.logs
    assert text == "\\xff\\n" + "x" * 48
    assert attributes == {"component_id": "script", "app_log_non_utf8": True}


def test_a_sampler_of_the_environment(
    shared_engine: Engine, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it leaves out is counted and logged, and has no span (TEL-7)."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    with telemetry() as started:
        ask(shared_engine, started, "/w", headers=[])
        ask(shared_engine, started, "/h", headers=[("traceparent", PARENT)])
    [(_, point)] = collector.wait_for(lambda c: c.points.get("spin.request_count"))
    assert point.as_int == 2 and collector.logs
    assert {span.trace_id for span in collector.spans} == {PARENT[3:35]}


def test_headers_names_and_resources_of_the_environment(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standard variables mean what they mean elsewhere."""
    # TEL-4, TEL-7
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop,region=eu")
    with telemetry() as started:
        started.observer.output("script", "stdout", b"x")
    assert collector.headers["authorization"] == "secret"
    assert collector.resources[0]["service.name"] == "shop"
    assert collector.resources[0]["region"] == "eu"


def test_a_collector_that_is_gone(shared_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails no request, and holds up no end (TEL-9, V-77)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    with telemetry() as started:
        assert ask(shared_engine, started, "/h", "/w") == [200, 200]


def test_requests_are_counted_exactly() -> None:
    """From any thread, for each component, and however often the counts are read (TEL-40)."""
    reader = InMemoryMetricReader()
    observer = TelemetryObserver(None, MeterProvider([reader]).get_meter("test"), None)

    def counts() -> dict[object, int | float]:
        data = reader.get_metrics_data()
        assert data is not None
        points = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
        return {
            (point.attributes or {})["component_id"]: point.value
            for point in points
            if isinstance(point, NumberDataPoint)
        }

    def begin(component_id: str | None) -> None:
        request = ObservedRequest("GET", "/", None, "http", (), None, "app", component_id, None)
        for _ in range(500):
            observer.request_began(request)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(begin, ["shop", "cart", "shop", None, "shop"]))
    expected = {"shop": 1500, "cart": 500}
    assert (counts(), counts()) == (expected, expected)
    begin("cart")
    assert counts() == expected | {"cart": 1000}
