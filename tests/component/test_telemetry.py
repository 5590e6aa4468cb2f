"""Telemetry of Python components of both generations: calls, outgoing requests, chaining."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host import Host, HttpRequest
from edgezero_spin.host.telemetry.exporting import start_telemetry
from edgezero_spin.host.telemetry.settings import telemetry_settings
from edgezero_spin.project.world import Wasi
from tests.component.conftest import Build
from tests.component.servers import manifest
from tests.host.telemetry.collector import Collector, collecting

GRANTS = """\
key_value_stores = ["cache"]
allowed_outbound_hosts = ["http://127.0.0.1:*", "http://guest.spin.internal"]

[component.guest.variables]
token = "{{ token }}"

[variables]
token = { default = "hush" }
"""
RUNTIME = '[key_value_store.cache]\ntype = "spin"\npath = "cache.db"\n'


class Server:
    """A server that keeps the header fields of what it is asked."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        seen = self.headers

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(200)
                self.send_header("content-length", "5")
                self.end_headers()
                self.wfile.write(b"there")

            def log_message(self, format: str, *arguments: Any) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of this test."""
    started = Server()
    yield started
    started.close()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that the environment names."""
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        yield running


@pytest.fixture(params=["0.2", "0.3"])
def guest(request: pytest.FixtureRequest, build: Build, tmp_path: Path) -> Path:
    """The manifest of the guest, built for a WASI."""
    wasi: Wasi = request.param
    (tmp_path / "runtime-config.toml").write_text(RUNTIME)
    return manifest(build("observed", wasi), tmp_path, GRANTS)


def ask(guest: Path, *targets: str) -> list[str]:
    """Ask a host with telemetry at the same time; the texts of the answers."""
    settings = telemetry_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    assert settings is not None
    telemetry = start_telemetry(settings)

    async def text(host: Host, target: str) -> str:
        response = await host.handle(HttpRequest("GET", target))
        return (await response.read()).decode()

    async def run(host: Host) -> list[str]:
        return list(await asyncio.gather(*(text(host, target) for target in targets)))

    try:
        with Host.from_manifest(
            guest, observers=[telemetry.observer], state_dir="", log_dir="", follow=()
        ) as host:
            return asyncio.run(run(host))
    finally:
        telemetry.close()


def test_calls_are_spans_below_the_component(guest: Path, collector: Collector) -> None:
    """Those of stores and variables, by their names in Spin; output is logged in the trace."""
    # TEL-23, TEL-24, TEL-44
    assert ask(guest, "/stores") == ["hello 4"]
    component = collector.span("execute_wasm_component guest")
    for name in ("spin_key_value.open", "spin_key_value.set", "spin_key_value.get"):
        span = collector.span(name)
        assert (span.kind, span.parent, span.failed) == ("client", component.span_id, False)
    backend = collector.span("spin_key_value.open").attributes["kv.backend"]
    assert backend == f'"{guest.parent / "cache.db"}"'
    assert collector.span("spin_variables.get").attributes == {"key": "token"}
    assert [log[2] for log in collector.logs if "stored" in log[0]] == [component.trace_id]
    assert "hush" not in str(collector.spans)


def test_the_trace_goes_on_in_what_is_sent(
    guest: Path, collector: Collector, server: Server
) -> None:
    """Its context takes the place of one that the component wrote."""
    # TEL-22, TEL-46, V-76
    port = server.server.server_port
    assert ask(guest, f"/sends/{port}") == ["there"]
    span = collector.span("GET")
    assert (span.kind, span.parent) == (
        "client",
        collector.span("execute_wasm_component guest").span_id,
    )
    assert span.attributes == {
        "http.request.method": "GET",
        "url.full": f"http://127.0.0.1:{port}/there",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": port,
    }
    points = collector.wait_for(lambda c: c.points.get("outbound_connection_permits_acquired"))
    assert [attributes for attributes, _ in points] == [{"kind": "http", "waited": False}]
    [headers] = server.headers
    version, trace_id, span_id, flags = headers["traceparent"].split("-")
    assert (version, trace_id, span_id) == ("00", span.trace_id, span.span_id)
    assert int(flags, 16) & 1


def test_chained_components_are_in_one_trace(guest: Path, collector: Collector) -> None:
    """The one that is called is below the request of the one that calls."""
    assert ask(guest, "/chains") == ["hello 4"]
    collector.span("GET /...")
    sent = collector.span("GET")
    called = [s for s in collector.spans if s.name == "execute_wasm_component guest"]
    assert len(called) == 2 and {s.trace_id for s in collector.spans} == {sent.trace_id}
    assert sent.span_id in {s.parent for s in called}


def test_requests_at_the_same_time_keep_their_calls_apart(
    guest: Path, collector: Collector, server: Server
) -> None:
    """Also where they share an instance: each call is in the trace of its own request."""
    port = server.server.server_port
    ask(guest, *[f"/sends/{port}"] * 4, *["/stores"] * 4)
    roots = {s.trace_id: s for s in collector.spans if s.kind == "server"}
    assert len(roots) == 8
    for span in collector.spans:
        path = roots[span.trace_id].attributes["url.path"]
        if span.name.startswith("spin_"):
            assert path == "/stores"
        elif span.name == "GET":
            assert path == f"/sends/{port}"
    assert sum(s.name == "spin_variables.get" for s in collector.spans) == 4


def test_without_telemetry_a_header_of_the_component_is_sent(guest: Path, server: Server) -> None:
    """Nothing is added, and nothing replaced (TEL-46)."""

    async def run(host: Host) -> None:
        await (await host.handle(HttpRequest("GET", f"/sends/{server.server.server_port}"))).read()

    with Host.from_manifest(guest, state_dir="", log_dir="", follow=()) as host:
        asyncio.run(run(host))
    assert [headers["traceparent"] for headers in server.headers] == ["mine"]
