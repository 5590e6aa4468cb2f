"""Telemetry that components make by themselves: ``wasi:otel``, in components of both WASIs."""

import asyncio
from pathlib import Path

import pytest

from edgezero_spin.host import Host, HostSettings, HttpRequest
from edgezero_spin.host.telemetry.exporting import start_telemetry
from edgezero_spin.host.telemetry.settings import telemetry_settings
from tests.component.conftest import Build
from tests.component.servers import manifest
from tests.host.telemetry.collector import Collector, collecting

WORLDS = {"0.2": "http-trigger-otel", "0.3": "http-service-otel"}


@pytest.fixture(scope="module", params=["0.2", "0.3"])
def guest(
    request: pytest.FixtureRequest, build: Build, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The manifest of the guest, built for a WASI."""
    wasi = request.param
    component = build("otel", wasi, own_world=WORLDS[wasi])
    return manifest(component, tmp_path_factory.mktemp("otel"), 'key_value_stores = ["default"]\n')


def ask(guest: Path, path: str, *, collector: Collector | None = None) -> tuple[int, str]:
    """Ask a host that gives ``wasi:otel``; status and text of the answer."""
    telemetry = None
    if collector is not None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
            found = telemetry_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
            assert found is not None
            telemetry = start_telemetry(found)

    async def run(host: Host) -> tuple[int, str]:
        response = await host.handle(HttpRequest("GET", path))
        return response.status, (await response.read()).decode()

    try:
        with Host.from_manifest(
            guest,
            observers=[] if telemetry is None else [telemetry.observer],
            settings=HostSettings(wasi_otel=True),
            state_dir="",
            log_dir="",
            follow=(),
        ) as host:
            return asyncio.run(run(host))
    finally:
        if telemetry is not None:
            telemetry.close()


def test_spans_are_below_the_component_and_above_its_calls(guest: Path) -> None:
    """In one trace, with all that the component says of them."""
    # TEL-47, TEL-48
    with collecting() as collector:
        status, text = ask(guest, "/spans", collector=collector)
        assert status == 200
        component = collector.span("execute_wasm_component guest")
        assert text == f"{component.trace_id} {component.span_id}"
        outer, inner = collector.span("outer"), collector.span("inner")
        assert (outer.span_id, outer.parent) == ("00000000000000a1", component.span_id)
        assert (inner.span_id, inner.parent) == ("00000000000000a2", outer.span_id)
        assert {outer.trace_id, inner.trace_id} == {component.trace_id}
        assert collector.span("spin_key_value.set").parent == inner.span_id
        assert collector.span("spin_key_value.get").parent == outer.span_id
        assert (outer.kind, outer.failed, outer.problem) == ("internal", True, "broken")
        words = outer.attributes.pop("words").values
        assert [word.string_value for word in words] == ["a", "b"]
        assert outer.attributes == {"n": 1, "text": "yes", "odd": "no json"}
        assert outer.events == [{"flag": True}]
        assert collector.scopes == {"spin", "guest"}


def test_a_span_that_never_began_ends_the_guest(guest: Path) -> None:
    """With a 500 (TEL-48)."""
    with collecting() as collector:
        assert ask(guest, "/unknown", collector=collector)[0] == 500
        assert "span that was not started" in collector.span("GET /...").attributes["error.type"]
        assert "never" not in {span.name for span in collector.spans}


def test_log_records(guest: Path) -> None:
    """Come with their own resource, and in the trace that they name."""
    with collecting() as collector:
        _, trace_id = ask(guest, "/logs", collector=collector)
        [(_, attributes, found)] = collector.logs
        assert (attributes, found) == ({"n": 2}, trace_id)
        assert {"region": "eu"} in collector.resources


def test_metrics(guest: Path) -> None:
    """Are sent when the component says so, and not with those of the host."""
    with collecting() as collector:
        assert ask(guest, "/metrics", collector=collector) == (200, "sent")
        [(attributes, point)] = collector.points["guest.count"]
        assert (attributes, point.as_int) == ({"kind": "a"}, 7)
        [(_, point)] = collector.points["guest.sizes"]
        assert (point.count, point.sum, point.max) == (3, 11.5, 9.0)
        assert list(point.bucket_counts) == [1, 1, 1]


@pytest.mark.parametrize("path", ["/spans", "/unknown", "/logs", "/metrics"])
def test_without_a_collector(guest: Path, path: str) -> None:
    """Every call does nothing, and the span outside is none (TEL-47)."""
    status, text = ask(guest, path)
    assert status == 200
    if path == "/spans":
        assert text == "0" * 32 + " " + "0" * 16


def test_metrics_that_a_collector_refuses(guest: Path) -> None:
    """Are an error of the call; the host goes on."""
    with collecting() as collector:
        collector.status = 400
        assert ask(guest, "/metrics", collector=collector)[0] == 500


def test_nobody_switched_it_on(guest: Path) -> None:
    """A component that calls it ends, and is told how to have it."""

    async def run(host: Host) -> int:
        return (await host.handle(HttpRequest("GET", "/logs"))).status

    with Host.from_manifest(guest, state_dir="", log_dir="", follow=()) as host:
        assert asyncio.run(run(host)) == 500
